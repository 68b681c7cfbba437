"""The training loop: order, schedule, step, log, checkpoint. Same inputs, same bytes, interrupted or not."""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tensaku.errors import StageError
from tensaku.models.decoder import Decoder
from tensaku.tune import checkpoints
from tensaku.tune.head import mean_cross_entropy
from tensaku.tune.lora import Lora
from tensaku.tune.pack import Example, PackedAttention, pack, shared_prefix

__all__ = ["Plan", "Step", "train"]

_CHECKPOINT_SECONDS = 20.0  # one costs under 0.2 s, so under 1 % of the time
_CLIP = 1.0  # largest norm of the gradient over all parameters


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to learn. `batch` is pairs a step; `steps` all of them; `warmup` those that rise."""

    steps: int
    batch: int
    learning_rate: float
    warmup: int
    seed: int

    def rate(self, step: int) -> float:
        """Learning rate of step `step` (from 0): linear rise, then a half cosine down to nothing."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        along = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * along))


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `loss` in nats a token; `seconds` since training began, over all runs."""

    step: int
    loss: float
    rate: float
    tokens: int
    seconds: float
    memory_mb: int


def order(count: int, batch: int, step: int, seed: int) -> list[int]:
    """Which of `count` lessons step `step` sees: every pass is its own shuffle, cut on across passes."""
    picked: list[int] = []
    for at in range(step * batch, (step + 1) * batch):
        epoch, place = divmod(at, count)
        picked.append(_shuffle(count, seed + epoch)[place])
    return picked


def _shuffle(count: int, seed: int) -> list[int]:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()


def train(
    decoder: Decoder,
    lora: Lora,
    examples: Sequence[Example],
    plan: Plan,
    folder: Path,
    aside: Path,
    advance: Callable[[float, str], object],
) -> list[Step]:
    """Train `lora` on `examples`; keeps `loss.jsonl` in `folder` and goes on from a checkpoint in `aside`.

    `advance(1, note)` is called after each step.

    Raises:
        StageError: the loss is not a number any more; the last good checkpoint is kept.
    """
    prefix = shared_prefix(examples)
    parameters = dict(lora.named_parameters())
    optimizer = torch.optim.AdamW(parameters.values(), lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    done = checkpoints.restore(aside, parameters, optimizer)
    steps = _read_log(folder / "loss.jsonl", done)
    started = time.perf_counter() - (steps[-1].seconds if steps else 0.0)
    saved = time.perf_counter()
    with (folder / "loss.jsonl").open("a", encoding="utf-8") as log:
        for number in range(done, plan.steps):
            picked = [examples[i] for i in order(len(examples), plan.batch, number, plan.seed)]
            loss, tokens = _step(decoder, lora, picked, prefix, optimizer, plan.rate(number))
            if not math.isfinite(loss):
                why = f"the loss of step {number + 1} is not a number"
                raise StageError("tune", why, scratch=folder, fix="Lower tune.learning_rate")
            seconds = time.perf_counter() - started
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            step = Step(number + 1, loss, plan.rate(number), tokens, round(seconds, 3), memory)
            log.write(json.dumps(_row(step)) + "\n")
            log.flush()
            steps.append(step)
            advance(1, f"loss {loss:.3f}")
            if time.perf_counter() - saved > _CHECKPOINT_SECONDS and number + 1 < plan.steps:
                checkpoints.save(aside, number + 1, parameters, optimizer)
                saved = time.perf_counter()
    return steps


def _step(
    decoder: Decoder,
    lora: Lora,
    picked: list[Example],
    prefix: int,
    optimizer: torch.optim.Optimizer,
    rate: float,
) -> tuple[float, int]:
    """One update; returns the loss before it and the tokens that went through."""
    batch = pack(picked, prefix)
    lora.merge()
    attend = PackedAttention(decoder.shape, batch)
    hidden = decoder.hidden(batch.ids, batch.positions, lora, attend, rows=batch.scored)
    loss = mean_cross_entropy(hidden, decoder.weights.head, batch.labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    group = optimizer.param_groups[0]
    torch.nn.utils.clip_grad_norm_(group["params"], _CLIP)
    group["lr"] = rate
    optimizer.step()
    return loss.item(), len(batch.ids)


def _row(step: Step) -> dict[str, float | int]:
    return {
        "step": step.step,
        "loss": step.loss,
        "lr": step.rate,
        "tokens": step.tokens,
        "seconds": step.seconds,
        "memory_mb": step.memory_mb,
    }


def _read_log(path: Path, done: int) -> list[Step]:
    """The log of the first `done` steps; what a killed run wrote after its last checkpoint is cut off."""
    rows = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines()[:done]:
            r = json.loads(line)
            rows.append(Step(r["step"], r["loss"], r["lr"], r["tokens"], r["seconds"], r["memory_mb"]))
    path.write_text("".join(json.dumps(_row(s)) + "\n" for s in rows), encoding="utf-8")
    return rows
