"""The stage `examine`: the exam answered by one candidate that was not tuned here, its outputs kept as they came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from tensaku.config import Section
from tensaku.engines import Engine
from tensaku.engines.consent import check_consent, leaves_the_house
from tensaku.evaluate.answering import COSTS
from tensaku.evaluate.checks import check_drafts
from tensaku.evaluate.costs import place_of
from tensaku.evaluate.decoding import Log, decode, opener
from tensaku.evaluate.discipline import canary_of
from tensaku.evaluate.inputs import exam_pairs, names_in
from tensaku.revise import Job
from tensaku.store import Artifact, Bench, Journal, SourceFile, stage

__all__ = ["ANSWER", "Candidate", "Examine", "Leaderboard", "examine"]

ANSWER = "answer"
"""The name of the one row that `examine` leaves."""
_ADAPTER = "candidate"


class Candidate(Section):
    """One candidate: a method on a base model, an adapter made elsewhere, or a model at an address."""

    base: str = ""
    """The base model, as in [base] model; empty: the one of [base]."""
    method: str = ""
    """How it is tuned here, as in [tune] method; empty: not at all."""
    settings: dict[str, Any] = pydantic.Field(default_factory=dict)
    """What [tune] is told otherwise, as in { epochs = 2.0 }."""
    adapter: str = ""
    """A folder with an adapter in PEFT's form, made elsewhere over the base model."""
    engine: dict[str, Any] = pydantic.Field(default_factory=dict)
    """The engine that answers, as in { engine = "openai", url = "http://host:8000/v1" }; empty: that of [evaluate]."""
    consent: str = ""
    """Who allowed, and when, that drafts leave this machine: needed if the engine has an address elsewhere."""
    yen_read: float = pydantic.Field(0.0, ge=0)
    """Price of a million tokens read, in yen."""
    yen_written: float = pydantic.Field(0.0, ge=0)
    """Price of a million tokens written, in yen."""

    @pydantic.model_validator(mode="after")
    def _is_one_thing(self) -> Candidate:
        if self.method and (self.adapter or self.engine):
            raise ValueError("takes method, or adapter and engine, not both")
        if self.settings and not self.method:
            raise ValueError("has settings for the tuning and no method")
        return self


class Leaderboard(Section):
    """Candidates that `tensaku run evaluate` puts side by side on the same exam."""

    candidates: dict[str, Candidate] = pydantic.Field(default_factory=dict)
    """Every candidate by its name, as in [leaderboard.candidates.gemma-lora]; empty: no leaderboard."""
    alpha: float = pydantic.Field(0.05, gt=0, lt=1)
    """Two candidates are told apart if chance alone does as much less often than this, all pairs taken together."""

    @pydantic.field_validator("candidates")
    @classmethod
    def _are_named(cls, value: dict[str, Candidate]) -> dict[str, Candidate]:
        for name in value:
            if name in ("draft", "rules", "majority", "reference") or not name.strip() or len(name) > 60:
                raise ValueError(f"cannot call a candidate {name!r}: draft, rules, majority and reference are taken")
        return value


class Examine(Section):
    """How one candidate is asked."""

    engine: dict[str, Any] = pydantic.Field(default_factory=lambda: {"engine": "native"})
    """The engine that answers."""
    consent: str = ""
    """Who allowed that drafts leave this machine."""
    at_once: int = 8
    """Answers written at the same time."""
    probes: int = 3
    """Drafts asked alone first, to measure the wait for the first token."""
    facts_safe: bool = True
    """Whether answers are held to the draft's numbers while they are written."""
    choices: tuple[str, ...] = ()
    """The only answers that may be given, as in [task]."""


@stage(version=3)
def examine(
    bench: Bench,
    cfg: Examine,
    *,
    exam: Artifact,
    base: Artifact,
    instruction: SourceFile,
    names: SourceFile | None = None,
    adapter: Mapping[str, SourceFile] | None = None,
) -> None:
    """Leave `outputs.jsonl`, a line a pair with draft, reference and the row `answer`, and `costs.jsonl`.

    Args:
        base: the model that the engine is opened on; one at another address may pass it by.
        adapter: the files of an adapter in PEFT's form.

    Facts: `exam_n`, `place` (here, beside, elsewhere: where the model ran), `consent`, `sent_to` (a host elsewhere that
    saw the drafts, or empty).

    Raises:
        UsageError: drafts would leave this machine without consent, or the exam cannot be used.
        EngineError: the model failed; what it answered before is kept, and the next run goes on from there.
    """
    check_consent(cfg.engine, cfg.consent, where="[leaderboard.candidates] consent")
    pairs = exam_pairs(exam)
    check_drafts(pairs)
    words = instruction.path.read_text(encoding="utf-8").strip()
    asked = _ADAPTER if adapter else None
    job = Job(words, asked, names_in(names), facts_safe=cfg.facts_safe, choices=cfg.choices)
    opened: list[Engine] = []

    def engine() -> Engine:
        opened.append(opener()(cfg.engine, base.path))
        if adapter:
            opened[0].load_adapter(_ADAPTER, _folder(adapter))
        return opened[0]

    log = Log(
        bench.aside / "answers.jsonl", bench.aside / "costs.jsonl", cfg.at_once, cfg.probes, place=place_of(cfg.engine)
    )
    try:
        with bench.progress("answer the exam", len(pairs)) as bar:
            answers = decode(engine, job, ANSWER, dict(enumerate(pairs)), log, bar.advance)
    finally:
        for held in opened:
            held.close()
    canary = canary_of(exam.key)
    with (bench.path / "outputs.jsonl").open("w", encoding="utf-8") as out:
        for pair, answer in zip(pairs, answers, strict=True):
            made: dict[str, Any] = {"text": answer.text, "finish": answer.finish, "provenance": answer.provenance}
            made |= {"tokens": answer.tokens, "read": answer.read, "seconds": round(answer.seconds, 4)}
            line = {"id": pair.id, "draft": pair.draft, "reference": pair.final, "rows": {ANSWER: made}}
            line["canary"] = canary
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    with (bench.path / COSTS).open("w", encoding="utf-8") as out:
        for record in Journal(log.costs).read():
            out.write(json.dumps(record) + "\n")
    bench.facts.update(exam_n=len(pairs), place=log.place, consent=cfg.consent, sent_to=leaves_the_house(cfg.engine))


def _folder(adapter: Mapping[str, SourceFile]) -> Path:
    return next(iter(adapter.values())).path.parent
