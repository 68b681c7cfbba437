"""The sentences nearest to a question: exact for a small index; for a large one, signs first, then the few exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensaku.machine import cores

__all__ = ["Near", "Signs", "signs_needed", "write_signs"]

_EXACT = 150_000
"""Up to so many vectors are compared one by one in float32 (230 MB at 384 numbers each)."""
_KEPT = 4_000
"""Of more, so many whose signs agree most are compared exactly."""
_BLOCK = 65_536
"""Vectors compared at a time: their signs stay in the processor's cache."""
_SAMPLE = 64
"""Each so many-th vector tells how far apart the `_KEPT` nearest are, about."""
_SUMMED = 3
"""Words of 64 signs whose differences fit into 8 bits together."""
_FEW = 16
"""Marking the vectors of a hidden passage costs as much as looking whether so many passages are hidden."""
_FAR = 65_535

Scores = NDArray[np.float32]


class Signs:
    """One bit a number of each vector: whether it lies above `middle`; `words` has a row for each 64 numbers."""

    def __init__(self, middle: NDArray[np.int8], words: NDArray[np.uint64]) -> None:
        self.middle, self.words = middle, words

    @classmethod
    def read(cls, folder: Path) -> Signs:
        """Those that `write_signs` left; in memory, for each question goes through all of them."""
        return cls(np.load(folder / "middle.npy"), np.load(folder / "signs.npy"))

    @classmethod
    def of(cls, vectors: NDArray[np.int8]) -> Signs:
        """Those of vectors in memory."""
        middle = _middle(vectors)
        return cls(middle, np.ascontiguousarray(_signs(vectors, middle).T))


def signs_needed(vectors: int) -> bool:
    """Whether so many vectors are compared by their signs first."""
    return vectors > _EXACT


def write_signs(folder: Path) -> None:
    """Write the signs of `vectors.npy` beside it, if they are needed."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    if not signs_needed(len(vectors)):
        return
    middle = _middle(vectors)
    np.save(folder / "middle.npy", middle)
    shape = (_words(vectors.shape[1]), len(vectors))
    words = np.lib.format.open_memmap(folder / "signs.npy", "w+", np.uint64, shape)
    for start in range(0, len(vectors), _BLOCK):
        words[:, start : start + _BLOCK] = _signs(vectors[start : start + _BLOCK], middle).T
    words.flush()


class Near:
    """Vectors of sentences, each of a passage.

    Args:
        vectors: one row of 8-bit numbers a sentence, 127 for 1.
        owners: the passage of each, in order.
        passages: how many passages there are.
        signs: those of the vectors; None: a small index.
    """

    def __init__(
        self, vectors: NDArray[np.int8], owners: NDArray[np.int32], passages: int, signs: Signs | None = None
    ) -> None:
        self._vectors, self._owners, self._signs = vectors, owners, signs
        self.size = len(owners)
        self._many = np.bincount(owners, minlength=passages)
        self._bounds = np.concatenate([[0], np.cumsum(self._many)])
        self._exact = vectors.astype(np.float32) / np.float32(127) if signs is None and self.size else None
        self._helpers = ThreadPoolExecutor(max(1, cores() - 1), "signs")

    def nearest(self, question: Scores, seen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Scores]:
        """Passages that are `seen`, in order, and of each the cosine of its sentence nearest to the question.

        Of a large index only the `_KEPT` sentences whose signs agree most are looked at.
        """
        if not self.size:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        cosines: Scores
        if self._signs is None:
            assert self._exact is not None
            cosines = np.asarray(self._exact @ question, np.float32)
            starts = self._bounds[:-1][self._many > 0]
            owners, best = self._owners[starts], np.maximum.reduceat(cosines, starts)
            return owners[seen[owners]].astype(np.int64), best[seen[owners]]
        wanted = _signs(np.rint(question[None] * 127).astype(np.int8), self._signs.middle)[0]
        at = self._agreeing(self._signs.words, wanted, seen)
        cosines = np.asarray(self._vectors[at], np.float32) @ question / np.float32(127)
        owners, first = np.unique(self._owners[at], return_index=True)
        return owners.astype(np.int64), (np.maximum.reduceat(cosines, first) if len(at) else cosines)

    def _agreeing(
        self, words: NDArray[np.uint64], wanted: NDArray[np.uint64], seen: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """The `_KEPT` vectors of visible passages whose signs agree most, in order; of equals the first ones."""
        apart = np.empty(self.size, np.uint16)

        def compare(start: int) -> None:
            _apart(words[:, start : start + _BLOCK], wanted, apart[start : start + _BLOCK])

        self._shared(compare, range(0, self.size, _BLOCK))
        self._mark(apart, seen)
        most, line = 64 * len(words), _quantile(apart[::_SAMPLE], 1.5 * _KEPT / _SAMPLE)
        at = np.flatnonzero(apart <= min(line, most))
        while len(at) < _KEPT and line < most:
            line = 2 * line + 1
            at = np.flatnonzero(apart <= min(line, most))
        if len(at) <= _KEPT:
            return at
        found = apart[at]
        last = int(np.partition(found, _KEPT - 1)[_KEPT - 1])
        nearer, equal = np.flatnonzero(found < last), np.flatnonzero(found == last)
        return np.asarray(at[np.sort(np.concatenate([nearer, equal[: _KEPT - len(nearer)]]))], np.int64)

    def _shared(self, work: Callable[[int], None], parts: Iterable[int]) -> None:
        """Do the parts on this thread and on the others that are free: NumPy lets go of the interpreter's lock."""
        left = iter(parts)

        def go_on() -> None:
            for part in left:
                work(part)

        helped = [self._helpers.submit(go_on) for _ in range(cores() - 1)]
        go_on()
        for one in helped:
            if not one.cancel():
                one.result()

    def _mark(self, apart: NDArray[np.uint16], seen: NDArray[np.bool_]) -> None:
        """Put the vectors of passages that are not `seen` as far away as none is."""
        hidden = np.flatnonzero(~seen)
        if len(hidden) * _FEW < len(seen):
            first, many = self._bounds[hidden], self._many[hidden]
            ends = np.cumsum(many)
            apart[np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - ends + many, many)] = _FAR
        else:
            apart[np.repeat(~seen, self._many)] = _FAR

    def about(self, passages: NDArray[Any], question: Scores) -> tuple[Scores, Scores, Scores]:
        """For each passage the cosine of the question with its nearest sentence, with all of them together, and with
        the second nearest; 0 for a passage without vectors.
        """
        found = np.zeros((3, len(passages)), np.float32)
        for number, passage in enumerate(passages):
            rows = self._rows(int(passage))
            if len(rows):
                middle, cosines = rows.mean(axis=0), np.sort(rows @ question / 127)
                together = float(middle @ question) / max(float(np.linalg.norm(middle)), 1e-6)
                found[:, number] = cosines[-1], together, cosines[-min(2, len(rows))]
        return found[0], found[1], found[2]

    def each(self, passage: int, question: Scores) -> tuple[float, ...]:
        """The cosine of each sentence of a passage with the question."""
        return tuple(float(cosine) for cosine in self._rows(passage) @ question / 127)

    def _rows(self, passage: int) -> Scores:
        return np.asarray(self._vectors[self._bounds[passage] : self._bounds[passage + 1]], np.float32)


def _apart(words: NDArray[np.uint64], wanted: NDArray[np.uint64], out: NDArray[np.uint16]) -> None:
    """In how many signs each vector of a block differs from what is wanted."""
    differing, ones = np.empty(len(out), np.uint64), np.empty(len(out), np.uint8)
    summed = np.empty(len(out), np.uint8)
    for first in range(0, len(words), _SUMMED):
        for number in range(first, min(first + _SUMMED, len(words))):
            np.bitwise_xor(words[number], wanted[number], out=differing)
            np.bitwise_count(differing, out=summed if number == first else ones)
            if number > first:
                np.add(summed, ones, out=summed)
        if first:
            np.add(out, summed, out=out)
        else:
            out[:] = summed


def _quantile(sample: NDArray[np.uint16], wanted: float) -> int:
    """The distance within which so many of a sample lie."""
    return int(np.searchsorted(np.cumsum(np.bincount(sample)), wanted))


def _middle(vectors: NDArray[np.int8]) -> NDArray[np.int8]:
    """The mean of each number over ten thousand vectors, rounded down: a whole number lies above both or neither."""
    sample = np.asarray(vectors[:: max(1, len(vectors) // 10_000)], np.int64)
    return np.asarray(sample.sum(axis=0) // max(len(sample), 1), np.int8)


def _words(dims: int) -> int:
    return -(-dims // 64)


def _signs(vectors: NDArray[np.int8], middle: NDArray[np.int8]) -> NDArray[np.uint64]:
    """One row a vector of its signs, 64 to a word."""
    packed = np.zeros((len(vectors), 8 * _words(vectors.shape[1])), np.uint8)
    bits = np.packbits(vectors > middle, axis=1)
    packed[:, : bits.shape[1]] = bits
    return packed.view(np.uint64)
