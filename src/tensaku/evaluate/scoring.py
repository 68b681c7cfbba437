"""What a scorer is, and how sure its figure is.

A scorer turns every output into a few sums (its sufficient statistics) and the sums of many outputs into one figure. So
all resamples cost one matrix product, and two systems are compared on the very same resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tensaku.plugins import Part
from tensaku.records import Score

__all__ = ["Gain", "Scorer", "Texts", "label_of", "resamples", "score_rows"]

Floats = NDArray[np.float64]


class Texts(NamedTuple):
    """The texts of some pairs, in one order: what came in, what a model made of it, what the house published."""

    drafts: Sequence[str]
    outputs: Sequence[str]
    references: Sequence[str]


class Scorer(Protocol):
    """A way to measure outputs."""

    def statistics(self, texts: Texts) -> Floats:
        """One row of sums for each output, shape (outputs, sums)."""
        ...

    def figure(self, sums: Floats) -> Floats:
        """The figure for added-up sums, shape (..., sums) to (...)."""
        ...

    def signature(self) -> str:
        """How the figure is computed, exactly enough to compute it again elsewhere."""
        ...


class Gain(NamedTuple):
    """By how much `row` beats the untouched draft, with its 95 % interval; `p`: share of resamples at or below 0."""

    scorer: str
    row: str
    value: float
    low: float
    high: float
    p: float


def label_of(part: Part[Any]) -> str:
    """The name of a scorer with its settings, as in `bleu` and `bleu-char`: short, and unique in one evaluation."""
    return "-".join([part.name, *(str(value) for value in part.args.values())])


def resamples(n: int, times: int, seed: int) -> Floats:
    """How often each of `n` outputs is drawn in each of `times` resamples with replacement, shape (times, n)."""
    draws = np.random.default_rng(seed).integers(0, n, size=(times, n))
    counts = np.apply_along_axis(np.bincount, 1, draws, minlength=n)
    return np.asarray(counts, dtype=np.float64)


def score_rows(
    label: str, scorer: Scorer, rows: Mapping[str, Texts], times: int, seed: int
) -> tuple[dict[str, Score], list[Gain], dict[str, Floats]]:
    """Measure every row, and its gain over the row `draft` where both hold the same pairs.

    Args:
        rows: row name -> its texts; rows of equal length hold the same pairs in the same order.
        times: how many resamples the intervals come from.
        seed: which resamples.

    Returns:
        The score of each row with its 95 % percentile interval, the gains, and each row's figure output by output.
    """
    scores: dict[str, Score] = {}
    spread: dict[str, Floats] = {}
    single: dict[str, Floats] = {}
    drawn: dict[int, Floats] = {}
    for row, texts in rows.items():
        n = len(texts.outputs)
        sums = scorer.statistics(texts)
        if n not in drawn:
            drawn[n] = resamples(n, times, seed)
        spread[row] = scorer.figure(drawn[n] @ sums)
        single[row] = scorer.figure(sums)
        low, high = np.percentile(spread[row], [2.5, 97.5])
        value = float(scorer.figure(sums.sum(axis=0)))
        scores[row] = Score(label, value, n, scorer.signature(), float(low), float(high))
    gains = [_gain(label, row, scores, spread) for row in rows if row != "draft" and _paired(scores, row)]
    return scores, gains, single


def _paired(scores: Mapping[str, Score], row: str) -> bool:
    return "draft" in scores and scores[row].n == scores["draft"].n


def _gain(label: str, row: str, scores: Mapping[str, Score], spread: Mapping[str, Floats]) -> Gain:
    difference = spread[row] - spread["draft"]
    low, high = np.percentile(difference, [2.5, 97.5])
    value = scores[row].value - scores["draft"].value
    return Gain(label, row, value, float(low), float(high), float((difference <= 0).mean()))
