"""The course of a training, read from what it left: `loss.jsonl` by step, `usage.jsonl` over time."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tensaku.errors import DataError
from tensaku.tune.watch import FILE as USAGE
from tensaku.tune.watch import read_usage

__all__ = ["LOG", "Course", "read_log"]

LOG = "loss.jsonl"

Points = list[tuple[float, float | None]]


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The rows of `loss.jsonl`, one a step; empty if there is none.

    Raises:
        DataError: a line is no JSON object, or lacks its step or loss.
    """
    path = folder / LOG
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines() if path.is_file() else (), 1):
        try:
            row = json.loads(line)
        except ValueError:
            raise DataError("this line is not JSON", file=path, line=number) from None
        for field in ("step", "loss"):
            if not isinstance(row, dict) or not isinstance(row.get(field), int | float):
                raise DataError("a step without its number or loss", file=path, line=number, field=field)
        rows.append(row)
    return rows


@dataclass(frozen=True)
class Course:
    """`steps` are the rows of `loss.jsonl`, `samples` those of `usage.jsonl`."""

    steps: list[dict[str, Any]]
    samples: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> Course:
        """What stands in `folder`. Raises DataError if `loss.jsonl` is damaged."""
        return cls(read_log(folder), read_usage(folder / USAGE))

    def by_step(self, key: str) -> Points:
        """`key` of every step that has it."""
        return [(row["step"], row[key]) for row in self.steps if row.get(key) is not None]

    @cached_property
    def speeds(self) -> list[tuple[dict[str, Any], float]]:
        """The row of every step and its tokens a second, with whatever was done before it since the last."""
        rows = [row for row in self.steps if "seconds" in row and "tokens" in row]
        spans = [row["seconds"] - before["seconds"] for before, row in itertools.pairwise([{"seconds": 0.0}, *rows])]
        return [(row, row["tokens"] / span) for row, span in zip(rows, spans, strict=True) if span > 0]

    @property
    def speed(self) -> Points:
        """Tokens a second over the seconds of `loss.jsonl`."""
        return [(row["seconds"], rate) for row, rate in self.speeds]

    def over_time(self, key: str, scale: float = 1.0) -> Points:
        """`key` of every sample times `scale`; a gap where a run was broken off."""
        points: Points = []
        for before, row in itertools.pairwise([self.samples[0], *self.samples] if self.samples else []):
            if row["run"] != before["run"]:
                points.append((row["seconds"], None))
            if key in row:
                points.append((row["seconds"], row[key] * scale))
        return points if any(y is not None for _, y in points) else []

    @cached_property
    def power(self) -> Points:
        """Watts: the energy between two samples over the time between them."""
        points: Points = []
        for number, (before, row) in enumerate(itertools.pairwise(self.samples)):
            span, since = row["seconds"] - before["seconds"], before.get("joules", None if number else 0.0)
            if row["run"] != before["run"]:
                points.append((row["seconds"], None))
            elif span > 0 and since is not None and "joules" in row:
                points.append((row["seconds"], (row["joules"] - since) / span))
        return points if any(y is not None for _, y in points) else []

    @cached_property
    def resumed_seconds(self) -> list[float]:
        """When a run went on after a break, in seconds of `usage.jsonl`."""
        return [row["seconds"] for before, row in itertools.pairwise(self.samples) if row["run"] != before["run"]]

    @cached_property
    def resumed_steps(self) -> list[int]:
        """After which step a run went on, where that is known."""
        found: dict[int, int] = {}
        for row in self.samples:
            if row["run"] > 1 and row.get("step") is not None:
                found.setdefault(row["run"], row["step"])
        return list(found.values())

    @cached_property
    def header(self) -> dict[str, Any]:
        """What the last run said of the machine; empty if nothing was watched."""
        return next((row for row in reversed(self.samples) if "started" in row), {})
