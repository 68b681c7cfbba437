"""The table of requirement, control, evidence and test names what is there."""

from __future__ import annotations

import re
from pathlib import Path

from tensaku.govern.principles import PRINCIPLES

ROOT = Path(__file__).parents[2]


def test_every_control_names_a_test_that_is_there() -> None:
    named = [one.test for principle in PRINCIPLES for one in principle.requirements]
    assert [name for name in named if not (ROOT / name).is_file()] == []
    assert [principle.number for principle in PRINCIPLES] == list(range(1, 9))


def test_the_document_lists_twelve_questions_with_their_files() -> None:
    text = (ROOT / "docs/govern.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| .+ \| (.*) \|$", text, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 13))
    assert all(re.search(r"`[\w*/.-]+\.(json|jsonl|html)`|SHA256SUMS", files) for _, files in rows)
