"""What became of each change that the model proposed, and where it stands: read off draft, revision and final."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tensaku.ledger.rows import Decision
from tensaku.records import Change

__all__ = ["Place", "decide", "places"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proposed change stands in the writer's text, in characters, and what to put there to take or leave it.

    Where the writer has put words of their own beside several changes, these share one place.
    """

    start: int
    end: int
    taken: str
    left: str


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
        return [decision for decision, _ in exact]
    return [_by_place(change, edits, total) for change in proposed]


def places(
    draft: str, revision: str, final: str, *, proposed: Sequence[Change], edits: Sequence[Change]
) -> list[Place]:
    """The place of each of `proposed`, in their order; arguments as of `decide`.

    Putting `taken` or `left` of one place there leaves every other change as it was, unless it shares the place.
    """
    found: list[Place] = []
    for changes, inside, (d, r, f) in _clusters(proposed, edits):
        was = draft[d[0] : d[1]]
        now = final[f[0] : f[1]]
        moved = [_moved(change, d[0]) for change in changes]
        exact = _taken_or_left(was, now, moved) if inside else None
        if not inside:  # as the model left it
            found += [_as_revised(change, f[0] - r[0]) for change in changes]
        elif exact is not None:
            for change, (decision, at) in zip(changes, exact, strict=True):
                standing = change.new if decision == "accepted" else change.old
                found.append(Place(f[0] + at, f[0] + at + len(standing), change.new, change.old))
        else:
            found += [Place(f[0], f[1], revision[r[0] : r[1]], was)] * len(changes)
    return found


def _as_revised(change: Change, shift: int) -> Place:
    return Place(change.new_start + shift, change.new_end + shift, change.new, change.old)


def _moved(change: Change, back: int) -> Change:
    return Change(
        change.id,
        change.op,
        change.old,
        change.new,
        change.old_start - back,
        change.old_end - back,
        change.new_start,
        change.new_end,
    )


_Span = tuple[int, int]


def _clusters(
    proposed: Sequence[Change], edits: Sequence[Change]
) -> list[tuple[list[Change], list[Change], tuple[_Span, _Span, _Span]]]:
    """Proposed changes with the edits that touch them, and the stretch of draft, revision and final that they share."""
    marks = [(c.new_start, c.new_end, 0, c) for c in proposed] + [(e.old_start, e.old_end, 1, e) for e in edits]
    groups: list[tuple[int, int, list[Change], list[Change]]] = []
    for start, end, edit, change in sorted(marks, key=lambda mark: mark[:3]):
        joined = bool(groups) and start <= groups[-1][1] and bool(edit or groups[-1][3])
        if joined:
            first, last, ours, theirs = groups.pop()
            start, end = first, max(last, end)
        else:
            ours, theirs = [], []
        (theirs if edit else ours).append(change)
        groups.append((start, end, ours, theirs))
    found = []
    to_draft = to_final = 0
    for start, end, ours, theirs in groups:
        before_draft, before_final = to_draft, to_final
        to_draft += sum(len(c.old) - len(c.new) for c in ours)
        to_final += sum(len(e.new) - len(e.old) for e in theirs)
        spans = ((start + before_draft, end + to_draft), (start, end), (start + before_final, end + to_final))
        if ours:
            found.append((ours, theirs, spans))
    return found


def _taken_or_left(draft: str, final: str, proposed: Sequence[Change]) -> list[tuple[Decision, int]] | None:
    """The decisions of a writer who only took or left changes, each with its place in the final: exact.

    None if the final has words of its own.

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
    decisions: list[tuple[Decision, int]] = []
    place = ends[0]
    for index in range(len(proposed) - 1, -1, -1):
        before, decision = steps[index][place]
        decisions.append((decision, before))
        start = proposed[index - 1].old_end if index else 0
        place = before - (proposed[index].old_start - start)
    return decisions[::-1]


def _by_place(change: Change, edits: Sequence[Change], total: Sequence[Change]) -> Decision:
    """The decision where the writer also wrote words of their own: by whether the place was touched again."""
    near = _reaching(edits, change.new_start, change.new_end)
    again = any(_touches(e, change.new_start, change.new_end) for e in near)
    left = _reaching(total, change.old_start, change.old_end)
    draft_stands = not any(_touches(t, change.old_start, change.old_end) for t in left)
    beside = any(e.old_start == change.new_end or e.old_end == change.new_start for e in near)
    if not again and not (beside and draft_stands):
        return "accepted"
    return "rejected" if draft_stands else "altered"


def _reaching(changes: Sequence[Change], start: int, end: int) -> Sequence[Change]:
    """Those of `changes`, in order of place, whose old text reaches the span, if only with its edge."""
    first = bisect_left(changes, start, key=lambda change: change.old_end)
    return changes[first : bisect_right(changes, end, lo=first, key=lambda change: change.old_start)]


def _touches(change: Change, start: int, end: int) -> bool:
    """True if the change reaches into the span of its old text; an insertion touches only what it splits."""
    if start == end:
        return change.old_start < start < change.old_end or change.old_start == change.old_end == start
    if change.old_start == change.old_end:
        return start < change.old_start < end
    return change.old_start < end and start < change.old_end
