"""What a scorer is, and how sure its figure is.

A scorer turns every output into a few sums (its sufficient statistics) and the sums of many outputs into one figure. So
all resamples cost one matrix product, and two systems are compared on the very same resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from tensaku.plugins import Part
from tensaku.records import Score
from tensaku.resampling import Floats, resamples, swaps

__all__ = [
    "Gain",
    "Measured",
    "Scorer",
    "Texts",
    "label_of",
    "lower_is_better",
    "measure_rows",
    "score_rows",
]


class Texts(NamedTuple):
    """The texts of some pairs, in one order: what came in, what a model made of it, what the house published.

    `families` are the names of the families that they belong to; without them each pair is one of its own.
    """

    drafts: Sequence[str]
    outputs: Sequence[str]
    references: Sequence[str]
    families: Sequence[str] = ()


class Scorer(Protocol):
    """A way to measure outputs.

    It may say `lower_is_better = True`, and may have a method `check(language)` (ja or en) that refuses a language.
    """

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
    """By how many points `row` scores above the row `over`, with its 95 % interval from paired resamples.

    `p` is the share of resamples in which it is not better; `p_random` how often a difference as large comes up if
    it is left to chance which of the two wrote which output (approximate randomisation, two-sided; Riezler and Maxwell
    2005, Noreen 1989).
    """

    scorer: str
    row: str
    value: float
    low: float
    high: float
    p: float
    p_random: float
    over: str = "draft"


def label_of(part: Part[Any]) -> str:
    """The name of a scorer with its settings, as in `bleu` and `bleu-char`: short, and unique in one evaluation."""
    return "-".join([part.name, *(key if value is True else str(value) for key, value in part.args.items())])


def lower_is_better(scorer: Scorer) -> bool:
    """Whether a smaller figure of `scorer` is the better one."""
    return bool(getattr(scorer, "lower_is_better", False))


@dataclass
class Measured:
    """Every row by one scorer: its score with interval, and what comparisons need."""

    label: str
    scorer: Scorer
    sums: dict[str, Floats]
    scores: dict[str, Score]
    spread: dict[str, Floats]
    seed: int
    families: dict[str, Sequence[str]] = field(default_factory=dict)

    @property
    def times(self) -> int:
        """How many resamples there are."""
        return max(map(len, self.spread.values()), default=0)

    @property
    def single(self) -> dict[str, Floats]:
        """Each row's figure output by output."""
        return {row: self.scorer.figure(sums) for row, sums in self.sums.items()}

    def paired(self, row: str, over: str) -> bool:
        """Whether both rows hold the same pairs."""
        return row in self.scores and over in self.scores and self.scores[row].n == self.scores[over].n

    def gain(self, row: str, over: str = "draft", trials: int = 0) -> Gain:
        """By how much `row` scores above `over`, by paired bootstrap and by approximate randomisation.

        Args:
            trials: how often outputs are exchanged at random, if more often than there are resamples.
        """
        difference = self.spread[row] - self.spread[over]
        low, high = np.percentile(difference, [2.5, 97.5])
        value = self.scores[row].value - self.scores[over].value
        worse = difference >= 0 if lower_is_better(self.scorer) else difference <= 0
        p = float(worse.mean())
        return Gain(
            self.label, row, value, float(low), float(high), p, self._left_to_chance(row, over, value, trials), over
        )

    def _left_to_chance(self, row: str, over: str, value: float, trials: int) -> float:
        one, two = self.sums[row], self.sums[over]
        mask = swaps(len(one), max(trials, len(self.spread[row])), self.seed, self.families.get(row, ()))
        moved = mask @ (two - one)
        drawn = self.scorer.figure(one.sum(axis=0) + moved) - self.scorer.figure(two.sum(axis=0) - moved)
        # one trial more, the one that was seen; the tolerance keeps rounding from hiding an equal difference
        return float((np.sum(np.abs(drawn) >= abs(value) - 1e-9) + 1) / (len(drawn) + 1))


def measure_rows(label: str, scorer: Scorer, rows: Mapping[str, Texts], times: int, seed: int) -> Measured:
    """Measure every row.

    Args:
        rows: row name -> its texts; rows of equal length hold the same pairs in the same order, families among them.
        times: how many resamples the 95 % percentile intervals come from.
        seed: which resamples.

    Raises:
        UsageError: the scorer refuses the language of the texts.
    """
    found = Measured(label, scorer, {}, {}, {}, seed)
    drawn: dict[int, Floats] = {}
    for row, texts in rows.items():
        n = len(texts.outputs)
        sums = scorer.statistics(texts)
        if n not in drawn:
            drawn[n] = resamples(n, times, seed, texts.families)
        found.families[row] = texts.families
        found.sums[row], found.spread[row] = sums, scorer.figure(drawn[n] @ sums)
        low, high = np.percentile(found.spread[row], [2.5, 97.5])
        value = float(scorer.figure(sums.sum(axis=0)))
        found.scores[row] = Score(label, value, n, scorer.signature(), float(low), float(high))
    return found


def score_rows(
    label: str, scorer: Scorer, rows: Mapping[str, Texts], times: int, seed: int
) -> tuple[dict[str, Score], list[Gain], dict[str, Floats]]:
    """Measure every row, and its gain over the row `draft` where both hold the same pairs.

    Returns:
        The score of each row with its 95 % percentile interval, the gains, and each row's figure output by output.

    Raises:
        UsageError: the scorer refuses the language of the texts.
    """
    found = measure_rows(label, scorer, rows, times, seed)
    gains = [found.gain(row) for row in rows if row != "draft" and found.paired(row, "draft")]
    return found.scores, gains, found.single
