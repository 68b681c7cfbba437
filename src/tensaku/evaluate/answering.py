"""The stage `answers`: the exam answered by the base model and by the tuned one, and what that cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from tensaku.config import Section
from tensaku.engines import Engine
from tensaku.engines.consent import check_consent
from tensaku.evaluate.checks import check_choices, check_drafts
from tensaku.evaluate.costs import place_of
from tensaku.evaluate.decoding import Log, decode, opener, read_answers
from tensaku.evaluate.inputs import exam_pairs, names_in
from tensaku.evaluate.results import Row
from tensaku.machine import forget_peak_memory
from tensaku.records import Pair
from tensaku.retrieve import Guides
from tensaku.revise import Job, Tuned
from tensaku.store import Artifact, Bench, Journal, SourceFile, stage

__all__ = ["ANSWERS", "COSTS", "TUNED", "Answering", "answers", "rows_of"]

TUNED = "tuned"
ANSWERS, COSTS = "answers.jsonl", "costs.jsonl"


class Answering(Section):
    """Who answers the exam, and how; each as in [evaluate]."""

    engine: dict[str, Any]
    """The engine that answers."""
    also: dict[str, dict[str, Any]] = pydantic.Field(default_factory=dict)
    """Further rows of the tuned model."""
    at_once: int
    """Answers written at the same time."""
    base_sample: int
    """How many exam pairs the base model answers; 0 is all."""
    probes: int
    """Drafts that each model is asked alone first."""
    facts_safe: bool | None
    """Whether answers are held to the draft's numbers."""
    consent: str
    """Who allowed that drafts leave this machine."""
    choices: tuple[str, ...] = ()
    """The only answers that may be given, as in [task]."""


@stage(version=1)
def answers(
    bench: Bench,
    cfg: Answering,
    *,
    exam: Artifact,
    base: Artifact,
    adapter: Artifact,
    instruction: SourceFile,
    names: SourceFile | None = None,
    guides: SourceFile | None = None,
) -> None:
    """Leave `answers.jsonl`, a line an answer, row by row, and `costs.jsonl`, what was measured of each row.

    With `guides` (as `Guides.dumped` has them), each question tells what the house's rules say of its draft.

    The rows: `base` (the base model), `tuned` (what `adapter` holds) and those that `also` asks for. Answers are kept
    as they come, so a killed run goes on after the last one.

    Facts: `answers`, how many of each row.

    Raises:
        NotFound, UsageError: the engine is unknown, drafts would leave this machine without consent, or the exam cannot
            be used.
        EngineError: a model failed.
    """
    for settings in ({}, *cfg.also.values()):
        check_consent({**cfg.engine, **settings}, cfg.consent, where="[evaluate] consent")
    pairs = exam_pairs(exam)
    check_drafts(pairs)
    check_choices(cfg.choices, pairs)
    words = instruction.path.read_text(encoding="utf-8").strip()
    told = Guides.load(guides.path) if guides is not None else None
    job = Job(words, names=names_in(names), facts_safe=cfg.facts_safe is not False, guides=told, choices=cfg.choices)
    rows = _rows(bench, cfg, job, Tuned.of(adapter, base), base, pairs)
    with (bench.path / ANSWERS).open("w", encoding="utf-8") as file:
        for row in rows.values():
            for answer in row.answers.values():
                file.write(json.dumps(asdict(answer), ensure_ascii=False) + "\n")
    with (bench.path / COSTS).open("w", encoding="utf-8") as file:
        for record in Journal(bench.aside / COSTS).read():
            file.write(json.dumps(record) + "\n")
    bench.facts.update(answers={name: len(row.answers) for name, row in rows.items()})


def rows_of(answered: Artifact) -> dict[str, Row]:
    """The rows that the stage `answers` left, in its order."""
    rows: dict[str, Row] = {}
    for answer in read_answers(answered.file(ANSWERS)):
        rows.setdefault(answer.row, Row(answer.row, {})).answers[answer.number] = answer
    return rows


@dataclass
class _Opened:
    """An engine that is opened when the first answer is asked for: a finished evaluation needs none."""

    spec: Mapping[str, Any]
    folder: Path
    job: Job
    tuned: Tuned
    engine: Engine | None = None

    def __call__(self) -> Engine:
        if self.engine is None:
            forget_peak_memory()
            self.engine = opener()(self.spec, self.folder)
            self.tuned.load(self.engine, TUNED, self.job.instruction)
        return self.engine


@contextmanager
def _engine(spec: Mapping[str, Any], folder: Path, job: Job, tuned: Tuned) -> Iterator[_Opened]:
    opened = _Opened(spec, folder, job, tuned)
    try:
        yield opened
    finally:
        if opened.engine is not None:
            opened.engine.close()


def _rows(
    bench: Bench, cfg: Answering, job: Job, tuned: Tuned, base: Artifact, pairs: Sequence[Pair]
) -> dict[str, Row]:
    """What the base answers and what the tuned model does; both from one engine if both are over one model."""
    rows: dict[str, Row] = {}
    together = tuned.model == base.path
    with _engine(cfg.engine, base.path, job, tuned) as engine:
        rows["base"] = _answered(bench, cfg, engine, job, "base", _sample(pairs, cfg.base_sample))
        if together:
            rows[TUNED] = _answered(bench, cfg, engine, tuned.job(job, TUNED), TUNED, dict(enumerate(pairs)))
    others = {f"{TUNED}_{name}": settings for name, settings in cfg.also.items()}
    for row, settings in (others if together else {TUNED: {}, **others}).items():
        with _engine({**cfg.engine, **settings}, tuned.model, job, tuned) as engine:
            rows[row] = _answered(bench, cfg, engine, tuned.job(job, TUNED), row, dict(enumerate(pairs)))
    return rows


def _sample(pairs: Sequence[Pair], n: int) -> dict[int, Pair]:
    """`n` of the pairs at even distances, or all."""
    if n == 0 or n >= len(pairs):
        return dict(enumerate(pairs))
    return {number: pairs[number] for number in np.linspace(0, len(pairs) - 1, n).round().astype(int).tolist()}


def _answered(bench: Bench, cfg: Answering, engine: _Opened, job: Job, row: str, asked: Mapping[int, Pair]) -> Row:
    with bench.progress(f"answer the exam: {row}", len(asked)) as bar:
        log = Log(bench.aside / ANSWERS, bench.aside / COSTS, cfg.at_once, cfg.probes, place=place_of(engine.spec))
        found = decode(engine, job, row, asked, log, bar.advance)
    return Row(row, {answer.number: answer for answer in found})
