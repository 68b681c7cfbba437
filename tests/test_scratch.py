"""What is held for a moment does not outlive its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tensaku.scratch import scratch, sweep

HOLDS = """
import sys, time
from tensaku.scratch import scratch
with scratch("upload") as folder:
    (folder / "report.pdf").write_bytes(b"not yet published")
    print(folder, flush=True)
    time.sleep(600)
"""


def test_it_is_gone_when_the_block_ends_and_nobody_else_may_look() -> None:
    with scratch("text") as folder:
        (folder / "text").write_text("x", encoding="utf-8")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sweep(older=0) == 0  # ours
    assert not folder.exists()
    with pytest.raises(ZeroDivisionError), scratch("text") as folder:
        raise ZeroDivisionError
    assert not folder.exists()


def test_what_a_killed_process_held_is_taken_away_and_what_a_living_one_holds_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "tensaku-held-elsewhere").symlink_to("/usr")
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", HOLDS]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as one,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as two,
    ):
        assert one.stdout is not None
        assert two.stdout is not None
        killed, living = Path(one.stdout.readline().strip()), Path(two.stdout.readline().strip())
        one.send_signal(signal.SIGKILL)
        one.wait()
        assert (killed / "report.pdf").exists()
        assert sweep() == 0  # it may just have been made
        assert sweep(older=0) == 1
        assert not killed.exists()
        assert (living / "report.pdf").exists()
        two.kill()
    assert Path("/usr").is_dir()
