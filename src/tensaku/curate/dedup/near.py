"""Near-duplicates: MinHash signatures, bands (LSH), candidates checked exactly, connected components.

Signatures are one-permutation MinHash (Li, Owen, Zhang: "One permutation hashing", 2012): one hash a shingle, its upper
bits name a bin, its lower bits compete for the bin's least value; empty bins borrow (Shrivastava, "Optimal
densification", 2017), the same way for every text, so that equal texts stay equal. Work is one hash a shingle where
the classic form needs one for every permutation. Bands as in Leskovec, Rajaraman, Ullman, "Mining of Massive
Datasets", chapter 3: two texts of likeness s share one of b bands of r values with 1 - (1 - s^r)^b.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.dedup.shelf import Shelf
from tensaku.curate.dedup.shingles import Shingles, Unit, jaccard, shingles

__all__ = ["Link", "Links", "Plan", "bands_of", "components", "likeness_of", "near_links", "signatures"]

BLOCK = 512  # texts hashed at once: their arrays fit into a core's cache
_EMPTY = np.uint32(0xFFFFFFFF)
_TABLE = 4  # blocks whose signatures are filled up together: fewer, longer steps
_GATHERED = 1 << 22  # pairs that share a band are judged once there are so many, or one for each text
_DOUBT = 0.1  # 2.5 standard errors of 128 values: further from the threshold an estimate decides
_FOUND = 0.99
_BORROWS = 24  # tries after which a bin that found no full one stays empty


class Plan(NamedTuple):
    """How near-duplicates are looked for.

    `threshold` is the least Jaccard likeness; `n` and `unit` say what a shingle is; `bands` times `rows`, the size of a
    signature, must be a power of two.
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


_PLAN = Plan()


class Link(NamedTuple):
    """Two texts, `first` before `second`, and their likeness: exact near the threshold, else estimated."""

    first: int
    second: int
    likeness: float


def signatures(found: Shingles, size: int) -> NDArray[np.uint32]:
    """One row of `size` values a text. The share of equal values of two rows estimates their texts' likeness.

    Args:
        size: a power of two.
    """
    return _densified(_minima(found, size))


def _minima(found: Shingles, size: int) -> NDArray[np.uint32]:
    """The least value of each bin, `_EMPTY` where it has none."""
    shift = np.uint32(32 - size.bit_length() + 1)
    texts = len(found.starts) - 1
    table = np.full(texts * size, _EMPTY)
    bins = np.repeat(np.arange(texts) * size, np.diff(found.starts))
    bins += found.values >> shift
    np.minimum.at(table, bins, found.values & np.uint32((1 << int(shift)) - 1))
    return table.reshape(texts, size)


def _densified(table: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Fill empty bins from full ones: bin `b`'s try `t` looks at a bin that depends on `b` and `t` alone."""
    size = table.shape[1]
    full, out = table.ravel(), table.copy().ravel()
    left = np.flatnonzero(full == _EMPTY)
    for attempt in range(1, _BORROWS + 1):
        if not len(left):
            break
        # Odd multipliers walk the bins in another order for every try.
        order = (np.arange(size) * (2 * attempt + 1) + attempt * 0x9E37) % size
        bins = left & (size - 1)
        values = full[left - bins + order[bins]]
        hit = values != _EMPTY
        out[left[hit]] = values[hit] + np.uint32(attempt * 0x01000193)
        left = left[~hit]
    return out.reshape(table.shape)


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


@cache
def _keep_what_is_freed() -> None:
    """Let the C library keep memory that is freed instead of handing it back, so that not every block of texts is given
    new pages: glibc raises its limit to the size of the largest mapped piece that was freed (mallopt(3), up to 32 MB).
    """
    np.empty(30 << 20, np.uint8)


@dataclass(frozen=True, eq=False)
class Links(Sequence[Link]):
    """Links as three arrays, 24 bytes a link, in the order of `first` and then of `second`."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    likeness: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)

    @overload
    def __getitem__(self, place: int) -> Link: ...
    @overload
    def __getitem__(self, place: slice) -> Links: ...
    def __getitem__(self, place: int | slice) -> Link | Links:
        if isinstance(place, slice):
            return Links(self.first[place], self.second[place], self.likeness[place])
        return Link(int(self.first[place]), int(self.second[place]), float(self.likeness[place]))

    def those(self, which: NDArray[np.bool_]) -> Links:
        """The links for which it is true."""
        return Links(self.first[which], self.second[which], self.likeness[which])


def near_links(
    texts: Iterable[str],
    plan: Plan = _PLAN,
    *,
    block: int = BLOCK,
    folder: Path | None = None,
) -> Links:
    """The pairs of near-duplicates among `texts` that join them into components; not every pair of a component.

    `texts` are walked once. What is held: 24 bytes a band and 4 bytes a shingle of every text.

    Args:
        folder: an empty folder that holds them instead of the memory; its files are the caller's to throw away. Held
            are then at most some 200 bytes a text, and 40 a link.

    Raises:
        OSError: the disk is full.
    """
    _keep_what_is_freed()
    with Shelf(plan.bands, plan.bands * plan.rows, folder) as shelf:
        blocks = _blocks(texts, block)
        while part := list(islice(blocks, _TABLE)):
            hashed = [shingles(some, plan.n, plan.unit) for some in part]
            table = _densified(np.concatenate([_minima(some, plan.bands * plan.rows) for some in hashed]))
            shelf.add(hashed, bands_of(table, plan.bands), table)
        found = _hopeful(shelf, plan)
        doubtful = found.likeness < plan.threshold + _DOUBT
        found.likeness[doubtful] = shelf.shingles.jaccard(found.first[doubtful], found.second[doubtful])
    return found.those(found.likeness >= plan.threshold)


def _hopeful(shelf: Shelf, plan: Plan) -> Links:
    """Pairs that share a band and whose signatures do not rule the likeness out, each with its estimate.

    What shares a band grows faster than the texts do, what is alike does not: pairs are judged as they are gathered, a
    few for each text at a time, and those that are not alike are forgotten, at the price of meeting some again.
    """
    count = len(shelf.shingles.counts())
    pairs, guesses = [np.empty(0, np.int64)], [np.empty(0)]
    fresh: list[NDArray[np.int64]] = []
    for band in range(shelf.bands):
        fresh += _sharing(shelf, band)
        if band == shelf.bands - 1 or sum(map(len, fresh)) > max(count, _GATHERED):
            every = np.concatenate(fresh)
            fresh = []
            every.sort()
            every = every[np.diff(every, prepend=-1) != 0]
            # One byte of each value is kept; one in 256 is equal by chance.
            equal = shelf.equal_values(*np.divmod(every, max(count, 1)))
            guess = (equal / (plan.bands * plan.rows) - 1 / 256) / (1 - 1 / 256)
            good = guess >= plan.threshold - _DOUBT
            pairs.append(every[good])
            guesses.append(guess[good])
    found, at = np.unique(np.concatenate(pairs), return_index=True)
    return Links(*np.divmod(found, max(count, 1)), np.concatenate(guesses)[at])


def _sharing(shelf: Shelf, band: int) -> list[NDArray[np.int64]]:
    """In each bucket of a band every text with the first and with the one before it: `first * texts + second`."""
    counts = shelf.shingles.counts()
    places = np.flatnonzero(counts)
    low = np.uint64((1 << max(len(places), 1).bit_length()) - 1)
    # Hash and place in one number sort faster than places by hashes; lower bits are spared, meetings are checked.
    packed = shelf.band(band)[places]
    packed &= ~low
    packed |= np.arange(len(places), dtype=np.uint64)
    packed.sort()
    same = np.flatnonzero((packed[1:] ^ packed[:-1]) <= low) + 1
    # The first of a bucket is the last that shares its hash with none before it.
    heads = np.maximum.accumulate(np.where(np.diff(same, prepend=-1) != 1, same - 1, 0))
    first, before, at = (places[(packed[some] & low).astype(np.int64)] for some in (heads, same - 1, same))
    return [first * len(counts) + at, (before * len(counts) + at)[before != first]]


def components(count: int, links: Sequence[Link] | Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """For each of `count` texts the first text that it is joined to by links, itself if by none.

    In each round every root is hung below the least root that a link joins it to, and paths are cut short (Shiloach and
    Vishkin, "An O(log n) parallel connectivity algorithm", 1982): a handful of rounds over whole arrays.
    """
    roots = np.arange(count)
    if isinstance(links, Links):
        ends = np.stack((links.first, links.second), axis=1)
    else:
        ends = np.array([link[:2] for link in links], np.int64).reshape(-1, 2)
    while len(ends):
        ends = roots[ends]
        ends = ends[ends[:, 0] != ends[:, 1]]
        np.minimum.at(roots, ends.max(axis=1), ends.min(axis=1))
        while not np.array_equal(cut := roots[roots], roots):
            roots = cut
    return roots


def _blocks(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    walk = iter(texts)
    while part := list(islice(walk, size)):
        yield part


def likeness_of(couples: Sequence[tuple[str, str]], n: int, unit: Unit) -> list[float]:
    """The exact Jaccard likeness of each couple of texts."""
    if not couples:
        return []
    held = shingles([text for couple in couples for text in couple], n, unit)
    ones = np.arange(len(couples)) * 2
    return [float(found) for found in jaccard(held, ones, ones + 1)]
