"""Control charts: a figure month by month, with the limits that it ought to stay within."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tensaku.report.drawing import line, path, svg, tick_text, ticks, words

__all__ = ["Reading", "control_chart"]

_WIDTH, _HEIGHT = 512, 212
_LEFT, _RIGHT, _TOP, _FOOT = 58, 16, 18, 34
_MOST = 24


class Reading(NamedTuple):
    """One month: its figure (None: not measured), the limits then in force, and whether the figure is outside.

    `low` or `high` alone is a bound on one side; `mean` is the middle of the months before.
    """

    name: str
    value: float | None
    low: float | None = None
    mean: float | None = None
    high: float | None = None
    out: bool = False


def control_chart(title: tuple[str, str], readings: Sequence[Reading], *, label: str = "") -> Markup:
    """A chart of the newest two years, the limits as steps, what is outside marked; empty without a figure.

    Args:
        title: in Japanese and in English; an empty one is left out.
        readings: month by month, the oldest first.
        label: what it says to those who cannot see it; by default the title with every figure.
    """
    shown = list(readings)[-_MOST:]
    held = [(n, one.value) for n, one in enumerate(shown) if one.value is not None]
    if not held:
        return Markup()
    scale = _Scale(shown)
    said = "; ".join(f"{one.name} {one.value:.4g}{' !' if one.out else ''}" for one in shown if one.value is not None)
    parts = [*_axes(scale, shown), *_bounds(scale, shown)]
    parts.append(path("reading", [(scale.x(n), scale.y(value)) for n, value in held]))
    for n, value in held:
        style = "reading-dot out" if shown[n].out else "reading-dot"
        dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>')
        parts.append(dot.format(style, scale.x(n), scale.y(value), 5 if shown[n].out else 3.2))
        if shown[n].out or n == held[-1][0]:
            at_end = scale.x(n) > _WIDTH - 60
            x = scale.x(n) + (0 if at_end else 7)
            y = scale.y(value) - 9 if scale.y(value) > _TOP + 14 else scale.y(value) + 18
            parts.append(words("reading-value", x, y, f"{value:.4g}", "end" if at_end else "start"))
    drawing = svg(_WIDTH, _HEIGHT, label or f"{' '.join(filter(None, title))}: {said}", parts)
    names = Markup("").join(
        (Markup("<b>{}</b>").format(title[0]), Markup("<small>{}</small>").format(title[1]) if title[1] else Markup())
    )
    return Markup('<figure class="plot control"><figcaption>{}</figcaption>{}</figure>').format(names, drawing)


class _Scale:
    """From months and values to places on the drawing."""

    def __init__(self, shown: Sequence[Reading]) -> None:
        values = [v for one in shown for v in (one.value, one.low, one.high) if v is not None and math.isfinite(v)]
        low, high = min(values), max(values)
        room = (high - low) * 0.12 or abs(high) * 0.12 or 1.0
        self.low = 0.0 if low >= 0 and low - room < 0 else low - room
        self.high = high + room
        self.n = len(shown)
        self.step = (_WIDTH - _LEFT - _RIGHT) / max(self.n, 2)

    def x(self, place: float) -> float:
        return _LEFT + self.step * (place + 0.5)

    def y(self, value: float) -> float:
        bottom = _HEIGHT - _FOOT
        return bottom - (bottom - _TOP) * (value - self.low) / (self.high - self.low)


def _axes(scale: _Scale, shown: Sequence[Reading]) -> list[Markup]:
    parts = []
    rows = ticks(scale.low, scale.high)
    for value in rows:
        parts.append(line("grid", _LEFT, scale.y(value), _WIDTH - _RIGHT, scale.y(value)))
        parts.append(words("tick", _LEFT - 8, scale.y(value) + 4, tick_text(value, rows), "end"))
    every = max(1, math.ceil(len(shown) * 52 / (_WIDTH - _LEFT)))  # so many months share a name's width
    for n, one in enumerate(shown):
        if (len(shown) - 1 - n) % every == 0:
            parts.append(words("tick", scale.x(n), _HEIGHT - _FOOT + 18, one.name, "middle"))
    return parts


def _bounds(scale: _Scale, shown: Sequence[Reading]) -> list[Markup]:
    """The limits in force in each month, as steps."""
    parts = []
    for name, style in (("low", "bound"), ("high", "bound"), ("mean", "middle")):
        run: list[tuple[float, float]] = []
        for n, one in enumerate([*shown, Reading("", None)]):
            value = getattr(one, name)
            if value is not None:
                run += [(scale.x(n - 0.5), scale.y(value)), (scale.x(n + 0.5), scale.y(value))]
            elif run:
                parts.append(path(style, run))
                run = []
    return parts
