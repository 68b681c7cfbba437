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
from tensaku.text.figures import direction_words, rises
from tensaku.text.fold import fold
from tensaku.text.split import sentences

__all__ = ["Context", "contexts", "similarity"]

_BEFORE, _AFTER = 28, 14
_NAME_WEIGHT, _TOPIC_WEIGHT = 3.0, 1.0
_LETTERS = re.compile(r"[A-Za-z一-鿿ァ-ヺー々]")
# Words that say what a figure is, whatever a house calls it. The first that fits counts: the return of a benchmark is
# the benchmark's. Held here and not in the table of names, since every report of the field uses them.
_ROLES = (
    (
        "benchmark",
        r"ベンチマーク|ベンチ|参考指数|対象指数|インデックス|市場平均|(?<![A-Za-z])(?:BM|[Bb]enchmark|[Ii]ndex)(?![A-Za-z])",
    ),
    (
        "fund",
        r"ファンド|ポートフォリオ|当商品|基準価額|リターン|騰落率|収益率|運用成績|パフォーマンス|(?<![A-Za-z])(?:[Ff]und|[Pp]ortfolio)",
    ),
)
_COMPARED = re.compile(r"\s?(?:に(?:対し|比べ|比し)|を[^。、]{0,14}(?:上回|下回|アウト|アンダー|凌))")
_ROLE_WEIGHT = 3.0
_CLAUSE = re.compile(r"[、,。]")
_FIGURES = ("number", "percent", "unit")


@dataclass(slots=True)
class Context:
    """The surroundings of one fact: weighted features, and its sentence and rank for questions of order."""

    fact: Fact
    sentence: int
    features: dict[str, float] = field(default_factory=dict)
    norm: float = 0.0
    falls: bool = False
    """The figure has no sign, but its sentence, or the one before, speaks of a fall and none of a rise of it."""

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
    _role(context, text, left)
    for pair, at in _pairs(before):
        context.add(pair, 1.0 - 0.6 * (len(before) - at) / _BEFORE)
    after = _CLAUSE.split(text[fact.end : min(right, fact.end + _AFTER)], maxsplit=1)[0]
    for pair, at in _pairs(after):
        context.add(pair, 0.7 - 0.4 * at / _AFTER)


def _role(context: Context, text: str, left: int) -> None:
    """Whether the figure is the fund's or that of what it is measured by."""
    fact = context.fact
    if _COMPARED.match(text, fact.end):
        context.add("role:benchmark", _ROLE_WEIGHT)
        return
    before = fold(text[left : fact.start]).text
    for role, pattern in _ROLES:
        if re.search(pattern, before):
            context.add(f"role:{role}", _ROLE_WEIGHT)
            return


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
        earlier = spans[at - 1][0] if at else start
        _subjects(context, names, start, end, earlier)
        context.falls = _falls(fact, text, earlier, start, end)
        context.norm = math.sqrt(sum(w * w for w in context.features.values()))
        out.append(context)
    return out


def _falls(fact: Fact, text: str, earlier: int, start: int, end: int) -> bool:
    if rises(fold(text[fact.end : end]).text) or re.match(r"[+＋プ]", fact.text):
        return False
    down, up = direction_words(fold(text[start:end]).text)
    return down or (not up and direction_words(fold(text[earlier:start]).text)[0])


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
