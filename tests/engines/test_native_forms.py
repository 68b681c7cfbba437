from __future__ import annotations

import pytest

from tensaku.engines.native.forms import as_written, closest

_WIDE = "２０２６年３月の騰落率は－１．３パーセント、ＴＯＰＩＸは３２２０。"


def _letters(text: str) -> list[int]:
    return [ord(c) for c in text]


@pytest.mark.parametrize(
    ("final", "read"),
    [
        (_WIDE, _WIDE),
        ("2026年3月の騰落率は-1.3パーセント、TOPIXは3220。", "2026年3月の騰落率は-1.3パーセント、TOPIXは3220。"),
        ("2026年3月の騰落率は-1.3%、TOPIXは3220。", "2026年3月の騰落率は-1.3%、TOPIXは3220。"),
    ],
)
def test_drafts_are_read_as_the_house_writes(final: str, read: str) -> None:
    assert closest([(_WIDE, final)] * 3, _letters)(_WIDE) == read


def test_dates_and_percents_are_read_in_their_normal_forms() -> None:
    form = closest([("2026/3の騰落率はマイナス1.3パーセント", "2026年3月の騰落率は-1.3%")], _letters)
    assert form("令和８年２月は０．９パーセント上げ、３，２２０円") == "2026年2月は0.9%上げ、3,220円"


def test_where_nothing_is_better_a_draft_stays_as_it_is() -> None:
    assert closest([], _letters) is as_written
    assert closest([("up 1.3% in March", "It rose 1.3% in March")], _letters) is as_written
