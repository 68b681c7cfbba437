"""The inverted index of a snapshot, written in little memory however many passages there are."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Rows", "write_postings"]

_PART = 4_000_000
"""Terms that are read at a time."""
_SORTED = 30_000_000
"""Terms that are sorted at a time, about."""


class Rows:
    """An array on disk that grows by rows, in NumPy's format, read back in parts."""

    def __init__(self, path: Path, dtype: DTypeLike, width: int = 0) -> None:
        self.path, self._dtype, self._width, self.n = path, np.dtype(dtype), width, 0
        self._file = path.open("wb")
        self._head()
        self._start = self._file.tell()

    def _head(self) -> None:
        shape = (self.n, self._width) if self._width else (self.n,)
        told = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, told)

    def write(self, values: NDArray[Any]) -> None:
        """Add rows."""
        self._file.write(values.tobytes())
        self.n += values.size // max(self._width, 1)

    def read(self, first: int, n: int) -> NDArray[Any]:
        """So many rows from one on; of an array without a width."""
        return np.fromfile(self.path, self._dtype, n, offset=self._start + first * self._dtype.itemsize)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.seek(0)
        self._head()  # as long as before: NumPy leaves room for a number that grows
        if self._file.tell() != self._start:
            raise AssertionError("the header of an array has grown")
        self._file.close()


def write_postings(scratch: Path, terms: Rows, counts: Rows, per_passage: NDArray[np.int64]) -> None:
    """The inverted index: terms in order, where the passages of each begin, the passages, how often it stands there.

    The terms come passage by passage in `terms` and `counts`, which are taken away. They are sorted in ranges of the
    64-bit numbers that they are, each small enough for memory.
    """
    ranges = 1 << max(0, int(np.ceil(np.log2(max(terms.n / _SORTED, 1)))))
    ends = np.cumsum(per_passage)
    first: list[NDArray[np.uint64]] = [np.zeros(0, np.uint64)]
    starts: list[NDArray[np.int64]] = []
    done = 0
    with Rows(scratch / "holders.npy", np.int32) as holders, Rows(scratch / "counts.npy", np.uint8) as often:
        for number in range(ranges):
            every, held, times = _range(terms, counts, ends, number, ranges)
            order = np.argsort(every, kind="stable")
            every = every[order]
            new = np.flatnonzero(np.concatenate([[True], every[1:] != every[:-1]])) if len(every) else np.zeros(0, int)
            first.append(every[new])
            starts.append(new + done)
            done += len(every)
            holders.write(held[order])
            often.write(times[order])
    np.save(scratch / "terms.npy", np.concatenate(first))
    np.save(scratch / "starts.npy", np.concatenate([*starts, [done]]).astype(np.int64))
    terms.path.unlink()
    counts.path.unlink()


def _range(
    terms: Rows, counts: Rows, ends: NDArray[np.int64], number: int, ranges: int
) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.uint8]]:
    """The terms of one of so many equal ranges, in the order of the passages, with passage and count of each."""
    found = [(np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.uint8))]
    for start in range(0, terms.n, _PART):
        every, times = terms.read(start, _PART), counts.read(start, _PART)
        at = np.arange(len(every)) if ranges == 1 else np.flatnonzero(every // np.uint64(2**64 // ranges) == number)
        passages = np.searchsorted(ends, start + at, side="right").astype(np.int32)
        found.append((every[at], passages, times[at]))
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))  # type: ignore[return-value]
