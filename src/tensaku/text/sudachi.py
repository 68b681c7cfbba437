"""Japanese words, by SudachiPy with its core dictionary.

Split mode A (short units) is used throughout. Its boundaries are the least dependent on what the dictionary happens to
hold as one entry, so the same characters are cut the same way in draft and final: a change then covers the words
that differ and no more, and searches find parts of compounds. Mode C would make 相変わらず one word but 変わらず two.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sudachipy import Dictionary, Tokenizer

__all__ = ["NameWord", "Word", "analysed", "name_words", "words", "words_read"]

# Sudachi refuses more than 49,149 bytes at once; a character takes up to four.
_LIMIT = 12_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_BREAK = re.compile(r"[。！？\n]+")

_local = threading.local()


class Word(NamedTuple):
    """One word: `start` and `end` are character offsets; `lemma` its dictionary form; `pos` Sudachi's part of speech.

    `pos` is the first two levels joined by a hyphen, e.g. 名詞-普通名詞, 助動詞-*.
    """

    text: str
    start: int
    end: int
    lemma: str
    pos: str


@lru_cache(maxsize=1)
def _dictionary() -> Dictionary:
    import sudachipy

    return sudachipy.Dictionary(dict="core")


def _tokenizer() -> Tokenizer:
    """This thread's tokenizer: Sudachi's dictionary is shared between threads, its tokenizer must not be."""
    found: Tokenizer | None = getattr(_local, "tokenizer", None)
    if found is None:
        import sudachipy

        found = _dictionary().tokenizer(mode=sudachipy.SplitMode.A)
        _local.tokenizer = found
    return found


def _chunks(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while len(text) - start > _LIMIT:
        end = start + _LIMIT
        for found in _BREAK.finditer(text, start + _LIMIT // 2, end):
            end = found.end()
        yield start, end
        start = end
    yield start, len(text)


def words(text: str) -> list[Word]:
    """The words of `text` in order. Their texts joined give `text` back: spaces and marks are words too."""
    # A lone surrogate has no UTF-8 form; U+FFFD keeps the offsets.
    safe = _SURROGATE.sub("\ufffd", text)
    found: list[Word] = []
    for start, end in _chunks(safe):
        at = start
        for token in _tokenizer().tokenize(safe[start:end]):
            left, right = start + token.begin(), start + token.end()
            if left > at:
                found.append(Word(text[at:left], at, left, text[at:left], "空白-*"))
            if right > left:
                pos = token.part_of_speech()
                found.append(Word(text[left:right], left, right, token.dictionary_form(), f"{pos[0]}-{pos[1]}"))
            at = max(at, right)
        if at < end:
            found.append(Word(text[at:end], at, end, text[at:end], "空白-*"))
    return found


def words_read(text: str) -> list[tuple[str, str]]:
    """The words of `text`, each with its reading in katakana; marks and Latin words read as Sudachi has them."""
    safe = _SURROGATE.sub("\ufffd", text)
    return [
        (token.surface(), token.reading_form())
        for start, end in _chunks(safe)
        for token in _tokenizer().tokenize(safe[start:end])
    ]


class NameWord(NamedTuple):
    """A word as names are looked for: `kind` is "surname", "given", "place" or "" for any other."""

    text: str
    start: int
    end: int
    kind: str


_NAMES = {("人名", "姓"): "surname", ("人名", "名"): "given", ("人名", "一般"): "given"}


def name_words(text: str) -> list[NameWord]:
    """The words of `text` with what Sudachi's dictionary says of proper names."""
    safe = _SURROGATE.sub("\ufffd", text)
    found: list[NameWord] = []
    for start, end in _chunks(safe):
        for token in _tokenizer().tokenize(safe[start:end]):
            pos = token.part_of_speech()
            kind = "place" if pos[2] == "地名" else _NAMES.get((pos[2], pos[3]), "")
            left, right = start + token.begin(), start + token.end()
            found.append(NameWord(text[left:right], left, right, kind))
    return found


def analysed(text: str) -> list[tuple[str, str, str, str]]:
    """The words of `text`: as written, in Sudachi's normalised form, read in katakana, with the first level of pos."""
    safe = _SURROGATE.sub("\ufffd", text)
    return [
        (token.surface(), token.normalized_form(), token.reading_form(), token.part_of_speech()[0])
        for start, end in _chunks(safe)
        for token in _tokenizer().tokenize(safe[start:end])
    ]
