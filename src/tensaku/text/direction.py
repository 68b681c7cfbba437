"""Reversals: what rose in the draft and falls in its revision, helped and now hurts, was bought and is now sold.

Small models exchange these (A helped and B hurt becomes A hurt and B helped) without touching a figure or a name, so
the facts guard cannot see it. Each word of direction is described by the words before it in its clause; set phrases
(の組入比率を) count least. A word of the revision is a reversal if its surroundings fit a word of the opposite
direction in the draft clearly better than any of its own direction. This is a hint for the writer, not a fact: it is
kept apart from `compare`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tensaku.text.fold import fold
from tensaku.text.split import sentences

__all__ = ["Reversal", "reversals"]

LIKE_FROM = 0.35
"""From this likeness (0 to 1) two words of direction are taken to speak of the same thing."""
MARGIN = 0.2
"""By how much the opposite direction must fit better than the same one."""
_REACH = 40

# One pair of patterns (up, down) for each thing that can turn. Words are only compared within their own line.
_AXES = (
    (
        r"プラスに|プラス要因|押し上げ|貢献|(?<!マイナスに)(?<!プラスに)寄与|追い風|好感",
        r"マイナスに|マイナス要因|押し下げ|足を引っ張|重し|逆風|嫌気",
    ),
    (r"高め|オーバーウ[ェエ]イト(?=と|を|に)|長め", r"低め|アンダーウ[ェエ]イト(?=と|を|に)|短め"),
    (
        r"上昇|値上がり|続伸|反発|急伸|上が[りっる]|(?<!押し)上げ(?!観測|期待|を)|買い増|積み増|増や|プラス[。、]|[のが]プラス(?!に|要)",
        r"下落|値下がり|続落|反落|急落|低下|下が[りっる]|(?<!押し)下げ(?!観測|期待|を)|減ら|落と|売却|マイナス[。、]|[のが]マイナス(?!に|要)",
    ),
    (r"円安", r"円高"),
    (r"上回", r"下回"),
    (r"強ま|高ま|拡大|改善", r"弱ま|後退|和ら|縮小|悪化"),
)
_YEN = 3  # the line that needs no surroundings: a yen that fell in the draft did not rise
_PATTERNS = [re.compile(f"(?P<up>{up})|(?P<down>{down})") for up, down in _AXES]
_PAIR = re.compile(r"(?=([A-Za-z一-鿿ァ-ヺー々]{2}|[A-Za-z一-鿿ァ-ヺー々][ぁ-ん]))")


@dataclass(frozen=True, slots=True)
class Reversal:
    """A word of the revision, at `start:end` of it, and the word of the draft, at `draft_start:draft_end`, it turns."""

    text: str
    start: int
    end: int
    draft_text: str
    draft_start: int
    draft_end: int


@dataclass(frozen=True, slots=True, eq=False)
class _Word:
    axis: int
    up: bool
    start: int
    end: int
    pairs: dict[str, float]


def _words(text: str) -> list[_Word]:
    """The words of direction, each with the character pairs before it in its sentence."""
    out: list[_Word] = []
    for sentence in sentences(text):
        folded = fold(sentence.text)
        for axis, pattern in enumerate(_PATTERNS):
            at = 0
            for found in pattern.finditer(folded.text):
                before = folded.text[max(at, found.start() - _REACH) : found.start()]
                start, end = folded.span(*found.span())
                pairs = dict.fromkeys((m.group(1) for m in _PAIR.finditer(before)), 1.0)
                out.append(_Word(axis, found.lastgroup == "up", sentence.start + start, sentence.start + end, pairs))
                at = found.end()
    spread = Counter((word.axis, pair) for word in out for pair in word.pairs)
    for word in out:
        for pair in word.pairs:
            word.pairs[pair] = 1.0 / spread[word.axis, pair]
    return out


def _like(one: _Word, two: _Word) -> float:
    size = sum(one.pairs.values()) + sum(two.pairs.values())
    return sum(one.pairs[p] + two.pairs[p] for p in one.pairs.keys() & two.pairs.keys()) / size if size else 0.0


def _best(word: _Word, others: Sequence[_Word]) -> tuple[float, _Word | None]:
    return max(((_like(word, other), other) for other in others), key=lambda found: found[0], default=(0.0, None))


def reversals(draft: str, text: str) -> list[Reversal]:
    """The words of direction in `text` that say the opposite of what `draft` said of the same thing.

    Works on Japanese. Finds what is turned round, not what was left out or put in.
    """
    said = _words(draft)
    found: list[Reversal] = []
    for word in _words(text):
        same, kept = _best(word, [d for d in said if d.axis == word.axis and d.up == word.up])
        other, turned = _best(word, [d for d in said if d.axis == word.axis and d.up != word.up])
        if turned is None:
            continue
        if (word.axis == _YEN and kept is None) or (other >= LIKE_FROM and other - same >= MARGIN):
            found.append(
                Reversal(
                    text[word.start : word.end],
                    word.start,
                    word.end,
                    draft[turned.start : turned.end],
                    turned.start,
                    turned.end,
                )
            )
    return found
