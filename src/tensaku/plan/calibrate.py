"""The machine's own constants, fitted to what runs took; and how wrong the plan is, measured run by run.

Memory: measured = constant + vocabulary * bytes a word of the tokenizer + counted bytes * what the allocator makes of
them. Time: measured = a sum of counted work, each kind with one constant, none of them negative; operations are divided
by the speed of a plain product measured with the run, so that a slower day is no error. Errors are of runs that the
constants were not fitted to: each run is predicted from all the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import UsageError

__all__ = ["ANOTHER", "FASTER", "SLOWER", "Constants", "Error", "Measured", "calibrate", "error_of", "fit",
           "nonnegative"]  # fmt: skip

ANOTHER, SLOWER, FASTER = "another processor", "slower processor", "faster processor"
_LEAST = 4
"""Runs of a kind below which nothing is fitted."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: its `kind` ("tune" or "serve"), counted bytes and work, and what was measured.

    `gflops`: of a plain product, measured with it; `vocabulary`: words of the tokenizer that was held (0: none).
    `seconds` or `peak_mb` is None where it was not measured. `traits`: what makes it a run of its sort, as in
    `own.traits_of`. `processor`: what the processor called itself; empty where nobody kept it.
    """

    name: str
    kind: str
    sizes: Mapping[str, float]
    work: Mapping[str, float]
    gflops: float
    vocabulary: int
    seconds: float | None
    peak_mb: float | None
    date: str = ""
    traits: tuple[str, ...] = ()
    processor: str = ""


class Constants(NamedTuple):
    """Fitted to runs of one kind. `memory`: bytes at rest, bytes a word, bytes for a counted byte. `time`: by kind of
    work, seconds for each unit (operations: at 1 GFLOP/s of a plain product). `runs`: how many they were fitted to.
    `memory_band` and `time_band`: the largest error of a run that was left out, relative. `seen`: the traits of those
    runs; `bytes_seen` and `operations_seen`: the least and the most that they counted; `processors` and `gflops_seen`:
    on what they ran. The bands say nothing of runs with others."""

    memory: tuple[float, float, float]
    time: dict[str, float]
    runs: int
    memory_band: float
    time_band: float
    seen: tuple[str, ...] = ()
    bytes_seen: tuple[float, float] = (0.0, 0.0)
    operations_seen: tuple[float, float] = (0.0, 0.0)
    processors: tuple[str, ...] = ()
    gflops_seen: tuple[float, float] = (0.0, 0.0)

    def outside(
        self,
        traits: Sequence[str],
        sizes: Mapping[str, float],
        work: Mapping[str, float],
        *,
        processor: str = "",
        gflops: float = 0.0,
    ) -> tuple[str, ...]:
        """What no fitted run had of these: traits, sizes and work beyond twice the largest and half the smallest, the
        processor by its name, and by its speed too, since rented machines often call themselves by the maker alone."""
        found = [trait for trait in traits if trait not in self.seen]
        for name, value, (least, most) in (
            ("memory", sum(sizes.values()), self.bytes_seen),
            ("work", _operations(work), self.operations_seen),
        ):
            if value > _BEYOND * most:
                found.append(f"more {name}")
            elif value < least / _BEYOND:
                found.append(f"less {name}")
        slowest, fastest = self.gflops_seen
        if processor and self.processors and processor not in self.processors:
            found.append(ANOTHER)
        elif gflops and fastest and gflops > _BEYOND * fastest:
            found.append(FASTER)
        elif gflops and slowest and gflops < slowest / _BEYOND:
            found.append(SLOWER)
        return tuple(found)

    def peak(self, sizes: Mapping[str, float], vocabulary: int) -> float:
        """Bytes of the whole process at its peak."""
        rest, word, counted = self.memory
        return rest + word * vocabulary + counted * sum(sizes.values())

    def seconds(self, work: Mapping[str, float], gflops: float) -> float:
        """Seconds of the work on a machine whose plain product reaches `gflops`."""
        return math.fsum(self.time.get(name, 0.0) * value for name, value in _scaled(work, gflops).items())

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return self._asdict()

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Constants:
        """What `plain` wrote.

        Raises:
            UsageError: it is not that.
        """
        try:
            rest, word, counted = (float(value) for value in values["memory"])
            time = {str(name): float(value) for name, value in values["time"].items()}
            bands = float(values["memory_band"]), float(values["time_band"])
            seen = tuple(str(trait) for trait in values.get("seen", ()))
            names = ("bytes_seen", "operations_seen", "gflops_seen")
            (least, most), (few, many), (slow, fast) = (tuple(map(float, values.get(name, (0, 0)))) for name in names)
            processors = tuple(str(name) for name in values.get("processors", ()))
            return cls(
                (rest, word, counted), time, int(values["runs"]), *bands, seen, (least, most), (few, many),
                processors, (slow, fast),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(
                f"the machine's constants are damaged ({error!r})", fix="Run: tensaku plan --calibrate"
            ) from None


class Error(NamedTuple):
    """One run: predicted from the others against measured, relative errors with their sign (None: not measured).

    `outside`: traits of it that no run had which the constants were fitted to; their band does not cover it.
    """

    name: str
    kind: str
    peak_mb: float | None
    peak_predicted: float | None
    memory_error: float | None
    seconds: float | None
    seconds_predicted: float | None
    time_error: float | None
    date: str
    traits: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


_OPERATIONS = ("products", "int8", "fp32", "attention")
_BEYOND = 2.0
"""How far beyond the fitted runs a band is still taken to hold."""


def _operations(work: Mapping[str, float]) -> float:
    return sum(work.get(name, 0.0) for name in _OPERATIONS)


def _scaled(work: Mapping[str, float], gflops: float) -> dict[str, float]:
    """Operations in seconds at the plain product's speed; bytes and counts in 10^9 and 10^6, to keep numbers alike."""
    scaled = {}
    for name, value in work.items():
        if name in _OPERATIONS:
            scaled[name] = value / (gflops * 1e9)
        elif name in ("rows", "passes"):
            scaled[name] = value / 1e6
        else:
            scaled[name] = value / 1e9
    return scaled


def nonnegative(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """x >= 0 with the least |a x - b|, by trying every set of columns that may be above zero (they are few)."""
    columns = a.shape[1]
    best, found = math.inf, np.zeros(columns)
    for chosen in range(1 << columns):
        kept = [n for n in range(columns) if chosen >> n & 1]
        x = np.zeros(columns)
        if kept:
            x[kept] = np.linalg.lstsq(a[:, kept], b, rcond=None)[0]
        if (x < 0).any():
            continue
        left = float(((a @ x - b) ** 2).sum())
        if left < best - 1e-12:
            best, found = left, x
    return found


def _fit_memory(runs: Sequence[Measured]) -> tuple[float, float, float]:
    rows = [r for r in runs if r.peak_mb is not None]
    peaks = np.array([r.peak_mb * 2**20 for r in rows if r.peak_mb is not None])
    sums = np.array([sum(r.sizes.values()) for r in rows])
    a = np.array([[1e9, r.vocabulary * 1e3, total] for r, total in zip(rows, sums, strict=True)])
    # A counted byte takes a byte at least: from small models alone it would seem to take none.
    rest, word, beyond = nonnegative(a / peaks[:, None], 1 - sums / peaks)
    return float(rest * 1e9), float(word * 1e3), float(1 + beyond)


def _fit_time(runs: Sequence[Measured]) -> dict[str, float]:
    rows = [r for r in runs if r.seconds is not None]
    names = sorted({name for r in rows for name, value in r.work.items() if value})
    scaled = [_scaled(r.work, r.gflops) for r in rows]
    times = np.array([r.seconds for r in rows if r.seconds is not None])
    a = np.array([[one.get(name, 0.0) for name in names] for one in scaled])
    x = nonnegative(a / times[:, None], np.ones(len(rows)))
    return dict(zip(names, map(float, x), strict=True))


def fit(runs: Sequence[Measured]) -> Constants:
    """Constants for runs of one kind, without bands."""
    seen = sorted({trait for run in runs for trait in run.traits})
    totals = [sum(run.sizes.values()) for run in runs]
    works = [_operations(run.work) for run in runs]
    spans = (min(totals), max(totals)), (min(works), max(works))
    processors = tuple(sorted({run.processor for run in runs if run.processor}))
    speeds = min(run.gflops for run in runs), max(run.gflops for run in runs)
    return Constants(
        _fit_memory(runs), _fit_time(runs), len(runs), math.nan, math.nan, tuple(seen), *spans, processors, speeds
    )


def calibrate(runs: Sequence[Measured]) -> tuple[dict[str, Constants], list[Error]]:
    """Constants by kind, with the band that runs left out show, and every run's error.

    Raises:
        UsageError: there are too few runs to fit anything to.
    """
    constants, errors = {}, []
    for kind in sorted({run.kind for run in runs}):
        ours = [run for run in runs if run.kind == kind]
        if len(ours) < _LEAST:
            continue
        mine = [_left_out(run, [other for other in ours if other is not run]) for run in ours]
        errors += mine
        memory = max((abs(e.memory_error) for e in mine if e.memory_error is not None), default=math.nan)
        time = max((abs(e.time_error) for e in mine if e.time_error is not None), default=math.nan)
        constants[kind] = fit(ours)._replace(memory_band=memory, time_band=time)
    if not constants:
        what = f"constants are fitted to {_LEAST} or more runs of a kind, and there are {len(runs)} in all"
        raise UsageError(
            what, fix="Walk the road with several settings first (tensaku run), or use the shipped constants"
        )
    return constants, errors


def _left_out(run: Measured, others: Sequence[Measured]) -> Error:
    return error_of(run, fit(others))


def error_of(run: Measured, constants: Constants) -> Error:
    """What `constants` say of `run`, against what was measured."""
    peak = constants.peak(run.sizes, run.vocabulary) / 2**20
    seconds = constants.seconds(run.work, run.gflops)
    return Error(
        run.name,
        run.kind,
        run.peak_mb,
        None if run.peak_mb is None else peak,
        None if run.peak_mb is None else peak / run.peak_mb - 1,
        run.seconds,
        None if run.seconds is None else seconds,
        None if run.seconds is None else seconds / run.seconds - 1,
        run.date,
        run.traits,
        constants.outside(run.traits, run.sizes, run.work, processor=run.processor, gflops=run.gflops),
    )
