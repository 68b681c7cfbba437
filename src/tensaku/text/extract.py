"""Facts: what a revision must not alter, each in a normal form that is equal for equal facts however written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from tensaku.records import Fact
from tensaku.text.dates import dates
from tensaku.text.figures import figures
from tensaku.text.fold import Folded, fold
from tensaku.text.negation import negations

__all__ = ["Names", "facts", "mask", "quantities", "rewritten", "written"]

Names = Mapping[str, Sequence[str]]
"""Canonical name to its written forms: {"日本銀行": ["日銀", "BOJ"]}. The canonical name is always a form too."""

_MARKS = {
    "number": "〈数〉",
    "percent": "〈率〉",
    "date": "〈日付〉",
    "unit": "〈量〉",
    "name": "〈名〉",
    "negation": "〈否定〉",
}
_KATAKANA = re.compile(r"[ァ-ヺー]")
_LATIN = re.compile(r"[A-Za-z0-9]")


def written(names: Names) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A table of names as a value that can be looked up by."""
    return tuple((name, tuple(forms)) for name, forms in names.items())


@lru_cache(maxsize=64)
def _table(items: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[re.Pattern[str] | None, dict[str, str]]:
    """One pattern of all written forms, the longest first, and the canonical name of each form."""
    canonical: dict[str, str] = {}
    for name, forms in items:
        for form in (name, *forms):
            folded = fold(form).text.strip()
            if folded:
                canonical.setdefault(folded, name)
    if not canonical:
        return None, {}
    return re.compile("|".join(_guarded(form) for form in sorted(canonical, key=len, reverse=True))), canonical


def _guarded(form: str) -> str:
    """Latin and katakana forms stand alone: インド is not in インドネシア, BOJ not in BOJX."""
    before = after = ""
    for alphabet, letters in ((_LATIN, "A-Za-z0-9"), (_KATAKANA, "ァ-ヺー")):
        if alphabet.match(form[0]):
            before = f"(?<![{letters}])"
        if alphabet.match(form[-1]):
            after = f"(?![{letters}])"
    return f"{before}{re.escape(form)}{after}"


def _named(text: str, names: Names) -> list[tuple[str, int, int]]:
    pattern, canonical = _table(written(names))
    if pattern is None:
        return []
    return [(canonical[found.group()], found.start(), found.end()) for found in pattern.finditer(text)]


def _found(folded: Folded, names: Names) -> list[tuple[str, str, int, int]]:
    text = folded.text
    named = _named(text, names)
    taken = [(start, end) for _, start, end in named]
    dated = [d for d in dates(text) if all(d.end <= left or d.start >= right for left, right in taken)]
    taken += [(d.start, d.end) for d in dated]
    return [
        *(("name", name, start, end) for name, start, end in named),
        *(("date", str(d.date), d.start, d.end) for d in dated),
        *((f.kind, f.value, f.start, f.end) for f in figures(text, taken)),
    ]


def quantities(text: str) -> list[Fact]:
    """The figures and dates of `text` alone, as `facts` has them: a third of its work."""
    folded = fold(text)
    return _facts(text, folded, _found(folded, {}))


def facts(text: str, names: Names | None = None) -> list[Fact]:
    """The facts of `text` in order of place. Values are normal forms that read as themselves.

    Args:
        text: any text, Japanese or English.
        names: the house's table of names; without it no names are found.

    Returns:
        Facts of kind number (38500), percent (-3.2%, 0.25pt, 25bp), unit (38500円), date (2026年3月), name (the
        canonical name) and negation (always ない: what counts is how many there are).
    """
    folded = fold(text)
    negated = (("negation", "ない", n.start, n.end) for n in negations(folded.text))
    return _facts(text, folded, [*_found(folded, names or {}), *negated])


def _facts(text: str, folded: Folded, found: list[tuple[str, str, int, int]]) -> list[Fact]:
    out: list[Fact] = []
    for kind, value, start, end in sorted(found, key=lambda f: (f[2], f[3])):
        left, right = folded.span(start, end)
        out.append(Fact(kind, value, text[left:right], left, right))  # type: ignore[arg-type]
    return out


def mask(text: str, names: Names | None = None) -> str:
    """`text` with each fact replaced by a mark of its kind, to compare the form of sentences. Negations stay."""
    found = (fact for fact in facts(text, names) if fact.kind != "negation")
    return rewritten(text, found, lambda fact: _MARKS[fact.kind])


def rewritten(text: str, found: Iterable[Fact], write: Callable[[Fact], str]) -> str:
    """`text` with each fact of `found`, in order of place, as `write` writes it; of two that overlap the first one."""
    parts, at = list[str](), 0
    for fact in found:
        if fact.start >= at:
            parts += [text[at : fact.start], write(fact)]
            at = fact.end
    return "".join([*parts, text[at:]])
