"""Sentences set side by side, lost, and said twice."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.text import doubled, dropped, reordered, sentences
from tensaku.text.align import aligned

DRAFT = "日経平均は3.2%上昇しました。輸出株が買われたため、投資家心理が良くなりました。円安も追い風でした。"
FINAL = "日経平均株価は3.2%上昇した。輸出株が買われたことから、投資家心理が改善した。円安もプラスに寄与した。"


def test_a_lost_sentence_is_named() -> None:
    assert dropped(DRAFT, FINAL, FINAL) == []
    text = "日経平均株価は3.2%上昇した。円安もプラスに寄与した。"
    assert [s.text for s in dropped(DRAFT, FINAL, text)] == ["輸出株が買われたことから、投資家心理が改善した。"]


def test_a_few_words_of_a_sentence_are_not_the_sentence() -> None:
    text = "日経平均株価は3.2%上昇した。輸出株は横ばい。円安もプラスに寄与した。"
    assert [s.start for s in dropped(DRAFT, FINAL, text)] == [FINAL.index("輸出株")]


def test_other_words_for_the_same_content_are_no_loss() -> None:
    assert dropped(DRAFT, FINAL, DRAFT) == []
    assert dropped(DRAFT, FINAL, "輸出株が買われて投資家の心理が上向き、日経平均は3.2%の上昇。円安も寄与した。") == []


def test_the_draft_may_be_its_own_reference() -> None:
    assert [s.text for s in dropped(DRAFT, DRAFT, FINAL[:14])] == [s.text for s in sentences(DRAFT)[1:]]


def test_an_empty_text_lost_everything() -> None:
    assert len(dropped(DRAFT, FINAL, "")) == 3


def test_a_sentence_said_twice_is_named_once() -> None:
    assert doubled(FINAL) == []
    first = sentences(FINAL)[0].text
    again = doubled(FINAL + first)
    assert [(s.text, s.start) for s in again] == [(first, len(FINAL))]
    assert len(doubled("日経平均株価は、３．２％上昇した。" + first)) == 1


def test_two_figures_make_two_sentences() -> None:
    assert doubled("国内株式市場は3.2%上昇した。海外株式市場は1.5%下落した。") == []


def test_sentences_of_the_sample_desk(pairs: list[dict[str, Any]]) -> None:
    total = found = false = twice = on_draft = 0
    for row in pairs:
        final = [s.text for s in sentences(row["final"])]
        assert doubled(row["final"]) == []
        assert dropped(row["draft"], row["final"], row["final"]) == []
        on_draft += len(dropped(row["draft"], row["final"], row["draft"]))
        for k, sentence in enumerate(final):
            total += 1
            lost = [s.text for s in dropped(row["draft"], row["final"], "".join(final[:k] + final[k + 1 :]))]
            found += sentence in lost
            false += len(lost) - (sentence in lost)
            twice += len(doubled(row["final"] + sentence)) == 1
    assert found / total >= 0.995
    assert false / total <= 0.005
    assert twice / total >= 0.995
    assert on_draft / total <= 0.02  # the untouched draft has lost nothing


def test_sentences_set_side_by_side() -> None:
    old = ["A社が上昇した。", "B社は大きく下落した。", "以上です。"]
    new = ["B社は下落した。", "新しい文が入った。"]
    assert aligned(old, new) == [
        (["A社が上昇した。"], []),
        (["B社は大きく下落した。"], ["B社は下落した。"]),
        (["以上です。"], []),
        ([], ["新しい文が入った。"]),
    ]


def test_two_sentences_that_became_one() -> None:
    old = ["国内の景気は改善しました。", "海外の景気は悪化しました。"]
    new = ["国内の景気は改善したものの、海外の景気は悪化した。"]
    assert aligned(old, new) == [(old, new)]


_sentences = st.lists(
    st.sampled_from(["上昇した。", "市場は下落した。", "日銀は動いた。", "円安。", "\n", "a b."]), max_size=8
)


@given(_sentences, _sentences)
@settings(deadline=None, max_examples=300)
def test_nothing_is_lost_side_by_side(old: list[str], new: list[str]) -> None:
    groups = aligned(old, new)
    assert [s for was, _ in groups for s in was] == old
    assert [s for _, now in groups for s in now] == new
    assert all(was or now for was, now in groups)


def test_a_moved_sentence_is_the_one_that_is_out_of_place() -> None:
    one, two, three = "株式市場は大きく上昇した。", "債券市場は小幅に下落した。", "円安が一段と進んだ。"
    assert reordered(one + two + three, one + two + three) == []
    assert [s.text for s in reordered(one + two + three, three + one + two)] == [three]
    assert [s.text for s in reordered(one + two + three, two + one + three)] in ([two], [one])
    assert reordered(one + two, one) == []
    assert reordered(one, "まったく別の話をここに書く。" + one) == []
