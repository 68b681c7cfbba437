"""The nearest copy by edits: the same as comparing all with all, whatever the texts."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Indel

from tensaku.curate.dedup.edits import nearest_copies


def by_brute_force(texts: list[str], others: list[str], at_least: float) -> list[float]:
    likeness = [[Indel.normalized_similarity(text, other) for other in others] for text in texts]
    return [max((found for found in row if found >= at_least), default=0.0) for row in likeness]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.7, 0.9, 1.0]), st.integers(1, 120))
def test_nothing_is_missed(seed: int, at_least: float, length: int) -> None:
    dice = random.Random(seed)
    letters = "株式市場は上昇しました。円0123"

    def text() -> str:
        return "".join(dice.choice(letters) for _ in range(dice.randrange(length + 1)))

    others = [text() for _ in range(70)]
    texts = [text() for _ in range(40)]
    for other in others[:60]:
        copy = list(other)
        for _ in range(dice.randrange(1 + len(copy) // 8)):
            copy[dice.randrange(len(copy))] = dice.choice(["", "金", "上昇"])
        texts.append("".join(copy))
    assert nearest_copies(texts, others, at_least) == by_brute_force(texts, others, at_least)


def test_nothing_to_compare_with_is_no_copy() -> None:
    assert nearest_copies(["株"], [], 0.9) == [0.0]
    assert nearest_copies([], ["株"], 0.9) == []
    assert nearest_copies(["", "株" * 5000], ["株" * 5000, ""], 0.9) == [1.0, 1.0]
