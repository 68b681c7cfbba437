"""Which of many texts are most like one: Okapi BM25 over pairs of characters.

Pairs of characters need no dictionary, find a word in whatever form it stands, and work for Japanese and English alike.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["Index", "terms"]

_K1 = 1.2
_B = 0.75


def terms(text: str) -> list[str]:
    """The overlapping pairs of characters of `text`; width, case and white space make no difference."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return [folded[at : at + 2] for at in range(len(folded) - 1)] or [folded] * bool(folded)


class Index:
    """Texts, given as their terms, ready to be ranked against another.

    The score of a text is the sum over the question's terms of `idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * l / L))`
    with tf the count in the text, l its number of terms, L their mean, k1 = 1.2 and b = 0.75 (Robertson and Zaragoza,
    The Probabilistic Relevance Framework: BM25 and Beyond, 2009), and `idf = ln(1 + (n - df + 0.5) / (df + 0.5))`,
    which unlike theirs is never below zero.
    """

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        counts = [Counter(found) for found in texts]
        lengths = [count.total() for count in counts]
        mean = sum(lengths) / len(lengths) if any(lengths) else 1.0
        holders = Counter(term for count in counts for term in count)
        self._size = len(counts)
        self._weights: dict[str, list[tuple[int, float]]] = {term: [] for term in holders}
        for number, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            damping = _K1 * (1 - _B + _B * length / mean)
            for term, n in count.items():
                rarity = math.log(1 + (self._size - holders[term] + 0.5) / (holders[term] + 0.5))
                self._weights[term].append((number, rarity * n * (_K1 + 1) / (n + damping)))

    def __len__(self) -> int:
        return self._size

    def scores(self, question: Sequence[str]) -> list[float]:
        """How like the question each text is, in their order; 0 is nothing in common."""
        found = [0.0] * self._size
        for term, times in sorted(Counter(question).items()):  # one order of adding up, so that equal is equal
            for number, weight in self._weights.get(term, ()):
                found[number] += times * weight
        return found

    def ranked(self, question: Sequence[str]) -> list[int]:
        """The numbers of all texts, the most like first; of equals, the later one first."""
        scores = self.scores(question)
        return sorted(range(self._size), key=lambda number: (-scores[number], -number))
