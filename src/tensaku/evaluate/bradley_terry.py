"""Strength of candidates from votes between two: Bradley and Terry's model, with ties and with the side they stood on.

Of candidates i on the left and j on the right, with strengths a (logarithms), the three outcomes have the weights

    left is better    exp(a_i + g)
    right is better   exp(a_j)
    a tie             exp(t + (a_i + a_j) / 2)

This is Bradley and Terry 1952 with the tie rule of Davidson 1970 (a tie is likelier the nearer two strengths are; its
weight is the geometric mean of the two times a factor exp(t) for all) and the effect of the order of Davidson and
Beaver 1977 (g above 0: who stands left is favoured). Without ties, t is left out. The model is a multinomial logit,
so its likelihood has one peak, found by Newton's method; its curvature there gives the standard errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import UsageError
from tensaku.evaluate.votes import Vote, win_rates

__all__ = ["TIE_RULE", "Ranked", "Ranking", "rank"]

Floats = NDArray[np.float64]

TIE_RULE = "Davidson 1970"
_Z = 1.959963984540054
_FAR = 15.0  # no strength that votes can show lies so far out: the peak is at infinity
_PRIOR = 0.5
_OUTCOMES = ("left", "right", "tie")


class Ranked(NamedTuple):
    """One candidate: its strength (logarithm), the 95 % interval, and what it rests on.

    `ahead` is how often, of the resamples, it is stronger than the next one below (0 to 1; None for the last).
    """

    name: str
    strength: float
    low: float
    high: float
    win_rate: float
    votes: float
    ahead: float | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates, the strongest first.

    `tie` is exp(t): 0 without ties; `left` is g with its interval, or None if it was not asked for, or cannot be
    told apart from the candidates that stood there. `bounded`: somebody
    won or lost everything against the others, so half a win each way between every two was added. `intervals` says
    what the intervals come from.
    """

    candidates: tuple[Ranked, ...]
    tie: float
    left: tuple[float, float, float] | None
    bounded: bool
    intervals: str
    votes: float
    ties: float

    @property
    def order(self) -> list[str]:
        """The names, the strongest first."""
        return [one.name for one in self.candidates]


def rank(
    votes: Sequence[Vote], *, reference: str = "", order: bool = False, resamples: int = 0, seed: int = 1
) -> Ranking:
    """Fit the model.

    Args:
        reference: the candidate whose strength is 0; empty: the mean of all is 0.
        order: whether standing on the left may be worth something.
        resamples: how many resamples of whole items (all votes on one item together) the intervals come from; 0, or
            where the items are not told: from the curvature of the likelihood, as if all votes were independent.

    Raises:
        UsageError: there are no votes, fewer than two candidates, an unknown reference, or candidates that were never
            compared, even through others.
    """
    rates = win_rates(votes)
    names = sorted(rates)
    if reference and reference not in names:
        raise UsageError(f"there is no candidate {reference!r}", where="reference", fix=f"There is: {', '.join(names)}")
    counts = _counts(votes, names)
    _check_connected(counts.sum(axis=2), names)
    order = order and bool(counts[..., 0].sum() and counts[..., 1].sum())
    fit = _fit(counts, order)
    centre = _centre(len(names), names.index(reference) if reference else None)
    strength, spread = centre @ fit.strength, centre @ fit.covariance @ centre.T
    error = _Z * np.sqrt(np.maximum(np.diag(spread), 0))
    low, high, drawn, how = strength - error, strength + error, None, "curvature of the likelihood"
    items = {vote.item for vote in votes}
    if resamples and len(items) > 1:
        drawn = _drawn(votes, names, order, resamples, seed) @ centre.T
        low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
        how = f"{resamples} resamples of {len(items)} items"
    by = sorted(range(len(names)), key=lambda at: (-strength[at], names[at]))
    held = counts.sum(axis=(1, 2)) + counts.sum(axis=(0, 2))
    found = []
    for place, at in enumerate(by):
        ahead = _ahead(strength, spread, drawn, at, by[place + 1]) if place + 1 < len(by) else None
        figures = (float(strength[at]), float(low[at]), float(high[at]), rates[names[at]], float(held[at]))
        found.append(Ranked(names[at], *figures, ahead))
    return Ranking(tuple(found), fit.tie, fit.left, fit.bounded, how, float(counts.sum()), float(counts[..., 2].sum()))


class _Fit(NamedTuple):
    strength: Floats
    covariance: Floats
    tie: float
    left: tuple[float, float, float] | None
    bounded: bool


def _counts(votes: Sequence[Vote], names: Sequence[str]) -> Floats:
    """How often each outcome came up, shape (left, right, outcome)."""
    place = {name: at for at, name in enumerate(names)}
    counts = np.zeros((len(names), len(names), 3))
    for vote in votes:
        counts[place[vote.left], place[vote.right], _OUTCOMES.index(vote.winner)] += vote.weight
    return counts


def _check_connected(met: Floats, names: Sequence[str]) -> None:
    reached = _reach((met + met.T) > 0)
    if not reached.all():
        near = [name for name, there in zip(names, reached[0], strict=True) if there]
        far = [name for name, there in zip(names, reached[0], strict=True) if not there]
        what = f"{', '.join(near)} and {', '.join(far)} were never compared, not even through others"
        raise UsageError(what, where="votes", fix="Let some be compared across, or rank them apart")


def _reach(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Who is reached from whom, in any number of steps."""
    reached = edges | np.eye(len(edges), dtype=bool)
    for _ in range(max(1, len(edges).bit_length())):
        reached = (reached.astype(np.int64) @ reached.astype(np.int64)) > 0
    return reached


def _fit(counts: Floats, order: bool) -> _Fit:
    """The likeliest strengths; with half a win each way between every two where they would be infinite."""
    wins = counts[..., 0] + counts[..., 1].T
    finite = _reach(wins + counts[..., 2] + counts[..., 2].T > 0).all() and wins.any()  # Ford 1957
    found = _newton(counts, order) if finite else None
    if found is None and finite and order:  # where one always stood left, side and candidate cannot be told apart
        found = _newton(counts, False)
    if found is not None:
        return found
    more = counts.copy()
    apart = ~np.eye(len(counts), dtype=bool)
    more[apart, 0] += _PRIOR / 2
    more[apart, 1] += _PRIOR / 2
    found = _newton(more, order) or _newton(more, False)
    assert found is not None, "with a win each way between every two the peak is finite"
    return found._replace(bounded=True)


def _newton(counts: Floats, order: bool) -> _Fit | None:
    """The peak of the likelihood, the first strength held at 0; None if it lies at infinity."""
    m, ties = len(counts), bool(counts[..., 2].any())
    left, right = np.nonzero(counts.sum(axis=2))
    n = counts[left, right]
    design = np.zeros((len(left), 3, m + 2))
    rows = np.arange(len(left))
    design[rows, 0, left] = design[rows, 1, right] = 1.0
    design[rows, 2, left] = design[rows, 2, right] = 0.5
    design[:, 0, m], design[:, 2, m + 1] = 1.0, 1.0
    free = [*range(1, m), *([m] if order else []), *([m + 1] if ties else [])]
    design, shown = design[..., free], np.array([1.0, 1.0, float(ties)])
    total = n.sum(axis=1)
    at = np.zeros(len(free))
    for _ in range(100):
        weights = np.exp(design @ at) * shown
        p = weights / weights.sum(axis=1, keepdims=True)
        mean = np.einsum("rk,rkp->rp", p, design)
        gradient = np.einsum("rk,rkp->p", n - total[:, None] * p, design)
        square = np.einsum("r,rk,rkp,rkq->pq", total, p, design, design) - np.einsum("r,rp,rq->pq", total, mean, mean)
        try:
            step = np.linalg.solve(square, gradient)
        except np.linalg.LinAlgError:
            return None
        at = at + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if not np.isfinite(at).all() or np.abs(at).max() > _FAR:
            return None
        if np.abs(step).max() < 1e-10:
            break
    else:
        return None
    inverse = np.linalg.inv(square)
    strength, covariance = np.zeros(m), np.zeros((m, m))
    strength[1:], covariance[1:, 1:] = at[: m - 1], inverse[: m - 1, : m - 1]
    side = None
    if order:
        value, error = float(at[m - 1]), _Z * float(np.sqrt(inverse[m - 1, m - 1]))
        side = (value, value - error, value + error)
    return _Fit(strength, covariance, float(np.exp(at[-1])) if ties else 0.0, side, False)


def _centre(m: int, reference: int | None) -> Floats:
    """What sets the reference, or the mean, at 0."""
    taken = np.full((m, m), 1.0 / m)
    if reference is not None:
        taken = np.zeros((m, m))
        taken[:, reference] = 1.0
    return np.asarray(np.eye(m) - taken)


def _drawn(votes: Sequence[Vote], names: Sequence[str], order: bool, times: int, seed: int) -> Floats:
    """Strengths of as many resamples of whole items, shape (times, candidates)."""
    items: dict[str, list[Vote]] = {}
    for vote in votes:
        items.setdefault(vote.item, []).append(vote)
    held = np.array([_counts(of_item, names) for of_item in items.values()])
    draws = np.random.default_rng(seed).integers(0, len(held), size=(times, len(held)))
    return np.array([_fit(held[draw].sum(axis=0), order).strength for draw in draws])


def _ahead(strength: Floats, spread: Floats, drawn: Floats | None, one: int, two: int) -> float:
    """How sure it is that `one` is stronger than `two`: the share of resamples, or the normal approximation."""
    if drawn is not None:
        return float((drawn[:, one] > drawn[:, two]).mean())
    variance = spread[one, one] + spread[two, two] - 2 * spread[one, two]
    if variance <= 0:
        return 1.0 if strength[one] > strength[two] else 0.5
    return 0.5 * (1 + erf((strength[one] - strength[two]) / sqrt(2 * variance)))
