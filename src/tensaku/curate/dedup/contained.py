"""Texts that stand within others: runs of characters that an earlier text has too, counted by how much they cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.overlap import fold

__all__ = ["Cover", "Known", "covers"]

_BASE = np.uint64(0x9E3779B97F4A7C15)


class Cover(NamedTuple):
    """How much of a text stands in earlier ones: `share` of its characters, 0 to 1, most of it in text `partner`."""

    share: float
    partner: int


def covers(texts: Sequence[str], run: int) -> list[Cover]:
    """For each text the share of its characters that lie in runs of `run` characters which an earlier text has.

    Width, case and white space count for nothing. A text shorter than `run` is covered by nothing. Runs are compared by
    64-bit hashes: among a hundred million the odds that any two differing runs meet are below one in a thousand.
    """
    folded = [fold(text) for text in texts]
    lengths = np.array([len(text) for text in folded], np.int64)
    codes = _codes("".join(folded))
    owner = np.repeat(np.arange(len(folded)), lengths)
    if len(codes) < run:
        return [Cover(0.0, -1)] * len(folded)
    hashed = _windows(codes, run)
    places = np.flatnonzero(owner[: len(hashed)] == owner[run - 1 :])
    values, held = hashed[places], owner[places]
    order = np.argsort(values, kind="stable")  # stable, so that of equal runs the first text's comes first
    values, held = values[order], held[order]
    fresh = np.concatenate(([True], values[1:] != values[:-1])) if len(values) else np.empty(0, bool)
    heads = held[np.maximum.accumulate(np.where(fresh, np.arange(len(values)), 0))] if len(values) else held
    again = heads < held
    edges = np.zeros(len(codes) + 1, np.int64)
    starts = places[order][again]
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + run, -1)
    covered = np.bincount(owner[np.cumsum(edges[:-1]) > 0], minlength=len(folded))
    partners = _partners(held[again], heads[again], len(folded))
    return [Cover(*found) for found in zip(_shares(covered, lengths), partners, strict=True)]


class Known:
    """The runs of `run` characters of some texts, to hold others against."""

    def __init__(self, texts: Sequence[str], run: int) -> None:
        self.run = run
        parts = [_windows(_codes(text), run) for text in map(fold, texts) if len(text) >= run]
        self._values = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)

    def __bool__(self) -> bool:
        return len(self._values) > 0

    def share(self, text: str) -> float:
        """The share of the characters of `text` that lie in known runs, 0 to 1."""
        folded = fold(text)
        if len(folded) < self.run:
            return 0.0
        hits = np.flatnonzero(np.isin(_windows(_codes(folded), self.run), self._values))
        edges = np.zeros(len(folded) + 1, np.int64)
        np.add.at(edges, hits, 1)
        np.add.at(edges, hits + self.run, -1)
        return float((np.cumsum(edges[:-1]) > 0).mean())


def _codes(text: str) -> NDArray[Any]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)


def _shares(covered: NDArray[Any], lengths: NDArray[Any]) -> list[float]:
    return [float(part / whole) if whole else 0.0 for part, whole in zip(covered, lengths, strict=True)]


def _partners(held: NDArray[Any], heads: NDArray[Any], count: int) -> list[int]:
    """For each text the earlier text that has most of its runs, -1 if there is none."""
    out = [-1] * count
    pairs, runs = np.unique(held * count + heads, return_counts=True)
    for place in np.argsort(runs, kind="stable"):
        out[int(pairs[place] // count)] = int(pairs[place] % count)
    return out


def _windows(codes: NDArray[Any], run: int) -> NDArray[Any]:
    """A 64-bit hash of every window, by doubling: a window of 2k is made of two of k."""
    out, size = codes * _BASE, 1
    bits = bin(run)[3:]
    single = out
    for bit in bits:
        out = _join(out[: len(out) - size], out[size:])
        size *= 2
        if bit == "1":
            out = _join(out[: len(single) - size], single[size:])
            size += 1
    return out


def _join(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    joined: NDArray[Any] = (left ^ (left >> np.uint64(31))) * _BASE + right
    joined ^= joined >> np.uint64(29)
    return joined
