"""A comment held against its draft and the house's rules: what changed, which facts broke, what style asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tensaku.desk.changelist import Listed, listed
from tensaku.desk.markup import Span, difference, marked, utf16_offsets, utf16_spans
from tensaku.ledger import reason_key
from tensaku.records import Change, FactBreak, Verdict
from tensaku.text import Names, Required, StyleRule, Suggestion, blanked, changes, compare, lacking, suggestions

__all__ = ["BrokenFact", "Comparison", "House", "hold"]

AHEAD = 24
"""Characters that a draft may be ahead of a comment on its way."""


@dataclass(frozen=True, slots=True)
class House:
    """What a comment is held to beside its draft."""

    names: Names = field(default_factory=dict)
    style: Sequence[StyleRule] = ()
    required: Sequence[Required] = ()


@dataclass(frozen=True, slots=True)
class BrokenFact:
    """One line of the warnings. `key` is what the ledger looks for its reason by; two lines may share it."""

    key: str
    what: str
    kind: str
    text: str

    @classmethod
    def of(cls, broken: FactBreak) -> BrokenFact:
        """The line for a break."""
        return cls(reason_key(broken), broken.what, broken.fact.kind, broken.fact.text)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A draft, a comment, and what lies between them.

    `writing` is true while the comment is still being written; only the draft's first `read` characters are then held
    against it, since its beginning would otherwise be matched with words from all over the draft.
    """

    draft: str
    text: str
    changes: tuple[Change, ...]
    verdict: Verdict
    read: int
    writing: bool = False
    listed: tuple[Listed, ...] = ()
    style: tuple[Suggestion, ...] = ()
    lacking: tuple[Required, ...] = ()

    @property
    def broken(self) -> list[BrokenFact]:
        """The broken facts, the missing first, as the guard orders them."""
        return [BrokenFact.of(b) for b in self._breaks]

    @property
    def _breaks(self) -> tuple[FactBreak, ...]:
        # What is not written yet is not missing.
        return tuple(b for b in self.verdict.breaks if not self.writing or b.what == "added")

    def _spans(self, what: str) -> list[Span]:
        return [Span(b.fact.start, b.fact.end, reason_key(b)) for b in self._breaks if b.what == what]

    @property
    def draft_html(self) -> str:
        """The draft with its missing facts marked."""
        return str(marked(self.draft, self._spans("missing")))

    @property
    def difference_html(self) -> str:
        """The difference with its broken facts marked; empty where there is no comment."""
        if not self.text.strip():
            return ""
        missing, added = self._spans("missing"), self._spans("added")
        read = self.draft[: self.read]
        rest = self.draft[self.read :] if self.writing else None
        return str(difference(read, self.text, self.changes, missing=missing, added=added, awaited=rest))

    @property
    def marks(self) -> list[list[int | str]]:
        """The added facts in the comment, as the browser counts."""
        return utf16_spans(self.text, self._spans("added"))

    @property
    def style_marks(self) -> list[dict[str, int | str | None]]:
        """The places that break the house style, as the browser counts, with what each rule would write."""
        at = utf16_offsets(self.text)
        return [
            {"start": at[s.start], "end": at[s.end], "text": s.text, "write": s.write, "rule": s.rule, "say": s.say}
            for s in self.style
        ]


def hold(
    draft: str,
    text: str,
    house: House,
    *,
    as_of: str = "",
    section: str = "",
    revision: str | None = None,
    writing: bool = False,
) -> Comparison:
    """Compare; without a comment there is nothing to find, and style and list wait until it is written.

    Args:
        draft: the draft.
        text: the comment as it stands.
        house: names and rules.
        as_of: the month that the draft speaks of.
        section: its section, for the passages that only some must hold.
        revision: the model's revision that the comment was written over.
        writing: the comment is still being written by the model.
    """
    read = min(len(draft), len(text) * 5 // 4 + AHEAD) if writing else len(draft)
    if not text.strip():
        return Comparison(draft, text, (), Verdict(), read, writing)
    found = tuple(change for change in changes(draft[:read], text) if change.op != "equal")
    own = [passage.text for passage in house.required]
    verdict = compare(blanked(draft, own), blanked(text, own), house.names, as_of=as_of)
    if writing:
        return Comparison(draft, text, found, verdict, read, writing)
    return Comparison(
        draft,
        text,
        found,
        verdict,
        read,
        writing,
        tuple(listed(draft, revision, text, found)),
        tuple(suggestions(text, house.style)),
        tuple(lacking(text, section, house.required)),
    )
