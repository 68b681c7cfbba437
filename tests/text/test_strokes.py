"""Key strokes, counted by hand on a Japanese keyboard."""

from __future__ import annotations

import pytest

from tensaku.text import strokes
from tensaku.text.strokes import typing


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("", 0),
        ("3.2%", 4),
        ("が", 2),  # ga
        ("かぶ", 4),  # kabu
        ("した。", 5),  # si ta .
        ("株", 4 + 2),  # kabu, convert, accept
        ("上昇した。", 8 + 1 + 5 + 1),  # zyousyou, convert, sita., accept
        ("ファンド", 5 + 2),  # fa n do, convert, accept
    ],
)
def test_typing_by_hand(written: str, count: int) -> None:
    assert typing(written) == count


def test_a_change_costs_what_goes_and_what_comes() -> None:
    assert strokes("株高。", "株高。") == 0
    assert strokes("上昇したが。", "上昇した。") == 1  # one character rubbed out
    assert strokes("利率は3.2%。", "利率は4.1%。") == 4 + 4  # a figure is one word: 3.2% goes, 4.1% comes
