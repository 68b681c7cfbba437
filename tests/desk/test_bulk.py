"""Asking in bulk: everything once, whatever happens to the server meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tensaku.desk.bulk import BulkWorker
from tensaku.errors import EngineError
from tensaku.ledger import Ledger, NewDraft
from tensaku.records import Message
from tensaku.revise import Job
from tensaku.testing import ScriptedEngine

JOB = Job("直してください。", None)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        opened.add_person("sato", "佐藤", ("writer",))
        yield opened


def drafts(ledger: Ledger, n: int) -> list[int]:
    return [
        ledger.add_draft(NewDraft(f"原稿{i}番は上昇した。", "青葉", f"F{i}", "market", "2026-10", "sample", str(i))).id
        for i in range(n)
    ]


def until(done: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def test_every_draft_is_asked_about_once(ledger: Ledger) -> None:
    asked: Counter[str] = Counter()

    def answer(messages: tuple[Message, ...]) -> str:
        asked[messages[-1].content.split("番")[0][-3:]] += 1
        return "上昇しました。"

    ids = drafts(ledger, 12)
    assert ledger.add_bulk(ids[:8], "sato") is not None
    second = ledger.add_bulk(ids, "sato")
    assert second is not None
    assert second.total == 4, "those that wait in another bulk are left out"
    assert ledger.add_bulk(ids, "sato") is None
    engine = ScriptedEngine(answer)
    worker = BulkWorker(ledger, lambda by: (engine, JOB))
    worker.begin()
    try:
        until(lambda: all(bulk.ended for bulk in ledger.bulks(9)))
    finally:
        worker.close()
    assert set(asked.values()) == {1}
    assert [len(ledger.revisions(id)) for id in ids] == [1] * 12
    assert {r.by for id in ids for r in ledger.revisions(id)} == {"sato"}
    assert [(b.done, b.failed, b.total) for b in ledger.bulks(9)] == [(4, 0, 4), (8, 0, 8)]
    assert ledger.verify_records() == []


def test_what_the_desk_asked_meanwhile_is_left_out_and_the_rest_may_be_cancelled(ledger: Ledger) -> None:
    ids = drafts(ledger, 3)
    bulk = ledger.add_bulk(ids, "sato")
    assert bulk is not None
    ledger.save_final(ids[0], "原稿0番は上昇した。", "sato")
    engine = ScriptedEngine(lambda _: "上昇しました。")
    worker = BulkWorker(ledger, lambda by: (engine, JOB))
    assert worker._one()
    assert ledger.revisions(ids[0]) == []
    ledger.cancel_bulk(bulk.id, "sato")
    assert not worker._one()
    (held,) = ledger.bulks()
    assert (held.cancelled, held.waiting, held.ended is not None) == (3, 0, True)


@pytest.mark.parametrize("taken", ["fund", "role", "account"])
def test_nothing_is_asked_in_the_name_of_somebody_whose_right_was_taken_away(ledger: Ledger, taken: str) -> None:
    (id,) = drafts(ledger, 1)
    assert ledger.add_bulk([id], "sato") is not None
    if taken == "fund":
        ledger.set_scopes("sato", ["fund:別"])
    elif taken == "role":
        ledger.set_roles("sato", ["auditor"])
    else:
        ledger.set_active("sato", False)
    engine = ScriptedEngine(lambda _: pytest.fail("the model was asked"))
    assert BulkWorker(ledger, lambda by: (engine, JOB))._one()
    (held,) = ledger.bulks()
    assert (held.failed, held.ended is not None) == (1, True)
    assert "'sato'" in held.fault
    assert ledger.revisions(id) == []


def test_a_failing_model_is_asked_again_and_then_named(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, tries = drafts(ledger, 2), Counter[str]()

    def answer(messages: tuple[Message, ...]) -> str:
        name = "a" if "原稿0" in messages[-1].content else "b"
        tries[name] += 1
        if name == "b" or tries["a"] == 1:
            raise EngineError("the model is away", retryable=True)
        return "上昇しました。"

    engine = ScriptedEngine(answer)
    worker = BulkWorker(ledger, lambda by: (engine, JOB))
    monkeypatch.setattr(worker._ended, "wait", lambda _: False)
    ledger.add_bulk(ids, "sato")
    while worker._one():
        pass
    assert tries == {"a": 2, "b": 3}
    (bulk,) = ledger.bulks()
    assert (bulk.done, bulk.failed, bulk.fault) == (1, 1, "the model is away")


def test_who_left_meanwhile_has_nothing_written_in_their_name(ledger: Ledger) -> None:
    (id,) = drafts(ledger, 1)
    ledger.add_bulk([id], "sato")
    ledger.set_active("sato", False)
    engine = ScriptedEngine(lambda _: "上昇しました。")
    assert BulkWorker(ledger, lambda by: (engine, JOB))._one()
    assert ledger.revisions(id) == []
    assert ledger.bulks()[0].failed == 1


SERVER = """
import json, sys, time
from tensaku.desk.bulk import BulkWorker
from tensaku.ledger import Ledger
from tensaku.revise import Job
from tensaku.testing import ScriptedEngine

log = open(sys.argv[2], "a")
def answer(messages):
    log.write(messages[-1].content.split("番")[0].split("原稿")[-1] + "\\n")
    log.flush()
    return "上昇しました。"
with Ledger.open(sys.argv[1]) as ledger:
    worker = BulkWorker(ledger, lambda by: (ScriptedEngine(answer, delay=0.001), Job("直してください。", None)))
    worker.begin()
    while any(bulk.ended is None for bulk in ledger.bulks()):
        time.sleep(0.02)
    worker.close()
"""


@pytest.mark.parametrize("n", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_bulk_survives_kills_and_nothing_answered_is_asked_again(ledger: Ledger, tmp_path: Path, n: int) -> None:
    ids = drafts(ledger, n)
    number = {id: str(i) for i, id in enumerate(ids)}
    assert ledger.add_bulk(ids, "sato") is not None
    asked = tmp_path / "asked"
    asked.touch()
    answered: set[str] = set()
    for part in (n // 5, n // 2, None):
        before = len(asked.read_text().splitlines())
        run = [sys.executable, "-c", SERVER, str(tmp_path / "ledger.db"), str(asked)]
        with subprocess.Popen(run) as server:
            if part is None:
                assert server.wait(timeout=120) == 0
            else:
                wanted = part
                until(lambda: ledger.bulks()[0].done >= wanted)  # noqa: B023  called before the next turn
                os.kill(server.pid, signal.SIGKILL)
        again = answered & set(asked.read_text().splitlines()[before:])
        assert not again, f"answered before the kill and asked again: {again}"
        answered = {number[id] for id in ids if ledger.revisions(id)}
    assert len(answered) == n
    assert [len(ledger.revisions(id)) for id in ids] == [1] * n
    assert len(asked.read_text().splitlines()) <= n + 2 * 2, "only what was being written at a kill is asked again"
    assert ledger.bulks()[0].done == n
    assert ledger.verify_log() is None
    assert ledger.verify_records() == []
