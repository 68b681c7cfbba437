"""A store with the artifacts that a release is made from, sealed by small stages with the real names and files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.config import Section
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage

FIGURES: dict[str, Any] = {
    "exam_n": 100.0,
    "bleu_draft": 52.5,
    "bleu_base": 40.25,
    "bleu_tuned": 88.75,
    "chrf_draft": 60.0,
    "chrf_base": 50.0,
    "chrf_tuned": 92.0,
    "facts_kept": 0.99,
    "dropped_sentences": 2,
    "doubled_sentences": 0,
    "form_seen_share": 0.41,
    "signature": "tok:ja-mecab",
}


class Plain(Section):
    """What the small stages are told."""

    figures: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
    files: tuple[str, ...] = ()


@stage(version=1)
def pool(bench: Bench, cfg: Plain, *, rows: SourceFile) -> None:
    (bench.path / "pairs.jsonl").write_bytes(rows.path.read_bytes())


@stage(version=1)
def exam(bench: Bench, cfg: Plain, *, pool: Artifact) -> None:
    (bench.path / "exam.jsonl").write_text("{}\n")
    bench.facts.update(n=100, months={"first": "2026-04", "last": "2026-09"})


@stage(version=1)
def lessons(bench: Bench, cfg: Plain, *, pool: Artifact, exam: Artifact) -> None:
    (bench.path / "lessons.jsonl").write_text("{}\n")
    months = {"first": "2022-10", "last": "2026-03"}
    bench.facts.update(n=700, months=months, dropped={"exam-family": 3}, form_seen_share=0.41)


@stage(version=1)
def base(bench: Bench, cfg: Plain, *, weights: SourceFile) -> None:
    (bench.path / "config.json").write_text("{}")
    bench.facts.update(sha256="b" * 64, licence="gemma", source="demo:gemma-3-270m", parameters=268_000_000)


@stage(version=1)
def tune(bench: Bench, cfg: Plain, *, base: Artifact, lessons: Artifact) -> None:
    (bench.path / "curve.csv").write_text("step,loss\n")
    (bench.path / "adapter").mkdir(exist_ok=True)
    for name in cfg.files:
        (bench.path / "adapter" / name).write_text(f"content of {name}")
    bench.facts.update(method="lora")


@stage(version=1)
def evaluate(bench: Bench, cfg: Plain, *, adapter: Artifact, base: Artifact, exam: Artifact) -> None:
    (bench.path / "report.html").write_text("<h1>報告</h1>", encoding="utf-8")
    (bench.path / "scores.json").write_text(json.dumps(cfg.figures))
    bench.facts.update(cfg.figures)


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


@pytest.fixture
def road(store: Store, tmp_path: Path) -> Callable[..., dict[str, Artifact]]:
    """Makes what a release is made from; `figures` stand over the ordinary ones, None takes one away."""

    def make(
        figures: dict[str, Any] | None = None,
        files: tuple[str, ...] = ("adapter_config.json", "adapter_model.safetensors", "notes.txt"),
    ) -> dict[str, Artifact]:
        (tmp_path / "pairs.jsonl").write_text("{}\n")
        (tmp_path / "weights.gguf").write_text("weights")
        pairs = store.run(pool, Plain(), rows=SourceFile(tmp_path / "pairs.jsonl"))
        asked = store.run(exam, Plain(), pool=pairs)
        taught = store.run(lessons, Plain(), pool=pairs, exam=asked)
        model = store.run(base, Plain(), weights=SourceFile(tmp_path / "weights.gguf"))
        tuned = store.run(tune, Plain(files=files), base=model, lessons=taught)
        measured = {k: v for k, v in {**FIGURES, **(figures or {})}.items() if v is not None}
        scores = store.run(evaluate, Plain(figures=measured), adapter=tuned, base=model, exam=asked)
        return {"adapter": tuned, "evaluation": scores, "base": model, "lessons": taught, "exam": asked}

    return make
