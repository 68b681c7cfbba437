"""Which candidates cannot be told apart, and how each does on parts of the exam."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from tensaku.evaluate.scoring import Measured, lower_is_better
from tensaku.records import Pair
from tensaku.resampling import resamples

__all__ = ["DIMENSIONS", "LENGTHS", "Part", "apart", "groups", "holm", "letters", "ordered", "parts", "trials"]

LENGTHS = ("短い short", "中ほど middle", "長い long")
"""Thirds of the exam by the length of the draft, shortest first."""


class Part(NamedTuple):
    """The figure of one row on one part of the exam, with its 95 % interval."""

    row: str
    part: str
    n: int
    value: float
    low: float
    high: float


def ordered(found: Measured) -> list[str]:
    """The rows, the best first; of equal ones the first by name."""
    sign = 1 if lower_is_better(found.scorer) else -1
    return sorted(found.scores, key=lambda row: (sign * found.scores[row].value, row))


def holm(p_values: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """The p-values of several comparisons, raised so that they hold for all together (Holm 1979)."""
    adjusted: dict[tuple[str, str], float] = {}
    highest = 0.0
    for place, (pair, p) in enumerate(sorted(p_values.items(), key=lambda held: (held[1], held[0]))):
        highest = max(highest, min(1.0, (len(p_values) - place) * p))
        adjusted[pair] = highest
    return adjusted


def apart(found: Measured, alpha: float) -> dict[tuple[str, str], float]:
    """For every two rows, the better one first: how often chance alone does as much, by Holm's rule for all pairs."""
    times = trials(found, alpha)
    return holm({(one, two): found.gain(one, two, times).p_random for one, two in combinations(ordered(found), 2)})


def trials(found: Measured, alpha: float) -> int:
    """How often `apart` exchanges outputs at random: as often as there are resamples, or more if that takes more.

    The smallest value of approximate randomisation is one over one more than the number of trials, so there are as many
    as it takes to tell rows apart at `alpha`, twice over.
    """
    return max(found.times, math.ceil(2 * math.comb(len(found.scores), 2) / alpha))


def groups(rows: Sequence[str], p_values: Mapping[tuple[str, str], float], alpha: float) -> list[tuple[str, ...]]:
    """The longest runs of `rows`, in their order, of which no two can be told apart at `alpha`. They may overlap."""
    found: list[tuple[int, int]] = []
    for start in range(len(rows)):
        end = start + 1
        while end < len(rows) and all(p_values[rows[i], rows[end]] >= alpha for i in range(start, end)):
            end += 1
        if not found or end > found[-1][1]:
            found.append((start, end))
    return [tuple(rows[start:end]) for start, end in found]


def _by_length(pairs: Sequence[Pair]) -> Callable[[Pair], str]:
    short, long = np.quantile([len(pair.draft) for pair in pairs], [1 / 3, 2 / 3])
    return lambda pair: LENGTHS[int(len(pair.draft) > short) + int(len(pair.draft) > long)]


DIMENSIONS: Mapping[str, Callable[[Sequence[Pair]], Callable[[Pair], str]]] = {
    "manager": lambda pairs: lambda pair: pair.manager,
    "section": lambda pairs: lambda pair: pair.section,
    "month": lambda pairs: lambda pair: pair.as_of,
    "length": _by_length,
}
"""By what the exam is taken apart; lengths are thirds of the exam."""


def parts(found: Measured, pairs: Sequence[Pair], dimension: str, times: int) -> list[Part]:
    """The figure of every row on every part of the exam."""
    of = DIMENSIONS[dimension](pairs)
    names = [of(pair) for pair in pairs]
    order = LENGTHS if dimension == "length" else tuple(sorted(set(names)))
    out: list[Part] = []
    for part in order:
        numbers = [number for number, name in enumerate(names) if name == part]
        if not numbers:
            continue
        families = [pairs[number].family or pairs[number].id for number in numbers]
        drawn = resamples(len(numbers), times, found.seed, families)
        for row, sums in found.sums.items():
            held = sums[numbers]
            low, high = np.percentile(found.scorer.figure(drawn @ held), [2.5, 97.5])
            value = float(found.scorer.figure(held.sum(axis=0)))
            out.append(Part(row, part, len(numbers), value, float(low), float(high)))
    return out


def letters(numbers: Sequence[int]) -> list[str]:
    """Groups as letters: A, B ... Z, then A2, B2 ..."""
    return [chr(65 + n % 26) + (str(n // 26 + 1) if n >= 26 else "") for n in numbers]
