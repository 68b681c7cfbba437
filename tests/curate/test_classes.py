"""What the small classifier is asked: quality, labels, domains; nothing is judged by what was learnt from itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.curate.test_steps import reasons, walk

from tensaku.curate.classifier import Classifier, fold_of
from tensaku.errors import DataError, UsageError
from tensaku.records import Pair
from tensaku.sampledesk import folder


@pytest.fixture(scope="module")
def pool() -> list[Pair]:
    read = (folder() / "pairs.jsonl").read_text(encoding="utf-8").splitlines()[:400]
    return [Pair(**json.loads(line), source=f"pairs.jsonl:{number}") for number, line in enumerate(read, 1)]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_classifier_learns_the_same_twice_and_is_sure_of_what_it_saw(pool: list[Pair]) -> None:
    names = ("market", "performance", "outlook")
    texts, classes = [pair.final for pair in pool], [names.index(pair.section) for pair in pool]
    one, two = (Classifier(texts[:300], classes[:300], names) for _ in range(2))
    shares = one.shares(texts[300:])
    assert (shares == two.shares(texts[300:])).all()
    assert shares.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (shares.argmax(axis=1) == classes[300:]).mean() > 0.97
    assert one.shares([]).shape == (0, 3)
    assert one.shares([""]).shape == (1, 3)


def test_finals_that_read_like_drafts_are_of_low_quality(pool: list[Pair]) -> None:
    rows = [*pool]
    for place in range(0, 400, 40):
        rows[place] = replace(rows[place], final=rows[place + 1].draft)
    kept, dropped, tally = walk("quality", rows, least=0.3)
    spoilt = {rows[place].source for place in range(0, 400, 40)}
    found = {drop.source for drop in dropped}
    assert {drop.reason for drop in dropped} == {"low-quality"}
    assert len(found & spoilt) >= 9
    assert len(found - spoilt) <= 4
    assert len(kept) + len(dropped) == 400
    assert sum(tally.values()) == 400


def test_quality_learns_from_decisions_and_says_when_it_cannot(pool: list[Pair], tmp_path: Path) -> None:
    saved = [{"revision": pair.draft, "final": pair.final} for pair in pool]
    few = pool[:20]
    with pytest.raises(UsageError, match="20 accepted texts"):
        walk("quality", few)
    kept, dropped, _ = walk("quality", few, accepts=str(lines(tmp_path / "decisions.jsonl", saved)))
    assert (len(kept), len(dropped)) == (20, 0)
    with pytest.raises(UsageError, match="no such file"):
        walk("quality", few, accepts=str(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match="line 1"):
        walk("quality", few, accepts=str(lines(tmp_path / "wrong.jsonl", [{"text": "文", "accepted": "yes"}])))


def test_unknown_labels_are_filled_in_and_wrong_ones_found(pool: list[Pair]) -> None:
    rows = [*pool]
    for place in range(0, 400, 50):
        rows[place] = replace(rows[place], section="不明")
    wrong = rows[7]
    rows[7] = replace(wrong, section="outlook" if wrong.section != "outlook" else "market")
    kept, dropped, tally = walk("labels", rows, doubt="drop")
    assert reasons(dropped) == [("unlikely-label", wrong.source)]
    by_source = {pair.source: pair.section for pair in kept}
    filled = [by_source[pool[place].source] == pool[place].section for place in range(0, 400, 50)]
    assert filled == [True] * 8
    assert tally == {"section filled in": 8, "section in doubt": 1}
    with pytest.raises(UsageError, match="the pool knows 1 section"):
        walk("labels", [pair for pair in pool if pair.section == "market"])


def test_domains_are_counted_and_kept(pool: list[Pair], tmp_path: Path) -> None:
    told = [{"text": pair.final, "domain": pair.section} for pair in pool[200:]]
    examples = str(lines(tmp_path / "domains.jsonl", told))
    kept, dropped, tally = walk("domain", pool[:200], examples=examples, keep=["market"])
    assert {pair.section for pair in kept} == {"market"}
    assert {drop.reason for drop in dropped} == {"other-domain"}
    assert tally["finals about market"] == len(kept)
    with pytest.raises(UsageError, match="no example is of the domain '株式'"):
        walk("domain", pool[:5], examples=examples, keep=["株式"])
    with pytest.raises(DataError, match="two are needed"):
        walk("domain", pool[:5], examples=str(lines(tmp_path / "one.jsonl", told[:1])))


def test_folds_are_the_same_everywhere() -> None:
    assert [fold_of(key, 5) for key in ("a", "b", "家族", "")] == [0, 1, 0, 0]
    assert len({fold_of(f"family-{n}", 5) for n in range(100)}) == 5
