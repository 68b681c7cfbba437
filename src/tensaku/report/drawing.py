"""Lines, words and scales of inline SVG. Colours are classes of the style sheet, so they follow dark mode and print."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from markupsafe import Markup

__all__ = ["line", "path", "svg", "tick_text", "ticks", "words"]


def line(style: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """A straight line."""
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(style, x1, y1, x2, y2)


def path(style: str, points: Iterable[tuple[float, float]]) -> Markup:
    """A line through points."""
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polyline class="{}" points="{}"/>').format(style, drawn)


def words(
    style: str, x: float, y: float, content: object, anchor: Literal["start", "middle", "end"] = "start"
) -> Markup:
    """Words whose base line begins, has its middle or ends at (x, y)."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, content
    )


def svg(width: float, height: float, label: str, parts: Iterable[Markup]) -> Markup:
    """A drawing; `label` is what it says to those who cannot see it."""
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, label, Markup().join(parts)
    )


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers, some `about` of them, at even distances between `low` and `high`, both included if round."""
    raw = (high - low) / about
    if not raw > 0 or not math.isfinite(raw):
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.8)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float, marks: list[float]) -> str:
    """A tick's value with as many decimals as its neighbours need."""
    step = abs(marks[1] - marks[0]) if len(marks) > 1 else abs(value)
    if value and step and abs(value) < 1e-3:
        return f"{value:.{max(2, math.floor(math.log10(abs(value))) - math.floor(math.log10(step)) + 2)}g}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step else 0
    if step and not math.isclose(step * 10**decimals % 1, 0, abs_tol=1e-6):
        decimals += 1  # steps of 2.5
    return f"{value:,.{decimals}f}" if value else "0"
