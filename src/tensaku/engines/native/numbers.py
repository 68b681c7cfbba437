"""Facts-safe decoding: an answer writes no figure and no date that its source does not have.

A numeral that is being written must be the beginning of one that the source can be said with, so what is wrong is
refused at its first wrong digit. With its unit it must be a figure or a date that stands there, as the facts measure
reads both (`text.Standing`): 3% is refused where only 3月 stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from tensaku.engines.native.limits import Words
from tensaku.records import Fact
from tensaku.text.extract import quantities
from tensaku.text.numerals import RUN
from tensaku.text.standing import Standing

__all__ = ["KnownNumbers"]

_NUMBER = re.compile(r"\d(?:[\d,.]*\d)?[.,]?")
_REST = "0123456789,."
_TAIL = 24
"""Words back from which a number that is being written is read."""
_NEAR = 8
"""Words behind a numeral that may still belong to it: its unit, and one more."""
_TRIES = 64
_SIGNS = "0-9〇一二三四五六七八九十百千万億兆"
_BEGUN = "0123456789,.〇一二三四五六七八九十百千万億兆・"
_ANY = re.compile("[0-9〇一二三四五六七八九十百千]+")
_UNITS = (
    *(
        "パーセント",
        "ポイント",
        "ベーシスポイント",
        "ベーシス・ポイント",
        "米ドル",
        "豪ドル",
        "ドル",
        "ユーロ",
        "英ポンド",
    ),
    *(
        "ポンド",
        "人民元",
        "ウォン",
        "ルピー",
        "レアル",
        "か月",
        "カ月",
        "箇月",
        "四半期",
        "営業日",
        "取引日",
        "時間",
        "か所",
    ),
    *("カ所", "箇所", "種類", "銘柄", "業種", "か国", "カ国", "物件", "バレル", "オンス", "トン", "から", "より"),
    *(" percentage points", " percent", " basis points", "bps", " points", " pts", " dollars", " yen", " euros"),
    *(" times", " months", " quarters", " weeks", " days", " years", " hours", " billion", " million"),
)
_BEGUN_UNIT = "|".join(sorted({re.escape(u[:n]) for u in _UNITS for n in range(1, len(u))}, key=len, reverse=True))
_OPEN = re.compile(rf"[{_SIGNS}・\s]*(?:[~〜-][{_SIGNS},.]*|から[{_SIGNS},.]*|{_BEGUN_UNIT})?")
"""What may follow a fact at the end of a text without ending it: 150円20 may become 150円20銭, 3〜 3〜5%, 3%ポ
3%ポイント."""
_SETTLED = re.compile(rf"[^{_SIGNS}]*[、。,.!?「」()\nぁ-おがき-ちっづて-ん][^{_SIGNS}]*")
"""Behind a numeral: its unit is over, and was looked at."""


class KnownNumbers:
    """Every figure and date of the answer stands in `source`."""

    def __init__(self, source: str, words: Words) -> None:
        self._words = words
        self._standing = _standing(source)
        self._digits = {form for number in self._standing.digits for form in _forms(number)}
        self._digits |= set(_numbers(words.fold(source)))
        self._digits_begun = _beginnings(self._digits)
        self._rests = {form for number in self._standing.rests for form in _forms(number)}
        self._rests_begun = _beginnings(self._rests)
        self._kanji = self._standing.kanji
        self._kanji_begun = _beginnings(self._kanji)

    def allows(self, word: int, written: Sequence[int]) -> bool:
        """Whether `word` may follow the answer's tokens `written`."""
        numerals = self._words.numerals
        if word not in numerals and (numerals.isdisjoint(written[-_NEAR:]) or self._over(written[-_NEAR:])):
            return True
        tail = written[-_TAIL:]
        ends = word in self._words.eos
        before = self._read(tail)
        text = before if ends else self._read([*tail, word])
        cut = len(written) > _TAIL
        return (
            self._digits_known(text, cut=cut, ends=ends)
            and self._kanji_known(text, cut=cut, ends=ends)
            and self._said(before, text, cut=cut, ends=ends)
        )

    def _over(self, written: Sequence[int]) -> bool:
        """Whether the last number of `written` was looked at with its unit: nothing that is no number can alter it."""
        texts = self._words.texts
        text = "".join(texts[word] for word in written if word < len(texts))
        last = max((found.end() for found in _ANY.finditer(text)), default=0)
        return _SETTLED.fullmatch(text, last) is not None

    def _read(self, words: Sequence[int]) -> str:
        """The text of words, without a last character that is unfinished: it is looked at when it is whole."""
        return self._words.fold(self._words.decode(words)).rstrip("\N{REPLACEMENT CHARACTER}")

    def narrow(self, scores: Tensor, written: Sequence[int]) -> None:
        """Set to -inf what may not follow, as far as it could be chosen: every word likelier than the best that may."""
        for _ in range(_TRIES):
            best = int(scores.argmax())
            if self.allows(best, written):
                return
            scores[best] = -torch.inf
        # Enough of trying. A number that has begun can go on in few ways: those are looked for first.
        likely = sorted(self._words.numerals | self._words.units, key=lambda word: -float(scores[word]))
        going_on = next((word for word in likely if scores[word] > -torch.inf and self.allows(word, written)), None)
        if going_on is None:
            scores[sorted(self._words.numerals)] = -torch.inf
        else:
            kept = float(scores[going_on])
            scores.fill_(-torch.inf)
            scores[going_on] = kept

    def _digits_known(self, text: str, *, cut: bool, ends: bool) -> bool:
        # The rest of a number whose beginning is out of sight (".8" of 10.8) was checked when it was written.
        begin = len(text) - len(text.lstrip(_REST)) if cut else 0
        for found in _NUMBER.finditer(text, begin):
            known, begun = self._digits, self._digits_begun
            if text[found.start() - 1 : found.start()] in tuple("千万億兆"):
                known, begun = known | self._rests, begun | self._rests_begun
            going_on = found.end() == len(text) and not ends
            if not (going_on and found[0] in begun) and found[0].rstrip(".,") not in known:
                return False
        return True

    def _kanji_known(self, text: str, *, cut: bool, ends: bool) -> bool:
        for found in RUN.finditer(text):
            run, before = found[0], text[: found.start()]
            if len(run) < 2 or run in self._kanji or (cut and not before):
                continue
            if before.endswith(("第", "数")) or before[-1:].isdigit():
                continue  # 第一四半期, 3千5百万: judged as a date and as a figure
            if not (found.end() == len(text) and not ends and run in self._kanji_begun):
                return False
        return True

    def _said(self, before: str, text: str, *, cut: bool, ends: bool) -> bool:
        """Whether the figure or date that the new word belongs to, or ends, may be said."""
        last = max((found.end() for found in _ANY.finditer(before)), default=-1)
        settled = last < 0 or _SETTLED.fullmatch(before, last) is not None
        if settled and not _ANY.search(text, len(before)):
            return True
        looked_at = len(before) if settled else last - 1
        begin = len(text) - len(text.lstrip(_BEGUN)) if cut else -1
        for fact in reversed(_quantities(text)):
            if fact.end <= looked_at:
                break
            if fact.start <= begin:  # a part of one that begins out of sight
                continue
            going_on = not ends and self._goes_on(text, fact)
            if not (self._standing.may_become(fact) if going_on else self._standing.holds(fact)):
                return False
        return True

    def _goes_on(self, text: str, fact: Fact) -> bool:
        """Whether what stands behind `fact` at the end of `text` leaves open what it will be."""
        if text[fact.end :] in (",", "."):  # a separator within a number, or the end of a sentence
            *_, last = _NUMBER.finditer(text)
            return last[0] in self._digits_begun | self._rests_begun
        return _OPEN.fullmatch(text, fact.end) is not None


_quantities = lru_cache(maxsize=2048)(quantities)
_standing = lru_cache(maxsize=64)(Standing)


def _beginnings(forms: Iterable[str]) -> set[str]:
    return {form[:n] for form in forms for n in range(1, len(form) + 1)}


def _numbers(text: str) -> list[str]:
    return [found[0].rstrip(".,") for found in _NUMBER.finditer(text)]


def _forms(number: str) -> set[str]:
    """A number as it may be written: as it stands, with a separator at every thousand; 2.10 as 2.1 too."""
    plain = number.replace(",", "")
    whole, _, part = plain.partition(".")
    grouped = f"{int(whole):,}" if whole.isdecimal() and whole[0] != "0" else whole
    parts = {part, part.rstrip("0")}
    return {number, plain} | {w + (f".{p}" if p else "") for w in (whole, grouped) for p in parts}
