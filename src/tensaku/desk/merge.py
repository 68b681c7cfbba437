"""Two versions of one comment brought together: each difference with the side that alone changed it, if one did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tensaku.records import Change
from tensaku.text import changes

__all__ = ["Hunk", "hunks", "told"]


@dataclass(frozen=True, slots=True)
class Hunk:
    """A stretch where the two differ, or are the same (`side` "both").

    `side`: whose wording stands unless the writer says otherwise; "open" where both changed what they began with.
    """

    theirs: str
    mine: str
    side: Literal["both", "mine", "theirs", "open"]


def hunks(base: str | None, mine: str, theirs: str) -> list[Hunk]:
    """The whole of both texts, in order.

    Args:
        base: what both began with; None: not known, so every difference is open.
        mine: the writer's text.
        theirs: the text that the writer had not seen.
    """
    differences = changes(theirs, mine)
    by_them = _new_spans(changes(base, theirs)) if base is not None else []
    by_me = _new_spans(changes(base, mine)) if base is not None else []
    found: list[Hunk] = []
    at = 0
    for change in differences:
        if change.old_start > at:
            found.append(Hunk(theirs[at : change.old_start], theirs[at : change.old_start], "both"))
        found.append(Hunk(change.old, change.new, _side(change, by_me, by_them) if base is not None else "open"))
        at = change.old_end
    if at < len(theirs):
        found.append(Hunk(theirs[at:], theirs[at:], "both"))
    return found


def _new_spans(found: Sequence[Change]) -> list[tuple[int, int]]:
    return [(change.new_start, change.new_end) for change in found]


def _side(
    change: Change, by_me: Sequence[tuple[int, int]], by_them: Sequence[tuple[int, int]]
) -> Literal["mine", "theirs", "open"]:
    me = any(start <= change.new_end and change.new_start <= end for start, end in by_me)
    them = any(start <= change.old_end and change.old_start <= end for start, end in by_them)
    return "open" if me == them else "mine" if me else "theirs"


def told(found: Sequence[Hunk]) -> list[dict[str, Any]]:
    """The hunks for the page's script."""
    return [asdict(hunk) for hunk in found]
