"""What a text would be if one decision of its writer had gone the other way.

A final is the model's revision with the writer's edits. Leave out just those edits that undo one proposal, and the text
differs from the final in that decision alone: the shortest pair that says what was preferred to what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from tensaku.records import Change
from tensaku.text import apply

__all__ = ["Kind", "Turned", "turned"]

Kind = Literal["rejected", "altered", "missed", "accepted"]


class Turned(NamedTuple):
    """`text` is the final with one decision turned round; `changes` are the ids of the changes it concerns.

    `rejected`: the model's wording stands where the writer went back to the draft; `altered`: where the writer found a
    third one; `missed`: what the model left is left, where the writer wrote something else; `accepted`: the draft's
    wording stands where the writer took the model's.
    """

    kind: Kind
    text: str
    changes: tuple[str, ...]


class _Group(NamedTuple):
    """Edits that cannot be left out one without the other, since a proposal reaches over all of them."""

    edits: set[int]
    proposals: list[int]


def turned(
    draft: str,
    revision: str,
    *,
    proposed: Sequence[tuple[Change, str | None]],
    edits: Sequence[Change],
    total: Sequence[Change],
) -> list[Turned]:
    """Every decision of one final turned round, by kind and then by place.

    Args:
        draft: the text that came in.
        revision: the model's.
        proposed: the changes from draft to revision with the decision on each.
        edits: the changes from revision to final.
        total: the changes from draft to final.

    Raises:
        ValueError: the changes do not belong to the texts.
    """
    found: list[Turned] = []
    against = [n for n, (_, decision) in enumerate(proposed) if decision in ("rejected", "altered")]
    groups = _grouped(edits, {n: (proposed[n][0].new_start, proposed[n][0].new_end) for n in against})
    for group in groups:
        kind: Kind = "rejected" if all(proposed[n][1] == "rejected" for n in group.proposals) else "altered"
        found.append(Turned(kind, _without(revision, edits, group), _ids(proposed, group)))
    taken = {n for group in groups for n in group.edits}
    for n, edit in enumerate(edits):
        if n not in taken:
            found.append(Turned("missed", _without(revision, edits, _Group({n}, [])), (edit.id,)))
    accepted = [n for n, (_, decision) in enumerate(proposed) if decision == "accepted"]
    for group in _grouped(total, {n: (proposed[n][0].old_start, proposed[n][0].old_end) for n in accepted}):
        found.append(Turned("accepted", _without(draft, total, group), _ids(proposed, group)))
    return found


def _ids(proposed: Sequence[tuple[Change, str | None]], group: _Group) -> tuple[str, ...]:
    return tuple(proposed[n][0].id for n in group.proposals)


def _without(text: str, edits: Sequence[Change], group: _Group) -> str:
    return apply(text, [edit for n, edit in enumerate(edits) if n not in group.edits])


def _grouped(edits: Sequence[Change], spans: dict[int, tuple[int, int]]) -> list[_Group]:
    """The edits that undo each span; spans that share one are put together, those without any left out."""
    groups: list[_Group] = []
    for proposal, (start, end) in spans.items():
        touched = {n for n, edit in enumerate(edits) if _overlaps(edit, start, end)}
        touched = touched or {n for n, edit in enumerate(edits) if edit.old_start <= end and start <= edit.old_end}
        if not touched:
            continue
        merged = _Group(touched, [proposal])
        for other in [group for group in groups if group.edits & touched]:
            groups.remove(other)
            merged = _Group(other.edits | merged.edits, [*other.proposals, *merged.proposals])
        groups.append(merged)
    return sorted(groups, key=lambda group: min(group.edits))


def _overlaps(edit: Change, start: int, end: int) -> bool:
    """Whether the edit reaches into the span; one of them may be empty."""
    if edit.old_start == edit.old_end == start == end:
        return True
    return edit.old_start < end and start < edit.old_end
