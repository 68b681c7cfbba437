"""Curves over steps or over time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tensaku.report.drawing import line, path, svg, tick_text, ticks, words

__all__ = ["Line", "Mark", "line_chart"]

_MOST = 600  # points drawn of one line; more cannot be told apart
_MOST_DOTS = 60
_LEFT, _RIGHT, _TOP, _FOOT = 62, 16, 16, 40

Point = tuple[float, float | None]


class Line(NamedTuple):
    """One curve: (x, y) in rising order of x; a y that is None or not finite is a gap.

    `style` is a class of the style sheet (`first`, `second`, `third`); `smooth` draws the curve thin and its running
    mean over it; `dots` marks every point; `area` fills below.
    """

    points: Sequence[Point]
    name: tuple[str, str] | None = None
    style: str = "first"
    smooth: bool = False
    dots: bool = False
    area: bool = False


class Mark(NamedTuple):
    """Something that happened at `x`, in Japanese and in English."""

    x: float
    name: tuple[str, str]
    style: str = "mark"


def line_chart(
    title: tuple[str, str],
    lines: Sequence[Line],
    *,
    figure: str = "",
    marks: Sequence[Mark] = (),
    time: bool = False,
    over: tuple[str, str] = ("ステップ", "step"),
    wide: bool = False,
    height: int = 0,
) -> Markup:
    """A chart of curves from 0 up, with its title in both languages; empty if there is nothing to draw.

    Args:
        figure: what it comes to, beside the title.
        marks: vertical lines.
        time: x is seconds, not steps.
        over: what x counts, where it is no time.
        wide: as wide as the page, else half of it.
        height: of the drawing, in units of which a wide one has 1056 across; 0: one that suits the width.
    """
    kept = [held for held in lines if any(_there(y) for _, y in held.points)]
    if not kept:
        return Markup()
    width, height = (1056, height or 290) if wide else (512, height or 190)
    legend = Markup().join(
        Markup('<span><i class="key {}"></i>{} <small>{}</small></span>').format(held.style, *held.name)
        for held in kept
        if held.name and len(kept) > 1
    )
    head = Markup("<figcaption><b>{}</b><small>{}</small>{}<output>{}</output></figcaption>").format(
        *title, Markup('<span class="legend">{}</span>').format(legend) if legend else "", figure
    )
    drawing = _drawn(f"{title[0]} {title[1]} {figure}".strip(), kept, marks, None if time else over, (width, height))
    if not wide:
        return Markup('<figure class="plot">{}{}</figure>').format(head, drawing)
    # a narrow screen scrolls it, and so must a keyboard
    scroll = Markup('<div class="scroll" tabindex="0" role="group" aria-label="{} {}">{}</div>').format(*title, drawing)
    return Markup('<figure class="plot wide">{}{}</figure>').format(head, scroll)


class _Scale:
    """From values to places on the drawing."""

    def __init__(self, lines: Sequence[Line], time: bool, size: tuple[int, int]) -> None:
        xs = [x for held in lines for x, _ in held.points]
        ys = [y for held in lines for _, y in held.points if y is not None and math.isfinite(y)]
        self.low, self.high = 0.0 if time else min(xs), max(xs)
        self.top = max(ys) * 1.05 if max(ys) > 0 else 1.0
        self.width, self.height = size
        self.bottom = self.height - _FOOT

    def x(self, value: float) -> float:
        room = self.width - _LEFT - _RIGHT
        if self.high <= self.low:
            return _LEFT + room / 2
        return _LEFT + room * (value - self.low) / (self.high - self.low)

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - _TOP) * min(max(value, 0.0), self.top) / self.top


def _drawn(
    label: str, lines: Sequence[Line], marks: Sequence[Mark], over: tuple[str, str] | None, size: tuple[int, int]
) -> Markup:
    """`over`: what x counts; None: seconds."""
    scale = _Scale(lines, over is None, size)
    parts = _axes(scale, over) + _marks(scale, marks)
    for held in lines:
        for run in _runs(held.points):
            parts += _curve(scale, held, run)
    return svg(*size, label, parts)


def _axes(scale: _Scale, over: tuple[str, str] | None) -> list[Markup]:
    parts: list[Markup] = []
    rows = ticks(0, scale.top, 4 if scale.height > 150 else 2)
    for value in rows:
        parts.append(line("grid", _LEFT, scale.y(value), scale.width - _RIGHT, scale.y(value)))
        parts.append(words("tick", _LEFT - 8, scale.y(value) + 4, tick_text(value, rows), "end"))
    unit, (japanese, english) = _unit(scale.high) if over is None else (1.0, over)
    columns = ticks(scale.low / unit, scale.high / unit, 8 if scale.width > 600 else 5)
    if over is not None:
        columns = [value for value in columns if value == int(value)] or [scale.low]
    for value in columns:
        parts.append(words("tick", scale.x(value * unit), scale.bottom + 16, tick_text(value, columns), "middle"))
    parts.append(words("axis", scale.width - _RIGHT, scale.bottom + 34, f"{japanese} {english}", "end"))
    return parts


def _unit(seconds: float) -> tuple[float, tuple[str, str]]:
    if seconds < 180:
        return 1.0, ("時間（秒）", "time, s")
    if seconds < 10800:
        return 60.0, ("時間（分）", "time, min")
    return 3600.0, ("時間（時）", "time, h")


def _marks(scale: _Scale, marks: Sequence[Mark]) -> list[Markup]:
    parts: list[Markup] = []
    free = -math.inf  # a label too near the one before is left out; its line still stands
    for mark in sorted(marks):
        if not scale.low <= mark.x <= scale.high:
            continue
        x = scale.x(mark.x)
        parts.append(line(mark.style, x, _TOP - 6, x, scale.bottom))
        text = " ".join(mark.name)
        length = sum(12 if ord(letter) > 0x2E80 else 6.5 for letter in text)
        at_end = x + length + 8 > scale.width
        begin = x - length - 8 if at_end else x
        if begin > free:
            parts.append(words("mark-name", x - 5 if at_end else x + 5, _TOP, text, "end" if at_end else "start"))
            free = begin + length + 12
    return parts


def _curve(scale: _Scale, held: Line, run: list[tuple[float, float]]) -> list[Markup]:
    places = [(scale.x(x), scale.y(y)) for x, y in _thinned(run)]
    parts: list[Markup] = []
    thin = held.smooth and len(run) > 8
    means = zip((x for x, _ in run), _smooth([y for _, y in run]), strict=True) if thin else run
    line_places = [(scale.x(x), scale.y(y)) for x, y in _thinned(list(means))]
    if held.area and len(places) > 1:
        foot = [(line_places[-1][0], scale.bottom), (line_places[0][0], scale.bottom)]
        parts.append(path(f"area {held.style}", [*line_places, *foot]))
    if len(places) == 1 or (held.dots and len(places) <= _MOST_DOTS):
        dot = Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{}"/>')
        parts += [dot.format(held.style, x, y, 3.5) for x, y in places]
    if thin:
        parts.append(path(f"curve {held.style} raw", places))
    parts.append(path(f"curve {held.style}", line_places))
    return parts


def _runs(points: Sequence[Point]) -> list[list[tuple[float, float]]]:
    """The points between gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is not None and math.isfinite(y):
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _there(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most some hundred points: of each stretch the lowest and the highest, so no peak is lost."""
    if len(points) <= _MOST:
        return points
    size = math.ceil(len(points) / (_MOST // 2))
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        ends = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def _smooth(values: Sequence[float]) -> list[float]:
    """A centred running mean over a twentieth of the run: no lag, unlike an exponential one. Towards the ends the
    window narrows, so that a steep beginning is not drawn lower than it was."""
    last, most = len(values) - 1, max(len(values) // 40, 2)
    sums = list(itertools.accumulate(values, initial=0.0))
    means = []
    for i in range(len(values)):
        reach = min(most, max(min(i, last - i), most // 8))
        low, high = max(0, i - reach), min(last, i + reach) + 1
        means.append((sums[high] - sums[low]) / (high - low))
    return means
