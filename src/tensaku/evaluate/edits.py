"""Needed changes made, missed, needless and wrong: draft, output and reference set side by side word by word.

As in the scoring of error correction (Dahlmeier and Ng 2012; Bryant et al. 2017), the reference's changes to the draft
are what is wanted and the output's changes what was made. Where changes of the two touch one another in the draft they
form one place, and what counts is whether both leave the same words there: so it does not matter how a stretch of
changed words was cut into changes. A place is

- right: both change it, into the same words;
- wrong: both change it, into different words;
- missed: the reference alone changes it;
- needless: the output alone changes it.

A place counts once for each change that the reference makes in it, so that every output of a draft has the same number
of wanted changes; and each stretch between them that a wrong place spoils is one more needless change. An output that
replaces everything is then wrong everywhere, and not in one place alone.

Precision is right / (right + wrong + needless), recall right / (right + wrong + missed); where nothing was made or
wanted, it is 1. F0.5 counts precision twice as much as recall: a needless change costs a reader more than a missed one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, NamedTuple

from tensaku import text
from tensaku.records import Change

__all__ = ["CHANGE_KINDS", "Counts", "Edits", "Place", "f_half", "find_edits", "places"]

ChangeKind = Literal["figure", "term", "ending", "joint", "mark", "cut", "added"]
CHANGE_KINDS: tuple[ChangeKind, ...] = ("figure", "term", "ending", "joint", "mark", "cut", "added")
"""Writing of a figure or date; other words; end of a sentence; particles and the like; marks; taken out; put in."""

What = Literal["right", "wrong", "missed", "needless"]

_MARKS = re.compile(r"[\W_]+")
_SOFT = re.compile(r"[ぁ-んー\W_]+")
_TO_STOP = re.compile(r"[ぁ-ん]{0,4}(?:[。．！？!?]|\s|$)")
_FIGURES = ("number", "percent", "unit", "date")
_ENDING = 12  # characters of old and new together; longer ones say more than how a sentence ends


class Place(NamedTuple):
    """A stretch of the draft, `start` to `end`, that reference or output changed, and what became of it in both.

    `weight` is how many changes of the reference it holds (1 if none); `spoilt` how many stretches of a wrong place the
    reference leaves alone and the output does not.
    """

    what: What
    kind: ChangeKind
    start: int
    end: int
    draft: str
    wanted: str
    made: str
    weight: int = 1
    spoilt: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Places by what became of them."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    needless: int = 0

    @property
    def made(self) -> int:
        """Places that the output changes."""
        return self.right + self.wrong + self.needless

    @property
    def wanted(self) -> int:
        """Places that the reference changes."""
        return self.right + self.wrong + self.missed

    @property
    def precision(self) -> float:
        """Share of the changes made that are right, 0 to 1; 1 if none was made."""
        return self.right / self.made if self.made else 1.0

    @property
    def recall(self) -> float:
        """Share of the changes wanted that were made right, 0 to 1; 1 if none was wanted."""
        return self.right / self.wanted if self.wanted else 1.0

    @property
    def f_half(self) -> float:
        """F0.5 of precision and recall, 0 to 1."""
        return f_half(self.precision, self.recall)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.right + other.right,
            self.wrong + other.wrong,
            self.missed + other.missed,
            self.needless + other.needless,
        )


@dataclass(frozen=True, slots=True)
class Edits:
    """What one output did to its draft.

    Of the `alone` characters of the draft that the reference leaves as they are, the output altered `overdone`.
    `strokes` are the key strokes from the output to the reference.
    """

    counts: Counts = Counts()
    kinds: Mapping[ChangeKind, Counts] = field(default_factory=dict)
    alone: int = 0
    overdone: int = 0
    strokes: int = 0


def f_half(precision: float, recall: float) -> float:
    """F0.5: 1.25 P R / (0.25 P + R); 0 if both are 0."""
    whole = 0.25 * precision + recall
    return 1.25 * precision * recall / whole if whole else 0.0


def find_edits(draft: str, reference: str, output: str) -> Edits:
    """Compare what `output` does to `draft` with what `reference` does."""
    wanted, made = (text.changes(draft, side, fine=True) for side in (reference, output))
    found = _places(draft, wanted, made)
    kinds: dict[ChangeKind, Counts] = {}
    for kind in CHANGE_KINDS:
        held = Counter[str]()
        for place in found:
            if place.kind == kind:
                held[place.what] += place.weight
                held["needless"] += place.spoilt
        held = +held
        if held:
            kinds[kind] = Counts(held["right"], held["wrong"], held["missed"], held["needless"])
    touched = _changed(wanted)
    alone, over = len(draft) - len(touched), len(_changed(made) - touched)
    counts = sum(kinds.values(), Counts())
    return Edits(counts, kinds, alone, over, text.strokes(output, reference))


def places(draft: str, reference: str, output: str) -> list[Place]:
    """Every place of `draft` that `reference` or `output` changes, in order."""
    return _places(draft, *(text.changes(draft, side, fine=True) for side in (reference, output)))


def _places(draft: str, wanted: Sequence[Change], made: Sequence[Change]) -> list[Place]:
    both = sorted(
        [(change, 0) for change in _apart(wanted)] + [(change, 1) for change in _apart(made)],
        key=lambda held: (held[0].old_start, held[0].old_end),
    )
    found: list[Place] = []
    group: list[tuple[Change, int]] = []
    end = -1
    for held in both:
        if group and not _touches(held[0], group, end):
            found.append(_place(draft, group))
            group, end = [], -1
        group.append(held)
        end = max(end, held[0].old_end)
    return [*found, _place(draft, group)] if group else found


def _apart(changes: Sequence[Change]) -> list[Change]:
    """`changes`, those that write the same figures in another way taken apart from the words beside them.

    3.2％値上がり to 3.2%上昇 is two changes: a writer may get one right and the other wrong.
    """
    found: list[Change] = []
    for change in changes:
        old, new = ([f for f in text.facts(side) if f.kind in _FIGURES] for side in (change.old, change.new))
        if not old or [f.value for f in old] != [f.value for f in new]:
            found.append(change)
            continue
        cuts = [(0, 0), *(c for o, n in zip(old, new, strict=True) for c in ((o.start, n.start), (o.end, n.end)))]
        cuts.append((len(change.old), len(change.new)))
        for (a, c), (b, d) in pairwise(cuts):
            was, now = change.old[a:b], change.new[c:d]
            if was != now:
                at, to = change.old_start, change.new_start
                found.append(replace(change, old=was, new=now, old_start=at + a, old_end=at + b, new_start=to + c))
    return found


def _touches(change: Change, group: Sequence[tuple[Change, int]], end: int) -> bool:
    """Does `change` share a character of the draft with the group, or stand where a change of it puts words in?"""
    if change.old_start < end:
        return True
    return change.old_start == end and (
        change.old_start == change.old_end or any(c.old_start == c.old_end == end for c, _ in group)
    )


def _place(draft: str, group: Sequence[tuple[Change, int]]) -> Place:
    start, end = min(c.old_start for c, _ in group), max(c.old_end for c, _ in group)
    sides = [[c for c, side in group if side == number] for number in (0, 1)]
    after = [_with(draft, start, end, side) for side in sides]
    what: What = "missed" if not sides[1] else "needless" if not sides[0] else "right"
    if what == "right" and after[0] != after[1]:
        what = "wrong"
    old = draft[start:end]
    kind = _kind(old, after[1] if what == "needless" else after[0], draft[end : end + 6])
    spoilt = _spoilt(start, end, *sides) if what == "wrong" else 0
    return Place(what, kind, start, end, old, after[0], after[1], max(len(sides[0]), 1), spoilt)


def _spoilt(start: int, end: int, wanted: Sequence[Change], made: Sequence[Change]) -> int:
    """Stretches from `start` to `end` that `wanted` leaves alone and `made` does not."""
    touched = _changed(made)
    cuts = [start, *(at for change in wanted for at in (change.old_start, change.old_end)), end]
    return sum(not touched.isdisjoint(range(a, b)) for a, b in zip(cuts[::2], cuts[1::2], strict=True))


def _with(draft: str, start: int, end: int, taken: Sequence[Change]) -> str:
    parts, at = [], start
    for change in taken:
        parts += [draft[at : change.old_start], change.new]
        at = change.old_end
    return "".join([*parts, draft[at:end]])


def _kind(old: str, new: str, after: str) -> ChangeKind:
    if _MARKS.fullmatch(old + new):
        return "mark"
    if any(fact.kind in _FIGURES for side in (old, new) for fact in text.facts(side)):
        return "figure"
    # 進みました and 進んだ differ by their ends
    alike = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    both = old[alike:] + new[alike:]
    if _SOFT.fullmatch(both):
        ends = _TO_STOP.match(after) or both.rstrip()[-1:] in "。．"
        return "ending" if ends and len(both) <= _ENDING else "joint"
    return "cut" if not new.strip() else "added" if not old.strip() else "term"


def _changed(changes: Sequence[Change]) -> set[int]:
    return {at for change in changes for at in range(change.old_start, change.old_end)}
