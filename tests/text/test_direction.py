"""Reversals: found where a direction was turned, silent where only the wording changed."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.text import reversals

DRAFT = (
    "輸送用機器株の銘柄選択が押し下げ要因となりました。石油株の組入比率を低めとしていたことが押し上げ要因となりました。"
)
RIGHT = "石油株の組入比率を低めとしていたことがプラスに寄与した一方、輸送用機器株の銘柄選択がマイナスに影響した。"
WRONG = "輸送用機器株の銘柄選択がプラスに寄与した一方、石油株の組入比率を低めとしていたことがマイナスに影響した。"


def test_what_helped_and_what_hurt() -> None:
    assert reversals(DRAFT, RIGHT) == []
    assert [(r.text, r.draft_text) for r in reversals(DRAFT, WRONG)] == [
        ("プラスに", "押し下げ"),
        ("マイナスに", "押し上げ"),
    ]


def test_offsets_point_at_both_texts() -> None:
    for found in reversals(DRAFT, WRONG):
        assert WRONG[found.start : found.end] == found.text
        assert DRAFT[found.draft_start : found.draft_end] == found.draft_text


@pytest.mark.parametrize(
    ("draft", "right", "wrong"),
    [
        (
            "食品、卸売が値上がりしました。海運は値下がりしました。",
            "食品や卸売が上昇した一方、海運が下落した。",
            "食品や卸売が下落した一方、海運が上昇した。",
        ),
        (
            "銀行株を買い増し、保険株を減らしました。",
            "銀行株を買い増し、保険株を売却した。",
            "保険株を買い増し、銀行株を売却した。",
        ),
        ("為替は円安に振れました。", "為替市場では円安が進んだ。", "為替市場では円高が進んだ。"),
        ("医薬品株の比率を高めとした。", "医薬品株の組入比率を高めとした。", "医薬品株の組入比率を低めとした。"),
    ],
)
def test_each_kind_of_direction(draft: str, right: str, wrong: str) -> None:
    assert reversals(draft, right) == []
    assert reversals(draft, wrong) != []


def test_nothing_to_compare() -> None:
    assert reversals("", WRONG) == reversals(DRAFT, "") == []


def test_the_sample_desk(pairs: list[dict[str, Any]]) -> None:
    """No more than one true pair in two hundred is marked, and exchanged causes are found."""
    both = re.compile(r"([^。]+?)がプラスに寄与した一方、([^。]+?)がマイナスに影響")
    false = found = total = 0
    for row in pairs:
        final = row["final"]
        false += bool(reversals(row["draft"], final))
        match = both.search(final)
        if match:
            total += 1
            turned = final[: match.start(1)] + match[2] + final[match.end(1) : match.start(2)] + match[1]
            found += bool(reversals(row["draft"], turned + final[match.end(2) :]))
    assert false / len(pairs) <= 0.005
    assert total > 50
    assert found / total >= 0.97


def test_real_rewrites_are_not_marked(real_data: Callable[[str], Path]) -> None:
    with (real_data("keigo_transfer") / "annot_data_1.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["元文"] for row in rows if reversals(row["元文"], row["変換文"])] == []
