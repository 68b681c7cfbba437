"""What a figure belongs to: the words around it, so that two figures that changed places are noticed.

A set of figures cannot tell 日経平均3.2%、TOPIX1.5% from 日経平均1.5%、TOPIX3.2%. Their surroundings can: each figure
is described by the names and the character pairs near it, and two figures of a text are taken as swapped when the
surroundings fit clearly better crosswise than straight.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from tensaku.records import Fact
from tensaku.text.figures import direction_words, rises
from tensaku.text.fold import fold
from tensaku.text.split import sentences

__all__ = ["Context", "contexts", "nearness", "similarity"]

_BEFORE, _AFTER = 28, 14
_NAME_WEIGHT, _TOPIC_WEIGHT = 3.0, 1.0
_LETTERS = re.compile(r"(?=([A-Za-z一-鿿ァ-ヺー々]{2}))")
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
# Where a figure moved from, and where it moved to: 2.35%から2.41%へ, 2.41%(前月末2.35%).
_FROM = (
    re.compile(r"(?:前月末?|前期末?|前年末?|前日|前回|従来|先月末?)[はのが:]?\s?$"),
    re.compile(r"\s?(?:から|より)"),
)
_TO = re.compile(r"\s?(?:へ|に(?!対|比)|まで)")
_END_WEIGHT = 1.5
_CLAUSE = re.compile(r"[、,。]")
_ROLE_REACH = 60  # characters before a figure in which its role may be named
_NEAR = 5  # sentences of the paragraph on either side
_FIGURES = ("number", "percent", "unit")


@dataclass(slots=True, eq=False)
class Context:
    """The surroundings of one fact: weighted features of its own clause, and the words of the sentences around."""

    fact: Fact
    sentence: int
    near: frozenset[str] = frozenset()
    features: dict[str, float] = field(default_factory=dict)
    norm: float = 0.0
    falls: bool = False
    """The figure has no sign, but its sentence, or the one before, speaks of a fall and none of a rise of it."""

    def add(self, feature: str, weight: float) -> None:
        """Note a feature; the strongest weight counts."""
        self.features[feature] = max(self.features.get(feature, 0.0), weight)


class _Around:
    """A text cut into sentences, each with its names and its meaningful character pairs."""

    def __init__(self, text: str, found: Sequence[Fact]) -> None:
        self.text = text
        self.spans = [(s.start, s.end) for s in sentences(text)]
        self.starts = [start for start, _ in self.spans]
        self.pairs = [frozenset(pair for pair, _ in _pairs(text[start:end])) for start, end in self.spans]
        self.near = [self._near(k) for k in range(len(self.spans))]
        self.names: list[list[Fact]] = [[] for _ in self.spans]
        for fact in found:
            if fact.kind == "name":
                self.names[self.at(fact)].append(fact)

    def at(self, fact: Fact) -> int:
        """The number of the sentence that holds the start of `fact`."""
        return bisect_right(self.starts, fact.start) - 1

    def begin(self, fact: Fact) -> Context:
        """A context of `fact` that knows only the sentences around."""
        k = self.at(fact)
        return Context(fact, k, self.near[k])

    def _near(self, k: int) -> frozenset[str]:
        """The pairs of the sentences around sentence `k` in its paragraph."""
        first = last = k
        while first > max(0, k - _NEAR) and "\n" not in self.text[slice(*self.spans[first - 1])]:
            first -= 1
        while last < min(len(self.spans) - 1, k + _NEAR) and "\n" not in self.text[slice(*self.spans[last])]:
            last += 1
        return frozenset().union(*self.pairs[first : last + 1])


def _pairs(text: str) -> list[tuple[str, int]]:
    """Character pairs that carry meaning (no kana-only pairs), with their place."""
    folded = fold(text).text if not text.isascii() else text.lower()
    return [(m.group(1), m.start()) for m in _LETTERS.finditer(folded)]


def contexts(text: str, found: Sequence[Fact]) -> tuple[list[Context], list[Context]]:
    """The surroundings of each figure and of each name among the facts `found` of `text`."""
    around = _Around(text, found)
    return _of_figures(text, found, around), _of_names(text, found, around)


def _of_figures(text: str, found: Sequence[Fact], around: _Around) -> list[Context]:
    figures = [f for f in found if f.kind in _FIGURES]
    out: list[Context] = []
    for before, fact, after in zip([None, *figures], figures, [*figures[1:], None], strict=False):
        context = around.begin(fact)
        start, end = around.spans[context.sentence]
        left = max(start, before.end) if before else start
        right = min(end, after.start) if after else end
        _window(context, text, max(left, fact.start - _BEFORE), min(right, fact.end + _AFTER))
        _role(context, text, left)
        _ends(context, text)
        _subjects(context, around)
        context.falls = _falls(fact, around)
        context.norm = math.sqrt(sum(w * w for w in context.features.values()))
        out.append(context)
    return out


def _of_names(text: str, found: Sequence[Fact], around: _Around) -> list[Context]:
    """What is said of each name."""
    names = [f for f in found if f.kind == "name"]
    out: list[Context] = []
    for before, fact, after in zip([None, *names], names, [*names[1:], None], strict=False):
        context = around.begin(fact)
        start, end = around.spans[context.sentence]
        left = max(start, before.end) if before else start
        right = min(end, after.start) if after else end
        _window(context, text, max(left, fact.start - 6), min(right, fact.end + 2 * _AFTER))
        context.norm = math.sqrt(sum(w * w for w in context.features.values()))
        out.append(context)
    return out


def _window(context: Context, text: str, left: int, right: int) -> None:
    """The words before the fact, from `left`, and after it within its clause, to `right`; the nearer the weightier."""
    fact = context.fact
    before = text[left : fact.start]
    for pair, at in _pairs(before):
        context.add(pair, 1.0 - 0.6 * (len(before) - at) / _BEFORE)
    after = _CLAUSE.split(text[fact.end : right], maxsplit=1)[0]
    for pair, at in _pairs(after):
        context.add(pair, 0.7 - 0.4 * at / max(_AFTER, len(after)))


def _role(context: Context, text: str, left: int) -> None:
    """Whether the figure is the fund's or that of what it is measured by."""
    fact = context.fact
    if _COMPARED.match(text, fact.end):
        context.add("role:benchmark", _ROLE_WEIGHT)
        return
    before = fold(text[max(left, fact.start - _ROLE_REACH) : fact.start]).text
    for role, pattern in _ROLES:
        if re.search(pattern, before):
            context.add(f"role:{role}", _ROLE_WEIGHT)
            return


def _ends(context: Context, text: str) -> None:
    """Whether the figure is where something moved from or where it moved to."""
    fact = context.fact
    if _FROM[0].search(text, max(0, fact.start - 8), fact.start) or _FROM[1].match(text, fact.end):
        context.add("end:from", _END_WEIGHT)
    elif _TO.match(text, fact.end):
        context.add("end:to", _END_WEIGHT)


def _falls(fact: Fact, around: _Around) -> bool:
    k = around.at(fact)
    start, end = around.spans[k]
    if re.match(r"[+＋プ]", fact.text) or rises(fold(around.text[fact.end : min(end, fact.end + 30)]).text):
        return False
    down, up = direction_words(fold(around.text[start:end]).text)
    if down or up or not k:
        return down
    return direction_words(fold(around.text[slice(*around.spans[k - 1])]).text)[0]


def _subjects(context: Context, around: _Around) -> None:
    """The names that the figure may speak of: the nearest before it counts most, then others of its sentence."""
    fact, k = context.fact, context.sentence
    before = [n for n in around.names[k] if n.end <= fact.start]
    for rank, name in enumerate(reversed(before)):
        context.add(f"name:{name.value}", _NAME_WEIGHT / (1 + rank))
    if not before and k:
        for name in around.names[k - 1][-1:]:
            context.add(f"name:{name.value}", _TOPIC_WEIGHT)
    for name in [n for n in around.names[k] if n.start >= fact.end][:1]:
        context.add(f"name:{name.value}", _TOPIC_WEIGHT)


def similarity(one: Context, two: Context) -> float:
    """How alike two surroundings are, 0 to 1 (cosine of their features)."""
    if not one.norm or not two.norm:
        return 0.0
    few, many = sorted((one.features, two.features), key=len)
    return sum(w * many[f] for f, w in few.items() if f in many) / (one.norm * two.norm)


def nearness(one: Context, two: Context) -> float:
    """How alike the sentences around two facts are, 0 to 1 (Dice of their character pairs)."""
    size = len(one.near) + len(two.near)
    return 2 * len(one.near & two.near) / size if size else 0.0
