"""Texts as vectors: kept in a file as they are made, and those that are near one another found by clusters.

Clusters as in Abbas and others, "SemDeDup: Data-efficient learning at web-scale through semantic deduplication" (2023):
k-means over the vectors, comparison within a cluster. Here each vector is compared within its two nearest clusters, so
that a border between two of them hides less; few vectors are compared all with all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.dedup.near import Link
from tensaku.errors import UsageError
from tensaku.models.embed import Embedder

__all__ = ["KeptVectors", "near_vectors"]

Vectors = NDArray[np.float16]
EXACT = 20_000
"""Up to so many vectors are compared all with all."""
MOST = 2_000_000
"""Couples that are looked at, some 200 bytes each."""
_CLUSTER = 2000  # vectors of a cluster, about
_LEARNT = 20_000  # vectors that k-means learns from
_PASSES = 8
_BLOCK = 1024
_KEY = 16


class KeptVectors:
    """Vectors of texts by `embedder`; in `folder`, if there is one, each is kept, so that a killed run has it."""

    def __init__(self, embedder: Embedder, folder: Path | None) -> None:
        self._embedder = embedder
        self._held: dict[bytes, bytes] = {}
        name = hashlib.sha256(embedder.name.encode()).hexdigest()[:12]
        self._path = None if folder is None else folder / f"vectors-{name}.f16"
        if self._path is not None and self._path.is_file():
            self._read(self._path)

    def of(self, texts: Iterable[str]) -> Vectors:
        """One row of length 1 a text.

        Raises:
            EngineError: the model did not answer.
        """
        walk, rows = iter(texts), []
        while part := list(islice(walk, 256)):
            keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest() for text in part]
            fresh = {key: text for key, text in zip(keys, part, strict=True) if key not in self._held}
            for some in _parts(list(fresh.items()), 16):
                self._keep([key for key, _ in some], self._embedder.passages([text for _, text in some]))
            rows += [np.frombuffer(self._held[key], np.float16) for key in keys]
        return np.stack(rows) if rows else np.zeros((0, 1), np.float16)

    def _keep(self, keys: list[bytes], vectors: NDArray[np.float32]) -> None:
        made = [row.tobytes() for row in np.asarray(vectors, np.float16)]
        self._held.update(zip(keys, made, strict=True))
        if self._path is not None:
            with self._path.open("ab") as file:
                if not file.tell():
                    file.write(np.uint32(vectors.shape[1]).tobytes())
                file.write(b"".join(key + row for key, row in zip(keys, made, strict=True)))

    def _read(self, path: Path) -> None:
        """Take what is whole; what a kill cut off is cut off the file too."""
        data = path.read_bytes()
        size = _KEY + 2 * int(np.frombuffer(data[:4], np.uint32)[0]) if len(data) >= 4 else 0
        whole = 4 + (len(data) - 4) // size * size if size else 0
        for start in range(4, whole, size or 1):
            self._held[data[start : start + _KEY]] = data[start + _KEY : start + size]
        if whole < len(data):
            with path.open("r+b") as file:
                file.truncate(whole)


def _parts(items: list[tuple[bytes, str]], size: int) -> Iterator[list[tuple[bytes, str]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def near_vectors(vectors: Vectors, least: float, seed: int = 0) -> list[Link]:
    """Every pair of rows whose cosine is at least `least`, first the lower: all of them up to `EXACT` rows, of more
    those that have one of their two nearest clusters in common.

    Raises:
        UsageError: there are over `MOST`.
    """
    if len(vectors) <= EXACT:
        return _within(vectors, np.arange(len(vectors)), least)
    found: dict[tuple[int, int], Link] = {}
    near = _clusters(vectors, -(-len(vectors) // _CLUSTER), seed)
    for cluster in range(int(near.max()) + 1):
        members = np.flatnonzero((near == cluster).any(axis=1))
        found.update((link[:2], link) for link in _within(vectors, members, least))
        _check(len(found))
    return [found[key] for key in sorted(found)]


def _within(vectors: Vectors, places: NDArray[np.int64], least: float) -> list[Link]:
    """The links between the rows at `places`, which ascend."""
    links = []
    for start in range(0, len(places), _BLOCK):
        rows = places[start : start + _BLOCK]
        one = vectors[rows].astype(np.float32)
        for begin in range(start, len(places), _BLOCK):
            columns = places[begin : begin + _BLOCK]
            cosines = one @ vectors[columns].astype(np.float32).T
            row, column = np.nonzero(cosines >= least)
            later = columns[column] > rows[row]
            row, column = row[later], column[later]
            likeness = np.minimum(cosines[row, column], 1.0)
            links += [
                Link(int(a), int(b), float(c)) for a, b, c in zip(rows[row], columns[column], likeness, strict=True)
            ]
        _check(len(links))
    return sorted(links)


def _check(count: int) -> None:
    if count > MOST:
        what = f"over {MOST:,} couples of texts are as alike as that: nearly everything would be one group"
        raise UsageError(what, where="step 'semantic-duplicates'", fix="Raise likeness")


def _clusters(vectors: Vectors, count: int, seed: int) -> NDArray[np.int64]:
    """The two nearest of `count` clusters for each row; k-means over the sphere, learnt from an even sample."""
    dice = np.random.default_rng(seed)
    learnt = vectors[:: -(-len(vectors) // _LEARNT)].astype(np.float32)
    centres = learnt[dice.choice(len(learnt), count, replace=False)]
    for _ in range(_PASSES):
        nearest = np.argmax(learnt @ centres.T, axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, learnt)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(norms > 0, sums / np.maximum(norms, 1e-9), centres)
    found = []
    for start in range(0, len(vectors), 8 * _BLOCK):
        cosines = vectors[start : start + 8 * _BLOCK].astype(np.float32) @ centres.T
        found.append(np.argsort(-cosines, axis=1, kind="stable")[:, :2])
    return np.concatenate(found)
