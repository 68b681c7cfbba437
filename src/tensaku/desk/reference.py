"""What stands beside the text on request: similar past comments with what was changed then, last month's, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tensaku.desk.markup import difference
from tensaku.ledger import DraftRow, FinalRow, Ledger
from tensaku.retrieve.similar import Index, terms
from tensaku.text import changes

__all__ = ["Because", "Past", "last_month", "reasons_of", "similar"]

SHOWN = 3
"""Similar comments that are shown; a fourth is hardly ever read."""
LOOKED_THROUGH = 400
"""Newest comments that are looked through."""


@dataclass(frozen=True, slots=True)
class Past:
    """A comment saved before: whose, when, and its difference from its draft as HTML."""

    draft: DraftRow
    final: FinalRow
    difference_html: str
    changed: int


@dataclass(frozen=True, slots=True)
class Because:
    """Why a change may have been made: a past comment that made the same one."""

    old: str
    new: str
    times: int
    example: Past


def _past(draft: DraftRow, final: FinalRow) -> Past:
    found = changes(draft.text, final.text)
    return Past(draft, final, str(difference(draft.text, final.text, found)), len(found))


def _saved(ledger: Ledger, draft: DraftRow) -> list[tuple[DraftRow, FinalRow]]:
    """Other drafts of the same section that have a final, newest month first."""
    rows = [row for row in ledger.drafts() if row.finals and row.id != draft.id and row.section == draft.section]
    rows = [row for row in rows if row.as_of <= draft.as_of][:LOOKED_THROUGH]
    return [(row, ledger.finals(row.id)[0]) for row in rows]


def similar(ledger: Ledger, draft: DraftRow) -> list[Past]:
    """The past comments whose drafts are most like this one, the most like first. Blocks.

    Only comments of the same section that speak of the same month or an earlier one.
    """
    known = _saved(ledger, draft)
    if not known:
        return []
    index = Index([[*terms(row.text), f"fund:{row.fund}"] for row, _ in known])
    question = [*terms(draft.text), f"fund:{draft.fund}"]
    scores = index.scores(question)
    best = [number for number in index.ranked(question) if scores[number] > 0][:SHOWN]
    return [_past(*known[number]) for number in best]


def last_month(ledger: Ledger, draft: DraftRow) -> list[Past]:
    """The newest earlier comment of this fund and section, if there is one. Blocks."""
    rows = ledger.drafts(fund=draft.fund)
    rows = [row for row in rows if row.finals and row.section == draft.section and row.as_of < draft.as_of]
    newest = sorted(rows, key=lambda row: (row.as_of, row.id))[-1:]
    return [_past(row, ledger.finals(row.id)[0]) for row in newest]


def reasons_of(ledger: Ledger, draft: DraftRow, old: str, new: str) -> list[Because]:
    """Past comments that made the very same change, as one entry with how often and the newest of them. Blocks.

    These are the examples that a model learns such a change from.
    """
    same: list[tuple[DraftRow, FinalRow]] = []
    for row, final in _saved(ledger, draft):
        if _holds(ledger, final, old, new):
            same.append((row, final))
    return [Because(old, new, len(same), _past(*same[0]))] if same else []


def _holds(ledger: Ledger, final: FinalRow, old: str, new: str) -> bool:
    rows: Sequence[tuple[str, str]] = [
        (row.change.old, row.change.new) for row in ledger.changes(final.id) if row.between == "draft-final"
    ]
    return (old, new) in rows
