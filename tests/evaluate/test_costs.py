"""What answers cost, worked out by hand; what is not told is never 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensaku.evaluate.costs import Costs, Price, costs_of, metered, place_of, wait_for_first
from tensaku.machine import peak_memory_mb
from tensaku.records import Usage
from tensaku.revise import DraftText, Job
from tensaku.store import Journal
from tensaku.testing import ScriptedEngine


def record(**values: object) -> dict[str, object]:
    return {"row": "tuned", "answered": 4, "first_token": 0.5, "memory_mb": 900.0, "joules": 40.0} | values


def test_by_hand() -> None:
    usage = [Usage(300, 100), Usage(500, 300)]
    price = Price(hour=360.0, million_read=200.0, million_written=1000.0)
    found = costs_of([record(), record(answered=1, joules=5.0, memory_mb=1000.0)], [2.0, 4.0], usage, price)
    assert found.seconds == 3.0
    assert found.first_token == 0.5
    assert found.memory_mb == 1000.0
    assert found.joules == pytest.approx(45 / 5)
    # 3 s at 0.1 yen a second; 400 tokens read, 200 written on average: 0.3 + 0.08 + 0.2 yen a comment
    assert found.yen_per_thousand == pytest.approx(580)


def test_what_is_not_told_is_none() -> None:
    silent = record(first_token=None, memory_mb=None, joules=None)
    assert costs_of([silent], [1.0], [Usage(1, 1)], Price()) == Costs(seconds=1.0)
    assert costs_of([], [], [], Price(hour=1.0)) == Costs()


def test_the_wait_for_the_first_token_is_measured_alone() -> None:
    engine = ScriptedEngine(lambda messages: "株価は上昇した。")
    drafts = [DraftText("株が上がった。", "f", "market", "2026-01")] * 3
    waited = wait_for_first(engine, Job("直す"), drafts)
    assert waited is not None
    assert 0 < waited < 1
    assert len(engine.requests) == 3
    assert wait_for_first(engine, Job("直す"), []) is None


def test_a_server_on_this_machine_is_not_elsewhere(tmp_path: Path) -> None:
    assert place_of({"engine": "native"}) == "here"
    for url in ("http://localhost:8000/v1", "http://127.0.0.1:1/v1", "http://[::1]:1/v1"):
        assert place_of({"engine": "openai", "url": url}) == "beside"
    assert place_of({"engine": "openai", "url": "https://models.example/v1"}) == "elsewhere"
    told = {}
    for place in ("here", "beside", "elsewhere"):
        with metered(tmp_path / f"{place}.jsonl", "row", place) as meter:
            meter.answered(Usage(10, 4, 2, 1), 0.5)
            meter.answered(Usage(20, 5, 3, 0), 0.25)
        [told[place]] = Journal(tmp_path / f"{place}.jsonl").read()
    assert told["here"]["memory_mb"] > 0
    # The peak is this process's alone; what is held counts processes it started too, another test's among them.
    assert 0 < told["here"]["peak_mb"] <= peak_memory_mb() + 1
    counted = [told["here"][name] for name in ("answered", "seconds", "prompt", "completion", "accepted", "rejected")]
    assert counted == [2, 0.75, 30, 9, 5, 1]
    assert told["beside"]["peak_mb"] is told["elsewhere"]["peak_mb"] is None
    assert told["beside"]["memory_mb"] is told["elsewhere"]["memory_mb"] is told["elsewhere"]["joules"] is None
    assert (told["beside"]["joules"] is None) == (told["here"]["joules"] is None)  # the same machine's processors
