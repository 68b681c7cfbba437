"""Figures equal sacreBLEU's own; intervals are seeded, paired and quick."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensaku.evaluate  # noqa: F401  (registers the scorers)
from tensaku.errors import NotFound, UsageError
from tensaku.evaluate.checks import check_scorers
from tensaku.evaluate.scoring import (
    Texts,
    label_of,
    lower_is_better,
    measure_rows,
    score_rows,
)
from tensaku.plugins import scorers
from tensaku.resampling import resamples, swaps

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
    eps = {"scorer": "chrf", "smooth": "eps", "whitespace": True}
    for use in ({"scorer": "bleu", "tokenize": "char"}, {"scorer": "chrf"}, eps):
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


def test_families_are_drawn_and_exchanged_whole() -> None:
    families = ["a", "b", "a", "c", "b"]
    counts = resamples(5, 200, 3, families)
    assert np.array_equal(counts[:, 0], counts[:, 2])
    assert np.array_equal(counts[:, 1], counts[:, 4])
    assert ((counts[:, 0] + counts[:, 1] + counts[:, 3]) == 3).all()
    mask = swaps(5, 200, 3, families)
    assert np.array_equal(mask[:, 0], mask[:, 2])
    assert 0 < mask[:, 0].mean() < 1
    alone = [str(n) for n in range(5)]
    assert np.array_equal(resamples(5, 200, 3, alone), resamples(5, 200, 3))
    assert np.array_equal(swaps(5, 200, 3, alone), swaps(5, 200, 3))


def test_twenty_copies_of_one_opinion_are_one_opinion() -> None:
    """The exam of twenty families, each ten times over, tells no more than the exam of twenty pairs."""
    right = ["上昇した。" if n % 3 else "下落した。" for n in range(20)]
    wanted = ["上昇した。"] * 20
    few = Texts(wanted, right, wanted)
    many = Texts(wanted * 10, right * 10, wanted * 10, [str(n) for n in range(20)] * 10)
    blind = Texts(wanted * 10, right * 10, wanted * 10)
    widths = []
    for held in (few, many, blind):
        score = measure_rows("exact", scorers.build({"scorer": "exact"})(), {"a": held}, 1000, 1).scores["a"]
        widths.append((score.high or 0) - (score.low or 0))
    assert widths[0] == widths[1] > 2 * widths[2]


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


def wmt17(real_data: Callable[[str], Path]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((real_data("sacrebleu_wmt17") / "unit_cases.json").read_text(encoding="utf-8"))
    return found


def test_sacrebleus_cases_of_bleu(real_data: Callable[[str], Path]) -> None:
    """The cases have several references, which our texts do not: its counts of them go through our figure."""
    cases = wmt17(real_data)["bleu"]["test_corpus_bleu_cases"]
    seen = 0
    for outputs, references, args, expected in cases:
        smooth = args.get("smooth_method", "exp")
        scorer = scorers.build({"scorer": "bleu", "tokenize": args.get("tokenize", "13a"), "smooth": smooth})()
        counts = np.array(metrics.BLEU(**args)._extract_corpus_statistics(outputs, references), dtype=np.float64)
        assert float(scorer.figure(counts.sum(axis=0))) == pytest.approx(expected, abs=1e-6)
        seen += 1
    assert seen == len(cases)


def test_sacrebleus_cases_of_single_sentences(real_data: Callable[[str], Path]) -> None:
    """Every smoothing, with and without its value; the references of the second set share nothing with the output."""
    held = wmt17(real_data)["sentence_bleu"]
    for cases, output, reference in (("test_cases", "SYS", "REF"), ("test_cases_zero_bleu", "SYS_0", "REF_0")):
        for smooth, value, lowercase, tokenize, expected in held[cases]:
            use = {"scorer": "bleu", "tokenize": tokenize, "smooth": smooth, "effective_order": True}
            scorer = scorers.build(use if value is None else {**use, "smooth_value": value})()
            sides = [held[side].lower() if lowercase else held[side] for side in (output, reference)]
            sums = scorer.statistics(texts(sides[:1], sides[1:]))
            assert float(scorer.figure(sums)[0]) == pytest.approx(expected, abs=1e-3), (smooth, value, tokenize)


def test_sacrebleus_cases_of_short_outputs(real_data: Callable[[str], Path]) -> None:
    """Its raw_corpus_bleu: a floor of 0.01, and no longer runs of words than the output has."""
    held = wmt17(real_data)["bleu"]
    cases = [
        (*case[:2], case[2]) for name in ("test_raw_bleu_cases", "test_case_effective_order") for case in held[name]
    ]
    assert len(cases) == 6
    use = {"scorer": "bleu", "tokenize": "none", "smooth": "floor", "smooth_value": 0.01, "effective_order": True}
    for outputs, references, expected in cases:
        scorer, known = scorers.build(use)(), metrics.BLEU(tokenize="none", effective_order=True)
        counts = np.array(known._extract_corpus_statistics(outputs, references), dtype=np.float64)
        assert float(scorer.figure(counts.sum(axis=0))) == pytest.approx(100 * expected, abs=1e-4)


def test_sacrebleus_cases_of_sums(real_data: Callable[[str], Path]) -> None:
    scorer = scorers.build({"scorer": "bleu", "tokenize": "13a"})()
    for (held, output, reference), expected in wmt17(real_data)["bleu"]["test_case_scoring"]:
        sums = np.array([output, reference, *held["common"], *held["total"]], dtype=np.float64)
        assert float(scorer.figure(sums)) == pytest.approx(100 * expected, abs=1e-6)


def test_sacrebleus_cases_of_chrf(real_data: Callable[[str], Path]) -> None:
    """Both smoothings, with white space and without, and the single sentences."""
    held = wmt17(real_data)["chrf"]
    uses: dict[str, dict[str, Any]] = {
        "test_cases": {"beta": 3, "smooth": "eps"},
        "test_cases_effective_order": {"beta": 3},
        "test_cases_keep_whitespace": {"beta": 3, "whitespace": True},
        "test_sentence_level_chrf": {"smooth": "eps"},
    }
    assert set(uses) == set(held)
    for name, set_to in uses.items():
        for output, references, expected in held[name]:
            scorer = scorers.build({"scorer": "chrf", **set_to})()
            outputs = [output] if isinstance(output, str) else output
            sums = scorer.statistics(texts(outputs, references)).sum(axis=0)
            assert float(scorer.figure(sums)) == pytest.approx(expected, abs=1e-4), (name, output)


def test_every_case_of_bleu_is_reproduced(real_data: Callable[[str], Path]) -> None:
    """What the other tests leave: a floor of its default value, the counts, and counts of which nothing can come."""
    held = wmt17(real_data)["bleu"]
    reproduced = {"test_corpus_bleu_cases", "test_raw_bleu_cases", "test_case_effective_order", "test_case_scoring"}
    assert set(held) == reproduced | {"test_case_offset", "test_case_statistics", "test_case_degenerate_stats"}
    [(outputs, [references], expected, _)] = held["test_case_offset"]
    [(_, _, counts)] = held["test_case_statistics"]
    scorer = scorers.build({"scorer": "bleu", "tokenize": "none", "smooth": "floor"})()
    sums = scorer.statistics(texts(outputs, references)).sum(axis=0)
    assert float(scorer.figure(sums)) == pytest.approx(100 * expected, abs=1e-6)
    assert sums[2:].tolist() == [*counts["common"], *counts["total"]]
    for (stats, output, reference), floor, expected in held["test_case_degenerate_stats"]:
        scorer = scorers.build({"scorer": "bleu", "tokenize": "none", "smooth": "floor", "smooth_value": floor})()
        made = np.array([output, reference, *stats["common"], *stats["total"]], dtype=np.float64)
        assert float(scorer.figure(made)) == pytest.approx(expected, abs=1e-9)


def test_beta_is_told_in_the_signature() -> None:
    for set_to, told in (({}, ""), ({"beta": 3}, "|beta:3")):
        scorer = scorers.build({"scorer": "chrf", **set_to})()
        scorer.statistics(texts(OUTPUTS, REFERENCES))
        assert ("beta" in scorer.signature()) == bool(told)
        assert scorer.signature().endswith(told)
    with pytest.raises(UsageError, match="beta is 0"):
        scorers.build({"scorer": "chrf", "beta": 0})()


def test_sacrebleus_cases_of_ter(real_data: Callable[[str], Path]) -> None:
    cases = wmt17(real_data)["ter"]["test_cases"]
    for outputs, references, expected in cases:
        scorer = scorers.build({"scorer": "ter", "tokenize": "none"})()
        if not references[0]:  # without a letter there is no language to check
            references = [""]
            scorer.cut = "char"
        sums = scorer.statistics(texts(outputs, references)).sum(axis=0)
        assert float(scorer.figure(sums)) == pytest.approx(100 * expected, abs=1e-4)


def test_ter_by_hand() -> None:
    part = scorers.build({"scorer": "ter", "tokenize": "char"})
    rows = {"a": texts(["株価は上昇した", "円安円高債券"], ["株価は下落した", "債券円安円高"])}
    found = measure_rows("ter-char", part(), rows, 100, 1)
    # two of seven characters replaced; one run of two moved, of six
    assert found.single["a"].tolist() == pytest.approx([100 * 2 / 7, 100 / 6])
    assert found.scores["a"].value == pytest.approx(100 * 3 / 13)
    assert "words:char" in found.scores["a"].signature
    assert lower_is_better(part())


@pytest.mark.parametrize(
    ("use", "fix"),
    [
        ({"scorer": "bleu", "tokenize": "13a"}, "ja-mecab"),
        ({"scorer": "bleu", "tokenize": "intl"}, "ja-mecab"),
        ({"scorer": "bleu", "tokenize": "none"}, "ja-mecab"),
        ({"scorer": "ter", "tokenize": "13a"}, "ja-mecab"),
        ({"scorer": "chrf", "word_order": 2}, "word_order"),
    ],
)
def test_a_western_tokeniser_refuses_japanese(use: dict[str, Any], fix: str) -> None:
    with pytest.raises(UsageError, match="would mean nothing") as caught:
        scorers.build(use)().statistics(texts(OUTPUTS, REFERENCES))
    assert fix in str(caught.value)
    with pytest.raises(UsageError, match="would mean nothing"):
        check_scorers([use], "ja")
    check_scorers([use], "en")


def test_a_japanese_tokeniser_refuses_english_and_words_are_those_of_the_language() -> None:
    english = texts(["Stocks rose."], ["Stocks rose sharply."])
    with pytest.raises(UsageError, match="13a"):
        scorers.build({"scorer": "bleu", "tokenize": "ja-mecab"})().statistics(english)
    for held, cut in ((english, "tok:13a"), (texts(OUTPUTS, REFERENCES), "tok:ja-mecab")):
        scorer = scorers.build({"scorer": "bleu"})()
        scorer.statistics(held)
        assert cut in scorer.signature()


def test_bleu_of_japanese_cut_at_white_space_lies() -> None:
    """Why the refusal: one comma more, and at white space nothing is left of a nearly perfect text."""
    reference, output = "株式市場は海外投資家の買いから上昇した。", "株式市場は、海外投資家の買いから上昇した。"
    assert theirs("BLEU", [output], [reference], tokenize="13a") == 0
    assert theirs("BLEU", [output], [reference], tokenize="ja-mecab") > 70


def test_chance_agrees_with_sacrebleus_own_tests() -> None:
    """Approximate randomisation and paired bootstrap of sacreBLEU on the same texts, other random numbers."""
    from sacrebleu.significance import PairedTest

    rng = np.random.default_rng(5)
    references = [" ".join(rng.choice(list("abcdefghij"), 12)) for _ in range(60)]

    def spoilt(share: float) -> list[str]:
        return [" ".join(w if rng.random() > share else "x" for w in line.split()) for line in references]

    one, two = spoilt(0.20), spoilt(0.24)
    part = scorers.build({"scorer": "bleu", "tokenize": "13a"})
    measured = measure_rows("bleu", part(), {"draft": texts(one, references), "b": texts(two, references)}, 4000, 1)
    gain, score = measured.gain("b"), measured.scores["b"]
    named: list[tuple[str, Sequence[str]]] = [("draft", one), ("b", two)]
    for kind in ("ar", "bs"):
        bleu = metrics.BLEU(tokenize="13a", references=[references])
        _, found = PairedTest(named, {"BLEU": bleu}, None, test_type=kind, n_samples=4000)()
        second: Any = found["BLEU"][1]
        p = second.p_value
        if kind == "ar":
            assert 0.001 < p < 0.999
            assert gain.p_random == pytest.approx(p, abs=0.04)
        else:
            assert gain.low <= gain.value <= gain.high
            assert score.low is not None
            assert score.high is not None
            assert score.low == pytest.approx(second.mean - second.ci, abs=0.4)
            assert score.high == pytest.approx(second.mean + second.ci, abs=0.4)


def test_rows_that_are_equal_cannot_be_told_apart() -> None:
    part = scorers.build({"scorer": "bleu", "tokenize": "char"})
    rows = {"draft": texts(OUTPUTS, REFERENCES), "b": texts(OUTPUTS, REFERENCES)}
    gain = measure_rows("bleu-char", part(), rows, 200, 1).gain("b")
    assert (gain.value, gain.low, gain.high, gain.p_random) == (0, 0, 0, 1)
