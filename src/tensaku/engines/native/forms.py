"""How a text reads in a house's notation: a draft that is guessed from is first written as the house's finals are.

Which notation that is, its lessons say: the one in which drafts have most words in common with their finals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from tensaku.engines.native.limits import Words
from tensaku.text.extract import quantities, rewritten

__all__ = ["Form", "as_written", "closest"]

Form = Callable[[str], str]

_COMPARED = 200
"""Pairs that are looked at, the newest."""


def as_written(text: str) -> str:
    """The text itself."""
    return text


def _figured(text: str) -> str:
    """Folded, with dates and percents in their normal forms: 2026/3 as 2026年3月, マイナス1.3パーセント as -1.3%."""
    text = Words.fold(text)
    found = (fact for fact in quantities(text) if fact.kind in ("date", "percent"))
    return rewritten(text, found, lambda fact: fact.value)


def closest(pairs: Sequence[tuple[str, str]], encode: Callable[[str], Sequence[int]]) -> Form:
    """The form in which drafts of `pairs` of (draft, final) have most tokens in common with their finals."""
    finals = [(draft, Counter(encode(final))) for draft, final in pairs[-_COMPARED:]]

    def common(form: Form) -> int:
        return sum((Counter(encode(form(draft))) & final).total() for draft, final in finals)

    return max((as_written, Words.fold, _figured), key=common)
