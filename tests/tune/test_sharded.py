"""A model shared out among processes (FSDP2, here over gloo on processors) learns what one process alone learns."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tensaku.errors import StageError, UsageError
from tensaku.store import Artifact, Progress, SilentReporter, Store
from tensaku.testing import tiny_foreign_model, tiny_pairs
from tensaku.tune import Tune, tune

Inputs = Callable[..., dict[str, Any]]
Workers = Callable[[int], list[int]]
pytestmark = pytest.mark.usefixtures("one_thread")
SHORT: dict[str, Any] = {"epochs": 3, "rank": 4, "learning_rate": 0.003, "batch": 3, "core": "transformers"}
FSDP: dict[str, Any] = {"parallel": "fsdp", "processes": 2}


class Heard(SilentReporter):
    """Keeps what it is told; `at[n]` is called at step n."""

    def __init__(self, at: dict[int, Callable[[], object]] | None = None) -> None:
        self.said: list[str] = []
        self.steps = 0
        self.at = at or {}

    def task(self, label: str, total: float | None = None) -> Any:
        return _Task(self)

    def say(self, line: str) -> None:
        self.said.append(line)


class _Task:
    def __init__(self, heard: Heard) -> None:
        self.heard = heard

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, n: float = 1, note: str = "") -> None:
        self.heard.steps += 1
        self.heard.at.get(self.heard.steps, lambda: None)()


def rows(made: Artifact) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made.file("loss.jsonl").read_text().splitlines()]


def tensors(made: Artifact) -> dict[str, torch.Tensor]:
    name = "model/model.safetensors" if made.facts["form"] == "weights" else "adapter/adapter_model.safetensors"
    return load_file(made.file(name))


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("gemma", {"method": "lora"}),  # packed, embedding and head the same tensor
        pytest.param("gemma", {"method": "full"}, marks=pytest.mark.slow),
        pytest.param("gpt2", {"method": "lora", "dora": True, "epochs": 6}, marks=pytest.mark.slow),
        ("bloom", {"method": "full"}),  # one lesson at a time: processes with different numbers of passes
    ],
)
def test_shared_out_learns_as_whole(
    tmp_path: Path, gemma: Path, inputs_of: Inputs, family: Any, settings: dict[str, Any]
) -> None:
    model = gemma if family == "gemma" else tiny_foreign_model(tmp_path / "model", family)
    heard = Heard()
    store = Store(tmp_path / "ws", heard)
    given = inputs_of(store, model, tiny_pairs(11))
    how = {**SHORT, **settings, "validation": 0.2, "patience": 9}
    one, two = (store.run(tune, Tune(**how, **more), **given) for more in ({}, FSDP))
    assert any("shared out among 2 processes (FSDP2)" in line for line in heard.said)
    alone, together = rows(one), rows(two)
    assert len(alone) == len(together) >= 5
    for a, b in zip(alone, together, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-5)
        assert b["grad_norm"] == pytest.approx(a["grad_norm"], rel=1e-3)
        assert b.get("validation_loss") == pytest.approx(a.get("validation_loss"), rel=1e-5)
    assert alone[-1]["loss"] != pytest.approx(alone[0]["loss"], rel=1e-3)
    wanted, found = tensors(one), tensors(two)
    assert wanted.keys() == found.keys()
    for name, tensor in wanted.items():
        assert found[name].shape == tensor.shape
        if "query_key_value.bias" not in name:  # a key's bias moves no score: its gradient is nothing but rounding
            assert (found[name] - tensor).abs().max() < 1e-4, name
    assert two.files == one.files
    assert two.facts["trainable_parameters"] == one.facts["trainable_parameters"]
    if settings["method"] == "full":
        configs = [json.loads(made.file("model/config.json").read_text()) for made in (one, two)]
        assert configs[0] == configs[1]


@pytest.mark.parametrize(
    "settings", [{"method": "lora", "patience": 9}, pytest.param({"method": "full"}, marks=pytest.mark.slow)]
)
def test_killed_it_goes_on_to_the_same_bytes(
    tmp_path: Path,
    gemma: Path,
    inputs_of: Inputs,
    workers_of: Workers,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
) -> None:
    monkeypatch.setenv("TENSAKU_CHECKPOINT_SECONDS", "0")
    cfg = Tune(**{**SHORT, **FSDP, **settings, "validation": 0.2})
    whole = Store(tmp_path / "whole", SilentReporter())
    wanted = whole.run(tune, cfg, **inputs_of(whole, gemma))

    def kill() -> None:
        os.kill(workers_of(os.getpid())[1], signal.SIGKILL)

    heard = Heard({5: kill})
    store = Store(tmp_path / "killed", heard)
    given = inputs_of(store, gemma)
    with pytest.raises(StageError, match="was killed by SIGKILL"):
        store.run(tune, cfg, **given)
    heard.at = {}
    made = store.run(tune, cfg, **given)
    assert made.facts["resumed_at"]
    assert [row["loss"] for row in rows(made)] == [row["loss"] for row in rows(wanted)]
    name = "model/model.safetensors" if made.facts["form"] == "weights" else "adapter/adapter_model.safetensors"
    assert made.file(name).read_bytes() == wanted.file(name).read_bytes()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"parallel": "fsdp"}, "one process has nobody to share the model with"),
        ({**FSDP, "method": "qlora"}, "'qlora' is done by the own core alone"),
        ({**FSDP, "core": "own"}, "the own core works on processors, whole in every process"),
        ({"device": "cuda"}, "there is no GPU that this torch can use"),
        ({"device": "cuda", "core": "own"}, "the own core works on processors"),
    ],
)
def test_what_does_not_go_together_is_refused(
    workspace: Path, gemma: Path, inputs_of: Inputs, settings: dict[str, Any], said: str
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    store = Store(workspace, SilentReporter())
    with pytest.raises(UsageError, match=said) as caught:
        store.run(tune, Tune(**settings), **inputs_of(store, gemma))
    assert caught.value.fix
