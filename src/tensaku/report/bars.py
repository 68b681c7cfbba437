"""Horizontal bars with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tensaku.report.drawing import line, svg, ticks, words

__all__ = ["Bar", "bar_chart"]


class Bar(NamedTuple):
    """One bar: its name, a style class, its value and interval."""

    name: str
    style: str
    value: float
    low: float
    high: float


def bar_chart(title: str, bars: Sequence[Bar], top: float = 100.0) -> Markup:
    """Horizontal bars from 0 to `top`, each with its 95 % interval and its figure."""
    left, width, step = 100, 180, 38
    height = 34 + step * len(bars) + 22
    parts = [words("chart-title", 0, 14, title)]
    bottom = 30 + step * len(bars)
    for tick in ticks(0, top):
        x = left + width * tick / top
        parts.append(line("grid", x, 28, x, bottom))
        parts.append(words("tick", x, bottom + 15, f"{tick:,.0f}", "middle"))
    for number, bar in enumerate(bars):
        y = 34 + step * number
        end = left + width * bar.value / top
        low, high = left + width * bar.low / top, left + width * bar.high / top
        middle = y + 12
        parts.append(words("bar-name", 0, middle + 4, bar.name))
        parts.append(
            Markup('<rect class="bar {}" x="{}" y="{}" width="{:.1f}" height="24" rx="2"/>').format(
                bar.style, left, y, max(end - left, 1)
            )
        )
        for x1, x2, y1, y2 in (
            (low, high, middle, middle),
            (low, low, middle - 5, middle + 5),
            (high, high, middle - 5, middle + 5),
        ):
            parts.append(line("halo", x1, y1, x2, y2))
            parts.append(line("whisker", x1, y1, x2, y2))
        parts.append(words("bar-value", max(end, high) + 7, middle + 5, f"{bar.value:.1f}"))
    label = f"{title}: " + ", ".join(f"{bar.name} {bar.value:.1f}" for bar in bars)
    return svg(left + width + 48, height, label, parts)
