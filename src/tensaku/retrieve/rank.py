"""Orders put together: by rank alone, and by what is known of the few best."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEATURES", "fuse", "rerank", "sureness", "wanted"]

Scores = NDArray[np.float32]

_K = 60
"""Of reciprocal rank fusion: Cormack, Clarke and Buettcher, Reciprocal Rank Fusion outperforms Condorcet (2009)."""


def fuse(orders: Sequence[Sequence[int]], k: int = _K) -> list[int]:
    """The passages of all orders by the sum of 1 / (k + rank), ranks from 1; of equals the lower number first."""
    found: dict[int, float] = {}
    for order in orders:
        for rank, passage in enumerate(order, start=1):
            found[passage] = found.get(passage, 0.0) + 1.0 / (k + rank)
    return sorted(found, key=lambda passage: (-found[passage], passage))


FEATURES = (
    *("words", "pairs", "phrases", "by_words", "covered", "tight", "tight2", "headed", "rarest", "threes", "fives"),
    *("numbers", "fitting", "fits_near", "length", "near", "about", "second", "by_vectors"),
)
"""What is known of a candidate, one number each. `words`, `pairs`, `phrases`: BM25 of each, the best one's being 1;
`by_words` and `by_vectors`: 1 / rank in that order; `covered`: the share of the question's words that stand in it,
weighted by how rare they are; `near`, `second`: the cosines of its nearest two sentences, `about` that of all of them
together; the others are those of `evidence.EVIDENCE`.
"""


@dataclass(frozen=True, slots=True)
class Net:
    """A small network over standardised features: one hidden layer of tanh, or none (`hidden` empty).

    `mean` and `scale` have one number a feature, `hidden` one row a feature, `out` one number a unit; `bias` are those
    of the units, the last that of the sum.
    """

    mean: Scores
    scale: Scores
    hidden: Scores
    bias: Scores
    out: Scores

    def __call__(self, known: Scores) -> Scores:
        """One number a row."""
        rows = (known - self.mean) * self.scale
        units = np.tanh(rows @ self.hidden + self.bias[:-1]) if self.hidden.size else rows
        return np.asarray(units @ self.out + self.bias[-1], np.float32)


@lru_cache(maxsize=1)
def _nets() -> dict[str, Net]:
    """The weights that were learnt, by what they are for."""
    told = json.loads(files("tensaku.retrieve").joinpath("weights.json").read_text(encoding="utf-8"))
    if tuple(told["features"]) != FEATURES:
        raise AssertionError("weights.json is of other features: learn it anew (benchmarks/retrieve/learn.py)")
    return {name: Net(**{k: np.asarray(v, np.float32) for k, v in net.items()}) for name, net in told["nets"].items()}


def rerank(known: Scores, vectors: bool) -> Scores:
    """A score for each candidate, by rows of `FEATURES`; `vectors` says whether those of vectors are there."""
    return _nets()["order" if vectors else "order without vectors"](known)


def sureness(known: Scores, vectors: bool) -> Scores:
    """For each candidate how likely it is that it answers the question, if it is the best there is (0 to 1)."""
    return np.asarray(1 / (1 + np.exp(-_nets()["sure" if vectors else "sure without vectors"](known))), np.float32)


_TIME = re.compile(r"[0-9]+ ?年|[0-9]+ ?月|[0-9]+ ?世紀|[0-9]+ ?日|時代|世紀")
_COUNT = re.compile(r"[0-9]")
_WANTED = (
    (re.compile(r"いつ|何年|何月|何日|何世紀|何時代|年代|when"), _TIME),
    (
        re.compile(
            r"何人|いくつ|何[つ個本回度%台局章条歳倍件社票]|いくら|ど(れ|の)くらい|どれぐらい|割合|how (many|much|long)"
        ),
        _COUNT,
    ),
)


def wanted(question: str) -> re.Pattern[str] | None:
    """What an answer to the question has to hold, if that can be told: a time, a number."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return next((holds for asks, holds in _WANTED if asks.search(text)), None)
