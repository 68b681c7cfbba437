"""The examples of docs/retrieve.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "retrieve.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.splitlines()[-1][:40] for example in EXAMPLES])
def test_example_runs(example: str) -> None:
    exec(compile(example, str(PAGE), "exec"), {"__name__": "example"})
