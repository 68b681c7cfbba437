"""The sentences nearest to a question: exact for a small index; for a large one, signs first, then the few exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Near"]

_EXACT = 150_000
"""Up to so many vectors are compared one by one in float32 (230 MB at 384 numbers each)."""
_KEPT = 4_000
"""Of more, so many whose signs agree most are compared exactly."""
_FIRST, _LEFT = 2, 40
"""Words of signs that are compared of every vector, and how many times `_KEPT` are left for the others."""
_BLOCK = 65_536
"""Vectors compared at a time: their signs stay in the processor's cache."""

Scores = NDArray[np.float32]


class Near:
    """Vectors of sentences, each of a passage.

    Args:
        vectors: one row of 8-bit numbers a sentence, 127 for 1.
        owners: the passage of each, in order.
        passages: how many passages there are.
    """

    def __init__(self, vectors: NDArray[np.int8], owners: NDArray[np.int32], passages: int) -> None:
        self._vectors, self._owners, self._passages = vectors, owners, passages
        self.size = len(owners)
        self._exact: Scores | None = None
        self._signs: NDArray[np.uint64] | None = None
        self._starts = np.flatnonzero(np.diff(owners, prepend=-1)) if self.size else np.zeros(0, np.int64)
        if 0 < self.size <= _EXACT:
            self._exact = vectors.astype(np.float32) / np.float32(127)
        elif self.size:
            self._middle = np.asarray(vectors[:: max(1, self.size // 10_000)], np.float32).mean(axis=0)
            self._signs = np.ascontiguousarray(_signs(vectors, self._middle).T)

    def nearest(self, question: Scores, seen: NDArray[np.bool_]) -> Scores:
        """For each passage the cosine of its sentence nearest to the question; 0 where not `seen` or far away."""
        found = np.zeros(self._passages, np.float32)
        if self._exact is not None:
            cosines = self._exact @ question
            found[self._owners[self._starts]] = np.maximum.reduceat(cosines, self._starts)
        elif self._signs is not None:
            at = self._agreeing(_signs(np.rint(question[None] * 127).astype(np.int8), self._middle)[0], seen)
            cosines = np.asarray(self._vectors[at], np.float32) @ question / 127
            np.maximum.at(found, self._owners[at], cosines)
        found[~seen] = 0.0
        return found

    def _agreeing(self, wanted: NDArray[np.uint64], seen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The `_KEPT` visible vectors whose signs agree most: by the first words, then, of the best, by all."""
        assert self._signs is not None
        shown = None if seen.all() else seen[self._owners]
        apart = np.empty(self.size, np.uint8)
        for start in range(0, self.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            same = np.bitwise_count(self._signs[:_FIRST, block] ^ wanted[:_FIRST, None])
            np.add.reduce(same, axis=0, dtype=np.uint8, out=apart[block])
        if shown is not None:
            apart[~shown] = 255
        line = np.searchsorted(np.cumsum(np.bincount(apart, minlength=256)), _LEFT * _KEPT)
        at = np.flatnonzero(apart <= min(int(line), 254))
        full = np.bitwise_count(self._signs[:, at] ^ wanted[:, None]).sum(axis=0, dtype=np.uint16)
        return at[np.argpartition(full, _KEPT)[:_KEPT]] if len(at) > _KEPT else at

    def about(self, passages: NDArray[Any], question: Scores) -> tuple[Scores, Scores]:
        """For each passage the cosine of the question with all its sentences together, and with its second nearest."""
        found, second = np.zeros(len(passages), np.float32), np.zeros(len(passages), np.float32)
        low = np.searchsorted(self._owners, passages)
        high = np.searchsorted(self._owners, passages, side="right")
        for number, (first, end) in enumerate(zip(low, high, strict=True)):
            if end > first:
                rows = np.asarray(self._vectors[first:end], np.float32)
                middle = rows.mean(axis=0)
                found[number] = float(middle @ question) / max(float(np.linalg.norm(middle)), 1e-6)
                second[number] = np.sort(rows @ question / 127)[-min(2, end - first)]
        return found, second

    def each(self, passage: int, question: Scores) -> tuple[float, ...]:
        """The cosine of each sentence of a passage with the question."""
        low, high = np.searchsorted(self._owners, [passage, passage + 1])
        cosines = np.asarray(self._vectors[low:high], np.float32) @ question / 127
        return tuple(float(cosine) for cosine in cosines)


def _signs(vectors: NDArray[np.int8], middle: Scores) -> NDArray[np.uint64]:
    """One bit a number: whether it lies above the middle of all; 64 to a word."""
    width = -(-vectors.shape[1] // 64) * 8
    packed = np.zeros((len(vectors), width), np.uint8)
    for start in range(0, len(vectors), 100_000):
        part = np.packbits(vectors[start : start + 100_000] > middle, axis=1)
        packed[start : start + len(part), : part.shape[1]] = part
    return np.ascontiguousarray(packed).view(np.uint64)
