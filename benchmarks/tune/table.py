"""From what the variants did to what is printed and kept: medians, ratios, and whether all did the same sums."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.tune.trial import VARIANTS, Failed, Row

__all__ = ["apart", "check", "figures", "loss_lines", "ratios", "speed_lines"]

REFERENCE = "hf"
TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2}
"""Largest relative difference of a step's loss from plain Hugging Face in fp32 that is still the same mathematics."""


def apart(losses: Sequence[float], others: Sequence[float]) -> float:
    """The largest relative difference between two courses of losses, step by step; NaN where a loss is."""
    found = [abs(a - b) / abs(b) for a, b in zip(losses, others, strict=True)]
    return math.nan if any(map(math.isnan, found)) else max(found, default=0.0)


def check(rows: Mapping[str, Row]) -> dict[str, float]:
    """How far each variant's losses are from plain Hugging Face's.

    Raises:
        Failed: further than the precision explains, or packages differ: the figures would compare different things.
    """
    reference = rows[REFERENCE]
    found = {}
    for name, row in rows.items():
        found[name] = apart(row.losses, reference.losses)
        allowed = TOLERANCE[VARIANTS[name].precision]
        if not found[name] <= allowed:
            raise Failed(f"{name}: losses differ from {REFERENCE} by {found[name]:.1e} relative, more than {allowed}")
        same = {package: row.versions[package] for package in reference.versions if package in row.versions}
        odd = {p: v for p, v in same.items() if p != "trl" and v != reference.versions[p]}
        if odd:
            raise Failed(f"{name} runs with {odd}, {REFERENCE} with {reference.versions}")
    return found


def ratios(rows: Mapping[str, Row], ours: str = "ours") -> dict[str, Any]:
    """How many times faster ours is: median seconds a step of each peer over ours, None where one is missing.

    `vs_trl` compares with the faster of TRL's two precisions; which one that was stands in `trl_setting`.
    """
    middle = {name: statistics.median(row.seconds) for name, row in rows.items()}
    suffix = ours.removeprefix("ours")

    def times(name: str) -> float | None:
        return round(middle[name] / middle[ours], 2) if name in middle else None

    settings = sorted((middle[name], name) for name in ("trl", "trl_bf16") if name in middle)
    quickest = settings[0][1] if settings else None
    return {
        "vs_trl": times(quickest) if quickest else None,
        "vs_hf": times(f"hf{suffix}"),
        "vs_hf_tuned": times(f"hf_tuned{suffix}"),
        "vs_trl_fp32": times("trl"),
        "vs_trl_bf16": times("trl_bf16"),
        "trl_setting": VARIANTS[quickest].precision if quickest else None,
    }


def figures(rows: Mapping[str, Row], differences: Mapping[str, float]) -> dict[str, Any]:
    """Everything that is kept of a trial beside the ratios."""
    return {
        "seconds_per_step": {name: round(statistics.median(row.seconds), 3) for name, row in rows.items()},
        "all_seconds": {name: [round(s, 3) for s in row.seconds] for name, row in rows.items()},
        "loss_difference": dict(differences),
        "losses": {name: row.losses for name, row in rows.items()},
    }


def speed_lines(title: str, rows: Mapping[str, Row], differences: Mapping[str, float]) -> list[str]:
    """The table of a trial."""
    own = statistics.median(rows["ours"].seconds)
    lines = [
        f"## {title}",
        "",
        "| | seconds a step | least to most | ours is faster by | peak memory, MB | loss apart by |",
    ]
    lines.append("|---|--:|--:|--:|--:|--:|")
    for name, row in rows.items():
        words = VARIANTS[name].words
        middle = statistics.median(row.seconds)
        times = f"{middle / own:.2f} times"
        spread = f"{min(row.seconds):.2f} to {max(row.seconds):.2f}"
        figures = f"{middle:.2f} | {spread} | {times} | {row.peak_mb:,} | {differences[name]:.0e}"
        lines.append(f"| {words} | {figures} |")
    return [*lines, ""]


def loss_lines(rows: Mapping[str, Row]) -> list[str]:
    """Every step's loss of every variant, nats a token before the update."""
    there = list(rows.values())
    lines = ["Loss of each step, nats a token:", "step  " + "  ".join(f"{row.name:>16}" for row in there)]
    for step, losses in enumerate(zip(*(row.losses for row in there), strict=True), 1):
        lines.append(f"{step:>4}  " + "  ".join(f"{loss:>16.6f}" for loss in losses))
    return [*lines, ""]
