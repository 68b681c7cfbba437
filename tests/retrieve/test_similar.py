"""BM25 against its own formula, written out once more the slow way."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.retrieve import Index, terms

words = st.lists(st.sampled_from("abcdefg"), max_size=12)


def formula(texts: list[list[str]], question: list[str], number: int) -> float:
    """The score straight from the definition."""
    mean = sum(map(len, texts)) / len(texts)
    total = 0.0
    for term in question:
        df = sum(term in text for text in texts)
        tf = texts[number].count(term)
        idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
        total += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(texts[number]) / mean)) if tf else 0.0
    return total


@given(st.lists(words, min_size=1, max_size=8), words)
def test_every_score_is_the_formulas(texts: list[list[str]], question: list[str]) -> None:
    index = Index(texts)
    assert index.scores(question) == pytest.approx([formula(texts, question, n) for n in range(len(texts))])
    ranked = index.ranked(question)
    assert sorted(ranked) == list(range(len(texts)))
    scores = index.scores(question)
    assert [scores[n] for n in ranked] == sorted(scores, reverse=True)


def test_terms_are_pairs_of_characters_whatever_their_width() -> None:
    assert terms("ＡＢ１　２") == ["ab", "b1", "1 ", " 2"]
    assert terms("市場は") == ["市場", "場は"]
    assert terms("市") == ["市"]
    assert terms("") == terms(" \n") == []


def test_the_most_like_comes_first_and_of_equals_the_later() -> None:
    index = Index(terms(text) for text in ("円は下落した", "株式市場は上昇した", "株式市場は上昇した", ""))
    assert index.ranked(terms("株式市場は大きく上昇した")) == [2, 1, 0, 3]
    assert index.ranked([]) == [3, 2, 1, 0]
    assert len(index) == 4


def test_nothing_to_rank() -> None:
    assert Index([]).ranked(["a"]) == []
    assert Index([[], []]).ranked(["a"]) == [1, 0]
