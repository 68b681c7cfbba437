"""Sentences lost or said twice, found by the character pairs that they share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tensaku.text.fold import fold
from tensaku.text.split import Sentence, sentences

__all__ = ["doubled", "dropped"]

KEPT_FROM = 0.45
"""A sentence of the reference counts as kept if this share of its character pairs stands in the text beside it."""
NEEDED_FROM = 0.60
"""A reference sentence is expected in the output only if the draft holds this share of it or less is known of it."""
SAME_FROM = 0.90
"""Two sentences of one text count as said twice if they share this much (Dice) of their character pairs."""
_SHORTEST = 6
_MARKS = re.compile(r"[\s。．.、，,！？!?「」『』（）()]+")


def _pairs(text: str) -> Counter[str]:
    plain = _MARKS.sub("", fold(text).text)
    return Counter(plain[i : i + 2] for i in range(len(plain) - 1))


def _counted(text: str) -> list[tuple[Sentence, Counter[str]]]:
    out = []
    for sentence in sentences(text):
        pairs = _pairs(sentence.text)
        if pairs.total() >= _SHORTEST - 1:
            out.append((sentence, pairs))
    return out


def _covered(pairs: Counter[str], others: Sequence[Counter[str]]) -> float:
    """The largest share of `pairs` found in one of `others` or in two neighbours: sentences get split and merged."""
    best = 0.0
    for i, other in enumerate(others):
        near = other + others[i + 1] if i + 1 < len(others) else other
        best = max(best, (pairs & near).total() / pairs.total())
    return best


def dropped(draft: str, reference: str, text: str) -> list[Sentence]:
    """The sentences of `reference` whose content `text` has lost although `draft` had it."""
    kept = [pairs for _, pairs in _counted(text)]
    return [sentence for sentence, pairs in _counted(reference) if _covered(pairs, kept) < KEPT_FROM]


def doubled(text: str) -> list[Sentence]:
    """The sentences of `text` that say again what an earlier one said."""
    found: list[Sentence] = []
    earlier: list[Counter[str]] = []
    for sentence, pairs in _counted(text):
        if any(2 * (pairs & other).total() / (pairs.total() + other.total()) >= SAME_FROM for other in earlier):
            found.append(sentence)
        earlier.append(pairs)
    return found
