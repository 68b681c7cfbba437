"""The stage with each form of tuned model: who answers which row, with what, over which model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.evaluate import Evaluate, answers, engine_from, evaluate
from tensaku.evaluate.checks import check_room
from tensaku.records import Message, Pair
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage
from tensaku.testing import ScriptedEngine, tiny_model, tiny_pairs, write_adapter

PAIRS = tiny_pairs(12)


class Nothing(Section):
    """No settings."""


class Prompt(Section):
    """What a prompt quotes."""

    k: int = 2


def write_pairs(path: Path, pairs: list[Pair]) -> None:
    lines = (json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)
    path.write_text("".join(lines), encoding="utf-8")


@stage(version=1)
def exam(bench: Bench, cfg: Nothing) -> None:
    write_pairs(bench.path / "exam.jsonl", PAIRS[9:])
    bench.facts.update(n=3, months={"first": "2025-10", "last": "2025-12"}, families_across=0)


@stage(version=1)
def lessons(bench: Bench, cfg: Nothing, *, exam: Artifact) -> None:
    lines = (json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in tiny_pairs(20)[3:])
    (bench.path / "lessons.jsonl").write_text("".join(lines), encoding="utf-8")
    bench.facts.update(n=17, form_seen_share=0.25, pool={})


@stage(version=1)
def base(bench: Bench, cfg: Nothing) -> None:
    tiny_model(bench.path)
    bench.facts.update(sha256="ab" * 32, licence="Apache-2.0")


@stage(version=1, name="tune")
def weights(bench: Bench, cfg: Nothing, *, base: Artifact) -> None:
    tiny_model(bench.path / "model", seed=1)
    bench.facts.update(form="weights")


@stage(version=1, name="tune")
def adapter(bench: Bench, cfg: Nothing, *, base: Artifact) -> None:
    write_adapter(bench.path / "adapter")


@stage(version=1, name="tune")
def prompt(bench: Bench, cfg: Prompt, *, base: Artifact) -> None:
    told = {"k": cfg.k, "order": "nearest-last", "measure": "BLEU", "searched": []}
    (bench.path / "prompt.json").write_text(json.dumps(told), encoding="utf-8")
    write_pairs(bench.path / "examples.jsonl", PAIRS[:9])
    bench.facts.update(form="prompt")


@stage(version=1, name="tune")
def strange(bench: Bench, cfg: Nothing, *, base: Artifact) -> None:
    bench.facts.update(form="hologram")


def answer(messages: tuple[Message, ...]) -> str:
    """Copies the draft; with an example before it, writes what the house did."""
    pair = next(pair for pair in PAIRS if pair.draft in messages[-1].content)
    return pair.final if any(message.role == "assistant" for message in messages) else pair.draft


Opened = list[tuple[Path, ScriptedEngine]]


def run(folder: Path, tune: Any, cfg: Section | None = None, context: int = 8192) -> tuple[Artifact, Artifact, Opened]:
    """The evaluation, what was tuned, and every engine with the folder that it was opened on."""
    opened: Opened = []

    def factory(spec: Mapping[str, Any], path: Path) -> ScriptedEngine:
        opened.append((path, ScriptedEngine(answer, context=context)))
        return opened[-1][1]

    store = Store(folder / "work", SilentReporter())
    (folder / "instruction.md").write_text("公表文に直してください。\n", encoding="utf-8")
    asked, model = store.run(exam, Nothing()), store.run(base, Nothing())
    tuned = store.run(tune, cfg or Nothing(), base=model)
    given = {"exam": asked, "lessons": store.run(lessons, Nothing(), exam=asked), "base": model, "adapter": tuned}
    instruction = SourceFile(folder / "instruction.md")
    settings = Evaluate(probes=0, resamples=100, scorers=({"scorer": "chrf"},), also={"fp32": {"precision": "fp32"}})
    asking = {name: held for name, held in given.items() if name != "lessons"}
    with engine_from(factory):
        answered = store.run(answers, settings.answering(), **asking, instruction=instruction)
    return store.run(evaluate, settings, **given, answered=answered, instruction=instruction), tuned, opened


def provenance(made: Artifact, row: str) -> dict[str, str]:
    line = made.file("outputs.jsonl").read_text(encoding="utf-8").splitlines()[0]
    return cast("dict[str, str]", json.loads(line)["rows"][row]["provenance"])


def test_an_adapter_answers_beside_its_base(tmp_path: Path) -> None:
    made, _, opened = run(tmp_path, adapter)
    assert [(path.name.partition("-")[0], len(engine.requests)) for path, engine in opened] == [
        ("base", 6),
        ("base", 3),
    ]
    assert [request.adapter for request in opened[0][1].requests] == [None] * 3 + ["tuned"] * 3
    assert made.facts["form"] == "adapter"
    assert "fewer_examples" not in made.facts


def test_weights_answer_from_a_model_of_their_own(tmp_path: Path) -> None:
    made, tuned, opened = run(tmp_path, weights)
    assert [path.name for path, _ in opened] == [tuned.inputs["base"], "model", "model"]
    assert opened[1][0] == tuned.path / "model"
    assert all(request.adapter is None for _, engine in opened for request in engine.requests)
    assert all(engine._closed for _, engine in opened)
    found = provenance(made, "tuned")
    assert found["weights"] == tuned.manifest["files"]["model/model.safetensors"]["sha256"]
    assert found["base"] == "ab" * 32
    assert "weights" not in provenance(made, "base")
    assert made.facts["form"] == "weights"


def test_a_prompt_quotes_its_examples_and_the_base_row_does_not(tmp_path: Path) -> None:
    made, _, opened = run(tmp_path, prompt, Prompt())
    requests = opened[0][1].requests
    assert [len(request.messages) for request in requests] == [2] * 3 + [6] * 3
    assert all(request.adapter is None for request in requests)
    assert made.facts["chrf_tuned"] == made.facts["chrf_tuned_fp32"] == 100
    assert made.facts["chrf_base"] == made.facts["chrf_draft"] < 100
    assert made.facts["fewer_examples"] == 0
    found = provenance(made, "tuned")
    assert found["examples"] == "2"
    assert len(found["prompt"]) == 64
    assert "引用する例" in made.file("report.html").read_text(encoding="utf-8")


def test_examples_that_do_not_all_fit_are_left_out_and_counted(tmp_path: Path) -> None:
    made, _, opened = run(tmp_path, prompt, Prompt(k=8), context=800)
    assert made.facts["fewer_examples"] == 3
    lengths = [len(request.messages) for request in opened[0][1].requests[3:]]
    assert all(4 <= length < 2 + 16 for length in lengths)
    assert provenance(made, "tuned")["examples"] == str((lengths[0] - 2) // 2)


def test_examples_of_which_not_one_fits(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the prompt's examples do not fit: .* context holds 150"):
        run(tmp_path, prompt, Prompt(), context=150)


def test_a_form_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has the form 'hologram'; known: adapter, weights, prompt"):
        run(tmp_path, strange)


def test_drafts_without_room_are_named_before_anything_is_tuned(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "model")
    asked = Store(tmp_path / "work", SilentReporter()).run(exam, Nothing())
    check_room(asked, "直す", [{"engine": "native"}], model)
    with pytest.raises(UsageError, match=r"exam: 3 of 3 drafts are too long .* holds 64 .*tiny-009 \(\d+ tokens\)"):
        check_room(asked, "直す", [{"engine": "native"}, {"engine": "native", "context": 64}], model)
    check_room(asked, "直す", [{"engine": "elsewhere", "context": 64}], model)
    shutil.rmtree(model)
    check_room(asked, "直す", [{"engine": "elsewhere"}], model)
