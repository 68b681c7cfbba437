"""BM25 of the words of a question, as if the hidden passages were not there.

Frequent terms are many postings and tell little. The rarest come first; as soon as what is left cannot lift any other
passage among the best, it is looked up for those that stand out alone (MaxScore: Turtle and Flood, Query evaluation:
strategies and optimizations, 1995), with the same result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensaku.retrieve.snapshot import Snapshot
from tensaku.retrieve.words import Asked, number_of

__all__ = ["Bm25", "Scores", "View", "top"]

_K1, _B = 0.9, 0.4  # the values of Anserini's runs: Yang, Fang and Lin, Anserini (2018)
_POSTINGS = 1_000_000
"""Postings that are read as a whole; terms beyond count for the passages that stand out by then."""
_STANDING = 20_000
"""So many."""
_WORTH = 20_000
"""Postings after which it is worth looking who stands out."""
_HALVED = 8
"""Times that the range is halved in which the sum of the last of the best lies: each is a look at all sums."""
_LOOKED = 4
"""Looking a passage up in a term costs as much as reading so many of its postings."""
_FEW = 16
"""A look-up of a hidden passage among those that hold a term costs as much as the looks at so many of these."""

Scores = NDArray[np.float32]


class View:
    """What whoever asks may see of an index: `seen` marks the passages, `size` counts them.

    `damping` is what BM25 adds to a term's count in each passage; it knows the mean length of the visible ones alone.
    """

    def __init__(self, lengths: Scores, seen: NDArray[np.bool_]) -> None:
        self.seen, self.size = seen, int(np.count_nonzero(seen))
        self.hidden = np.flatnonzero(~seen).astype(np.int32)
        shown = lengths if self.size == len(seen) else lengths[seen]
        mean = float(shown.mean() if self.size else 0.0) or 1.0
        fixed, slope = np.float32(_K1 * (1 - _B)), np.float32(_K1 * _B / mean)
        self.damping: Scores = fixed + slope * lengths
        self.least = float(fixed + slope * shown.min(initial=np.float32(np.inf)))


@dataclass(frozen=True, slots=True)
class Postings:
    """Passages that hold a term, in order, hidden ones too, and how often it stands in each.

    `seen` is how many of them are visible, `most` how often it stands in one of those at most.
    """

    holders: NDArray[np.int32]
    counts: NDArray[np.uint8]
    seen: int
    most: int


class Bm25:
    """The words of one question, among the passages that `view` shows."""

    def __init__(self, snapshot: Snapshot, view: View) -> None:
        self._snapshot, self._view = snapshot, view
        self._read: dict[str, Postings] = {}

    def best(self, told: Asked, k: int) -> list[int]:
        """The `k` passages with the highest sum over words and pairs together, the best first.

        When as many postings were read as `_POSTINGS`, each further term is looked up for the `_STANDING` best passages
        alone: what stands in a large part of all passages hardly tells them apart.
        """
        every = [(self.postings(term), weight) for _, term, weight in _weighted(told)]
        every.sort(key=lambda one: one[0].seen)
        left = np.cumsum([self._most(*one) for one in reversed(every)])[::-1]  # what it and all later ones add at most
        unread = np.cumsum([found.seen for found, _ in reversed(every)])[::-1]
        total, least = np.zeros(len(self._snapshot), np.float32), 0.0
        read = fresh = at = 0
        while at < len(every):
            found, weight = every[at]
            full = bool(read) and read + found.seen > _POSTINGS
            if full or (fresh > max(_WORTH, read // 4) and left[0] > 2 * left[at]):
                least, fresh = _reached(self._shown(total), k, least), 0
                line, looked = _below(least, float(left[at])), _LOOKED * (len(every) - at)
                if full or (line > 0 and np.count_nonzero(total >= line) * looked < unread[at]):
                    standing = _best_of(total, _from(total, line), _STANDING)
                    return self._looked_up(every[at:], left[at:], standing, total[standing], k)
            holders, shares = self._shares(found)
            total[holders] += weight * shares
            read, fresh, at = read + found.seen, fresh + found.seen, at + 1
        return top(_from(total, _reached(self._shown(total), k, least)), total, k)

    def _looked_up(
        self,
        every: list[tuple[Postings, float]],
        left: NDArray[np.float64],
        standing: NDArray[np.int64],
        total: Scores,
        k: int,
    ) -> list[int]:
        """The best of the passages that stand out, of which `total` is known, when the other terms are counted too."""
        for (found, weight), most in zip(every, left, strict=True):
            if len(total) > k:
                kept = total >= _below(float(np.partition(total, -k)[-k]), float(most))
                standing, total = standing[kept], total[kept]
            total += weight * self.shares_at(found, standing)
        order = np.lexsort((standing, -total))[:k]
        return [int(passage) for passage in standing[order]]

    def _shown(self, total: Scores) -> Scores:
        """Sums without those of hidden passages."""
        hidden = self._view.hidden
        if len(hidden) * _FEW < len(total):
            total[hidden] = 0
        else:
            np.multiply(total, self._view.seen, out=total)
        return total

    def _most(self, found: Postings, weight: float) -> float:
        """What a term adds to any passage at most."""
        return weight * self.rarity(found) * (_K1 + 1) * found.most / max(found.most + self._view.least, 1e-6)

    def sums(self, told: Asked, at: NDArray[np.int64]) -> dict[str, Scores]:
        """BM25 of words, of pairs of characters and of phrases at some passages, and the share of words found there."""
        sums = {name: np.zeros(len(at), np.float32) for name in ("words", "pairs", "phrases", "covered")}
        for name, term, weight in (*_weighted(told), *(("phrases", term, 1.0) for term in told.phrases)):
            sums[name] += weight * self.shares_at(self.postings(term), at)
        whole = 0.0
        for term in told.words:
            found = self.postings(term)
            rarity = self.rarity(found)
            sums["covered"] += rarity * _among(at, found.holders)
            whole += rarity
        self._stand_in(told, at, sums["covered"])
        if whole:
            sums["covered"] /= whole
        return sums

    def _stand_in(self, told: Asked, at: NDArray[np.int64], covered: Scores) -> None:
        """Count a word of the question as found where a form of the term list stands for it."""
        for meant, forms in told.alike:
            missing = [self.postings(term) for term in meant if term in told.words]
            both = [_among(at, self.postings(form).holders) for form in forms]
            if not both or not missing:
                continue
            here = np.logical_and.reduce(both)
            for found in missing:
                covered[here & ~_among(at, found.holders)] += self.rarity(found)

    def postings(self, term: str) -> Postings:
        """The passages that hold a term, and how many of them are visible."""
        if term not in self._read:
            self._read[term] = self._counted(*self._snapshot.postings(number_of(term)))
        return self._read[term]

    def _counted(self, holders: NDArray[np.int32], counts: NDArray[np.uint8]) -> Postings:
        """Look which of the holders are visible: by the hidden ones among them where those are few."""
        hidden = self._view.hidden
        if len(hidden) * _FEW < len(holders):
            place, inside = _placed(hidden, holders)
            seen, shown = len(holders) - int(np.count_nonzero(inside)), counts
            if seen < len(holders):
                shown = counts.copy()
                shown[place[inside]] = 0
        else:
            kept = self._view.seen[holders]
            seen, shown = int(np.count_nonzero(kept)), counts * kept
        return Postings(holders, counts, seen, int(shown.max(initial=0)))

    def rarity(self, found: Postings) -> float:
        """How much a term tells."""
        return float(np.log1p((self._view.size - found.seen + 0.5) / (found.seen + 0.5)))

    def _shares(self, found: Postings) -> tuple[NDArray[np.int32], Scores]:
        """Passages that hold a term, all visible ones and perhaps others, and its share in the score of each."""
        holders, counts = found.holders, found.counts
        if 2 * found.seen < len(holders):
            kept = self._view.seen[holders]
            holders, counts = holders[kept], counts[kept]
        return holders, self._share(found, counts, holders)

    def shares_at(self, found: Postings, at: NDArray[np.integer[Any]]) -> Scores:
        """A term's share in the score of some visible passages, 0 where it does not stand."""
        out = np.zeros(len(at), np.float32)
        place, inside = _placed(at, found.holders)
        if inside.any():
            out[inside] = self._share(found, found.counts[place[inside]], at[inside])
        return out

    def _share(self, found: Postings, counts: NDArray[np.uint8], passages: NDArray[np.integer[Any]]) -> Scores:
        often = counts.astype(np.float32)
        damped = often + self._view.damping[passages]
        return np.asarray(np.float32(self.rarity(found) * (_K1 + 1)) * often / damped, np.float32)


def _weighted(told: Asked) -> Iterator[tuple[str, str, float]]:
    """What BM25 sums: the sum that a term belongs to, the term, its weight."""
    yield from (("words", term, 1.0) for term in told.words)
    yield from (("words", term, 0.5) for term in told.readings)
    yield from (("words" if term.startswith("w:") else "pairs", term, weight) for term, weight in told.more)
    yield from (("pairs", term, 1.0) for term in told.pairs)


def _reached(total: Scores, k: int, least: float) -> float:
    """A sum that `k` passages have reached, close to the greatest such sum; `least` is one. 0 if there are fewer."""
    low, high = least, float(total.max(initial=0))
    for _ in range(_HALVED):
        middle = (low + high) / 2
        low, high = (middle, high) if np.count_nonzero(total >= middle) >= k else (low, middle)
    return low


def _below(best: float, most: float) -> float:
    """The sum from which on a passage may still reach `best` if it gets `most` more; sums of 32 bits are rounded."""
    return best - most - 1e-4 * best


def _from(total: Scores, line: float) -> NDArray[np.int64]:
    """The passages that have any sum, and one of `line` or more."""
    return np.flatnonzero(total >= line if line > 0 else total)


def _best_of(total: Scores, at: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Of passages in order the `k` with the greatest sums, in order."""
    return np.sort(at[np.argpartition(-total[at], k)[:k]]) if len(at) > k else at


def top(at: NDArray[np.int64], scores: Scores, k: int) -> list[int]:
    """Of passages in order the `k` best by `scores`, of equals the lower number first."""
    if len(at) > k:
        found = scores[at]
        at = at[found >= np.partition(found, -k)[-k]]
    return [int(passage) for passage in at[np.lexsort((at, -scores[at]))][:k]]


def _among(at: NDArray[np.integer[Any]], holders: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of `at` are among `holders`, which are in order."""
    return _placed(at, holders)[1]


def _placed(at: NDArray[np.integer[Any]], holders: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each of `at` stands in `holders`, which are in order, and whether it does."""
    wanted = at.astype(np.int32, copy=False)  # of another type NumPy would copy all holders, a million at times
    place = np.searchsorted(holders, wanted)
    inside = np.asarray(place < len(holders), bool)
    inside[inside] = holders[place[inside]] == wanted[inside]
    return place, inside
