"""What an answer may write: the vocabulary as limits look at it, and grammars that it has to fit."""

from __future__ import annotations

import json
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

__all__ = ["Fits", "Words", "choices_grammar", "schema_grammar"]

_NUMERAL = re.compile(r"[\d〇零一二三四五六七八九十百千万億兆壱弐参拾萬]")
_UNIT = re.compile(r"\s?[%％円年月日期末度倍割分厘銭社件名人回位株口棟戸本点つ銘業種週営四時かカポパベドユbp.,]")


class Words:
    """The vocabulary as limits look at it; made once for an engine."""

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        self._tokenizer, self._size = tokenizer, size
        self.decode: Callable[[Sequence[int]], str] = tokenizer.decode

    @staticmethod
    def fold(text: str) -> str:
        """Full width and half width as one."""
        return unicodedata.normalize("NFKC", text).replace("，", ",").replace("．", ".")

    @property
    def eos(self) -> frozenset[int]:
        """Words that end an answer."""
        return self._tokenizer.eos

    @cached_property
    def texts(self) -> list[str]:
        """Each word as limits read it."""
        return [self.fold(self.decode([word])) for word in range(min(self._size, len(self._tokenizer)))]

    @cached_property
    def numerals(self) -> frozenset[int]:
        """Words that hold a digit or a kanji numeral, or a part of a character, which may become one."""
        broken = "\N{REPLACEMENT CHARACTER}"
        return frozenset(w for w, text in enumerate(self.texts) if _NUMERAL.search(text) or broken in text)

    @cached_property
    def units(self) -> frozenset[int]:
        """Words that may go on a number without being one: units and separators."""
        return frozenset(w for w, text in enumerate(self.texts) if _UNIT.match(text))

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

    @cached_property
    def special(self) -> dict[str, int]:
        """The words that no text can spell to llguidance."""
        return {text: word for text, word in self._tokenizer.added.items() if self.guide.is_special_token(word)}


def schema_grammar(schema: str) -> str:
    """The grammar of JSON that fits a schema, without white space.

    Raises:
        MissingExtra: llguidance is not installed.
        UsageError: the schema cannot be used.
    """
    try:
        import llguidance
    except ModuleNotFoundError:
        raise MissingExtra("llguidance", "serve") from None
    try:
        return str(llguidance.LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_flexible": False}))
    except ValueError as error:
        raise UsageError(f"the JSON schema cannot be used ({error})") from None


def choices_grammar(choices: Sequence[str]) -> str:
    """The grammar of an answer that is one of `choices` and nothing else."""
    return "%llguidance {}\nstart: " + " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices) + "\n"


class Fits:
    """The answer fits a grammar; the work is llguidance's.

    Raises:
        UsageError: the grammar, or a schema in it, cannot be used.
    """

    def __init__(self, grammar: str, words: Words) -> None:
        guide = words.guide
        import llguidance

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
