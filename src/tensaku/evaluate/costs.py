"""What answers cost: speed, first token, memory, energy, money. What the machine does not tell is None, never 0."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tensaku.engines import Engine
from tensaku.engines.consent import leaves_the_house
from tensaku.machine import Energy, Processes, peak_memory_mb
from tensaku.records import Usage
from tensaku.revise import DraftText, Job, start
from tensaku.store import Journal

__all__ = ["Costs", "Place", "Price", "costs_of", "metered", "place_of", "wait_for_first"]


@dataclass(frozen=True, slots=True)
class Price:
    """What is paid, in yen: for an hour of this machine, and for a million tokens read and written elsewhere."""

    hour: float = 0.0
    million_read: float = 0.0
    million_written: float = 0.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What one comment cost, on average.

    `seconds` is wall time, several answers being written at once; `first_token` the median wait for the first token of
    an answer that is written alone, in seconds; `memory_mb` what the process and those that it started held after
    answering; `joules` what the processors took, other work on the machine included; `yen_per_thousand` is for a
    thousand comments.
    """

    seconds: float | None = None
    first_token: float | None = None
    memory_mb: float | None = None
    joules: float | None = None
    yen_per_thousand: float | None = None


Place = Literal["here", "beside", "elsewhere"]
"""Where a model runs: in this process, in another one of this machine, on another machine."""


def place_of(engine: Mapping[str, Any]) -> Place:
    """Where the model of an engine runs, by its address."""
    return "elsewhere" if leaves_the_house(engine) else "beside" if engine.get("url") else "here"


class Meter:
    """Measures one row while it is answered.

    Of a model in another process this one cannot tell the memory, and of one on another machine not the energy either.
    """

    def __init__(self, place: Place) -> None:
        self._place, self._energy = place, Energy()
        self._answered, self._seconds = 0, 0.0
        self._usage = Usage(0, 0)
        self.first_token: float | None = None

    def answered(self, usage: Usage, seconds: float) -> None:
        """One more answer is there, `seconds` after the one before it."""
        self._answered += 1
        self._seconds += seconds
        self._usage = self._usage + usage
        self._energy.joules()  # its counter runs over if it is not asked now and then

    def told(self, row: str) -> dict[str, Any]:
        """What was measured, as plain values."""
        memory = None if self._place != "here" else Processes().used().rss_mb
        joules = None if self._place == "elsewhere" else self._energy.joules()
        return {
            "row": row,
            "answered": self._answered,
            "first_token": self.first_token,
            "memory_mb": memory,
            "joules": joules,
            "peak_mb": peak_memory_mb() if self._place == "here" else None,
            "seconds": self._seconds,
            **asdict(self._usage),
        }


@contextmanager
def metered(log: Path, row: str, place: Place) -> Iterator[Meter]:
    """While the body runs, measure; afterwards keep the measurement in `log`, a failed body's too."""
    meter = Meter(place)
    try:
        yield meter
    finally:
        Journal(log).append(meter.told(row))


def wait_for_first(engine: Engine, job: Job, drafts: Sequence[DraftText]) -> float | None:
    """The median time to the first token of an answer, in seconds, each draft asked alone; None without drafts.

    Raises:
        EngineError: the model failed.
    """
    waits: list[float] = []
    for draft in drafts:
        before = time.perf_counter()
        asked = start(engine, job, draft)
        for piece in asked:
            if piece.token_count:
                break
        waits.append(time.perf_counter() - before)
        asked.cancel()
        for _ in asked:  # an engine may hand over what it had on its way
            pass
    return statistics.median(waits) if waits else None


def costs_of(
    records: Sequence[Mapping[str, Any]], seconds: Sequence[float], usage: Sequence[Usage], price: Price
) -> Costs:
    """What one comment of a row cost.

    Args:
        records: what `metered` kept of this row; several if it was answered in several runs.
        seconds: time taken by each answer, adding up to the time spent.
        usage: tokens read and written of each answer.
    """
    if not seconds:
        return Costs()
    each = sum(seconds) / len(seconds)
    joules = [(r["joules"], r["answered"]) for r in records if r["joules"] is not None and r["answered"]]
    read, written = (sum(getattr(u, name) for u in usage) / len(usage) for name in ("prompt", "completion"))
    paid = each / 3600 * price.hour + (read * price.million_read + written * price.million_written) / 1e6
    return Costs(
        seconds=each,
        first_token=_last(r["first_token"] for r in records),
        memory_mb=max((r["memory_mb"] for r in records if r["memory_mb"] is not None), default=None),
        joules=sum(j for j, _ in joules) / sum(n for _, n in joules) if joules else None,
        yen_per_thousand=1000 * paid if any(asdict(price).values()) else None,
    )


def _last(values: Iterator[float | None]) -> float | None:
    return next((value for value in reversed(list(values)) if value is not None), None)
