"""Orders put together: by rank alone, and by what is known of the few best."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Features", "fuse", "rerank", "wanted"]

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


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of the candidates, one number each: BM25 of `words`, `pairs` and `phrases`; `covered`, the share of
    the question's words that stand in it, weighted by how rare they are; `near`, the cosine of the nearest sentence,
    and `about`, that of all its sentences together (both 0 without vectors); `fitting`, 1 where it holds what the
    question asks for.
    """

    words: Scores
    pairs: Scores
    phrases: Scores
    covered: Scores
    near: Scores
    about: Scores
    fitting: Scores


_WEIGHTS = {"words": 2.0, "pairs": 2.0, "phrases": 2.0, "covered": 4.0, "near": 30.0, "about": 20.0, "fitting": 1.0}
"""Round numbers, set by hand and not by a fit. See docs/retrieve.md for what a fit would bring."""


def rerank(known: Features) -> Scores:
    """A score for each candidate. BM25 sums count relative to the best candidate's, since their size tells nothing."""
    total = np.zeros(len(known.words), np.float32)
    for name in ("words", "pairs", "phrases"):
        values: Scores = getattr(known, name)
        total += _WEIGHTS[name] * values / max(float(values.max(initial=0.0)), 1e-6)
    for name in ("covered", "near", "about", "fitting"):
        total += _WEIGHTS[name] * getattr(known, name)
    return total


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
