"""What a candidate's text shows of a question, and the weights by which it counts."""

from __future__ import annotations

import numpy as np
import pytest

from tensaku.retrieve import rank
from tensaku.retrieve.evidence import EVIDENCE, evidence
from tensaku.retrieve.rank import FEATURES, rerank, sureness, wanted
from tensaku.retrieve.words import Synonyms, asked

QUESTION = "2015年に設立された港投資の本社はどこですか"


def looked(text: str, *, headings: tuple[str, ...] = (), question: str = QUESTION, **more: float) -> dict[str, float]:
    sentences, at = [], 0
    for piece in text.split("。")[:-1]:
        sentences.append([at, at + len(piece) + 1])
        at += len(piece) + 1
    told = asked(question, Synonyms([["本社", "本店"]]) if more else None)
    record = {"text": text, "headings": list(headings), "clause": "", "sentences": sentences}
    return dict(zip(EVIDENCE, evidence(told, [1.0] * len(told.words), [record])[0].tolist(), strict=True))


def test_words_that_meet_in_one_sentence_count_more_than_words_apart() -> None:
    together = looked("港投資は2015年に設立され、本社は横浜にある。社員は9人である。")
    apart = looked("港投資の社員は9人である。2015年に設立された。取引は多い。本社は横浜にある。")
    assert together["tight"] == together["rarest"] == 1.0
    assert apart["tight"] < apart["tight2"] < 1.0
    assert apart["rarest"] == 1.0
    assert looked("社員は9人である。")["rarest"] == 0.0
    whole = looked("2015年に設立された港投資の本社はどこですかと聞く。")
    assert whole["threes"] == whole["fives"] == 1.0
    assert 0 < together["fives"] < together["threes"] < 1.0


def test_headings_numbers_and_what_is_asked_for() -> None:
    assert looked("本社は横浜にある。", headings=("港投資",))["headed"] > 0
    assert looked("本社は横浜にある。")["headed"] == 0
    assert looked("2015年に設立された。")["numbers"] == 1.0
    assert looked("2016年に設立された。")["numbers"] == 0.0
    asks = "港投資はいつ設立されましたか"
    near = looked("港投資は2015年に設立された。社員は多い。", question=asks)
    far = looked("港投資は設立された。1998年は雨が多い。", question=asks)
    assert (near["fitting"], near["fits_near"], near["numbers"]) == (1.0, 1.0, 1.0)
    assert (far["fitting"], far["fits_near"]) == (1.0, 0.0)
    assert (wanted(asks) is None, wanted("理由は何か")) == (False, None)


def test_a_form_of_the_term_list_stands_for_the_word() -> None:
    text = "港投資は2015年に設立され、本店は横浜にある。"
    assert looked(text, synonyms=1)["tight"] == 1.0
    assert looked(text)["tight"] < 1.0


def test_nothing_to_go_by() -> None:
    found = looked("", question="？？")
    assert all(np.isfinite(list(found.values())))
    assert evidence(asked("何"), [], []).shape == (0, len(EVIDENCE))


def test_what_was_learnt_points_the_right_way() -> None:
    good = np.full((1, len(FEATURES)), 0.9, np.float32)
    good[0, FEATURES.index("length")] = 0.3
    poor = good.copy()
    for name in ("covered", "tight", "tight2", "threes", "fives", "words", "pairs", "rarest", "numbers"):
        poor[0, FEATURES.index(name)] = 0.2
    for name in ("near", "about", "second"):
        poor[0, FEATURES.index(name)] = 0.8
    for vectors in (True, False):
        scores, sure = rerank(np.concatenate([poor, good]), vectors), sureness(np.concatenate([poor, good]), vectors)
        assert scores[1] > scores[0]
        assert 0 <= sure[0] < 0.5 < sure[1] <= 1
    assert len(rerank(good[:0], True)) == 0


def test_weights_of_other_figures_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank, "FEATURES", (*FEATURES, "more"))
    rank._nets.cache_clear()
    with pytest.raises(AssertionError, match="learn it anew"):
        rank._nets()
    monkeypatch.undo()
    rank._nets.cache_clear()
