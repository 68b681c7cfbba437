"""The promotion gate over sealed evaluations, and what counts as given back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.govern.probe import given_back, personal_data
from tensaku.govern.promotion import Promoting, paired, preference, promotion, write_page
from tensaku.govern.said import _SENTENCES, Saying, told
from tensaku.store import Artifact, Bench, SourceFile, Store, stage

GAIN = {"row": "tuned", "over": "draft", "scorer": "chrf", "value": 9.0, "low": 7.0, "high": 11.0}


class Figures(Section):
    score: float = 80.0
    kept: float = 1.0
    style: int = 0
    seconds: float = 1.0
    low: float = 7.0
    exam: str = "a"
    each: int = 1
    """Drafts of one family."""
    apart: float = 1.0
    """How far outputs of one family lie apart from those of another."""


@stage(version=1)
def exam(bench: Bench, cfg: Figures) -> None:
    with (bench.path / "exam.jsonl").open("w", encoding="utf-8") as out:
        for n in range(60):
            out.write(json.dumps({"id": f"{n:03d}", "family": f"{cfg.exam}{n // cfg.each}"}) + "\n")


@stage(version=1)
def evaluate(bench: Bench, cfg: Figures, *, exam: Artifact) -> None:
    rng = np.random.default_rng(0)
    off = np.random.default_rng(1).normal(0, cfg.apart, 60) if cfg.each > 1 else np.zeros(60)
    with (bench.path / "outputs.jsonl").open("w", encoding="utf-8") as out:
        for n in range(60):
            row = {
                "scores": {"chrf": cfg.score + float(rng.normal()) + float(off[n // cfg.each])},
                "kept": n >= 60 * (1 - cfg.kept),
            }
            row |= {"style": [["rule", "x"]] * cfg.style, "seconds": cfg.seconds}
            out.write(json.dumps({"id": f"{n:03d}", "rows": {"tuned": row}}) + "\n")
    bench.facts.update(gains=[{**GAIN, "low": cfg.low}], lower_is_better=[])


class Found(Section):
    given_back: float = 0.0
    personal: int = 0


@stage(version=1)
def probe(bench: Bench, cfg: Found) -> None:
    (bench.path / "probe.jsonl").write_text("{}\n")
    bench.facts.update(n=20, given_back=cfg.given_back, given_back_base=0.0, personal=cfg.personal)


Asked = Callable[..., dict[str, Any]]


@pytest.fixture
def asked(store: Store) -> Asked:
    def make(found: Found | None = Found(), champion: Figures | None = Figures(), **ours: Any) -> dict[str, Any]:  # noqa: B008
        def measured(cfg: Figures) -> Artifact:
            return store.run(evaluate, cfg, exam=store.run(exam, Figures(exam=cfg.exam, each=cfg.each)))

        inputs = {"challenger": (held := measured(Figures(**ours))), "evaluation": held}
        if found is not None:
            inputs["probe"] = store.run(probe, found)
        if champion is not None:
            inputs["champion"] = measured(champion)
        inputs["exam"] = store.get(held.inputs["exam"])
        made = store.run(promotion, Promoting(), **inputs)
        assert "昇格判定" in made.file("promotion.html").read_text(encoding="utf-8")
        assert store.verify(made.ref) == []
        return dict(made.facts)

    return make


def test_one_as_good_passes(asked: Asked) -> None:
    assert asked(score=80.5)["passed"] is True
    assert asked(champion=None)["passed"] is True  # the first needs no champion


@pytest.mark.parametrize(
    ("ours", "failed"),
    [
        ({"score": 78.0}, ["champion"]),
        ({"kept": 0.9}, ["facts", "facts-champion"]),
        ({"style": 1}, ["style"]),
        ({"seconds": 2.0}, ["latency"]),
        ({"low": -0.5}, ["draft"]),
        ({"found": Found(given_back=0.3)}, ["memorisation"]),
        ({"found": Found(personal=1)}, ["memorisation"]),
        ({"found": None}, ["memorisation"]),
    ],
)
def test_each_test_can_fail_and_is_named(asked: Asked, ours: dict[str, Any], failed: list[str]) -> None:
    found = asked(**ours)
    assert (found["passed"], found["failed"]) == (False, failed)


VOTES = [("ours", "theirs", "left"), ("theirs", "ours", "tie"), ("theirs", "ours", "right")]


def voted(n: int, pattern: list[tuple[str, str, str]] = VOTES) -> list[dict[str, str]]:
    rows = [pattern[number % len(pattern)] for number in range(n)]
    return [dict(zip(("left", "right", "winner"), row, strict=True), item=f"{n}") for n, row in enumerate(rows)]


def test_judge_and_readers_are_asked_where_the_rules_say_so() -> None:
    rules = Promoting(judge=True, readers=12, other="theirs")

    def told(
        name: str, votes: list[dict[str, str]], alone: bool = False, differing: int | None = None
    ) -> tuple[bool | None, str]:
        found = preference(name, rules, votes, "ours", alone=alone, differing=differing)
        return found.passed, str(found.measured)

    assert told("judge", voted(30))[0] is True
    assert told("judge", []) == (False, "not asked")
    assert told("readers", voted(9)) == (False, "read 9 drafts of 12")
    assert told("readers", voted(12))[0] is True
    lost = [("ours", "theirs", "right"), ("theirs", "ours", "left")]
    passed, measured = told("readers", voted(12, lost))
    assert (passed, measured) == (False, "preferred 0.00 [0.00, 0.00] in 12 drafts against theirs")
    even = [("ours", "theirs", "tie")]
    assert told("readers", voted(12, even))[0] is True  # as good as the champion is enough
    assert told("readers", voted(12, even), alone=True)[0] is False  # as good as the draft is not
    assert told("judge", [{**vote, "left": "another"} for vote in voted(30)]) == (False, "not asked")
    assert told("readers", voted(9), differing=9)[0] is True  # what both wrote alike needs no reader
    assert told("readers", [], differing=0) == (True, "both wrote the same")
    assert told("judge", [], alone=True, differing=0) == (False, "both wrote the same")  # as the draft: nothing won


def test_the_gate_asks_them_and_says_why(store: Store, tmp_path: Path) -> None:
    held = store.run(evaluate, Figures(), exam=store.run(exam, Figures()))
    probed = store.run(probe, Found())
    rules = Promoting(readers=3, other="draft", changes=({"part": "base", "name": "", "before": "a", "after": "b",
                      "material": True, "share": None},))  # fmt: skip
    for n, passed in ((2, False), (3, True)):
        votes = [{"left": held.ref, "right": "draft", "winner": "left", "item": f"{k}", "by": "endo"} for k in range(n)]
        path = tmp_path / f"votes-{n}.jsonl"
        path.write_text("".join(json.dumps(vote) + "\n" for vote in votes), encoding="utf-8")
        made = store.run(promotion, rules, challenger=held, evaluation=held, probe=probed, read=SourceFile(path))
        assert (made.facts["passed"], made.facts["failed"]) == (passed, [] if passed else ["readers"])
        page = made.file("promotion.html").read_text(encoding="utf-8")
        assert (">不合格の理由" in page, ">合格の理由" in page) == (not passed, passed)
        assert "現行からの変更" in page
        if not passed:
            assert "3 件のうち 2 件しか読まれていない" in page


def test_different_exams_are_refused(asked: Asked) -> None:
    with pytest.raises(UsageError, match="of different exams"):
        asked(exam="b")


def test_the_interval_of_a_paired_difference() -> None:
    rng = np.random.default_rng(1)
    hard = rng.normal(50, 20, 200)  # how hard each draft is weighs on both alike and must not widen the interval
    value, low, high = paired((hard + rng.normal(1, 1, 200)).tolist(), hard.tolist(), 1000, 0)
    assert low < value < high
    assert 0.7 < low < 1.0 < high < 1.3


def sealed(made: Artifact) -> dict[str, dict[str, Any]]:
    """The tests of a sealed gate by name."""
    tests = json.loads(made.file("promotion.json").read_text(encoding="utf-8"))["tests"]
    return {test["name"]: test for test in tests}


def by_hand(difference: list[float], families: list[str], times: int, seed: int) -> tuple[float, float]:
    """The interval in the plainest way: draw names of families, gather their pairs, take the mean."""
    names = list(dict.fromkeys(families))
    drawn = np.random.default_rng(seed).integers(0, len(names), size=(times, len(names)))
    means = []
    for draw in drawn:
        held = [value for name in draw for value, own in zip(difference, families, strict=True) if own == names[name]]
        means.append(sum(held) / len(held))
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def test_families_are_drawn_whole() -> None:
    """Held against the plainest computation, with families of unequal size that do not lie together."""
    rng = np.random.default_rng(7)
    sizes = [1, 1, 2, 3, 5, 8, 13]
    families = [f"f{n}" for n, size in enumerate(sizes) for _ in range(size)]
    families = [families[n] for n in rng.permutation(len(families))]
    ours, theirs = rng.normal(0, 1, 33).tolist(), rng.normal(0, 1, 33).tolist()
    value, low, high = paired(ours, theirs, 400, 3, families)
    assert value == pytest.approx(float(np.mean(np.subtract(ours, theirs))))
    assert (low, high) == pytest.approx(by_hand(np.subtract(ours, theirs).tolist(), families, 400, 3))


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=2, max_size=20),
    st.integers(2, 6),
    st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_pairs_said_several_times_say_no_more(pairs: list[tuple[float, float]], copies: int, seed: int) -> None:
    """A family of the same pair over and over counts as one: the interval is that of the pairs once, to the last place.

    Drawn pair by pair it would shrink with the root of the copies.
    """
    ours, theirs = (list(side) for side in zip(*pairs, strict=True))
    names = [str(n) for n in range(len(pairs)) for _ in range(copies)]
    once = paired(ours, theirs, 200, seed)
    often = paired(
        [x for x in ours for _ in range(copies)], [x for x in theirs for _ in range(copies)], 200, seed, names
    )
    assert tuple(often) == pytest.approx(tuple(once), abs=1e-9)


def test_of_one_family_there_is_no_interval_and_no_yes() -> None:
    found = paired([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], 100, 0, ["a", "a", "a"])
    assert found.values == {"value": 2.0, "low": None, "high": None}
    assert not found.low >= -100.0
    votes = voted(12, [("ours", "theirs", "left")])
    rules = Promoting(judge=True, other="theirs")
    whole = preference("judge", rules, votes, "ours", alone=False, families=dict.fromkeys(map(str, range(12)), "a"))
    assert (whole.passed, str(whole.measured)) == (False, "preferred 1.00 [–, –] in 12 drafts against theirs")


def test_the_gate_draws_the_families_of_the_exam(asked: Asked, store: Store) -> None:
    """Five families of twelve that go up or down together: one by one the gate would be sure, by family it is not."""
    alone = asked(score=79.6, champion=Figures(each=1))
    together = asked(score=79.6, each=12, apart=1.5, champion=Figures(each=12, apart=0.0))
    assert alone["passed"]
    assert together["failed"] == ["champion"]
    ranges = [
        next(
            test for test in json.loads(made.file("promotion.json").read_text())["tests"] if test["name"] == "champion"
        )
        for made in store.list("promotion")
    ]
    widths = sorted(one["measured"]["values"]["high"] - one["measured"]["values"]["low"] for one in ranges)
    assert widths[1] > 2 * widths[0]


def test_values_are_sealed_and_worded_in_both_languages(asked: Asked, store: Store) -> None:
    asked(score=78.0, seconds=2.0)
    (made,) = store.list("promotion")
    tests = {
        test["name"]: test for test in json.loads(made.file("promotion.json").read_text(encoding="utf-8"))["tests"]
    }
    assert set(tests["champion"]) == {"name", "passed", "measured", "wanted"}
    measured = tests["champion"]["measured"]
    assert measured["say"] == "difference"
    assert measured["values"]["value"] == pytest.approx(-2.0, abs=0.5)
    assert tests["champion"]["wanted"] == {"say": "lower-end", "values": {"bound": -1.0}}
    assert told(tests["latency"]["measured"], japanese=True) == "1 件 2.000 秒、現行の 2.00 倍"
    page = made.file("promotion.html").read_text(encoding="utf-8")
    for text in (
        "1 件 2.000 秒、現行の 2.00 倍",
        "2.000 s an answer, 2.00 times the champion",
        "区間の下端が -1.00 以上",
    ):
        assert text in page, text
    assert not re.search(r"at (least|most)[^<]*</td>", page.replace("<small>", "\0").split("\0")[0])


@pytest.mark.parametrize("name", sorted(_SENTENCES))
def test_every_sentence_has_the_same_figures_in_both_languages(name: str) -> None:
    japanese, english = (re.findall(r"{(\w+)[^}]*}", text) for text in _SENTENCES[name])
    extra = {"other"} if name == "preferred" else set()
    assert set(japanese) | extra == set(english) | extra
    held = dict.fromkeys(set(japanese) | set(english), 0.25) | {"scorer": "chrf", "other": "release-1"}
    said = Saying(name, held)
    assert (said.told(japanese=False), told({"say": name, "values": held}, japanese=True)) == (
        str(said),
        said.told(japanese=True),
    )
    if str(said) != said.told(japanese=True):
        assert told(str(said), japanese=True) != str(said) or name == "a-comparison", "sealed before, told still"


OLD = [
    ("draft", "原稿のままより良い", True, "chrf +9.00 [+7.00, +11.00]", "an interval that does not reach 0"),
    ("style", "文体", False, "breaches an output +1.000 [+0.900, +1.100]", "at most +0.05"),
    ("latency", "応答時間", True, "1.000 s an answer, 1.00 times the champion's", "at most 1.25 times"),
    ("readers", "目隠しの読み手", False, "read 9 drafts of 12", "12 drafts read, lower end above 0.50"),
]


def test_what_was_sealed_as_sentences_is_still_read() -> None:
    names = ("name", "japanese", "passed", "measured", "wanted")
    tests = [{**dict(zip(names, row, strict=True)), "why": ""} for row in OLD]
    page = write_page({"passed": False, "challenger": "release-1", "champion": "", "tests": tests, "changes": []})
    for text in (
        "違反の差 +1.000",
        "区間が 0 に達しない",
        "現行の 1.25 倍以下",
        "区間の下端が 0.50 を超える",
        "目隠しの読み手",
    ):
        assert text in page, text
    assert "read 9 drafts of 12" in page
    assert told("12 件の独自の規則", japanese=True) == "12 件の独自の規則"  # a house's own words
    assert told({"say": "of-a-later-version", "values": {"n": 3}}, japanese=True) == "of-a-later-version, n 3"


def test_what_counts_as_given_back() -> None:
    final = "当ファンドの騰落率は-2.1%となり、ベンチマークの-1.9%を0.2ポイント下回った。"
    assert given_back(final, final, "") == len(final)
    assert given_back(final, final, final) == 0
    assert given_back("別の文である。", final, "") < 6
    assert given_back(final, final, final[:20]) == len(final) - 20
    assert personal_data("連絡先は taro@example.co.jp、03-1234-5678。", "") == ["taro@example.co.jp", "03-1234-5678"]
    assert personal_data("03-1234-5678", "電話 03-1234-5678") == []
    assert personal_data("前月比3.2%、日経平均株価は38,915円", "") == []
