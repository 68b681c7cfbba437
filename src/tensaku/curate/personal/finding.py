"""Where personal data stands in a text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal, NamedTuple

from tensaku.curate.personal.names import address_spans, company_spans, person_spans
from tensaku.curate.personal.numbers import Span, number_spans
from tensaku.text.fold import fold

__all__ = ["DEFAULT", "KINDS", "Finding", "Kind", "find"]

Kind = Literal[
    "email", "my_number", "corporate_number", "card", "birthday", "account", "phone", "address", "person", "company"
]
KINDS: tuple[Kind, ...] = (
    "email",
    "my_number",
    "corporate_number",
    "card",
    "birthday",
    "account",
    "phone",
    "address",
    "person",
    "company",
)
DEFAULT: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in ("company", "corporate_number"))
"""What is looked for unless asked otherwise: companies are what a market comment is about."""


class Finding(NamedTuple):
    """A personal datum: `start` and `end` are character offsets into the text it stands in."""

    kind: Kind
    start: int
    end: int
    text: str


def find(text: str, kinds: Collection[Kind] = DEFAULT) -> list[Finding]:
    """The personal data in `text` in order, none overlapping; of two in one place the first in `KINDS` stays."""
    folded = fold(text)
    taken: list[Span] = []
    for span in sorted(set(_spans(folded.text, kinds)), key=lambda s: (KINDS.index(s.kind), s.start - s.end)):
        if all(span.end <= other.start or other.end <= span.start for other in taken):
            taken.append(span)
    found = []
    for span in sorted(taken, key=lambda s: s.start):
        start, end = folded.span(span.start, span.end)
        found.append(Finding(span.kind, start, end, text[start:end]))  # type: ignore[arg-type]
    return found


def _spans(text: str, kinds: Collection[Kind]) -> Iterator[Span]:
    yield from (span for span in number_spans(text) if span.kind in kinds)
    for kind, spans in (("address", address_spans), ("person", person_spans), ("company", company_spans)):
        if kind in kinds:
            yield from spans(text)
