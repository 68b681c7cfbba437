"""The list of changes: what the model proposed and what the writer changed beside it, each with where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tensaku.desk.markup import utf16_offsets
from tensaku.ledger import Decision, DecisionRow, decide, places
from tensaku.records import Change
from tensaku.text import changes

__all__ = ["Listed", "listed", "told"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list.

    `change` is the model's proposal, or with `own` the writer's own change of what the model (or, without a revision,
    the draft) had. Putting `taken` or `left` at `start:end` of the comment takes or leaves it.
    """

    change: Change
    own: bool
    decision: Decision
    start: int
    end: int
    taken: str
    left: str


@lru_cache(maxsize=256)
def proposals(draft: str, revision: str) -> tuple[Change, ...]:
    """What the model proposed; the same while a comment is written, so kept between calls."""
    return tuple(changes(draft, revision))


def listed(draft: str, revision: str | None, text: str, total: Sequence[Change]) -> list[Listed]:
    """The changes of a comment in the order in which they stand in it.

    Args:
        draft: the draft.
        revision: the model's revision that the comment was written over, if any.
        text: the comment as it stands.
        total: the changes from draft to comment.
    """
    if revision is None:
        return [_own(change) for change in total]
    proposed = proposals(draft, revision)
    edits = changes(revision, text)
    decided = decide(draft, text, proposed=proposed, edits=edits, total=total)
    found = places(draft, revision, text, proposed=proposed, edits=edits)
    rows = [
        Listed(change, False, decision, place.start, place.end, place.taken, place.left)
        for change, decision, place in zip(proposed, decided, found, strict=True)
    ]
    touched = [(row.start, row.end) for row in rows if row.decision != "accepted"]
    rows += [_own(e) for e in edits if not any(a <= e.new_end and e.new_start <= b for a, b in touched)]
    return sorted(rows, key=lambda row: (row.start, row.end, row.own))


def _own(change: Change) -> Listed:
    return Listed(change, True, "accepted", change.new_start, change.new_end, change.new, change.old)


def told(rows: Sequence[Listed], text: str, said: Mapping[str, DecisionRow]) -> list[dict[str, Any]]:
    """The list for the page's script, places as a browser counts them."""
    at = utf16_offsets(text)
    return [
        {
            "id": row.change.id,
            "own": row.own,
            "decision": row.decision,
            "start": at[row.start],
            "end": at[row.end],
            "taken": row.taken,
            "left": row.left,
            "said": _said(said.get(row.change.id)),
        }
        for row in rows
    ]


def _said(row: DecisionRow | None) -> dict[str, str]:
    if row is None:
        return {"decision": "open", "reason": "", "note": ""}
    return {"decision": row.decision, "reason": row.reason, "note": row.note}
