"""Bradley-Terry against published abilities and rankings, ties against another program's figures, and by its nature."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.errors import DataError, UsageError
from tensaku.evaluate.bradley_terry import rank
from tensaku.evaluate.votes import Columns, Vote, read_votes, win_rates

RealData = Callable[[str], Path]
RAKUDA = Columns("model1_id", "model2_id", "score", item="question_id")
# evalica 0.4.2, newman(), centred, on rakuda's 1,200 reviews; its v is half of Davidson's factor
EVALICA = {
    "cyberagent/open-calm-7b": -0.078812, "gpt-3.5-turbo-0301:20230614": 2.530415,
    "izumi-lab/stormy-7b-10ep": -0.393358,
    "rinna/japanese-gpt-neox-3.6b": -0.753401, "rinna/japanese-gpt-neox-3.6b-instruction-ppo": -0.582705,
    "rinna/japanese-gpt-neox-3.6b-instruction-sft-v2": -0.722138,
}  # fmt: skip


def test_the_published_abilities_of_the_citations(real_data: RealData) -> None:
    folder = real_data("bradley_terry_ref")
    ballots = read_votes(folder / "citations.csv", Columns(winner="cited", loser="citing"))
    assert ballots.dropped == {"both candidates are the same": 4}
    found = rank(ballots.votes, reference="Biometrika")
    published = json.loads((folder / "published.json").read_text(encoding="utf-8"))["citations.csv"]["coef"]
    assert {one.name: one.strength for one in found.candidates} == pytest.approx(published, abs=5e-6)
    assert all(one.low <= one.strength <= one.high for one in found.candidates)
    held = {one.name: one for one in found.candidates}
    assert held["Biometrika"].low == held["Biometrika"].high == 0
    # the standard errors that BradleyTerry2 prints (Turner and Firth 2012, JSS 48(9))
    for name, error in (("JRSS-B", 0.07083), ("JASA", 0.06059), ("Comm Statist", 0.10255)):
        assert (held[name].high - held[name].low) / 2 / 1.959964 == pytest.approx(error, abs=2e-5)


def test_the_published_win_rates_and_order_of_rakuda(real_data: RealData) -> None:
    folder = real_data("rakuda") / "v1_gpt35_2023-06-28"
    votes = read_votes(folder / "reviews.jsonl", RAKUDA).votes
    published = json.loads((folder / "ranking.json").read_text(encoding="utf-8"))["ranking"]
    assert win_rates(votes) == {one["model_id"]: one["win_rate"] for one in published}
    for order in (False, True):
        found = rank(votes, order=order, resamples=20)
        assert found.order == [one["model_id"] for one in reversed(published)]
    assert found.ties == 45
    assert found.left is not None
    assert found.left[2] < 0  # that judge favoured what came second


def test_ties_as_another_program_has_them(real_data: RealData) -> None:
    votes = read_votes(real_data("rakuda") / "v1_gpt35_2023-06-28" / "reviews.jsonl", RAKUDA).votes
    found = rank(votes)
    assert {one.name: one.strength for one in found.candidates} == pytest.approx(EVALICA, abs=2e-6)
    assert found.tie == pytest.approx(2 * 0.04926375835290306, rel=1e-6)


def drawn(n: int, strengths: dict[str, float], tie: float, left: float, seed: int) -> list[Vote]:
    random = np.random.default_rng(seed)
    names, votes = list(strengths), []
    for item in range(n):
        one, two = random.choice(names, 2, replace=False)
        a, b = strengths[one], strengths[two]
        weights = np.array([np.exp(a + left), np.exp(b), tie * np.exp((a + b) / 2)])
        winner = ("left", "right", "tie")[random.choice(3, p=weights / weights.sum())]
        votes.append(Vote(str(one), str(two), winner, str(item)))  # type: ignore[arg-type]
    return votes


def test_it_finds_what_the_votes_were_drawn_from() -> None:
    true = {"a": 1.0, "b": 0.2, "c": -1.2}
    found = rank(drawn(20_000, true, tie=0.5, left=0.4, seed=3), order=True)
    assert {one.name: one.strength for one in found.candidates} == pytest.approx(true, abs=0.06)
    assert found.tie == pytest.approx(0.5, abs=0.03)
    assert found.left is not None
    assert found.left[1] < 0.4 < found.left[2]


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    true = {"a": 0.5, "b": 0.0, "c": -0.5}
    inside = 0
    for seed in range(60):
        found = rank(drawn(300, true, tie=0.3, left=0.0, seed=seed))
        inside += sum(one.low <= true[one.name] <= one.high for one in found.candidates)
    assert 0.90 <= inside / 180 <= 0.99


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from(("left", "right", "tie")))))
def test_by_its_nature(raw: list[tuple[str, str, str]]) -> None:
    votes = [Vote(a, b, w) for a, b, w in raw if a != b]  # type: ignore[arg-type]
    votes += [Vote("a", "b", "left"), Vote("b", "c", "tie"), Vote("c", "a", "right")]
    found = rank(votes, order=True)
    assert sum(one.strength for one in found.candidates) == pytest.approx(0, abs=1e-6)
    again = rank(list(reversed(votes)), order=True)
    assert [one.name for one in again.candidates] == found.order or found.bounded or len(set(win_rates(votes))) < 3
    doubled = rank([vote._replace(weight=2.0) for vote in votes])
    alone = rank(votes)
    if not alone.bounded:  # twice the votes: the same strengths, intervals narrower by the root of two
        for one, two in zip(alone.candidates, doubled.candidates, strict=True):
            assert two.strength == pytest.approx(one.strength, abs=1e-6)
            assert two.high - two.low == pytest.approx((one.high - one.low) / 2**0.5, rel=1e-4)


def test_who_won_everything_has_a_strength_all_the_same_and_it_is_told() -> None:
    found = rank([Vote("a", "b", "left")] * 5 + [Vote("b", "c", "left"), Vote("b", "c", "right")])
    assert found.bounded
    assert found.order[0] == "a"
    assert abs(found.candidates[0].strength) < 10
    assert rank([Vote("a", "b", "tie")] * 3).bounded  # nothing but ties


def test_where_one_always_stood_left_its_side_is_worth_nothing_by_itself() -> None:
    votes = [Vote("a", "b", "left")] * 6 + [Vote("a", "b", "right")] * 2
    found = rank(votes, order=True)
    assert found.left is None
    assert not found.bounded
    assert found.candidates[0].strength - found.candidates[1].strength == pytest.approx(np.log(3))


@pytest.mark.parametrize(
    ("votes", "reference", "what"),
    [
        ([], "", "there are no votes"),
        ([Vote("a", "b", "left"), Vote("c", "d", "tie")], "", "a, b and c, d were never compared"),
        ([Vote("a", "b", "left")], "x", "there is no candidate 'x'"),
    ],
)
def test_votes_that_cannot_be_ranked(votes: list[Vote], reference: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        rank(votes, reference=reference)


def test_lines_that_are_no_votes_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    rows = [
        "left,right,winner,count",
        "甲,乙,甲,",
        "甲,乙,左,2",
        "乙,甲,引き分け,",
        "甲,甲,tie,",
        "甲,乙,maybe,",
        ",乙,1,",
        "甲,乙,1,x",
    ]
    path.write_text("\n".join(rows), encoding="utf-8-sig")
    found = read_votes(path)
    assert [(vote.winner, vote.weight) for vote in found.votes] == [("left", 1.0), ("left", 2.0), ("tie", 1.0)]
    assert found.dropped == {
        "both candidates are the same": 1, "winner is neither of the two and no tie": 1,
        "a candidate has no name": 1, "count is no number": 1,
    }  # fmt: skip
    assert [line for line, _, _ in found.aside] == [5, 6, 7, 8]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("v.csv", "a,b\n1,2\n", "no column 'left'"),
        ("v.jsonl", "{\n", "line 1: this is no JSON"),
        ("v.jsonl", "[1]\n", "this is no object"),
        ("v.csv", "left,right,winner\na,a,tie\n", r"there is no vote in it \(1 both candidates are the same\)"),
        ("v.txt", "x", "no table of votes"),
    ],
)
def test_tables_that_hold_no_votes(tmp_path: Path, name: str, content: str, what: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=what):
        read_votes(tmp_path / name)


def test_the_command(cli: Callable[..., object], tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("left,right,winner,item\n" + "a,b,a,1\na,b,b,2\nb,a,tie,3\na,a,a,4\n", encoding="utf-8")
    shown = cli("rank", path, "--order")
    assert shown.code == 0, shown.err  # type: ignore[attr-defined]
    for words in ("Davidson 1970", "3 votes, 1 of them ties", "Not counted: 1 (both candidates are the same), line 5"):
        assert words in shown.out, words  # type: ignore[attr-defined]
    wrong = cli("rank", tmp_path / "gone.csv")
    assert wrong.code == 2  # type: ignore[attr-defined]
    assert "cannot be read" in wrong.err  # type: ignore[attr-defined]
