"""What holds of every measure whatever the texts: identity, bounds, symmetry, and what must not make a difference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensaku.evaluate  # noqa: F401  (registers the scorers)
from tensaku import text
from tensaku.evaluate.agreement import cohen, krippendorff
from tensaku.evaluate.findings import find
from tensaku.evaluate.groups import holm
from tensaku.evaluate.judge import share, side_bias
from tensaku.evaluate.scoring import Texts, lower_is_better
from tensaku.evaluate.votes import Vote, win_rates
from tensaku.plugins import scorers
from tensaku.records import Pair

SENTENCES = [
    "株式市場は海外投資家の買いから3.2％上昇しました。",
    "債券利回りは0.15%低下（価格は上昇）した。",
    "円は対ドルで１５０円台に下落しました。",
    "当ファンドの基準価額は12,345円となった。",
    "今後も金融政策の動向を注視する方針です。",
    "同社株は売られなかった。",
]
LABELS = ["良い", "悪い", "中立"]
some_texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4).map("".join)
some_objects = st.dictionaries(st.sampled_from(["会社", "年", "値"]), st.integers(0, 3), max_size=3).map(json.dumps)
KINDS: dict[str, Any] = {
    "short": st.sampled_from(SENTENCES),
    "text": some_texts,
    "label": st.sampled_from(LABELS),
    "json": some_objects,
}
USES: list[tuple[dict[str, Any], str]] = [
    ({"scorer": "bleu"}, "text"), ({"scorer": "bleu", "tokenize": "char", "smooth": "none"}, "text"),
    ({"scorer": "chrf"}, "text"), ({"scorer": "chrf", "beta": 1}, "text"),
    ({"scorer": "chrf", "smooth": "eps"}, "text"),
    ({"scorer": "ter"}, "short"), ({"scorer": "edits"}, "text"), ({"scorer": "strokes"}, "text"),
    ({"scorer": "exact"}, "text"), ({"scorer": "f1", "labels": LABELS}, "label"),
    ({"scorer": "f1", "labels": LABELS, "average": "micro"}, "label"), ({"scorer": "fields"}, "json"),
]  # fmt: skip
NAMES = ["-".join(map(str, use.values())) for use, _ in USES]
Triples = list[tuple[str, str, str]]


def drawn(kind: str) -> st.SearchStrategy[Triples]:
    return st.lists(st.tuples(KINDS[kind], KINDS[kind], KINDS[kind]), min_size=1, max_size=5)


def figure(use: dict[str, Any], triples: Sequence[tuple[str, str, str]]) -> float:
    """The figure of (draft, output, reference) together."""
    scorer = scorers.build(use)()
    sums = scorer.statistics(Texts(*(list(side) for side in zip(*triples, strict=True))))
    assert sums.shape[0] == len(triples)
    return float(scorer.figure(sums.sum(axis=0)))


def test_no_scorer_is_left_out() -> None:
    assert {use["scorer"] for use, _ in USES} == {"bleu", "chrf", "ter", "edits", "strokes", "exact", "f1", "fields"}


@pytest.mark.parametrize(("use", "kind"), USES, ids=NAMES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_of_every_scorer(use: dict[str, Any], kind: str, data: st.DataObject) -> None:
    triples: Triples = data.draw(drawn(kind))
    scorer = scorers.build(use)()
    best, worst = (0.0, 100.0) if lower_is_better(scorer) else (100.0, 0.0)
    ideal = figure(use, [(draft, reference, reference) for draft, _, reference in triples])
    assert ideal == pytest.approx(best)  # identity
    value = figure(use, triples)
    assert 0 <= value <= (100 + 1e-9 if worst == 0 else np.inf)  # bounds
    assert value >= best - 1e-9 if worst else value <= best + 1e-9
    assert figure(use, triples[::-1]) == pytest.approx(value)  # the order of the exam
    if use["scorer"] != "bleu" or (use.get("smooth") == "none" and value > 0):  # smoothing knows its length
        assert figure(use, triples * 3) == pytest.approx(value)  # the exam three times
    whole = scorer.statistics(Texts(*(list(side) for side in zip(*triples, strict=True))))
    single = [scorer.statistics(Texts(*([held] for held in triple)))[0] for triple in triples]
    assert np.array_equal(whole, np.array(single))  # one output's counts are its own


@pytest.mark.parametrize("use", [{"scorer": "chrf", "beta": 1}, {"scorer": "exact"}], ids=["chrf", "exact"])
@settings(max_examples=25, deadline=None)
@given(triples=drawn("text"))
def test_who_is_the_reference_makes_no_difference_where_both_sides_count_alike(
    use: dict[str, Any], triples: Triples
) -> None:
    turned = [(draft, reference, output) for draft, output, reference in triples]
    assert figure(use, turned) == pytest.approx(figure(use, triples))


@settings(max_examples=25, deadline=None)
@given(drawn("json"), drawn("label"))
def test_fields_and_f1_are_symmetrical_too(objects: Triples, labels: Triples) -> None:
    for use, triples in (({"scorer": "fields"}, objects), ({"scorer": "f1", "labels": LABELS}, labels)):
        turned = [(draft, reference, output) for draft, output, reference in triples]
        assert figure(use, turned) == pytest.approx(figure(use, triples))


@settings(max_examples=25, deadline=None)
@given(some_texts, some_texts)
def test_of_facts_and_sentences(draft: str, final: str) -> None:
    pair = Pair("1", draft, final, manager="m", fund="f", section="market", as_of="2026-01", family="1")
    itself = find(pair, final, text.compare(draft, final, {}, as_of="2026-01"))
    assert itself.exact
    assert itself.whole
    assert not itself.reordered
    assert itself.edits.strokes == itself.edits.overdone == 0
    untouched = find(pair, draft, text.compare(draft, draft, {}, as_of="2026-01"))
    assert untouched.verdict.kept
    assert not untouched.fates
    assert untouched.edits.counts.made == untouched.edits.overdone == 0
    assert 0 <= itself.edits.alone <= len(draft)
    lost = {fate.what for fate in itself.fates}
    back = text.compare(final, draft, {}, as_of="2026-01")  # what one direction misses the other one adds
    assert {found.what for found in back.breaks} <= {"missing", "added"}
    assert bool(lost) == bool(back.breaks)


answers = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(answers)
def test_of_agreement(rated: list[tuple[str, str]]) -> None:
    one, two = [a for a, _ in rated], [b for _, b in rated]
    kappa, alpha = cohen(one, two), krippendorff(rated)
    assert kappa is None or -1 <= kappa <= 1
    assert alpha is None or -1 <= alpha <= 1
    assert cohen(two, one) == pytest.approx(kappa)  # who is who
    assert krippendorff([(b, a) for a, b in rated]) == pytest.approx(alpha)
    named = {"a": "左", "b": "右", "c": "引き分け"}
    assert cohen([named[a] for a in one], [named[b] for b in two]) == pytest.approx(kappa)  # what answers are called
    assert krippendorff([(named[a], named[b]) for a, b in rated]) == pytest.approx(alpha)
    assert cohen(one[::-1], two[::-1]) == pytest.approx(kappa)  # the order of the things
    assert cohen(one, one) in (1, None)
    assert krippendorff([(a, a) for a in one]) in (1, None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["left", "right", "tie"]), st.integers(0, 3)), min_size=1, max_size=12))
def test_of_votes_and_bias(said: list[tuple[Any, int]]) -> None:
    votes = [Vote("x", "y", winner, str(item), "j") for winner, item in said]
    turned = [vote._replace(left="y", right="x", winner=MIRROR[vote.winner]) for vote in votes]
    rates = win_rates(votes)
    assert rates == pytest.approx(win_rates(turned))  # the same opinions, the sides exchanged
    assert sum(rates.values()) == pytest.approx(1)
    left, right = side_bias(votes)["left"], side_bias(turned)["left"]
    assert left["n"] == right["n"]
    if left["n"]:
        assert left["share"] == pytest.approx(1 - right["share"])
    for k, n in ((0, 5), (5, 5), (left["k"], left["n"])):
        held = share(k, n)
        assert n == 0 or 0 <= held["low"] <= held["share"] + 1e-12 <= held["high"] + 2e-12 <= 1 + 2e-12


MIRROR: dict[str, Any] = {"left": "right", "right": "left", "tie": "tie"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_of_holm(values: list[float]) -> None:
    raised = holm({(str(n), ""): p for n, p in enumerate(values)})
    assert all(p <= raised[str(n), ""] <= 1 for n, p in enumerate(values))
    by_size = [raised[str(n), ""] for n in sorted(range(len(values)), key=lambda n: values[n])]
    assert by_size == sorted(by_size)
    assert min(raised.values()) == pytest.approx(min(1, len(values) * min(values)))
