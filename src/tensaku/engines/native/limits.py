"""What an answer may write: numbers of a given text alone, or JSON that fits a schema."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tensaku.engines.native.cache import common_length
from tensaku.errors import MissingExtra, UsageError
from tensaku.models.tokenizer import Tokenizer
from tensaku.text import facts

__all__ = ["Fits", "KnownNumbers", "Words"]

_NUMBER = re.compile(r"\d(?:[\d,.]*\d)?[.,]?")
_REST = "0123456789,."
_TAIL = 16
"""Words back from which a number that is being written is read."""


class Words:
    """The vocabulary as limits look at it; made once for an engine."""

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        self._tokenizer, self._size = tokenizer, size
        self.decode: Callable[[Sequence[int]], str] = tokenizer.decode

    @cached_property
    def texts(self) -> list[str]:
        """Each word as limits read it."""
        return [_folded(self.decode([word])) for word in range(min(self._size, len(self._tokenizer)))]

    @cached_property
    def digits(self) -> frozenset[int]:
        """Words that hold a digit."""
        return frozenset(w for w, text in enumerate(self.texts) if any(c.isdigit() for c in text))

    @cached_property
    def open(self) -> frozenset[int]:
        """Words behind which a number may go on: they end in a digit or its separator."""
        return frozenset(w for w, text in enumerate(self.texts) if text and (text[-1].isdigit() or text[-1] in ".,"))

    @cached_property
    def guide(self) -> Any:
        """The vocabulary as llguidance reads it.

        Raises:
            MissingExtra: llguidance is not installed.
        """
        try:
            import llguidance
        except ModuleNotFoundError:
            raise MissingExtra("llguidance", "serve") from None
        eos = sorted(self._tokenizer.eos)
        return llguidance.LLTokenizer(self._tokenizer.json, n_vocab=self._size, eos_token=eos[0])


class KnownNumbers:
    """Every number of the answer stands in `source`: its digits as written there, or as the facts measure reads them.

    A number that is being written must be the beginning of one of them, so what is refused is refused at the first
    wrong digit. Numbers in kanji are not looked at.
    """

    def __init__(self, source: str, words: Words) -> None:
        self._words = words
        read = [fact.value for fact in facts(source)]
        self._known = {form for text in (source, *read) for number in _numbers(text) for form in _forms(number)}
        self._begun = {form[:n] for form in self._known for n in range(1, len(form) + 1)}

    def allows(self, word: int, written: Sequence[int]) -> bool:
        """Whether `word` may follow the answer's tokens `written`."""
        if word not in self._words.digits and not (written and written[-1] in self._words.open):
            return True
        tail = written[-_TAIL:]
        return self._known_all(_folded(self._words.decode([*tail, word])), cut=len(written) > _TAIL)

    def narrow(self, scores: Tensor, written: Sequence[int]) -> None:
        """Set to -inf what may not follow, as far as it could be chosen: every word likelier than the best that may."""
        for _ in range(64):
            best = int(scores.argmax())
            if self.allows(best, written):
                return
            scores[best] = -torch.inf
        scores[sorted(self._words.digits)] = -torch.inf  # enough of trying: no digit at all

    def _known_all(self, text: str, *, cut: bool) -> bool:
        # The rest of a number whose beginning is out of sight (".8" of 10.8) was checked when it was written.
        begin = len(text) - len(text.lstrip(_REST)) if cut else 0
        for found in _NUMBER.finditer(text, begin):
            number = found[0]
            if found.end() == len(text):
                if number not in self._begun and number.rstrip(".,") not in self._known:
                    return False
            elif number.rstrip(".,") not in self._known:
                return False
        return True


class Fits:
    """The answer is JSON that fits a schema; the work is llguidance's."""

    def __init__(self, schema: str, words: Words) -> None:
        guide = words.guide
        import llguidance

        try:
            grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_flexible": False})
        except ValueError as error:
            raise UsageError(f"the JSON schema cannot be used ({error})") from None
        self._matcher = llguidance.LLMatcher(guide, grammar)
        if self._matcher.is_error():
            raise UsageError(f"the JSON schema cannot be used ({self._matcher.get_error()})")
        self._read: list[int] = []

    def allows(self, word: int, written: Sequence[int]) -> bool:
        """Whether `word` may follow the answer's tokens `written`."""
        return bool(self._bits(written)[word])

    def narrow(self, scores: Tensor, written: Sequence[int]) -> None:
        """Set to -inf what may not follow."""
        scores[~torch.from_numpy(self._bits(written)[: len(scores)])] = -torch.inf

    def _bits(self, written: Sequence[int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        same = common_length(self._read, written)
        if same < len(self._read):
            self._matcher.rollback(len(self._read) - same)
        for word in written[same:]:
            self._matcher.consume_token(word)
        self._read = list(written)
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        return np.unpackbits(mask, bitorder="little").astype(np.bool_)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("，", ",").replace("．", ".")


def _numbers(text: str) -> list[str]:
    return [found[0].rstrip(".,") for found in _NUMBER.finditer(_folded(text))]


def _forms(number: str) -> set[str]:
    """A number as it may be written: as it stands, without separators, with one at every thousand; 2.10 as 2.1 too."""
    plain = number.replace(",", "")
    if plain.count(".") > 1:  # a date such as 2026.9.30
        return {number}
    whole, _, part = plain.partition(".")
    grouped = f"{int(whole):,}" if whole.isdecimal() and whole[0] != "0" else whole
    parts = {part, part.rstrip("0")}
    return {number, plain} | {w + (f".{p}" if p else "") for w in (whole, grouped) for p in parts}
