"""The tiny desk holds what a desk needs. Its whole road is walked in tests/test_pipeline.py."""

from __future__ import annotations

import json
from pathlib import Path

from tensaku.pipeline import Workspace
from tensaku.testing import tiny_desk


def test_pairs_of_every_section_on_both_sides(tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk", lessons=30, exam=9)
    lines = (folder / "data" / "pairs.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    months = [row["as_of"] for row in rows]
    assert len(rows) == 39
    assert sum(month >= "2026-04" for month in months) == 9
    assert {row["section"] for row in rows} == {"market", "performance", "outlook"}
    assert len({row["manager"] for row in rows}) > 3
    assert max(months) == "2026-09"  # so that the newest six months begin where the exam was meant to


def test_it_is_in_order_and_the_same_at_every_call(tmp_path: Path) -> None:
    first, again = tiny_desk(tmp_path / "a"), tiny_desk(tmp_path / "b")
    Workspace.open(first)
    for path in sorted(p for p in first.rglob("*") if p.is_file()):
        assert path.read_bytes() == (again / path.relative_to(first)).read_bytes(), path
