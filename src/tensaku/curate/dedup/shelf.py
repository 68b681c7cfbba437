"""What is kept of every text while texts are compared: in memory, or column by column in files.

Files are read a column or a few texts at a time, never mapped: what a process has mapped counts as its memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.dedup.shingles import Shingles, jaccard

__all__ = ["Shelf", "ShingleShelf"]

_TOGETHER = 1 << 22
"""Shingles that are read from the file at once, 4 bytes each."""


class ShingleShelf:
    """The shingles of all texts, text after text, to hold couples of them against each other.

    With a `path` they lie in that file, and 4 bytes a text are held; else 4 bytes a shingle are.
    """

    def __init__(self, path: Path | None) -> None:
        self._parts: list[NDArray[np.uint32]] = []
        self._counts: list[NDArray[np.uint32]] = []
        self._file: IO[bytes] | None = None if path is None else path.open("w+b", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parts = []
        if self._file is not None:
            self._file.close()

    def add(self, found: Shingles) -> None:
        """Put the shingles of the next texts there.

        Raises:
            OSError: the disk is full.
        """
        self._counts.append(np.diff(found.starts).astype(np.uint32))
        if self._file is None:
            self._parts.append(found.values)
        else:
            _write(self._file, found.values)

    def counts(self) -> NDArray[np.uint32]:
        """How many shingles each text has, repeated ones included."""
        self._counts = [np.concatenate(self._counts)] if self._counts else [np.empty(0, np.uint32)]
        return self._counts[0]

    def jaccard(self, one: NDArray[np.int64], two: NDArray[np.int64]) -> NDArray[np.float64]:
        """The exact likeness of the texts `one[i]` and `two[i]`, 0 to 1."""
        starts = np.concatenate(([0], np.cumsum(self.counts(), dtype=np.int64)))
        out = np.empty(len(one))
        for part in self._portions(starts, one, two):
            texts, place = np.unique(np.concatenate((one[part], two[part])), return_inverse=True)
            found = self._held(starts, texts) if self._file is None else _read(self._file, starts, texts)
            out[part] = jaccard(found, place[: len(place) // 2], place[len(place) // 2 :])
        return out

    def _held(self, starts: NDArray[np.int64], texts: NDArray[np.int64]) -> Shingles:
        """The shingles of `texts`, which ascend, out of the parts that are held: no part is copied whole."""
        first = np.concatenate(([0], np.cumsum([len(part) for part in self._parts])))
        begins, ends = starts[texts], starts[texts + 1]
        part = np.searchsorted(first, begins, side="right") - 1
        head = first[part]
        held = [
            self._parts[at][begin:end]
            for at, begin, end in zip(part.tolist(), (begins - head).tolist(), (ends - head).tolist(), strict=True)
        ]
        values = np.concatenate(held) if held else np.empty(0, np.uint32)
        return Shingles(values, np.concatenate(([0], np.cumsum(ends - begins))))

    @staticmethod
    def _portions(starts: NDArray[np.int64], one: NDArray[Any], two: NDArray[Any]) -> Iterator[slice]:
        """Couples in a row whose texts have no more than `_TOGETHER` shingles, or one couple."""
        load = np.cumsum(starts[one + 1] - starts[one] + starts[two + 1] - starts[two])
        begin = 0
        while begin < len(one):
            base = load[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(load, base + _TOGETHER, side="right")))
            yield slice(begin, end)
            begin = end


def _write(file: IO[bytes], values: NDArray[Any]) -> None:
    left = values.tobytes()
    while left:
        left = left[file.write(left) :]


def _read(file: IO[bytes], starts: NDArray[np.int64], texts: NDArray[np.int64]) -> Shingles:
    """The shingles of `texts`, which ascend; those that stand next to each other in one go."""
    counts = starts[texts + 1] - starts[texts]
    ends = np.cumsum(counts)
    values = np.empty(int(ends[-1]), np.uint32)
    room = memoryview(cast(Any, values)).cast("B")
    alone = np.flatnonzero(np.diff(texts, prepend=-2) != 1)
    last = np.append(alone[1:], len(texts)) - 1
    heads = (ends - counts)[alone].tolist()
    for head, end, place in zip(heads, ends[last].tolist(), starts[texts[alone]].tolist(), strict=True):
        got = os.preadv(file.fileno(), [room[4 * head : 4 * end]], 4 * place)
        while got < 4 * (end - head):
            more = os.preadv(file.fileno(), [room[4 * head + got : 4 * end]], 4 * place + got)
            if not more:
                raise EOFError("the file of shingles was cut short")
            got += more
    return Shingles(values, np.concatenate(([0], ends)))


class Shelf:
    """Of every text a hash for each band, its signature's lowest bytes eight to a word, and its shingles.

    All of it lies in `folder`, 4 bytes a text apart; or it is held: 8 bytes a band and a word, 4 bytes a shingle.
    """

    def __init__(self, bands: int, values: int, folder: Path | None) -> None:
        self.bands, self.words, self._spare = bands, -(-values // 8), -values % 8
        self._values, self._folder = values, folder
        self._parts: list[NDArray[np.uint64]] = []
        self._files: list[IO[bytes]] = []
        self.shingles = ShingleShelf(None if folder is None else folder / "shingles.u32")
        if folder is not None:
            self._files = [self._path(column).open("wb", buffering=0) for column in range(bands + self.words)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parts = []
        self.shingles.__exit__()
        for file in self._files:
            file.close()

    def add(self, found: Sequence[Shingles], keys: NDArray[np.uint64], table: NDArray[np.uint32]) -> None:
        """Put the next texts there: their shingles, band hashes and signatures.

        Raises:
            OSError: the disk is full.
        """
        for some in found:
            self.shingles.add(some)
        low = np.zeros((len(table), 8 * self.words), np.uint8)
        low[:, : self._values] = table
        columns = np.concatenate((keys, low.view(np.uint64)), axis=1)
        if self._folder is None:
            self._parts.append(columns)
            return
        for file, column in zip(self._files, np.ascontiguousarray(columns.T), strict=True):
            _write(file, column)

    def band(self, number: int) -> NDArray[np.uint64]:
        """Every text's hash of a band."""
        return self._column(number)

    def equal_values(self, one: NDArray[np.int64], two: NDArray[np.int64], at_once: int = 1 << 15) -> NDArray[np.int16]:
        """How many values of the signatures of `one[i]` and `two[i]` agree in their lowest byte, word by word."""
        equal = np.full(len(one), -self._spare, np.int16)
        for word in range(self.words):
            column = self._column(self.bands + word)
            for begin in range(0, len(one), at_once):
                part = slice(begin, begin + at_once)
                equal[part] += _zero_bytes(column[one[part]] ^ column[two[part]])
        return equal

    def _path(self, column: int) -> Path:
        assert self._folder is not None
        return self._folder / f"column-{column}.u64"

    def _column(self, number: int) -> NDArray[np.uint64]:
        if self._folder is not None:
            return np.fromfile(self._path(number), np.uint64)
        return np.concatenate([np.empty(0, np.uint64), *(columns[:, number] for columns in self._parts)])


_SEVEN = np.uint64(0x7F7F7F7F7F7F7F7F)


def _zero_bytes(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many of the eight bytes of each word are 0: a byte's top bit is set here where any of its bits was."""
    some = ((words & _SEVEN) + _SEVEN) | words | _SEVEN
    found: NDArray[np.uint8] = np.bitwise_count(~some)
    return found
