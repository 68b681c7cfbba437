"""What became of each change that the model proposed, read off the three texts: draft, revision, final."""

from __future__ import annotations

from collections.abc import Sequence

from tensaku.ledger.rows import Decision
from tensaku.records import Change

__all__ = ["decide"]


def decide(
    draft: str, final: str, *, proposed: Sequence[Change], edits: Sequence[Change], total: Sequence[Change]
) -> list[Decision]:
    """The decision on each of `proposed`, in their order.

    Args:
        draft: the text that came in.
        final: the writer's text.
        proposed: the changes from draft to revision, in order of place, without equal ones.
        edits: the changes from revision to final.
        total: the changes from draft to final.
    """
    exact = _taken_or_left(draft, final, proposed)
    if exact is not None:
        return exact
    return [_by_place(change, edits, total) for change in proposed]


def _taken_or_left(draft: str, final: str, proposed: Sequence[Change]) -> list[Decision] | None:
    """The decisions of a writer who only took or left changes: exact, and None if the final has words of its own.

    Walks the draft once, keeping the places in the final that can be reached; there are never more than characters.
    """
    steps: list[dict[int, tuple[int, Decision]]] = []
    places, at = {0}, 0
    for change in proposed:
        kept = draft[at : change.old_start]
        places = {p + len(kept) for p in places if final.startswith(kept, p)}
        reached: dict[int, tuple[int, Decision]] = {}
        for place in sorted(places):
            # Taken is tried first: where both ways lead to the same text, the model's change did no harm.
            ways: tuple[tuple[str, Decision], ...] = ((change.new, "accepted"), (change.old, "rejected"))
            for wording, decision in ways:
                if final.startswith(wording, place):
                    reached.setdefault(place + len(wording), (place, decision))
        steps.append(reached)
        places, at = set(reached), change.old_end
    rest = draft[at:]
    ends = [p for p in places if final[p:] == rest]
    if not ends:
        return None
    decisions: list[Decision] = []
    place = ends[0]
    for index in range(len(proposed) - 1, -1, -1):
        before, decision = steps[index][place]
        decisions.append(decision)
        start = proposed[index - 1].old_end if index else 0
        place = before - (proposed[index].old_start - start)
    return decisions[::-1]


def _by_place(change: Change, edits: Sequence[Change], total: Sequence[Change]) -> Decision:
    """The decision where the writer also wrote words of their own: by whether the place was touched again."""
    again = any(_touches(e, change.new_start, change.new_end) for e in edits)
    draft_stands = not any(_touches(t, change.old_start, change.old_end) for t in total)
    beside = any(e.old_start == change.new_end or e.old_end == change.new_start for e in edits)
    if not again and not (beside and draft_stands):
        return "accepted"
    return "rejected" if draft_stands else "altered"


def _touches(change: Change, start: int, end: int) -> bool:
    """True if the change reaches into the span of its old text; an insertion touches only what it splits."""
    if start == end:
        return change.old_start < start < change.old_end or change.old_start == change.old_end == start
    if change.old_start == change.old_end:
        return start < change.old_start < end
    return change.old_start < end and start < change.old_end
