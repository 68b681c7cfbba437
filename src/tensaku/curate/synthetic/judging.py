"""What of the made-up pairs may be taught: nothing of the exam's, facts and directions kept, no copies, well graded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tensaku.curate.dedup.edits import nearest_copies
from tensaku.curate.overlap import fold
from tensaku.curate.steps import drop
from tensaku.records import Drop, Pair
from tensaku.text import Names, compare
from tensaku.text.direction import reversals

__all__ = ["judged"]

_LONGEST = 3.0
"""How many times as long one side may be as the other."""
_NEAR = 0.9
"""Likeness to a text of the exam from which a made-up text is its copy."""


def judged(made: Iterable[Pair], lessons: Sequence[Pair], exam: Sequence[Pair], names: Names) -> Iterator[Pair | Drop]:
    """Each pair, or why it leaves.

    Reasons: `unchanged` (draft and final are one text), `length-ratio`, `facts-differ` (a number, date, name or
    negation of one side is not on the other), `direction-differs` (one says up where the other says down), `copy` (of a
    lesson's draft or another made-up one), `exam-month` (it speaks of a month of the exam), `near-exam` (a text is like
    one of the exam's).
    """
    months = {pair.as_of for pair in exam}
    drafts = {fold(pair.draft) for pair in lessons}
    rows = list(made)
    near = [
        max(found)
        for found in zip(
            *(
                nearest_copies([fold(getattr(p, side)) for p in rows], [fold(getattr(p, side)) for p in exam], _NEAR)
                for side in ("draft", "final")
            ),
            strict=True,
        )
    ]
    real = {fold(pair.final) for pair in lessons}
    for pair, likeness in zip(rows, near, strict=True):
        draft = fold(pair.draft)
        shortest, longest = sorted((len(pair.draft), len(pair.final)))
        if draft == fold(pair.final):
            yield drop(pair, "unchanged", "draft and final are the same text")
        elif longest > _LONGEST * max(shortest, 1):
            yield drop(pair, "length-ratio", f"one side is {longest / max(shortest, 1):.1f} times as long as the other")
        elif draft in drafts:
            yield drop(pair, "copy", "its draft is there already")
        elif pair.as_of in months:
            yield drop(pair, "exam-month", f"the exam asks about {pair.as_of}")
        elif likeness and fold(pair.final) not in real:
            yield drop(pair, "near-exam", f"a text is {likeness:.2f} like one of the exam")
        elif (fault := _differs(pair, names)) is not None:
            yield drop(pair, *fault)
        else:
            drafts.add(draft)
            yield pair


def _differs(pair: Pair, names: Names) -> tuple[str, str] | None:
    verdict = compare(pair.draft, pair.final, names, as_of=pair.as_of)
    if not verdict.kept:
        said = "、".join(broken.fact.text for broken in verdict.breaks[:3])
        return "facts-differ", f"draft and final do not say the same: {said}"
    turned = reversals(pair.draft, pair.final)
    if turned:
        return "direction-differs", f"the draft says {turned[0].draft_text} where the final says {turned[0].text}"
    return None
