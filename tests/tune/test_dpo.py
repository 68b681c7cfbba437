"""The stage `dpo` through a store: it goes on from the adapter it is given, prefers what was chosen, survives kills."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.models.base import Base, base, source_files
from tensaku.models.shape import Shape
from tensaku.models.weights import Weights
from tensaku.records import to_dict
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage
from tensaku.testing import tiny_model, tiny_pairs
from tensaku.tune import Tune, tune
from tensaku.tune.dpo import Dpo, dpo
from tensaku.tune.lora import LoraSettings, MergedLora
from tensaku.tune.peft_folder import load_adapter_into, settings_of

PACE = Dpo(learning_rate=0.01, epochs=6, batch=4, sft_weight=0.2)


class Given(Section):
    """Rows as they are."""

    rows: tuple[dict[str, str], ...]


def _write(path: Path, rows: tuple[dict[str, str], ...]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@stage(version=1)
def lessons(bench: Bench, cfg: Given) -> None:
    _write(bench.path / "lessons.jsonl", cfg.rows)


@stage(version=1)
def decisions(bench: Bench, cfg: Given) -> None:
    _write(bench.path / "preferences.jsonl", cfg.rows)


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


def decided(n: int = 12) -> list[dict[str, str]]:
    """The writer went back from the model's wording to the house's."""
    return [
        to_dict(pair) | {"chosen": pair.final, "rejected": pair.final.replace("当ファンド", "弊社ファンド")}
        for pair in tiny_pairs(n)
    ]


def given(store: Store, model: Path, rows: list[dict[str, str]], **settings: Any) -> dict[str, Any]:
    cfg = Base(model=f"path:{model}")
    (store.root.parent / "instruction.md").write_text("公表文に直してください。\n", encoding="utf-8")
    found: dict[str, Any] = {"instruction": SourceFile(store.root.parent / "instruction.md")}
    found["base"] = store.run(base, cfg, files=source_files(cfg, Path()))
    taught = store.run(lessons, Given(rows=tuple(to_dict(pair) for pair in tiny_pairs(12))))
    wanted = Tune(epochs=1, rank=4, learning_rate=0.01, **settings)
    found["adapter"] = store.run(tune, wanted, lessons=taught, **found)
    return found | {"decisions": store.run(decisions, Given(rows=tuple(rows)))}


@pytest.fixture
def start(store: Store, gemma: Path) -> dict[str, Any]:
    return given(store, gemma, decided())


def test_it_comes_to_prefer_what_was_chosen(store: Store, start: dict[str, Any]) -> None:
    made = store.run(dpo, PACE, **start)
    facts = made.facts
    assert (facts["method"], facts["form"], facts["base"]) == ("dpo", "adapter", start["base"].ref)
    assert (facts["start"], facts["preferences"], facts["steps"]) == (start["adapter"].ref, 12, 18)
    assert facts["margin_after"] > facts["margin_before"] + 1
    assert facts["accuracy_after"] >= facts["accuracy_before"]
    assert facts["reward_accuracy"] == 1
    assert facts["last_loss"] < facts["first_loss"]
    adapter = {"adapter/adapter_config.json", "adapter/adapter_model.safetensors"}
    assert {*made.files} == {*adapter, "drops.jsonl", "loss.jsonl", "report.html", "usage.jsonl"}
    before, after = (json.loads(a.file("adapter/adapter_config.json").read_text()) for a in (start["adapter"], made))
    assert before == after


def test_it_starts_where_tuning_ended(store: Store, start: dict[str, Any]) -> None:
    """With next to no step size, what comes out is the adapter that went in; only decisions on the tokens count."""
    made = store.run(dpo, Dpo(learning_rate=1e-12, sft_weight=0.0), **start)
    was, now = (load_file(a.file("adapter/adapter_model.safetensors")) for a in (start["adapter"], made))
    assert was.keys() == now.keys()
    assert all(torch.allclose(was[name], now[name], atol=1e-9) for name in was)
    rows = [json.loads(line) for line in made.file("loss.jsonl").read_text().splitlines()]
    assert rows[0]["loss"] == pytest.approx(0.6931472, abs=1e-6)


def test_held_out_decisions_are_newer_and_watched(store: Store, start: dict[str, Any]) -> None:
    made = store.run(dpo, PACE.model_copy(update={"validation": 0.25}), **start)
    assert (made.facts["preferences"], made.facts["validation_preferences"]) == (9, 3)
    assert made.facts["validation_loss"] is not None
    assert 0 <= made.facts["held_accuracy_after"] <= 1


def test_a_killed_run_ends_with_the_same_bytes(
    store: Store, start: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the reference is computed, then between two steps."""
    from tensaku.tune import loop
    from tensaku.tune.preference import PreferenceLearner

    whole = store.run(dpo, PACE, **start).file("adapter/adapter_model.safetensors").read_bytes()
    monkeypatch.setattr(loop, "_CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "_CHECKPOINT_SHARE", 1e9)
    bench = Bench(tmp_path / "work", tmp_path / "aside")
    bench.path.mkdir()
    bench.aside.mkdir()
    margin, gradients = PreferenceLearner.margin, PreferenceLearner.gradients
    asked: list[Any] = []

    def count(self: PreferenceLearner, lesson: Any) -> float:
        asked.append(lesson)
        if len(asked) == 6:
            raise KeyboardInterrupt
        return margin(self, lesson)

    monkeypatch.setattr(PreferenceLearner, "margin", count)
    with pytest.raises(KeyboardInterrupt):
        dpo(bench, PACE, **start)
    steps: list[int] = []

    def end(self: PreferenceLearner, picked: Any, terms: int) -> Any:
        steps.append(1)
        if len(steps) == 8:
            raise KeyboardInterrupt
        return gradients(self, picked, terms)

    monkeypatch.setattr(PreferenceLearner, "gradients", end)
    with pytest.raises(KeyboardInterrupt):
        dpo(bench, PACE, **start)
    assert len(asked) == 6 + 7  # five were kept
    dpo(bench, PACE, **start)
    assert len(asked) == 13 + 12  # the reference was not computed again: these are the margins after
    assert bench.facts["resumed_at"] == [7]
    assert (bench.path / "adapter" / "adapter_model.safetensors").read_bytes() == whole


def test_what_cannot_be_learnt_is_set_aside(store: Store, gemma: Path) -> None:
    rows = decided()
    rows[1]["rejected"] = rows[1]["chosen"]
    rows[2]["rejected"] *= 20
    made = store.run(dpo, Dpo(epochs=1, context=512), **given(store, gemma, rows))
    assert made.facts["dropped"] == {"no-difference": 1, "too-long": 1}
    assert made.facts["preferences"] == 10
    drops = [json.loads(line) for line in made.file("drops.jsonl").read_text().splitlines()]
    assert [drop["row"]["id"] for drop in drops] == [rows[1]["id"], rows[2]["id"]]


@pytest.mark.parametrize(
    ("n", "says"), [(0, "there are no decisions to learn from"), (1, "there is only one decision to learn from")]
)
def test_too_few(store: Store, gemma: Path, n: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        store.run(dpo, PACE, **given(store, gemma, decided(12)[:n]))


def test_all_set_aside(store: Store, start: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"only 0 of 12 decisions can be learnt from \(too-long 12\)"):
        store.run(dpo, Dpo(context=16), **start)


def test_an_adapter_of_another_base(store: Store, start: dict[str, Any], tmp_path: Path) -> None:
    cfg = Base(model=f"path:{tiny_model(tmp_path / 'other', seed=3)}")
    other = store.run(base, cfg, files=source_files(cfg, Path()))
    with pytest.raises(UsageError, match=f"the adapter was tuned over {start['base'].ref}, not over {other.ref}"):
        store.run(dpo, PACE, **start | {"base": other})


def test_a_start_that_is_no_adapter(store: Store, start: dict[str, Any], gemma: Path) -> None:
    full: Artifact = given(store, gemma, decided(), method="full")["adapter"]
    with pytest.raises(UsageError, match=r"this is of the form 'weights'.*tune.method"):
        store.run(dpo, PACE, **start | {"adapter": full})


@pytest.mark.parametrize(
    "settings",
    [
        LoraSettings(rank=3, alpha=9, layers=2, targets=("q", "up")),
        LoraSettings(rank=4, alpha=8, rslora=True, dora=True),
    ],
)
def test_an_adapter_is_read_as_it_was_written(gemma: Path, tmp_path: Path, settings: LoraSettings) -> None:
    weights = Weights.load(gemma)
    written = MergedLora(weights, replace(settings, seed=9), torch.matmul)
    with torch.no_grad():
        for _, p in written.named_parameters():
            p.add_(torch.randn(p.shape))
    written.save(tmp_path, "tiny")
    found = settings_of(tmp_path / "adapter", Shape.load(gemma))
    assert found == settings
    read = MergedLora(weights, found, torch.matmul)
    load_adapter_into(read, tmp_path / "adapter")
    for (name, p), (_, q) in zip(written.named_parameters(), read.named_parameters(), strict=True):
        assert torch.equal(p, q), name


def test_an_adapter_that_does_not_fit(gemma: Path, tmp_path: Path) -> None:
    weights = Weights.load(gemma)
    MergedLora(weights, LoraSettings(rank=3), torch.matmul).save(tmp_path, "tiny")
    with pytest.raises(UsageError, match="tensors of the adapter do not fit the base"):
        load_adapter_into(MergedLora(weights, LoraSettings(rank=4), torch.matmul), tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(UsageError, match="no LoRA adapter that can be read"):
        settings_of(tmp_path / "adapter", weights.shape)
