"""The curves: what was learnt, and what it took of the machine."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from markupsafe import Markup

from tensaku.report import Line, Mark, line_chart, section, strip
from tensaku.tune.report.course import Course, Points
from tensaku.tune.watch import mean_over_time

__all__ = ["learning", "machine"]

_RESUMED = ("再開", "resumed")
_KEPT = ("採用", "kept")
_NOTHING = Markup()


def learning(course: Course, facts: Mapping[str, Any]) -> Markup:
    """Loss, learning rate and gradient by step; empty without steps."""
    marks = [Mark(step, _RESUMED) for step in course.resumed_steps]
    kept = facts.get("kept_step")
    if isinstance(kept, int) and course.steps and kept < course.steps[-1]["step"]:
        marks.append(Mark(kept, _KEPT, "kept"))
    quiet = [mark._replace(name=("", "")) for mark in marks]
    loss = Line(course.by_step("loss"), ("学習", "training"), smooth=True)
    validation = Line(course.by_step("validation_loss"), ("検証", "validation"), "third", dots=True)
    unit = "mean a preference" if facts.get("method") == "dpo" else "nats a token"
    rates, norms = course.by_step("lr"), course.by_step("grad_norm")
    most, usual = _figure("最大 max {:.2g}", rates, max), _figure("中央値 median {:.3g}", norms, statistics.median)
    charts = [
        line_chart(("損失", f"Loss, {unit}"), [loss, validation], marks=marks, wide=True),
        line_chart(("学習率", "Learning rate"), [Line(rates, style="second")], figure=most, marks=quiet),
        line_chart(("勾配ノルム", "Gradient norm"), [Line(norms, smooth=True)], figure=usual, marks=quiet),
    ]
    return _plots("学習の経過", "Course of learning", charts)


def machine(course: Course) -> Markup:
    """Speed, processor, memory, energy and GPUs over time; empty if nothing was told."""
    marks = [Mark(seconds, _RESUMED) for seconds in course.resumed_seconds]

    def plot(title: tuple[str, str], points: Points, figure: str, style: str = "first", smooth: bool = True) -> Markup:
        line = Line(points, style=style, smooth=smooth, area=True)
        return line_chart(title, [line], figure=figure, marks=marks, time=True)

    speed = Line(course.speed, style="second", smooth=True)
    usual = _figure("中央値 median {:,.0f}", course.speed, statistics.median)
    mean = mean_over_time(course.samples, "cpu")
    cores = f"平均 mean {mean:.2f} / {course.header.get('cores', '?')}" if mean is not None else ""
    joules = course.samples[-1].get("joules") if course.samples else None
    took = f"計 total {joules / 3600:,.2f} Wh" if joules is not None else ""
    memory, gpu, gpu_mb = course.over_time("rss_mb"), course.over_time("gpu", 100), course.over_time("gpu_mb")
    charts = [
        line_chart(("処理速度", "Speed, tokens/s"), [speed], figure=usual, time=True),
        plot(("CPU 使用", "Processor, cores in use"), course.over_time("cpu"), cores),
        plot(("メモリ", "Memory, MB"), memory, _figure("最大 max {:,.0f}", memory, max), smooth=False),
        plot(("消費電力", "Power, W"), course.power, took, "third"),
        plot(("GPU 使用率", "GPU in use, %"), gpu, _figure("最大 max {:.0f} %", gpu, max)),
        plot(("GPU メモリ", "GPU memory, MB"), gpu_mb, _figure("最大 max {:,.0f}", gpu_mb, max), smooth=False),
    ]
    return _plots("機械の使われ方", "Use of the machine over time", charts, _told(course))


def _figure(form: str, points: Points, of: Callable[[Iterable[float]], float]) -> str:
    known = [y for _, y in points if y is not None and math.isfinite(y)]
    return form.format(of(known)) if known else ""


def _plots(title: str, english: str, charts: Iterable[Markup], after: Markup = _NOTHING) -> Markup:
    drawn = Markup().join(charts)
    return section(title, english, Markup('<div class="plots">{}</div>{}').format(drawn, after)) if drawn else drawn


def _told(course: Course) -> Markup:
    """What the machine is, what it wrote, and what it does not tell."""
    header = course.header
    if not header:
        return Markup()
    held = [("機械 machine", f"{header.get('processor', '?')}, {header.get('cores', '?')} cores")]
    written = course.samples[-1].get("written_mb")
    if written is not None:
        held.append(("書き込み written", f"{written:,.1f} MB"))
    left = [row["available_mb"] for row in course.samples if "available_mb" in row]
    if left:
        held.append(("空きメモリの最小 least memory left", f"{min(left):,.0f} MB"))
    why_not = header.get("energy_why_not")
    held.append(("電力量 energy", why_not or ", ".join(header.get("energy_from", ()))))
    return strip(held)
