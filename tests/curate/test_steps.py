"""Each step: what it mends, what it drops and why; nothing vanishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.curate.pool import Curate
from tensaku.plugins import steps
from tensaku.records import Drop, Pair

PAIR = Pair("p1", "株は上昇。", "株式は上昇しました。", "あおば", "国内株式", "market", "2026-01", "f", "a.csv:2")


def pairs(*changes: dict[str, Any]) -> list[Pair]:
    return [replace(PAIR, **({"id": f"p{n}", "source": f"a.csv:{n}"} | change)) for n, change in enumerate(changes, 1)]


def walk(name: str, rows: Iterable[Pair], **settings: Any) -> tuple[list[Pair], list[Drop], Counter[str]]:
    tally: Counter[str] = Counter()
    found = list(steps.build({"step": name, **settings})(rows, tally))
    return [r for r in found if isinstance(r, Pair)], [r for r in found if isinstance(r, Drop)], tally


def reasons(dropped: list[Drop]) -> list[tuple[str, str]]:
    return [(drop.reason, drop.source) for drop in dropped]


def test_repair_mends_and_counts_and_leaves_width_alone() -> None:
    rows = pairs(
        {"draft": "ＴＯＰＩＸは３．２％\x07上昇\u200b。"},
        {"draft": "The fundâ€™s return"},
        {"draft": "“引用”と①㈱ﾊﾝｶｸ &amp; <b>"},
        {"final": "失われた\ufffd文字"},
    )
    kept, dropped, tally = walk("repair", rows)
    assert [pair.draft for pair in kept] == ["ＴＯＰＩＸは３．２％上昇。", "The fund’s return", rows[2].draft]
    assert reasons(dropped) == [("lost-characters", "a.csv:4")]
    assert tally["drafts mended"] == 2


def test_normalise_composes_marks_but_keeps_names_and_width() -> None:
    rows = pairs({"draft": "  か\u3099上昇 \u3000\r\n神﨑様は１２％ \r\n\r\n"})
    (pair,), _, tally = walk("normalise", rows)
    assert pair.draft == "が上昇\n神﨑様は１２％"
    assert tally["drafts changed"] == 1


def test_empty_identical_long() -> None:
    rows = pairs({"draft": " \n"}, {"final": ""}, {"draft": "同じ 文。", "final": "同じ文。"}, {"draft": "長" * 30}, {})
    kept, dropped, _ = walk("empty", rows)
    assert reasons(dropped) == [("empty-draft", "a.csv:1"), ("empty-final", "a.csv:2")]
    kept, dropped, _ = walk("identical", kept)
    assert reasons(dropped) == [("identical-sides", "a.csv:3")]
    kept, dropped, _ = walk("long", kept, most=29)
    assert reasons(dropped) == [("too-long", "a.csv:4")]
    assert [pair.id for pair in kept] == ["p5"]


def test_duplicates_keep_the_first_and_say_where_it_stands() -> None:
    rows = pairs({}, {"draft": "株は 上昇。\n"}, {"draft": "株は下落。"}, {"final": "別の文。"})
    kept, dropped, _ = walk("duplicates", rows)
    assert [pair.id for pair in kept] == ["p1", "p3", "p4"]
    assert dropped[0].reason == "duplicate"
    assert "a.csv:1" in dropped[0].detail
    assert dropped[0].row["id"] == "p2"


def test_width_makes_no_other_draft_but_another_final() -> None:
    kept, _, _ = walk(
        "duplicates", pairs({"draft": "ｶﾌﾞは３％"}, {"draft": "カブは3%"}, {"final": "３％"}, {"final": "3%"})
    )
    assert [pair.id for pair in kept] == ["p1", "p3", "p4"]
    kept, dropped, _ = walk("twins", kept)
    assert reasons(dropped) == [("contradictory-twin", "a.csv:4")]


@pytest.mark.parametrize(
    ("keep", "left"), [("newest", ["p2", "p4", "p5"]), ("first", ["p1", "p4", "p5"]), ("none", ["p5"])]
)
def test_contradictory_twins(keep: str, left: list[str]) -> None:
    rows = pairs(
        {"as_of": "2026-01", "final": "甲"},
        {"as_of": "2026-03", "final": "乙"},
        {"as_of": "2026-03", "final": "丙"},
        {"draft": "別の原稿", "final": "甲"},
        {"draft": "一つだけ"},
    )
    rows.append(replace(rows[3], id="p6", as_of="2025-01", final="丁", source="a.csv:6"))
    kept, dropped, _ = walk("twins", rows, keep=keep)
    assert [pair.id for pair in kept] == left
    assert {drop.reason for drop in dropped} == {"contradictory-twin"}


def test_duplicate_ids_keep_the_first() -> None:
    kept, dropped, _ = walk("ids", pairs({"id": "x"}, {"id": "x", "draft": "別"}, {"id": "y"}))
    assert [pair.id for pair in kept] == ["x", "y"]
    assert reasons(dropped) == [("duplicate-id", "a.csv:2")]


texts = st.text(st.sampled_from("株式上昇。 \n３3％%\u3099か\u200b\ufffd\x07\r神"), max_size=6)


@given(
    st.lists(
        st.builds(lambda d, f, m, i: (d, f, m, i), texts, texts, st.integers(1, 3), st.integers(0, 9)), max_size=20
    )
)
def test_what_comes_in_leaves_as_a_pair_or_a_drop(rows: list[tuple[str, str, int, int]]) -> None:
    left = [
        replace(PAIR, draft=d, final=f, as_of=f"2026-0{m}", id=f"p{i}", source=f"a.csv:{n}")
        for n, (d, f, m, i) in enumerate(rows)
    ]
    sources = {pair.source for pair in left}
    gone: set[str] = set()
    for use in Curate().steps:
        kept, dropped, _ = walk(use["step"], left)
        assert len(kept) + len(dropped) == len(left)
        left, gone = kept, gone | {drop.source for drop in dropped}
    assert {pair.source for pair in left} | gone == sources
    assert not {pair.source for pair in left} & gone
    again = left
    for use in Curate().steps:
        again, dropped, tally = walk(use["step"], again)
        assert not dropped
        assert not +tally
    assert again == left
