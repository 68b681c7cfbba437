"""The promotion gate over sealed evaluations, and what counts as given back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.govern.probe import given_back, personal_data
from tensaku.govern.promotion import Promoting, paired, preference, promotion
from tensaku.govern.said import in_japanese
from tensaku.store import Artifact, Bench, SourceFile, Store, stage

GAIN = {"row": "tuned", "over": "draft", "scorer": "chrf", "value": 9.0, "low": 7.0, "high": 11.0}


class Figures(Section):
    score: float = 80.0
    kept: float = 1.0
    style: int = 0
    seconds: float = 1.0
    low: float = 7.0
    exam: str = "a"


@stage(version=1)
def exam(bench: Bench, cfg: Figures) -> None:
    (bench.path / "exam.jsonl").write_text(cfg.exam)


@stage(version=1)
def evaluate(bench: Bench, cfg: Figures, *, exam: Artifact) -> None:
    rng = np.random.default_rng(0)
    with (bench.path / "outputs.jsonl").open("w", encoding="utf-8") as out:
        for n in range(60):
            row = {"scores": {"chrf": cfg.score + float(rng.normal())}, "kept": n >= 60 * (1 - cfg.kept)}
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
            return store.run(evaluate, cfg, exam=store.run(exam, Figures(exam=cfg.exam)))

        inputs = {"challenger": (held := measured(Figures(**ours))), "evaluation": held}
        if found is not None:
            inputs["probe"] = store.run(probe, found)
        if champion is not None:
            inputs["champion"] = measured(champion)
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
        found = preference(name, "", rules, votes, "ours", alone=alone, differing=differing)
        return found.passed, found.measured

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
    assert "3 件のうち 2 件しか読まれていない" in in_japanese("read 2 drafts of 3")


def test_different_exams_are_refused(asked: Asked) -> None:
    with pytest.raises(UsageError, match="of different exams"):
        asked(exam="b")


def test_the_interval_of_a_paired_difference() -> None:
    rng = np.random.default_rng(1)
    hard = rng.normal(50, 20, 200)  # how hard each draft is weighs on both alike and must not widen the interval
    value, low, high = paired((hard + rng.normal(1, 1, 200)).tolist(), hard.tolist(), 1000, 0)
    assert low < value < high
    assert 0.7 < low < 1.0 < high < 1.3


def test_what_counts_as_given_back() -> None:
    final = "当ファンドの騰落率は-2.1%となり、ベンチマークの-1.9%を0.2ポイント下回った。"
    assert given_back(final, final, "") == len(final)
    assert given_back(final, final, final) == 0
    assert given_back("別の文である。", final, "") < 6
    assert given_back(final, final, final[:20]) == len(final) - 20
    assert personal_data("連絡先は taro@example.co.jp、03-1234-5678。", "") == ["taro@example.co.jp", "03-1234-5678"]
    assert personal_data("03-1234-5678", "電話 03-1234-5678") == []
    assert personal_data("前月比3.2%、日経平均株価は38,915円", "") == []
