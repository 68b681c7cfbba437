"""A small classifier of texts: softmax regression over runs of one to three characters, learnt in seconds, in numpy.

Texts are read as they are written, width and marks included, since these are part of a house's style. Features are
presence, not counts, hashed to 2^18 places, each text's scaled to length 1; weights are learnt by Adagrad (Duchi,
Hazan, Singer, 2011) in small batches, in an order that a seed decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.dedup.shingles import Shingles, shingles, sorted_sets

__all__ = ["Classifier", "fold_of"]

_PLACES = np.uint32((1 << 18) - 1)
_RUNS = (1, 2, 3)
_BATCH = 64
_RATE = 0.5
_STEPS = 3000
"""Batches learnt from, at least; more than ten passes are never made."""
_PASSES = 10

Table = NDArray[np.float32]


class Classifier:
    """Which of `names` a text belongs to, learnt from texts whose class is known.

    Args:
        texts, classes: the examples; a class is a place in `names`.
    """

    def __init__(self, texts: Sequence[str], classes: Sequence[int], names: Sequence[str], seed: int = 0) -> None:
        self.names = tuple(names)
        features, known = _features(texts), np.asarray(classes)
        self._weights = np.zeros((int(_PLACES) + 1, len(names)), np.float32)
        self._bias = np.zeros(len(names), np.float32)
        seen = np.full_like(self._weights, 1e-3)
        # A rare class counts as much as a common one.
        counts = np.bincount(known, minlength=len(names))
        weight = (len(known) / np.maximum(counts, 1) / max(int((counts > 0).sum()), 1)).astype(np.float32)
        dice = np.random.default_rng(seed)
        passes = min(_PASSES, max(2, -(-_STEPS * _BATCH // max(len(known), 1))))
        for _ in range(passes):
            order = dice.permutation(len(known))
            for start in range(0, len(order), _BATCH):
                self._learn(features, order[start : start + _BATCH], known, weight, seen)

    def _learn(
        self, features: Shingles, rows: NDArray[np.int64], known: NDArray[Any], weight: Table, seen: Table
    ) -> None:
        places, starts = _rows(features, rows)
        scale = _scale(starts)
        error = _softmax(self._scores(places, starts, scale))
        error[np.arange(len(rows)), known[rows]] -= 1.0
        error *= weight[known[rows], None]
        slope = np.repeat(error * scale[:, None], np.diff(starts), axis=0)
        touched, inverse = np.unique(places, return_inverse=True)
        summed = np.zeros((len(touched), len(self.names)), np.float32)
        np.add.at(summed, inverse, slope)
        summed /= len(rows)
        seen[touched] += summed**2
        self._weights[touched] -= _RATE * summed / np.sqrt(seen[touched])
        self._bias -= _RATE * error.mean(axis=0)

    def _scores(self, places: NDArray[np.uint32], starts: NDArray[np.int64], scale: Table) -> Table:
        sums = np.zeros((len(starts) - 1, len(self.names)), np.float32)
        full = np.flatnonzero(np.diff(starts))
        if len(full):
            sums[full] = np.add.reduceat(self._weights[places], starts[full], axis=0)
        scores: Table = sums * scale[:, None] + self._bias
        return scores

    def shares(self, texts: Sequence[str]) -> Table:
        """For each text a probability for each of `names`; rows add up to 1."""
        out = [np.zeros((0, len(self.names)), np.float32)]
        for start in range(0, len(texts), 512):
            features = _features(texts[start : start + 512])
            scores = self._scores(features.values, features.starts, _scale(features.starts))
            out.append(_softmax(scores))
        return np.concatenate(out)


def fold_of(key: str, folds: int) -> int:
    """Which of `folds` parts a key belongs to, the same on every machine."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:4], "big") % folds


def _features(texts: Sequence[str]) -> Shingles:
    parts = [sorted_sets(shingles(texts, n, "written")) for n in _RUNS]
    owners = np.concatenate([part.owners() for part in parts])
    values = np.concatenate([part.values & _PLACES for part in parts])
    order = np.argsort(owners, kind="stable")
    counts = np.bincount(owners, minlength=len(texts))
    return Shingles(values[order], np.concatenate(([0], np.cumsum(counts))))


def _rows(features: Shingles, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    counts = features.starts[rows + 1] - features.starts[rows]
    ends = np.cumsum(counts)
    takes = np.arange(ends[-1]) + np.repeat(features.starts[rows] - (ends - counts), counts)
    return features.values[takes], np.concatenate(([0], ends))


def _scale(starts: NDArray[np.int64]) -> Table:
    return np.asarray(1 / np.sqrt(np.maximum(np.diff(starts), 1)), np.float32)


def _softmax(scores: Table) -> Table:
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Table = grown / grown.sum(axis=1, keepdims=True)
    return shares
