"""Charts as inline SVG. Colours are classes of the style sheet, so that they follow dark mode and print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

__all__ = ["Bar", "bar_chart", "loss_chart"]


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
    parts = [Markup('<text class="chart-title" x="0" y="14">{}</text>').format(title)]
    bottom = 30 + step * len(bars)
    for tick in range(0, int(top) + 1, 25):
        x = left + width * tick / top
        parts.append(_line("grid", x, 28, x, bottom))
        parts.append(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x, bottom + 15, tick)
        )
    for number, bar in enumerate(bars):
        y = 34 + step * number
        end = left + width * bar.value / top
        low, high = left + width * bar.low / top, left + width * bar.high / top
        middle = y + 12
        parts.append(Markup('<text class="bar-name" x="0" y="{}">{}</text>').format(middle + 4, bar.name))
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
            parts.append(_line("halo", x1, y1, x2, y2))
            parts.append(_line("whisker", x1, y1, x2, y2))
        parts.append(
            Markup('<text class="bar-value" x="{:.1f}" y="{}">{:.1f}</text>').format(
                max(end, high) + 7, middle + 5, bar.value
            )
        )
    label = f"{title}: " + ", ".join(f"{bar.name} {bar.value:.1f}" for bar in bars)
    return _svg(left + width + 48, height, label, parts)


def loss_chart(steps: Sequence[Mapping[str, Any]]) -> Markup:
    """Loss by training step, as measured and smoothed, and the learning rate below."""
    width, height, left, right, top, gap = 960, 330, 56, 14, 16, 74
    bottom = height - gap
    xs = [float(step["step"]) for step in steps]
    losses = [float(step["loss"]) for step in steps]
    highest = max(losses) * 1.05 or 1.0

    def x_at(value: float) -> float:
        return left + (width - left - right) * (value - xs[0]) / max(xs[-1] - xs[0], 1e-9)

    def y_at(value: float) -> float:
        return bottom - (bottom - top) * value / highest

    parts: list[Markup] = []
    for tick in _ticks(highest):
        parts.append(_line("grid", left, y_at(tick), width - right, y_at(tick)))
        parts.append(
            Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{:g}</text>').format(
                left - 8, y_at(tick) + 4, tick
            )
        )
    for tick in _ticks(xs[-1]):
        if xs[0] <= tick <= xs[-1]:
            parts.append(
                Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(
                    x_at(tick), bottom + 16, tick
                )
            )
    parts.append(_path("loss-raw", zip(map(x_at, xs), map(y_at, losses), strict=True)))
    parts.append(_path("loss-smooth", zip(map(x_at, xs), map(y_at, _smooth(losses)), strict=True)))
    parts.append(Markup('<text class="axis" x="{}" y="{}">損失 loss</text>').format(left + 6, top + 8))
    parts.append(
        Markup('<text class="axis" x="{}" y="{}" text-anchor="end">ステップ step</text>').format(
            width - right, bottom + 30
        )
    )
    rates = [float(step.get("lr", 0.0)) for step in steps]
    if max(rates) > 0:
        floor, room = height - 4, gap - 44
        points = zip(map(x_at, xs), (floor - room * rate / max(rates) for rate in rates), strict=True)
        parts.append(_path("rate", points))
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{:.0e}</text>').format(
                left - 8, floor - room + 4, max(rates)
            )
        )
        parts.append(
            Markup('<text class="axis" x="{}" y="{}">学習率 learning rate</text>').format(left + 6, bottom + 30)
        )
    return _svg(width, height, f"loss from {losses[0]:.2f} to {losses[-1]:.2f} in {len(steps)} steps", parts)


def _smooth(values: Sequence[float]) -> list[float]:
    """A centred running mean over a twentieth of the run: no lag, unlike an exponential one."""
    reach = max(len(values) // 40, 2)
    return [
        math.fsum(near) / len(near) for i in range(len(values)) if (near := values[max(0, i - reach) : i + reach + 1])
    ]


def _ticks(most: float) -> list[float]:
    """Three to six round numbers from 0 up to `most`."""
    raw = most / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.8)
    return [round(step * i, 10) for i in range(int(most / step) + 1)]


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(style, x1, y1, x2, y2)


def _path(style: str, points: Iterable[tuple[float, float]]) -> Markup:
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polyline class="{}" points="{}"/>').format(style, drawn)


def _svg(width: float, height: float, label: str, parts: Iterable[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, label, Markup().join(parts)
    )
