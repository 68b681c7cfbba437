"""Curves: what is drawn, what is left out, and scales that people can read."""

from __future__ import annotations

import math
import re

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.report import Bar, Line, Mark, bar_chart, duration, line_chart
from tensaku.report.drawing import tick_text, ticks
from tensaku.report.lines import _smooth, _thinned


def places(drawing: str, style: str = "curve") -> list[tuple[float, float]]:
    found = re.search(rf'<polyline class="{style} [^"]*" points="([^"]*)"', drawing)
    assert found is not None
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def test_nothing_to_draw_is_no_chart() -> None:
    for points in ([], [(1.0, None)], [(1.0, math.nan), (2.0, math.inf)]):
        assert line_chart(("損失", "Loss"), [Line(points)]) == ""


def test_places_follow_values() -> None:
    drawing = line_chart(("損失", "Loss"), [Line([(0, 0.0), (50, 1.0), (100, 2.0)])], wide=True)
    (x0, y0), (x1, y1), (x2, y2) = places(drawing)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    assert y2 < y1 < y0 < 290


def test_a_gap_breaks_the_curve_and_one_point_is_a_dot() -> None:
    drawing = line_chart(("", ""), [Line([(1, 1.0), (2, 2.0), (3, None), (4, 3.0), (5, 1.0), (6, math.nan), (7, 1.0)])])
    assert drawing.count("<polyline") == 3
    assert drawing.count("<circle") == 1


def test_marks_stand_where_they_happened_and_their_words_keep_clear() -> None:
    marks = [Mark(50, ("再開", "resumed")), Mark(51, ("再開", "resumed")), Mark(400, ("外", "outside"))]
    drawing = line_chart(("", ""), [Line([(0, 1.0), (100, 2.0)])], marks=marks)
    assert drawing.count('class="mark"') == 2
    assert drawing.count("再開 resumed") == 1
    assert "outside" not in drawing


def test_many_points_are_thinned_and_no_peak_is_lost() -> None:
    points = [(float(n), 1.0) for n in range(100_000)]
    points[77_777] = (77_777.0, 9.0)
    kept = _thinned(points)
    assert len(kept) <= 601
    assert (77_777.0, 9.0) in kept
    assert kept == sorted(kept)
    assert len(line_chart(("", ""), [Line(points, smooth=True, dots=True)])) < 40_000


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_the_running_mean_stays_within_and_keeps_a_flat_line(values: list[float]) -> None:
    means = _smooth(values)
    assert len(means) == len(values)
    assert min(values) - 1e-3 <= min(means)
    assert max(means) <= max(values) + 1e-3
    assert _smooth([2.5] * 40) == pytest.approx([2.5] * 40)


@given(st.floats(0, 1e9), st.floats(1e-7, 1e9))
def test_ticks_are_few_round_and_within(low: float, span: float) -> None:
    high = low + span
    hypothesis.assume(span > low * 1e-9)  # below that, floating point itself has no marks in between
    found = ticks(low, high)
    assert len(found) <= 7
    assert all(low - span * 1e-3 <= value <= high + span * 1e-3 for value in found)
    if span > low * 1e-3:
        texts = [tick_text(value, found) for value in found]
        assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("marks", "texts"),
    [
        ([0.0, 0.5, 1.0], ["0", "0.5", "1.0"]),
        ([0.0, 2.5, 5.0], ["0", "2.5", "5.0"]),
        ([0.0, 0.00025, 0.0005], ["0", "0.00025", "0.0005"]),
        ([0.0, 2e-5, 4e-5], ["0", "2e-05", "4e-05"]),
        ([0.0, 1000.0, 2000.0], ["0", "1,000", "2,000"]),
        ([0.0, 2e6], ["0", "2,000,000"]),
    ],
)
def test_ticks_have_the_decimals_they_need(marks: list[float], texts: list[str]) -> None:
    assert [tick_text(mark, marks) for mark in marks] == texts


@pytest.mark.parametrize(("seconds", "unit"), [(100.0, "time, s"), (1000.0, "time, min"), (40_000.0, "time, h")])
def test_time_in_a_unit_that_suits(seconds: float, unit: str) -> None:
    assert unit in line_chart(("", ""), [Line([(seconds / 2, 1.0), (seconds, 1.0)])], time=True)


def test_durations() -> None:
    assert [duration(s) for s in (0, 59.94, 60, 3599, 3599.7, 7500)] == [
        "0.0 s", "59.9 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "2 h 05 min"
    ]  # fmt: skip


def test_a_bar_says_its_value_to_those_who_cannot_see() -> None:
    drawing = bar_chart("BLEU", [Bar("原稿<b>", "draft", 61.7, 60.0, 63.0)])
    assert 'aria-label="BLEU: 原稿&lt;b&gt; 61.7"' in drawing
