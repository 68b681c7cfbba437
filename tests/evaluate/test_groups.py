"""Who cannot be told apart: Holm's rule by a textbook's numbers, groups by hand, parts of the exam."""

from __future__ import annotations

import pytest

import tensaku.evaluate  # noqa: F401  (registers the scorers)
from tensaku.evaluate.groups import LENGTHS, apart, groups, holm, letters, ordered, parts
from tensaku.evaluate.scoring import Texts, measure_rows
from tensaku.plugins import scorers
from tensaku.records import Pair


def test_holm_by_the_usual_example() -> None:
    """0.01, 0.04, 0.03, 0.005: at 0.05 the first and the fourth are rejected, the others not."""
    found = holm({("a", "b"): 0.01, ("a", "c"): 0.04, ("a", "d"): 0.03, ("b", "c"): 0.005})
    assert found == {
        ("b", "c"): pytest.approx(0.02),
        ("a", "b"): pytest.approx(0.03),
        ("a", "d"): pytest.approx(0.06),
        ("a", "c"): pytest.approx(0.06),
    }
    assert holm({("a", "b"): 0.9, ("a", "c"): 0.8}) == {("a", "c"): 1.0, ("a", "b"): 1.0}


def test_groups_overlap_where_being_alike_is_not_passed_on() -> None:
    # a and b are alike, b and c are alike, a and c are not; d stands alone
    p = {("a", "b"): 0.5, ("a", "c"): 0.01, ("b", "c"): 0.5, ("a", "d"): 0, ("b", "d"): 0, ("c", "d"): 0}
    assert groups(["a", "b", "c", "d"], p, 0.05) == [("a", "b"), ("b", "c"), ("d",)]
    assert groups(["a", "b", "c", "d"], p, 0.005) == [("a", "b", "c"), ("d",)]
    assert letters([0, 1, 27]) == ["A", "B", "B2"]


def pair(number: int, manager: str, draft: str) -> Pair:
    return Pair(f"p{number}", draft, "株価は上昇した。", manager, "f", "market", "2026-01", f"f{number}")


PAIRS = [pair(n, "甲" if n % 2 else "乙", "株価は上げた。" * (n % 3 + 1)) for n in range(30)]
RIGHT = [pair.final for pair in PAIRS]
DRAFTS = [pair.draft for pair in PAIRS]


def board(scorer: str, **rows: list[str]):  # type: ignore[no-untyped-def]
    part = scorers.build({"scorer": scorer})
    return measure_rows(scorer, part(), {n: Texts(DRAFTS, o, RIGHT) for n, o in rows.items()}, 500, 1)


def test_a_clear_winner_stands_apart_and_twins_do_not() -> None:
    half = [final if n % 2 else "円安。" for n, final in enumerate(RIGHT)]
    other = ["円安。" if n % 2 else final for n, final in enumerate(RIGHT)]
    found = board("exact", half=half, best=RIGHT, other=other)
    assert ordered(found) == ["best", "half", "other"]
    p = apart(found, 0.05)
    assert p["best", "half"] < 0.05
    assert p["half", "other"] == 1.0
    assert groups(ordered(found), p, 0.05) == [("best",), ("half", "other")]


def test_of_strokes_less_is_better() -> None:
    found = board("strokes", nothing=DRAFTS, best=RIGHT)
    assert ordered(found) == ["best", "nothing"]


def test_parts_add_up_to_the_exam() -> None:
    found = board("exact", even=[final if n % 2 else "円安。" for n, final in enumerate(RIGHT)])
    by_manager = {part.part: part for part in parts(found, PAIRS, "manager", 200)}
    assert (by_manager["甲"].value, by_manager["乙"].value) == (100.0, 0.0)
    assert by_manager["甲"].n + by_manager["乙"].n == 30
    assert (by_manager["甲"].low, by_manager["甲"].high) == (100.0, 100.0)
    by_length = parts(found, PAIRS, "length", 200)
    assert [part.part for part in by_length] == list(LENGTHS)
    assert [part.n for part in by_length] == [10, 10, 10]


def test_many_candidates_can_still_be_told_apart() -> None:
    """With 66 pairs Holm's rule needs p below 0.05 / 66, which 100 trials could not show."""
    rows = {f"r{k:02d}": [final if n % 30 < k else "円安。" for n, final in enumerate(RIGHT)] for k in range(0, 24, 2)}
    part = scorers.build({"scorer": "exact"})
    found = measure_rows("exact", part(), {n: Texts(DRAFTS, o, RIGHT) for n, o in rows.items()}, 100, 1)
    assert apart(found, 0.05)["r22", "r00"] < 0.05
