"""The pool on its way through the steps: pairs in shards, some thousands to a file, which are walked one at a time.

A shard is a run of whole lines of a JSON Lines file. What a step leaves is written beside its place and renamed, so
that a file with the name of a shard is a whole one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import compress, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.rows import JsonlWriter
from tensaku.records import Pair, from_dict

__all__ = ["SHARD", "Shard", "Shards", "cut", "write_shards", "written"]

SHARD = 4000
"""Pairs of a shard: some seconds of work, and what a killed run may lose for each process."""


class Shard(NamedTuple):
    """`n` pairs: the lines of the file `path` from byte `start` up to byte `end`."""

    path: Path
    start: int
    end: int
    n: int

    def pairs(self) -> Iterator[Pair]:
        """The pairs in their order."""
        return map(_pair, self._lines())

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.start)
            left = self.end - self.start
            while left > 0:
                line = file.readline()
                left -= len(line)
                yield line

    def those(self, which: Iterable[bool]) -> Iterator[Pair]:
        """The pairs for which it is true; nothing is made of the others."""
        return map(_pair, compress(self._lines(), which))


def _pair(line: bytes) -> Pair:
    return from_dict(Pair, json.loads(line.decode("utf-8")))


class Shards:
    """The pairs of some shards: walked as often as wanted, and never all in memory.

    `folder` is where a step may put what does not fit into memory, or what a killed run is not to lose; it goes when
    the pool is sealed.
    """

    def __init__(self, shards: Iterable[Shard], folder: Path) -> None:
        self.shards, self.folder = tuple(shards), folder

    def __iter__(self) -> Iterator[Pair]:
        for shard in self.shards:
            yield from shard.pairs()

    def at(self, places: NDArray[np.int64]) -> Iterator[Pair]:
        """The pairs at some places, counted from 0 and ascending; nothing is made of the others."""
        begin = 0
        for shard in self.shards:
            low, high = np.searchsorted(places, (begin, begin + shard.n))
            which = np.zeros(shard.n, bool)
            which[places[low:high] - begin] = True
            yield from shard.those(which.tolist()) if low < high else ()
            begin += shard.n

    def __len__(self) -> int:
        return sum(shard.n for shard in self.shards)


def cut(path: Path) -> list[Shard]:
    """The shards of a JSON Lines file that Tensaku wrote, of `SHARD` lines each."""
    found, start, place, n = [], 0, 0, 0
    with path.open("rb") as file:
        for line in file:
            place, n = place + len(line), n + 1
            if n == SHARD:
                found.append(Shard(path, start, place, n))
                start, n = place, 0
    return [*found, Shard(path, start, place, n)] if n or not found else found


def written(path: Path, pairs: Iterable[Pair]) -> Shard:
    """Write one shard, whole or not at all."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with JsonlWriter(fresh) as file:
        for pair in pairs:
            file.write(pair)
    size = fresh.stat().st_size
    fresh.replace(path)
    return Shard(path, 0, size, file.n)


def write_shards(folder: Path, pairs: Iterable[Pair]) -> list[Shard]:
    """Write pairs to shards of `SHARD` in `folder`: `00000.jsonl` and so on, at least one."""
    walk = iter(pairs)
    found: list[Shard] = []
    while True:
        shard = written(folder / f"{len(found):05d}.jsonl", islice(walk, SHARD))
        if found and not shard.n:
            shard.path.unlink()
        else:
            found.append(shard)
        if shard.n < SHARD:
            return found
