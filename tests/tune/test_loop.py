"""Same inputs, same bytes: interrupted anywhere, killed at any moment, or not at all."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from tensaku.errors import StageError
from tensaku.models.decoder import Decoder
from tensaku.models.weights import Weights
from tensaku.tune import checkpoints, loop
from tensaku.tune.lora import Lora
from tensaku.tune.loop import Plan, order, train

WORKER = """
import json, sys
from pathlib import Path
from tensaku.tune import loop
from tensaku.models.decoder import Decoder
from tensaku.models.weights import Weights
from tensaku.tune.lora import Lora
from tensaku.tune.pack import Example
model, folder, lessons, pace = sys.argv[1:]
loop._CHECKPOINT_SECONDS = 0.0
examples = [Example(*e) for e in json.loads(Path(lessons).read_text())]
weights = Weights.load(Path(model))
lora = Lora(weights, rank=4, alpha=8, seed=3)
import time
folder = Path(folder)
print("ready", flush=True)
loop.train(Decoder(weights), lora, examples, loop.Plan(24, 3, 0.01, 2, 5), folder, folder, lambda n, s: time.sleep(float(pace)))
lora.save(folder / "adapter", "x")
"""


def run(folder, model, examples, steps=12):
    folder.mkdir(exist_ok=True)
    weights = Weights.load(model)
    lora = Lora(weights, rank=4, alpha=8, seed=3)
    log = train(Decoder(weights), lora, examples, Plan(steps, 3, 0.01, 2, 5), folder, folder, lambda n, s: None)
    return log, dict(lora.named_parameters())


def test_the_loss_falls(gemma, examples, tmp_path):
    log, _ = run(tmp_path, gemma, examples, steps=30)
    assert log[-1].loss < 0.7 * log[0].loss
    assert log[0].rate < log[1].rate and log[-1].rate < 0.01 * log[2].rate


def test_each_pass_sees_every_lesson_once_in_its_own_order():
    seen = [n for step in range(10) for n in order(10, 3, step, seed=4)]
    assert sorted(seen[:10]) == sorted(seen[10:20]) == list(range(10))
    assert seen[:10] != seen[10:20]


def test_a_stopped_run_goes_on_to_the_same_bytes(gemma, examples, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_CHECKPOINT_SECONDS", 0.0)
    whole, wanted = run(tmp_path / "whole", gemma, examples)

    stops = iter([3, 4, 6])
    left = {"n": next(stops)}

    def stop(n, note):
        left["n"] -= 1
        if left["n"] == 0:
            left["n"] = next(stops, 10**6)
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    folder.mkdir()
    for _ in range(10):
        weights = Weights.load(gemma)
        lora = Lora(weights, rank=4, alpha=8, seed=3)
        try:
            log = train(Decoder(weights), lora, examples, Plan(12, 3, 0.01, 2, 5), folder, folder, stop)
            break
        except KeyboardInterrupt:
            continue
    assert [(s.step, s.loss, s.rate) for s in log] == [(s.step, s.loss, s.rate) for s in whole]
    for name, p in lora.named_parameters():
        assert torch.equal(p, wanted[name]), name


def test_killed_at_five_random_moments_the_adapter_has_the_same_bytes(gemma, examples, tmp_path):
    import json

    lessons = tmp_path / "lessons.json"
    lessons.write_text(json.dumps(examples))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def start(folder, pace):
        folder.mkdir(exist_ok=True)
        words = [sys.executable, "-c", WORKER, str(gemma), str(folder), str(lessons), str(pace)]
        return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)

    whole = start(tmp_path / "whole", 0.0)
    dice = random.Random(11)
    folder = tmp_path / "killed"
    kills = 0
    while kills < 5:
        worker = start(folder, 0.05)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0.05, 0.35))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
        kills += 1
    assert not (folder / "adapter").exists()
    last = start(folder, 0.0)
    for worker in (last, whole):
        assert worker.stdout is not None
        worker.stdout.read()
        assert worker.wait() == 0
        worker.stdout.close()
    mine = load_file(folder / "adapter" / "adapter_model.safetensors")
    wanted = load_file(tmp_path / "whole" / "adapter" / "adapter_model.safetensors")
    assert mine.keys() == wanted.keys()
    assert all(torch.equal(mine[name], wanted[name]) for name in wanted)
    steps = [json.loads(line)["step"] for line in (folder / "loss.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 25))


def test_a_loss_that_is_no_number_stops_with_advice(gemma, examples, tmp_path):
    weights = Weights.load(gemma)
    lora = Lora(weights, rank=4, alpha=8, seed=3)
    weights.final_norm[0] = float("nan")
    with pytest.raises(StageError, match="the loss of step 1 is not a number.*learning_rate"):
        train(Decoder(weights), lora, examples, Plan(3, 3, 0.01, 1, 5), tmp_path, tmp_path, lambda n, s: None)


def test_a_damaged_checkpoint_means_starting_again(gemma, examples, tmp_path):
    (tmp_path / checkpoints.FILE).write_bytes(b"not a checkpoint")
    log, _ = run(tmp_path, gemma, examples, steps=2)
    assert [s.step for s in log] == [1, 2]
