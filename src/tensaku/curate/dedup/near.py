"""Near-duplicates: MinHash signatures, bands (LSH), candidates checked exactly, connected components.

Signatures are one-permutation MinHash (Li, Owen, Zhang: "One permutation hashing", 2012): one hash a shingle, its upper
bits name a bin, its lower bits compete for the bin's least value; empty bins borrow (Shrivastava, "Optimal
densification", 2017), the same way for every text, so that equal texts stay equal. Work is one hash a shingle where
the classic form needs one for every permutation. Bands as in Leskovec, Rajaraman, Ullman, "Mining of Massive
Datasets", chapter 3: two texts of likeness s share one of b bands of r values with 1 - (1 - s^r)^b.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.dedup.shingles import Shingles, Unit, jaccard, shingles, sorted_sets

__all__ = ["Link", "Plan", "bands_of", "components", "likeness_of", "near_links", "signatures"]

BLOCK = 512  # texts hashed at once: their arrays fit into a core's cache
_EMPTY = np.uint32(0xFFFFFFFF)
_FOUND = 0.99
_BORROWS = 24  # tries after which a bin that found no full one stays empty


class Plan(NamedTuple):
    """How near-duplicates are looked for.

    `threshold` is the least Jaccard likeness; `n` and `unit` say what a shingle is; `bands` times `rows` must be a power
    of two, the size of a signature.
    """

    threshold: float = 0.8
    n: int = 5
    unit: Unit = "chars"
    bands: int = 16
    rows: int = 8

    @classmethod
    def at(cls, threshold: float, n: int = 5, unit: Unit = "chars") -> Plan:
        """The plan of 128 values with the longest bands that still find 99 of 100 texts just at the threshold."""
        for rows in (8, 4, 2):
            if 1 - (1 - threshold**rows) ** (128 // rows) >= _FOUND:
                return cls(threshold, n, unit, 128 // rows, rows)
        return cls(threshold, n, unit, 128, 1)


class Link(NamedTuple):
    """Two texts, `first` before `second`, and their exact likeness."""

    first: int
    second: int
    likeness: float


def signatures(found: Shingles, size: int) -> NDArray[np.uint32]:
    """One row of `size` values a text. The share of equal values of two rows estimates their texts' likeness.

    Args:
        size: a power of two.
    """
    shift = 32 - size.bit_length() + 1
    texts = len(found.starts) - 1
    table = np.full(texts * size, _EMPTY)
    bins = found.owners() * size + (found.values >> np.uint32(shift)).astype(np.int64)
    np.minimum.at(table, bins, found.values & np.uint32((1 << shift) - 1))
    table = table.reshape(texts, size)
    _densify(table)
    return table


def _densify(table: NDArray[np.uint32]) -> None:
    """Fill empty bins from full ones: bin `b`'s try `t` looks at a bin that depends on `b` and `t` alone."""
    rows, bins = np.nonzero(table == _EMPTY)
    if not len(rows):
        return
    full = table.copy()
    size = table.shape[1]
    for attempt in range(1, _BORROWS + 1):
        # Odd multipliers walk the bins in another order for every try.
        where = (bins * (2 * attempt + 1) + attempt * 0x9E37) % size
        values = full[rows, where]
        hit = values != _EMPTY
        table[rows[hit], bins[hit]] = values[hit] + np.uint32(attempt * 0x01000193)
        rows, bins = rows[~hit], bins[~hit]
        if not len(rows):
            return


def bands_of(table: NDArray[np.uint32], bands: int) -> NDArray[np.uint64]:
    """Each row's values, `bands` groups of them, as one 64-bit hash a group."""
    rows = table.shape[1] // bands
    grouped = table[:, : bands * rows].reshape(len(table), bands, rows).astype(np.uint64)
    out = np.full((len(table), bands), np.uint64(0xCBF29CE484222325))
    for k in range(rows):
        out ^= grouped[:, :, k]
        out *= np.uint64(0x9E3779B97F4A7C15)
        out ^= out >> np.uint64(29)
    return out


def near_links(texts: Iterable[str], plan: Plan = Plan(), *, block: int = BLOCK) -> list[Link]:  # noqa: B008
    """The pairs of near-duplicates among `texts` that join them into components; not every pair of a component.

    `texts` are walked once. What is held: 8 bytes a band and 4 bytes a shingle of every text.
    """
    keys: list[NDArray[np.uint64]] = []
    sets: list[Shingles] = []
    for part in _blocks(texts, block):
        found = shingles(part, plan.n, plan.unit)
        keys.append(bands_of(signatures(found, plan.bands * plan.rows), plan.bands))
        sets.append(found)
    if not keys:
        return []
    values = np.concatenate([part.values for part in sets])
    counts = np.concatenate([np.diff(part.starts) for part in sets])
    starts = np.concatenate(([0], np.cumsum(counts)))
    one, two = candidates(np.concatenate(keys), counts > 0)
    return _checked(Shingles(values, starts), one, two, plan.threshold)


def candidates(keys: NDArray[np.uint64], usable: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs that share a band: in each bucket every text with the first and with the one before it."""
    pairs = []
    count = len(keys)
    places = np.flatnonzero(usable)
    for band in range(keys.shape[1]):
        column = keys[places, band]
        order = np.argsort(column, kind="stable")
        column = column[order]
        same = np.flatnonzero(column[1:] == column[:-1]) + 1
        if not len(same):
            continue
        fresh = np.concatenate(([True], column[1:] != column[:-1]))
        heads = np.maximum.accumulate(np.where(fresh, np.arange(len(column)), 0))
        at = places[order]
        pairs.append(at[heads[same]] * count + at[same])
        pairs.append(at[same - 1] * count + at[same])
    if not pairs:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    unique = np.sort(np.concatenate(pairs))
    unique = unique[np.concatenate(([True], unique[1:] != unique[:-1]))]
    return unique // count, unique % count


def _checked(found: Shingles, one: NDArray[np.int64], two: NDArray[np.int64], threshold: float) -> list[Link]:
    """The candidates whose exact likeness reaches the threshold; sets are made of the texts in question alone."""
    asked = np.unique(np.concatenate((one, two)))
    begins, counts = found.starts[asked], np.diff(found.starts)[asked]
    ends = np.cumsum(counts)
    takes = np.arange(ends[-1] if len(ends) else 0) + np.repeat(begins - (ends - counts), counts)
    sets = sorted_sets(Shingles(found.values[takes], np.concatenate(([0], ends))))
    likeness = jaccard(sets, np.searchsorted(asked, one), np.searchsorted(asked, two))
    good = likeness >= threshold
    return [Link(int(a), int(b), float(s)) for a, b, s in zip(one[good], two[good], likeness[good], strict=True)]


def components(count: int, links: Sequence[Link] | Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """For each of `count` texts the first text that it is joined to by links, itself if by none (union-find)."""
    parent = list(range(count))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for link in links:
        one, two = root(link[0]), root(link[1])
        parent[max(one, two)] = min(one, two)
    return np.array([root(at) for at in range(count)], np.int64)


def _blocks(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    walk = iter(texts)
    while part := list(islice(walk, size)):
        yield part


def likeness_of(couples: Sequence[tuple[str, str]], n: int, unit: Unit) -> list[float]:
    """The exact Jaccard likeness of each couple of texts."""
    if not couples:
        return []
    sets = sorted_sets(shingles([text for couple in couples for text in couple], n, unit))
    ones = np.arange(len(couples)) * 2
    return [float(found) for found in jaccard(sets, ones, ones + 1)]
