"""Which outputs a resample holds: families are drawn whole, for evaluation and for the promotion gate alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "resamples", "swaps"]

Floats = NDArray[np.float64]


def resamples(n: int, times: int, seed: int, families: Sequence[str] = ()) -> Floats:
    """How often each of `n` outputs is drawn in each of `times` resamples with replacement, shape (times, n).

    Families are drawn whole (Davison and Hinkley 1997, section 3.8): outputs of one family go wrong together, and drawn
    one by one they would seem to say more than they do. Without `families` each output is one of its own.
    """
    place = _places(n, families)
    several = int(place.max(initial=-1)) + 1
    draws = np.random.default_rng(seed).integers(0, several, size=(times, several))
    counts = np.apply_along_axis(np.bincount, 1, draws, minlength=several)
    return np.asarray(counts[:, place], dtype=np.float64)


def swaps(n: int, times: int, seed: int, families: Sequence[str] = ()) -> Floats:
    """Which of `n` outputs two rows exchange in each of `times` trials, families whole; (times, n), each 0 or 1."""
    place = _places(n, families)
    several = int(place.max(initial=-1)) + 1
    return np.random.default_rng(seed).integers(0, 2, size=(times, several)).astype(np.float64)[:, place]


def _places(n: int, families: Sequence[str]) -> NDArray[np.intp]:
    """The number of each output's family, by first appearance."""
    if not families:
        return np.arange(n, dtype=np.intp)
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(family, len(numbers)) for family in families], dtype=np.intp)
