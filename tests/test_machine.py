"""What the machine tells of a process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_PROBE = """
import json
from tensaku.machine import forget_peak_memory, peak_memory_mb
forget_peak_memory()
first = peak_memory_mb()
pieces = [bytes(4000) for _ in range(100_000)]
kept = pieces[::100]
del pieces
full = peak_memory_mb()
forget_peak_memory()
print(json.dumps([first, full, peak_memory_mb()]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be forgotten on Linux alone")
def test_what_earlier_work_left_behind_is_no_part_of_the_peak() -> None:
    """Small pieces of which one in a hundred is kept: what was freed stays with the process until it is given back."""
    told = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True)
    first, full, after = json.loads(told.stdout)
    assert full > first + 300
    assert after < first + 60
