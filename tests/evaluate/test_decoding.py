"""Decoding goes on where it was stopped, and keeps outputs as they are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tensaku.errors import EngineError, UsageError
from tensaku.evaluate.checks import check_drafts
from tensaku.evaluate.decoding import Log, decode, read_answers
from tensaku.records import Message, Pair
from tensaku.revise import Job
from tensaku.testing import ScriptedEngine, tiny_pairs

PAIRS = tiny_pairs(9)
ASKED = dict(enumerate(PAIRS))


def revised(messages: tuple[Message, ...]) -> str:
    """The final of the draft that is asked about."""
    return next(pair.final for pair in PAIRS if pair.draft in messages[-1].content)


def kept_in(log: Path, probes: int = 0) -> Log:
    return Log(log, log.with_name("costs.jsonl"), at_once=3, probes=probes)


def run(engine: ScriptedEngine, log: Path, asked: dict[int, Pair] = ASKED) -> list[str]:
    answers = decode(lambda: engine, Job("直す"), "tuned", asked, kept_in(log), lambda n, note: None)
    assert [answer.number for answer in answers] == list(asked)
    return [answer.text for answer in answers]


def test_answers_come_in_order_and_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    assert run(ScriptedEngine(revised), log) == [pair.final for pair in PAIRS]
    kept = read_answers(log)
    assert [answer.number for answer in kept] == list(range(9))
    assert all(answer.seconds > 0 and answer.tokens == len(answer.text) for answer in kept)
    assert all(answer.verdict.kept for answer in kept)


def test_a_finished_row_asks_no_engine(tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    before = run(ScriptedEngine(revised), log)

    def closed() -> ScriptedEngine:
        raise AssertionError("no engine is needed")

    answers = decode(closed, Job("直す"), "tuned", ASKED, kept_in(log), lambda n, note: None)
    assert [answer.text for answer in answers] == before


def test_a_failure_keeps_what_was_answered_and_the_next_run_asks_for_the_rest(tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"

    def fails_late(messages: tuple[Message, ...]) -> str:
        if PAIRS[5].draft in messages[-1].content:
            raise EngineError("out of memory")
        return revised(messages)

    with pytest.raises(EngineError, match="out of memory"):
        run(ScriptedEngine(fails_late), log)
    assert [answer.number for answer in read_answers(log)] == [0, 1, 2, 3, 4]
    engine = ScriptedEngine(revised)
    assert run(engine, log) == [pair.final for pair in PAIRS]
    assert len(engine.requests) == 4


def test_a_torn_last_line_is_cut_off_and_asked_again(tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    run(ScriptedEngine(revised), log)
    raw = log.read_bytes()
    for cut in (1, 30, len(raw.splitlines()[-1])):
        log.write_bytes(raw[:-cut])
        engine = ScriptedEngine(revised)
        assert run(engine, log) == [pair.final for pair in PAIRS]
        assert len(engine.requests) == 1
        assert [answer.number for answer in read_answers(log)] == list(range(9))


def test_rows_share_a_log_without_mixing(tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    decode(
        lambda: ScriptedEngine(lambda m: "基盤"), Job("直す"), "base", {2: PAIRS[2]}, kept_in(log), lambda n, note: None
    )
    assert run(ScriptedEngine(revised), log) == [pair.final for pair in PAIRS]


def test_killed_in_the_middle_it_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    script = (
        "import sys\nfrom pathlib import Path\nfrom tensaku.evaluate.decoding import Log, decode\n"
        "from tensaku.revise import Job\nfrom tensaku.testing import ScriptedEngine, tiny_pairs\n"
        "engine = ScriptedEngine(lambda m: '途中の答え', delay=0.05, piece=1)\n"
        "pairs, log = dict(enumerate(tiny_pairs(9))), Path(sys.argv[1])\n"
        "kept = Log(log, log.with_name('costs.jsonl'), at_once=1)\n"
        "decode(lambda: engine, Job('x'), 'tuned', pairs, kept, lambda n, note: None)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(log)])
    deadline = time.monotonic() + 120
    while len(read_lines(log)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = read_answers(log)
    assert 3 <= len(done) < 9
    engine = ScriptedEngine(lambda m: "途中の答え")
    assert run(engine, log) == ["途中の答え"] * 9
    assert len(engine.requests) == 9 - len(done)


def read_lines(log: Path) -> list[bytes]:
    return log.read_bytes().splitlines() if log.exists() else []


def test_drafts_that_no_model_can_revise_are_named() -> None:
    with pytest.raises(UsageError, match="pair tiny-000: the draft has 100,000 characters"):
        check_drafts([replace(PAIRS[0], draft="長" * 100_000)])


def test_what_it_cost_is_kept_of_every_run_of_a_row(tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    first, engine = dict(list(ASKED.items())[:4]), ScriptedEngine(revised)
    decode(lambda: engine, Job("直す"), "tuned", first, kept_in(log, probes=2), lambda n, note: None)
    assert len(engine.requests) == 2 + 4
    decode(lambda: ScriptedEngine(revised), Job("直す"), "tuned", ASKED, kept_in(log), lambda n, note: None)
    one, two = [json.loads(line) for line in (tmp_path / "costs.jsonl").read_bytes().splitlines()]
    assert (one["answered"], two["answered"]) == (4, 5)
    assert one["first_token"] > 0
    assert two["first_token"] is None
    assert one["memory_mb"] is None or one["memory_mb"] > 10
    remote = Log(log, tmp_path / "far.jsonl", at_once=1, place="elsewhere")
    decode(lambda: ScriptedEngine(revised), Job("直す"), "far", ASKED, remote, lambda n, note: None)
    far = json.loads((tmp_path / "far.jsonl").read_bytes())
    assert (far["memory_mb"], far["joules"]) == (None, None)
