"""The steps that ask whether draft and final belong together, and what became of the draft's sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import pydantic

from tensaku.curate.overlap import fold
from tensaku.curate.steps import Step, drop
from tensaku.plugins import steps
from tensaku.records import Pair
from tensaku.text import sentences
from tensaku.text.align import aligned

__all__ = ["Sentences", "compared", "pairing", "sides"]

Share = Annotated[float, pydantic.Field(ge=0.0, le=1.0)]
_SUSPECT = 0.3
"""Pairs less alike than this are compared with one another: their finals may have changed places."""


class Sentences(NamedTuple):
    """What became of a draft's sentences. `added` counts those of the final that no sentence of the draft led to."""

    kept: int
    changed: int
    moved: int
    dropped: int
    added: int


def compared(draft: str, final: str) -> Sentences:
    """Draft and final set side by side by sentence; a sentence is moved if it stands word for word elsewhere."""
    old, new = ([s.text.strip() for s in sentences(text)] for text in (draft, final))
    kept = changed = 0
    lost: Counter[str] = Counter()
    fresh: Counter[str] = Counter()
    for before, after in aligned(old, new):
        if before == after:
            kept += len(before)
        elif before and after:
            changed += len(before)
        else:
            lost.update(before)
            fresh.update(after)
    moved = (lost & fresh).total()
    return Sentences(kept, changed, moved, lost.total() - moved, fresh.total() - moved)


def _bigrams(text: str) -> set[str]:
    folded = fold(text)
    return {folded[i : i + 2] for i in range(len(folded) - 1)}


def _alike(one: set[str], two: set[str]) -> float:
    return 2 * len(one & two) / (len(one) + len(two)) if one or two else 1.0


@steps.register("pairing")
def pairing(rows: Iterable[Pair], tally: Counter[str], /, *, least: Share = 0.1, better: Share = 0.2) -> Step:
    """Drop pairs whose draft and final do not belong together; count sentences kept, changed, moved, dropped, added.

    Two pairs that would both be more alike with their finals exchanged are `swapped-finals`, each the other's partner;
    others whose sides are hardly alike are `misaligned`.

    Args:
        least: likeness of the sides (Dice of their character pairs), 0 to 1, below which a pair is misaligned.
        better: how much more alike both must be after the exchange.
    """
    suspects: list[tuple[int, Pair, set[str], set[str]]] = []
    for place, pair in enumerate(rows):
        draft, final = _bigrams(pair.draft), _bigrams(pair.final)
        if _alike(draft, final) < _SUSPECT:
            suspects.append((place, pair, draft, final))
    verdicts = {}
    for number, (place, pair, draft, final) in enumerate(suspects):
        own = _alike(draft, final)
        for other in suspects[number + 1 :]:
            gain = min(_alike(draft, other[3]) - own, _alike(other[2], final) - _alike(other[2], other[3]))
            if gain >= better and place not in verdicts and other[0] not in verdicts:
                verdicts[place] = ("swapped-finals", other[1].source, own)
                verdicts[other[0]] = ("swapped-finals", pair.source, own)
        if place not in verdicts and own < least:
            verdicts[place] = ("misaligned", "", own)
    for place, pair in enumerate(rows):
        if place in verdicts:
            reason, partner, own = verdicts[place]
            detail = f"draft and final are {own:.2f} alike"
            told = f"{detail}; its final seems to stand at {partner}" if partner else detail
            yield drop(pair, reason, told, partner)
        else:
            for name, n in compared(pair.draft, pair.final)._asdict().items():
                tally[f"sentences {name}"] += n
            yield pair


@steps.register("sides")
def sides(rows: Iterable[Pair], tally: Counter[str], /, *, least: Annotated[float, pydantic.Field(gt=0)] = 0.5) -> Step:
    """Drop pairs whose draft is written like finals and whose final like drafts: `swapped-sides`.

    What sets drafts and finals apart is learnt from the pool: for each pair of characters that only one side has, the
    log of how much more often it is the final's (add-one smoothed).

    Args:
        least: how far the mean of these must lie on the wrong side.
    """
    in_drafts: Counter[str] = Counter()
    in_finals: Counter[str] = Counter()
    for pair in rows:
        draft, final = _bigrams(pair.draft), _bigrams(pair.final)
        in_drafts.update(draft - final)
        in_finals.update(final - draft)

    def lean(parts: set[str]) -> float:
        return sum(math.log((in_finals[p] + 1) / (in_drafts[p] + 1)) for p in parts) / max(len(parts), 1)

    for pair in rows:
        draft, final = _bigrams(pair.draft), _bigrams(pair.final)
        found = lean(final - draft) - lean(draft - final)
        if found < -least:
            yield drop(pair, "swapped-sides", f"the draft reads like a final and the final like a draft ({found:.2f})")
        else:
            yield pair
