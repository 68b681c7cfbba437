"""Figures equal sacreBLEU's own; intervals are seeded, paired and quick."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensaku.evaluate  # noqa: F401  (registers the scorers)
from tensaku.errors import NotFound, UsageError
from tensaku.evaluate.scoring import Texts, label_of, resamples, score_rows
from tensaku.plugins import scorers

metrics: Any = pytest.importorskip("sacrebleu.metrics")

REFERENCES = ["株式市場は3.2%上昇しました。", "債券は横ばいでした。", "円安が進みました。今後も注視します。"]
OUTPUTS = ["株式市場は3.2％上昇した。", "債券は横ばいでした。", "円安。"]


def texts(outputs: list[str], references: list[str]) -> Texts:
    return Texts(outputs, outputs, references)


def theirs(name: str, outputs: list[str], references: list[str], **args: Any) -> float:
    return float(getattr(metrics, name)(**args).corpus_score(outputs, [references]).score)


@pytest.mark.parametrize(
    ("use", "name", "args"),
    [
        ({"scorer": "bleu"}, "BLEU", {"tokenize": "ja-mecab"}),
        ({"scorer": "bleu", "tokenize": "char"}, "BLEU", {"tokenize": "char"}),
        ({"scorer": "chrf"}, "CHRF", {}),
        ({"scorer": "chrf", "word_order": 2}, "CHRF", {"word_order": 2}),
    ],
)
def test_the_figure_is_sacrebleus_own(use: dict[str, Any], name: str, args: dict[str, Any]) -> None:
    part = scorers.build(use)
    scores, _, single = score_rows(label_of(part), part(), {"tuned": texts(OUTPUTS, REFERENCES)}, 100, 1)
    score = scores["tuned"]
    assert score.value == pytest.approx(theirs(name, OUTPUTS, REFERENCES, **args), abs=1e-9)
    assert score.signature.startswith("nrefs:1|")
    assert score.n == 3
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.value < score.high
    assert single["tuned"][1] == pytest.approx(100)


def test_ja_mecab_stands_in_the_signature() -> None:
    part = scorers.build({"scorer": "bleu"})
    scores, _, _ = score_rows("bleu", part(), {"tuned": texts(OUTPUTS, REFERENCES)}, 100, 1)
    assert "tok:ja-mecab" in scores["tuned"].signature


japanese = st.text(st.sampled_from("株式は上昇した。3%円 \n"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(japanese, japanese), min_size=1, max_size=6))
def test_our_figure_agrees_with_sacrebleu_on_anything(cells: list[tuple[str, str]]) -> None:
    outputs, references = [a for a, _ in cells], [b for _, b in cells]
    for use in ({"scorer": "bleu", "tokenize": "char"}, {"scorer": "chrf"}):
        scorer = scorers.build(use)()
        sums = scorer.statistics(texts(outputs, references))  # raises if the two disagree
        assert np.isfinite(scorer.figure(sums)).all()


def test_counts_are_checked_against_sacrebleus_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = scorers.build({"scorer": "bleu", "tokenize": "char"})()
    right = scorer.figure
    monkeypatch.setattr(scorer, "figure", lambda sums: right(sums[..., ::-1]))
    with pytest.raises(RuntimeError, match="is not supported"):
        scorer.statistics(texts(OUTPUTS, REFERENCES))


def test_the_resamples_are_seeded_and_draw_n_with_replacement() -> None:
    drawn = resamples(50, 200, 7)
    assert (drawn == resamples(50, 200, 7)).all()
    assert (drawn != resamples(50, 200, 8)).any()
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.max() > 1


def test_the_gain_is_paired_and_quick() -> None:
    rng = np.random.default_rng(3)
    references = ["".join(rng.choice(list("株式債券円安上昇下落した。"), 60)) for _ in range(100)]
    worse = [reference[:40] for reference in references]
    better = [reference[:45] for reference in references]
    part = scorers.build({"scorer": "bleu", "tokenize": "char"})
    rows = {"draft": Texts(worse, worse, references), "tuned": Texts(worse, better, references)}
    before = time.process_time()
    scores, (gain,), _ = score_rows("bleu-char", part(), rows, 1000, 1)
    assert time.process_time() - before < 2
    assert gain.value == pytest.approx(scores["tuned"].value - scores["draft"].value)
    assert gain.low <= gain.value <= gain.high
    assert gain.p == 0.0
    # Every output gained about the same, so the pair is far surer than either figure alone would say.
    alone = (scores["tuned"].high or 0) - (scores["tuned"].low or 0)
    assert gain.high - gain.low <= alone + 1.0


def test_rows_of_other_pairs_are_not_paired() -> None:
    rows = {"draft": texts(OUTPUTS, REFERENCES), "base": texts(OUTPUTS[:2], REFERENCES[:2])}
    _, gains, _ = score_rows("chrf", scorers.build({"scorer": "chrf"})(), rows, 100, 1)
    assert gains == []


def test_exact_counts_equal_texts() -> None:
    scores, _, _ = score_rows("exact", scorers.build({"scorer": "exact"})(), {"a": texts(OUTPUTS, REFERENCES)}, 100, 1)
    assert scores["a"].value == pytest.approx(100 / 3)


def test_unknown_scorers_and_settings_are_refused() -> None:
    with pytest.raises(NotFound, match="bleu"):
        scorers.build({"scorer": "blue"})
    with pytest.raises(UsageError, match="tokenize"):
        scorers.build({"scorer": "bleu", "tokenise": "char"})
