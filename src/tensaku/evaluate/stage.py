"""The stage `evaluate`: the exam answered by the base model and by the tuned one, beside the untouched draft."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

import tensaku.evaluate.labels  # registers scorers
import tensaku.evaluate.scorers  # noqa: F401  (the same)
from tensaku.config import Section
from tensaku.evaluate.answering import COSTS, TUNED, Answering, rows_of
from tensaku.evaluate.checks import check_scorers
from tensaku.evaluate.costs import Costs, Price, costs_of, place_of
from tensaku.evaluate.discipline import CLEAN, canary_of, discipline
from tensaku.evaluate.inputs import exam_pairs, jsonl, lesson_pairs, mined_rules, names_in, style_in
from tensaku.evaluate.measuring import constant, measured, ruled, untouched
from tensaku.evaluate.panel import panel, votes_in
from tensaku.evaluate.report import write_report
from tensaku.evaluate.results import Row
from tensaku.evaluate.sheet import write_sheet
from tensaku.records import Pair, Usage
from tensaku.revise import Job, Tuned
from tensaku.store import Artifact, Bench, SourceFile, stage

__all__ = ["Evaluate", "evaluate"]


class Evaluate(Section):
    """How models are examined."""

    scorers: tuple[dict[str, Any], ...] = (
        {"scorer": "bleu"},
        {"scorer": "bleu", "tokenize": "char"},
        {"scorer": "chrf"},
        {"scorer": "edits"},
        {"scorer": "strokes"},
    )
    """What outputs are measured by; the first is what the report opens with and ranks outputs by."""
    engine: dict[str, Any] = pydantic.Field(default_factory=lambda: {"engine": "native"})
    """The engine that answers, with its settings, as in { engine = "native", precision = "fp32" }."""
    also: dict[str, dict[str, Any]] = pydantic.Field(default_factory=dict)
    """Further rows of the tuned model, answered with other settings of the engine: what a number format costs, as in
    { fp32 = { precision = "fp32" } }, which makes the row tuned_fp32."""
    at_once: int = pydantic.Field(8, ge=1, le=256)
    """Answers written at the same time."""
    base_sample: int = pydantic.Field(0, ge=0)
    """How many exam pairs, evenly over the exam, the base model answers; 0 is all. The tuned model answers all."""
    resamples: int = pydantic.Field(1000, ge=100, le=100_000)
    """How many resamples of the exam the 95 % intervals come from."""
    worst: int = pydantic.Field(10, ge=0, le=100)
    """How many of the worst outputs the report shows side by side."""
    seed: int = 1
    """Which resamples."""
    probes: int = pydantic.Field(3, ge=0, le=100)
    """Drafts that each model is asked alone first, to measure the wait for the first token; 0: not measured."""
    facts_safe: bool | None = None
    """Whether answers are held to the draft's numbers while they are written; not set: as [task] facts_safe says."""
    consent: str = ""
    """Who allowed that drafts leave this machine, when, under which number; an engine elsewhere needs it."""
    yen_per_hour: float = pydantic.Field(0.0, ge=0)
    """What an hour of the machine that answers costs, in yen; 0: not known, and no cost is shown."""

    def answering(self, choices: Sequence[str] = ()) -> Answering:
        """What decides on the answers: what stands here, and the task's `choices`."""
        here = {name: getattr(self, name) for name in Answering.model_fields if name in Evaluate.model_fields}
        return Answering(**here, choices=tuple(choices))

    def engines(self) -> list[dict[str, Any]]:
        """Every engine that will answer: the one, and the one with each of the settings of `also`."""
        return [self.engine, *({**self.engine, **settings} for settings in self.also.values())]


@stage(version=7)
def evaluate(  # noqa: PLR0913  (its inputs are what an evaluation depends on)
    bench: Bench,
    cfg: Evaluate,
    *,
    exam: Artifact,
    lessons: Artifact,
    base: Artifact,
    adapter: Artifact,
    answered: Artifact,
    instruction: SourceFile,
    names: SourceFile | None = None,
    style: SourceFile | None = None,
    judged: Artifact | None = None,
    votes: SourceFile | None = None,
) -> None:
    """Leave `outputs.jsonl`, `scores.json`, `scores.csv` and `report.html`.

    The rows: `draft` (the draft untouched), `rules` (the best that replacements mined from the lessons do), `majority`
    (the most frequent final of the exam for every draft, where finals are labels), `base` (the
    base model, same instruction), `tuned` (what `adapter` holds, in whatever form: with the adapter, with weights of
    its own, or with examples), and those that `also` asks for. Outputs are scored as they are, from what the stage
    `answers` left: no model is asked here, so another scorer or price asks none again.

    `answered` is what `answers` left; `style` is the house style as far as it can be checked (`text.style_from`);
    `judged` is what a judge said of these outputs, `votes` what people said of them, a `Vote` a line.

    Facts: `exam_n`, each scorer's figure a row (`bleu_draft`, `bleu_base`, `bleu_tuned`, `bleu_char_tuned` ...),
    `facts_kept` and `facts_kept_base` (shares of outputs, no guard between), `dropped_sentences`, `doubled_sentences`,
    `form_seen_share`, `decode_tokens_per_second`, `signatures`, `form`; for a prompt `fewer_examples`, the number of
    drafts for which the context held fewer examples than the prompt quotes.

    Raises:
        NotFound, UsageError: a scorer is unknown, or refuses the language of the texts.
    """
    measures = {label: part() for label, part in check_scorers(cfg.scorers).items()}
    pairs = exam_pairs(exam)
    words = instruction.path.read_text(encoding="utf-8").strip()
    job = Job(words, names=names_in(names), facts_safe=cfg.facts_safe is not False)
    tuned = Tuned.of(adapter, base)
    rules = mined_rules(bench, lessons)
    made = rows_of(answered)
    rows = {"draft": untouched(pairs), "rules": ruled(pairs, rules, job.names)}
    if (majority := constant(lesson_pairs(lessons), pairs, job.names)) is not None:
        rows["majority"] = majority
    rows |= made
    # an hour of this machine is paid only where the model runs on it
    price = Price(hour=0.0 if place_of(cfg.engine) == "elsewhere" else cfg.yen_per_hour)
    costs = _costs(answered, made, price)
    results = measured(measures, rows, pairs, job.names, style_in(style), cfg.resamples, cfg.seed, costs)
    results.rules = rules
    canary = canary_of(exam.key)
    results.discipline = discipline(pairs, lesson_pairs(lessons), results, canary)
    people = [] if votes is None else votes_in(votes.path)
    results.panel = panel(people, judged, cfg.resamples, cfg.seed)
    _write_outputs(bench.path / "outputs.jsonl", pairs, rows, canary)
    scores = results.scores()
    (bench.path / "scores.json").write_text(json.dumps(scores, ensure_ascii=False, indent=1), encoding="utf-8")
    write_sheet(bench.path / "scores.csv", scores["rows"], results.discipline["clean"][CLEAN], {})
    lineage = {"exam": exam, "lessons": lessons, "base": base, "adapter": adapter}
    write_report(bench.path / "report.html", results, lineage, cfg.worst)
    bench.facts.update(results.facts(), form=tuned.form, form_seen_share=lessons.facts.get("form_seen_share"))
    if tuned.examples is not None:
        bench.facts["fewer_examples"] = _fewer_examples(rows[TUNED], tuned.examples.k)


def _fewer_examples(row: Row, k: int) -> int:
    return sum(int(answer.provenance["examples"]) < k for answer in row.answers.values())


def _costs(answered: Artifact, rows: Mapping[str, Row], price: Price) -> dict[str, Costs]:
    records = list(jsonl(answered.file(COSTS)))
    return {
        name: costs_of(
            [record for record in records if record["row"] == name],
            [answer.seconds for answer in row.answers.values()],
            [Usage(answer.read, answer.tokens) for answer in row.answers.values()],
            price,
        )
        for name, row in rows.items()
    }


def _write_outputs(path: Path, pairs: Sequence[Pair], rows: Mapping[str, Row], canary: str) -> None:
    """One line a pair: draft, reference and what each row made of it, with its finding and its figures."""
    with path.open("w", encoding="utf-8") as file:
        for n, pair in enumerate(pairs):
            line = {"id": pair.id, "as_of": pair.as_of, "fund": pair.fund, "section": pair.section}
            line |= {"draft": pair.draft, "reference": pair.final}
            made = {name: row.line(n) for name, row in rows.items() if name != "draft" and n in row.answers}
            file.write(json.dumps(line | {"rows": made, "canary": canary}, ensure_ascii=False) + "\n")
