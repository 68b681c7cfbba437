"""What a figure belongs to: the words around it, so that two figures that changed places are noticed.

A set of figures cannot tell 日経平均3.2%、TOPIX1.5% from 日経平均1.5%、TOPIX3.2%. Their surroundings can: each figure
is described by the names and the character pairs near it, and two figures of a text are taken as swapped when the
surroundings fit clearly better crosswise than straight.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tensaku.records import Fact
from tensaku.text.fold import fold
from tensaku.text.split import sentences

__all__ = ["Context", "contexts", "similarity"]

_BEFORE, _AFTER = 28, 14
_NAME_WEIGHT, _TOPIC_WEIGHT = 3.0, 1.0
_LETTERS = re.compile(r"[A-Za-z一-鿿ァ-ヺー々]")
_FIGURES = ("number", "percent", "unit")


@dataclass(slots=True)
class Context:
    """The surroundings of one fact: weighted features, and its sentence and rank for questions of order."""

    fact: Fact
    sentence: int
    features: dict[str, float] = field(default_factory=dict)
    norm: float = 0.0

    def add(self, feature: str, weight: float) -> None:
        """Note a feature; the strongest weight counts."""
        self.features[feature] = max(self.features.get(feature, 0.0), weight)


def _pairs(text: str) -> list[tuple[str, int]]:
    """Character pairs that carry meaning (no kana-only pairs), with their place."""
    folded = fold(text).text if not text.isascii() else text.lower()
    return [(folded[i : i + 2], i) for i in range(len(folded) - 1) if all(_LETTERS.match(c) for c in folded[i : i + 2])]


def _window(context: Context, text: str, left: int, right: int) -> None:
    """The words before the figure, from `left`, and after it, to `right`; the nearer the weightier."""
    fact = context.fact
    before = text[max(left, fact.start - _BEFORE) : fact.start]
    for pair, at in _pairs(before):
        context.add(pair, 1.0 - 0.6 * (len(before) - at) / _BEFORE)
    after = text[fact.end : min(right, fact.end + _AFTER)]
    for pair, at in _pairs(after):
        context.add(pair, 0.7 - 0.4 * at / _AFTER)


def contexts(text: str, found: Sequence[Fact]) -> list[Context]:
    """The surroundings of each figure among the facts `found` of `text`."""
    spans = [(s.start, s.end) for s in sentences(text)]
    names = [f for f in found if f.kind == "name"]
    figures = [f for f in found if f.kind in _FIGURES]
    out: list[Context] = []
    at = 0
    for i, fact in enumerate(figures):
        while at + 1 < len(spans) and fact.start >= spans[at][1]:
            at += 1
        start, end = spans[at]
        context = Context(fact, at)
        left = max([start, *(f.end for f in figures[:i])])
        right = min([end, *(f.start for f in figures[i + 1 :])])
        _window(context, text, left, right)
        _subjects(context, names, start, end, spans[at - 1][0] if at else start)
        context.norm = math.sqrt(sum(w * w for w in context.features.values()))
        out.append(context)
    return out


def _subjects(context: Context, names: Sequence[Fact], start: int, end: int, earlier: int) -> None:
    """The names that the figure may speak of: the nearest before it counts most, then others of its sentence."""
    fact = context.fact
    before = [n for n in names if start <= n.start and n.end <= fact.start]
    for rank, name in enumerate(reversed(before)):
        context.add(f"name:{name.value}", _NAME_WEIGHT / (1 + rank))
    if not before:
        for name in [n for n in names if earlier <= n.start < start][-1:]:
            context.add(f"name:{name.value}", _TOPIC_WEIGHT)
    for name in [n for n in names if fact.end <= n.start < end][:1]:
        context.add(f"name:{name.value}", _TOPIC_WEIGHT)


def similarity(one: Context, two: Context) -> float:
    """How alike two surroundings are, 0 to 1 (cosine of their features)."""
    if not one.norm or not two.norm:
        return 0.0
    few, many = sorted((one.features, two.features), key=len)
    return sum(w * many[f] for f, w in few.items() if f in many) / (one.norm * two.norm)
