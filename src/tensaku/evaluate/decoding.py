"""Answers of a model to the exam, each kept on disk as soon as it is there, so that a killed evaluation goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tensaku.engines import Engine
from tensaku.engines.resolve import open_engine
from tensaku.evaluate.costs import Place, metered, wait_for_first
from tensaku.records import Fact, FactBreak, Finish, Pair, Verdict
from tensaku.revise import DraftText, Job, revise_many
from tensaku.store import Journal

__all__ = ["Answer", "Log", "OpenEngine", "decode", "engine_from", "opener"]

OpenEngine = Callable[[Mapping[str, Any], Path], Engine]
"""From `{ engine = "native", ... }` and the folder of a base model to an engine."""

_opener: ContextVar[OpenEngine] = ContextVar("tensaku-evaluate-engine", default=open_engine)


def opener() -> OpenEngine:
    """What evaluation opens its engine with."""
    return _opener.get()


@contextmanager
def engine_from(factory: OpenEngine) -> Iterator[None]:
    """While the body runs, evaluation opens its engine with `factory`: another process's engine, or a scripted one."""
    token = _opener.set(factory)
    try:
        yield
    finally:
        _opener.reset(token)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote for the pair at `number` in the exam.

    `seconds` is the time since the answer before it, so that they add up to the time spent; `tokens` are those written,
    `read` those of the question.
    """

    row: str
    number: int
    text: str
    finish: Finish
    tokens: int
    seconds: float
    verdict: Verdict
    provenance: dict[str, str]
    read: int = 0


@dataclass(frozen=True)
class Log:
    """Where a row's answers and what they cost are kept, and how they are asked for.

    `probes` drafts are asked alone first, to measure the wait for the first token; `place`: where the model runs.
    """

    answers: Path
    costs: Path
    at_once: int
    probes: int = 0
    place: Place = "here"


def decode(
    engine: Callable[[], Engine],
    job: Job,
    row: str,
    asked: Mapping[int, Pair],
    log: Log,
    advance: Callable[[float, str], None],
) -> list[Answer]:
    """The answer to each pair of `asked` (number in the exam -> pair), those that `log` holds already taken from there.

    Args:
        engine: opens the engine, if it is needed.
        row: the name under which answers are kept in `log`.

    Raises:
        EngineError: the model failed; the next run goes on after the last finished answer.
    """
    done = {
        answer.number: answer for answer in read_answers(log.answers) if answer.row == row and answer.number in asked
    }
    advance(len(done), "")
    left = [number for number in asked if number not in done]
    if left:
        drafts = [DraftText(p.draft, p.fund, p.section, p.as_of) for p in (asked[number] for number in left)]
        running, journal = engine(), Journal(log.answers)
        with metered(log.costs, row, log.place) as meter:
            meter.first_token = wait_for_first(running, job, drafts[: log.probes])
            before = time.perf_counter()
            for number, revision in zip(left, revise_many(running, job, drafts, at_once=log.at_once), strict=True):
                now = time.perf_counter()
                answer = Answer(
                    row=row,
                    number=number,
                    text=revision.text,
                    finish=revision.finish,
                    tokens=revision.usage.completion,
                    seconds=now - before,
                    verdict=revision.verdict,
                    provenance=revision.provenance,
                    read=revision.usage.prompt,
                )
                journal.append(asdict(answer))
                done[number] = answer
                before = now
                meter.answered(revision.usage, answer.seconds)
                advance(1, "")
    return [done[number] for number in asked]


def read_answers(log: Path) -> list[Answer]:
    """The answers kept in `log`. What a kill left of an unfinished last line is cut off the file."""
    return [_answer(values) for values in Journal(log).read()]


def _answer(values: dict[str, Any]) -> Answer:
    breaks = values.pop("verdict")["breaks"]
    verdict = Verdict(tuple(FactBreak(found["what"], Fact(*found["fact"])) for found in breaks))
    return Answer(**values, verdict=verdict)
