"""Texts as sets of shingles, runs of `n` characters or words, each a 32-bit hash; all of it in numpy, block by block.

A block of texts becomes one array of codes (characters, or hashes of words) with the texts one after another. Hashes of
runs are polynomials over that array, so that no string is ever cut in Python.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.overlap import fold

__all__ = ["Shingles", "Unit", "coded", "jaccard", "mixed", "shingles", "sorted_sets"]

Unit = Literal["chars", "written", "words", "spaced"]
"""What a shingle is a run of: characters with width and case folded, characters as they are written, Sudachi's words,
or words between spaces (no Japanese)."""

Words32 = NDArray[np.uint32]
_WORD = re.compile(r"\w+(?:['.,:]\w+)*")  # word limits of Unicode's annex 29, for what has spaces


class Shingles(NamedTuple):
    """The shingles of a block of texts: `values` has them text by text, text `i` at `starts[i]:starts[i + 1]`."""

    values: Words32
    starts: NDArray[np.int64]

    def owners(self) -> NDArray[np.int64]:
        """Which text each shingle belongs to."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def shingles(texts: Sequence[str], n: int, unit: Unit = "chars") -> Shingles:
    """Every run of `n` units of every text, hashed to 32 bits. A text of fewer units is one shingle; none is empty.

    Args:
        unit: for "chars" texts are folded by `fold` first; words are compared in lower case without marks.
    """
    if unit == "chars":
        codes, lengths = _characters(texts)
    elif unit == "written":
        codes, ends = coded(texts)
        lengths = np.diff(ends, prepend=0)
    else:
        codes, lengths = _words(texts, unit)
    ends = np.cumsum(lengths)
    begins = ends - lengths
    counts = np.where(lengths == 0, 0, np.maximum(lengths - n + 1, 1))
    starts = np.concatenate(([0], np.cumsum(counts)))
    # A text shorter than n reads on into zeros: pad its run by hand after the common case.
    hashed = _rolling(codes, n)
    begun = np.ones(
        len(codes), bool
    )  # where a run of n begins: nowhere in the last n - 1 of a text but at its very start
    for back in range(1, n):
        begun[ends[lengths >= back] - back] = False
    begun[begins[lengths > 0]] = True
    values = hashed[begun]
    for i in np.flatnonzero((lengths > 0) & (lengths < n)):
        values[starts[i]] = _rolling(np.append(codes[begins[i] : ends[i]], np.zeros(n, np.uint32)), n)[0]
    return Shingles(values, starts)


_SLOW = np.uint32(0xFFFFFFFF)


@lru_cache(maxsize=1)
def _table() -> Words32:
    """What `fold` makes of each character of the basic plane alone: a character, 0 for none, `_SLOW` if it depends."""
    table = np.full(0x10001, _SLOW)
    for code in range(0x10000):
        char = chr(code)
        hangul = 0x1100 <= code <= 0x11FF or 0xA960 <= code <= 0xA97F or 0xD7B0 <= code <= 0xDFFF
        if hangul or char in "\uff9e\uff9f" or unicodedata.category(char).startswith("M"):
            continue
        folded = fold(char)
        if len(folded) < 2:
            table[code] = ord(folded) if folded else 0
    table[0] = _SLOW
    return table


def _characters(texts: Sequence[str]) -> tuple[Words32, NDArray[np.int64]]:
    """The texts as `fold` folds them, a code a character, and their lengths."""
    raw, ends = coded(texts)
    codes = _table()[np.minimum(raw, np.uint32(0x10000))]
    slow = np.flatnonzero(codes == _SLOW)
    if len(slow):
        texts = list(texts)
        for place in np.unique(np.searchsorted(ends, slow, side="right")):
            texts[place] = fold(texts[place])
        raw, ends = coded(texts)
        codes = _table()[np.minimum(raw, np.uint32(0x10000))]
        codes = np.where(codes == _SLOW, raw, codes)  # what is left of them stands as `fold` wrote it
    kept = codes != 0
    before = np.concatenate(([0], np.cumsum(kept)))
    return codes[kept], np.diff(before[np.concatenate(([0], ends))])


def coded(texts: Sequence[str]) -> tuple[Words32, NDArray[np.int64]]:
    """The characters of the texts one after another as code points, and where each text ends."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(
        np.uint32, copy=False
    )
    return codes, np.cumsum(np.array([len(text) for text in texts], np.int64))


def _words(texts: Sequence[str], unit: Unit) -> tuple[Words32, NDArray[np.int64]]:
    codes: list[int] = []
    lengths = []
    for text in texts:
        found = _tokens(text, unit)
        codes.extend(map(_code, found))
        lengths.append(len(found))
    return np.array(codes, np.uint32), np.array(lengths, np.int64)


def _tokens(text: str, unit: Unit) -> list[str]:
    if unit == "spaced":
        return _WORD.findall(text.lower())
    from tensaku.text import words

    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word.text for word in words(folded) if _WORD.search(word.text)]


@lru_cache(maxsize=1 << 16)
def _code(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def _rolling(codes: Words32, n: int) -> Words32:
    """A 32-bit hash of `codes[i : i + n]` for every `i` (the last `n - 1` read on into zeros)."""
    padded = np.concatenate((codes, np.zeros(n, np.uint32)))
    out = padded[: len(codes)] * np.uint32(0x9E3779B1)
    for k in range(1, n):
        out += padded[k : k + len(codes)]
        out *= np.uint32(0x85EBCA6B)
        out ^= out >> np.uint32(15)
    return mixed(out)


def mixed(values: Words32) -> Words32:
    """The finaliser of MurmurHash3 (Appleby): every bit of the input moves every bit of the output. Works in place."""
    values ^= values >> np.uint32(16)
    values *= np.uint32(0x85EBCA6B)
    values ^= values >> np.uint32(13)
    values *= np.uint32(0xC2B2AE35)
    values ^= values >> np.uint32(16)
    return values


def sorted_sets(found: Shingles) -> Shingles:
    """The shingles of each text once and in ascending order."""
    keys = found.owners().astype(np.uint64) << np.uint64(32) | found.values
    keys.sort()
    keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))] if len(keys) else keys
    counts = np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=len(found.starts) - 1)
    return Shingles(keys.astype(np.uint32), np.concatenate(([0], np.cumsum(counts))))


def jaccard(found: Shingles, first: NDArray[Any], second: NDArray[Any], at_once: int = 1 << 15) -> NDArray[np.float64]:
    """The exact Jaccard likeness, 0 to 1, of the texts `first[i]` and `second[i]`: shared shingles / all shingles.

    Args:
        found: the shingles of the texts; each counts once, however often it comes.
        at_once: shingles compared at a time.
    """
    sizes = np.diff(found.starts)
    out = np.zeros(len(first))
    load = np.cumsum(sizes[first] + sizes[second])
    begin = 0
    while begin < len(first):
        base = load[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(load, base + at_once)))
        one, two = first[begin:end], second[begin:end]
        # A key is a couple's place, a shingle, and in its last bit which of the two texts has it.
        keys = np.concatenate((_keyed(found, one), _keyed(found, two) | np.uint64(1)))
        keys.sort()
        keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))] if len(keys) else keys
        both = keys[1:][keys[1:] == (keys[:-1] | np.uint64(1))] if len(keys) else keys
        both = both[both & np.uint64(1) == 1]
        shared = np.bincount((both >> np.uint64(33)).astype(np.int64), minlength=len(one))
        every = np.bincount((keys >> np.uint64(33)).astype(np.int64), minlength=len(one)) - shared
        out[begin:end] = np.divide(shared, every, out=np.zeros(len(one)), where=every > 0)
        begin = end
    return out


def _keyed(found: Shingles, texts: NDArray[Any]) -> NDArray[np.uint64]:
    """The shingles of `texts`, each with the place of its text in `texts` above it and a free bit below."""
    begins, counts = found.starts[texts], np.diff(found.starts)[texts]
    ends = np.cumsum(counts)
    takes = np.arange(ends[-1] if len(ends) else 0) + np.repeat(begins - (ends - counts), counts)
    marks = np.repeat(np.arange(len(texts), dtype=np.uint64) << np.uint64(33), counts)
    keyed: NDArray[np.uint64] = marks | (found.values[takes].astype(np.uint64) << np.uint64(1))
    return keyed
