"""The nearest copy of each text among others, by edits, without comparing all with all.

Likeness is rapidfuzz's normalised indel similarity: 1 - edits / (length of both). What cannot reach it is put aside
first, and nothing else: two texts whose likeness is at least `s` differ by at most `(1 - s) * (length of both)` edits,
so their lengths do too; and every edit adds or removes one character, so that their multisets of characters differ by
no more. A multiset is kept as a row of bits, each character with its number of occurrence turning one of them round;
two rows differ in no more bits than the multisets in characters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.dedup.shingles import coded, mixed

__all__ = ["nearest_copies"]

_ROWS = 64
"""Texts compared at once: with a few thousand others that stays within a core's cache."""
_COLUMNS = 4096
_MOST_WORDS = 64


def nearest_copies(
    texts: Sequence[str], others: Sequence[str], at_least: float, advance: Callable[[int], None] = lambda n: None
) -> list[float]:
    """For each of `texts` its likeness to the most alike of `others`, 0 if below `at_least`.

    Likeness is 1 - edits / longest possible edits (insertions and deletions of characters), from 0 to 1; 1 is equal.
    """
    from rapidfuzz.distance import Indel

    best = [0.0] * len(texts)
    if not others or not texts:
        return best
    width = _width([*texts, *others])
    rows, columns = _Lengths(texts, width), _Lengths(others, width)
    for begin in range(0, len(texts), _ROWS):
        part = slice(begin, begin + _ROWS)
        for row, column in _possible(rows, columns, part, at_least):
            one, two = texts[row], others[column]
            found = Indel.normalized_similarity(one, two, score_cutoff=max(at_least, best[row]))
            best[row] = max(best[row], float(found))
        advance(len(rows.order[part]))
    return best


class _Lengths:
    """Texts in the order of their lengths, each with its row of bits."""

    def __init__(self, texts: Sequence[str], words: int) -> None:
        codes, ends = coded(texts)
        lengths = np.diff(ends, prepend=0)
        self.order = np.argsort(lengths, kind="stable")
        self.lengths = lengths[self.order]
        self.bits = _bits(codes, lengths, words)[self.order]


def _width(texts: Sequence[str]) -> int:
    """How many words of 64 bits a row takes: two bits a character of the mean text."""
    mean = sum(map(len, texts)) / len(texts)
    return int(np.clip(-(-mean * 2 // 64), 1, _MOST_WORDS))


def _bits(codes: NDArray[np.uint32], lengths: NDArray[np.int64], words: int) -> NDArray[np.uint64]:
    """For each text the exclusive or of one bit for each character and number of its occurrence."""
    keys = np.repeat(np.arange(len(lengths), dtype=np.uint64), lengths) << np.uint64(32) | codes
    keys.sort()
    fresh = np.concatenate(([True], keys[1:] != keys[:-1])) if len(keys) else np.empty(0, bool)
    places = np.arange(len(keys))
    count = places - np.maximum.accumulate(np.where(fresh, places, 0))
    hashed = mixed((keys & np.uint64(0xFFFFFFFF)).astype(np.uint32) * np.uint32(0x9E3779B1) + count.astype(np.uint32))
    bit = hashed % np.uint32(words * 64)
    owner = (keys >> np.uint64(32)).astype(np.int64)
    rows = np.zeros(len(lengths) * words, np.uint64)
    np.bitwise_xor.at(rows, owner * words + bit // 64, np.uint64(1) << (bit % 64).astype(np.uint64))
    return rows.reshape(len(lengths), words)


def _possible(rows: _Lengths, columns: _Lengths, part: slice, at_least: float) -> list[tuple[int, int]]:
    """The texts of `part` with each other that they may be as like as that, most hopeful first for each text."""
    lengths = rows.lengths[part]
    # Edits are at least the difference of the lengths, so that the longer has at most (2 - s) / s of the shorter.
    reach = (2 - at_least) / at_least
    low = int(np.searchsorted(columns.lengths, np.floor(lengths[0] / reach), side="left"))
    high = int(np.searchsorted(columns.lengths, np.ceil(lengths[-1] * reach), side="right"))
    found: list[NDArray[Any]] = []
    for begin in range(low, high, _COLUMNS):
        others = slice(begin, min(begin + _COLUMNS, high))
        apart = np.zeros((len(lengths), others.stop - others.start), np.uint16)
        for word in range(rows.bits.shape[1]):
            apart += np.bitwise_count(rows.bits[part, word, None] ^ columns.bits[None, others, word])
        most = (1 - at_least) * (lengths[:, None] + columns.lengths[None, others]) + 1e-6
        row, column = np.nonzero(apart <= most)
        found.append(np.stack((row, column + begin, apart[row, column])))
    if not found:
        return []
    row, column, apart = np.concatenate(found, axis=1)
    order = np.lexsort((column, apart, row))
    first, second = rows.order[part][row[order]], columns.order[column[order]]
    return list(zip(first.tolist(), second.tolist(), strict=True))
