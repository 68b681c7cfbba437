"""Same inputs, same bytes: interrupted anywhere or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tensaku.errors import StageError
from tensaku.models.decoder import Decoder
from tensaku.models.products import plain
from tensaku.models.weights import Weights
from tensaku.tune import checkpoints, loop
from tensaku.tune.learner import DecoderLearner
from tensaku.tune.log import Step
from tensaku.tune.loop import Course, Places, order, train
from tensaku.tune.lora import LoraSettings, MergedLora
from tensaku.tune.pack import Example, shared_prefix


def learner_over(model: Path, examples: list[Example]) -> DecoderLearner:
    weights = Weights.load(model)
    lora = MergedLora(weights, LoraSettings(rank=4, alpha=8, seed=3), plain)
    return DecoderLearner(Decoder(weights), lora, shared_prefix(examples), plain)


def run(
    folder: Path, model: Path, examples: list[Example], steps: int = 12
) -> tuple[list[Step], dict[str, torch.Tensor]]:
    folder.mkdir(exist_ok=True)
    learner = learner_over(model, examples)
    outcome = train(learner, examples, Course(steps, 3, 0.01, 2, 5), Places(folder, folder), lambda n, s: None)
    return outcome.log, dict(learner.named_parameters())


def test_the_loss_falls(gemma: Path, examples: list[Example], tmp_path: Path) -> None:
    log, _ = run(tmp_path, gemma, examples, steps=30)
    assert log[-1].loss < 0.7 * log[0].loss
    assert log[0].lr < log[1].lr
    assert log[-1].lr < 0.01 * log[2].lr


def test_each_pass_sees_every_lesson_once_in_its_own_order() -> None:
    seen = [n for step in range(10) for n in order(10, 3, step, seed=4)]
    assert sorted(seen[:10]) == sorted(seen[10:20]) == list(range(10))
    assert seen[:10] != seen[10:20]


def test_a_stopped_run_goes_on_to_the_same_bytes(
    gemma: Path, examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "_CHECKPOINT_SHARE", 1e9)
    whole, wanted = run(tmp_path / "whole", gemma, examples)

    stops = iter([3, 4, 6])
    left = {"n": next(stops)}

    told: list[float] = []

    def stop(n: float, note: str) -> None:
        told.append(n)
        left["n"] -= 1
        if left["n"] == 0:
            left["n"] = next(stops, 10**6)
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    folder.mkdir()
    for _ in range(10):
        learner = learner_over(gemma, examples)
        told.clear()
        try:
            outcome = train(learner, examples, Course(12, 3, 0.01, 2, 5), Places(folder, folder), stop)
            break
        except KeyboardInterrupt:
            continue
    assert [(s.step, s.loss, s.lr) for s in outcome.log] == [(s.step, s.loss, s.lr) for s in whole]
    assert told[0] > 1  # the steps of the runs before
    assert sum(told) == 12
    for name, p in learner.named_parameters():
        assert torch.equal(p, wanted[name]), name


def test_a_loss_that_is_no_number_stops_with_advice(gemma: Path, examples: list[Example], tmp_path: Path) -> None:
    learner = learner_over(gemma, examples)
    learner.decoder.weights.final_norm[0] = float("nan")
    with pytest.raises(StageError, match=r"the loss of step 1 is not a number.*learning_rate"):
        train(learner, examples, Course(3, 3, 0.01, 1, 5), Places(tmp_path, tmp_path), lambda n, s: None)


def test_a_damaged_checkpoint_means_starting_again(gemma: Path, examples: list[Example], tmp_path: Path) -> None:
    (tmp_path / checkpoints.FILE).write_bytes(b"not a checkpoint")
    log, _ = run(tmp_path, gemma, examples, steps=2)
    assert [s.step for s in log] == [1, 2]
