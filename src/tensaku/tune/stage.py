"""The stage `tune`: teach a base model one writing job from its lessons."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.records import Pair, from_dict
from tensaku.revise import messages
from tensaku.store import Artifact, Bench, SourceFile, stage

if TYPE_CHECKING:
    from tensaku.models.tokenizer import Tokenizer
    from tensaku.tune.pack import Example

__all__ = ["Tune", "tune"]


class Tune(Section):
    """How to teach the base model one job."""

    method: Literal["prompt", "lora", "qlora", "full", "dpo"] = "lora"
    """What is trained: `prompt`, nothing, past pairs are quoted; `lora`, thin matrices beside every projection of the
    frozen base."""
    epochs: float = Field(2.0, gt=0)
    """Passes over the lessons; the one dial most people turn."""
    learning_rate: float = Field(1e-3, gt=0)
    """Largest step size of AdamW; it rises over the first steps and then falls to nothing."""
    batch: int = Field(4, ge=1)
    """Pairs a step."""
    rank: int = Field(16, ge=1)
    """Width of the thin matrices."""
    alpha: int = Field(32, ge=1)
    """Their weight: what they add is multiplied by alpha / rank."""
    layers: int = Field(0, ge=0)
    """How many of the last layers learn; 0 is all of them. Fewer are quicker: the backward pass ends there."""
    context: int = Field(2048, ge=16)
    """Most tokens of one lesson; a longer one is set aside and counted."""
    seed: int = 1
    """Where the shuffling and the first values start."""


@stage(version=1)
def tune(bench: Bench, cfg: Tune, *, base: Artifact, lessons: Artifact, instruction: SourceFile) -> None:
    """Leave `adapter/`, a plain PEFT folder, and `loss.jsonl` in the bench's folder.

    Facts: `steps`, `tune_seconds`, `first_loss`, `last_loss` (mean of the last tenth), `tokens_per_second`,
    `peak_memory_mb`, `lessons`, `too_long`, `matrix_gflops` (a plain product timed beside the training).

    Raises:
        UsageError: there are no lessons that fit.
        StageError: the loss is not a number any more.
    """
    if cfg.method == "prompt":
        from tensaku.tune.prompt import search

        search(bench, cfg, base=base, lessons=lessons, instruction=instruction)
        return
    if cfg.method != "lora":
        raise UsageError(f"the method {cfg.method!r} is not there yet", where="tune.method", fix="Use lora or prompt")
    import torch

    from tensaku.models.decoder import Decoder
    from tensaku.models.shape import Shape
    from tensaku.models.tokenizer import Tokenizer
    from tensaku.models.weights import Weights
    from tensaku.tune.loop import Plan, train
    from tensaku.tune.lora import Lora

    tokenizer = Tokenizer.load(base.path)
    context = min(cfg.context, Shape.load(base.path).context)
    pairs = [from_dict(Pair, json.loads(line)) for line in _lines(lessons.file("lessons.jsonl"))]
    examples, long = _examples(tokenizer, pairs, instruction.path.read_text(encoding="utf-8"), context)
    if not examples:
        what = "there are no lessons to learn from" if not pairs else f"every lesson is longer than {context} tokens"
        raise UsageError(what, where=lessons.ref, fix="Give more or shorter pairs, or raise tune.context")
    weights = Weights.load(base.path)
    decoder = Decoder(weights, context)
    lora = Lora(weights, rank=cfg.rank, alpha=cfg.alpha, seed=cfg.seed, layers=cfg.layers)
    steps = max(1, round(cfg.epochs * len(examples) / cfg.batch))
    plan = Plan(steps, cfg.batch, cfg.learning_rate, max(1, min(20, steps // 10)), cfg.seed)
    gflops = _matrix_gflops()
    with bench.progress("tune", steps) as progress:
        log = train(decoder, lora, examples, plan, bench.path, bench.aside, progress.advance)
    lora.save(bench.path / "adapter", base.ref)
    tail = log[-max(1, len(log) // 10) :]
    bench.facts.update(
        {
            "method": cfg.method,
            "base": base.ref,
            "lessons": len(examples),
            "too_long": long,
            "steps": steps,
            "trainable_parameters": sum(p.numel() for _, p in lora.named_parameters()),
            "first_loss": log[0].loss,
            "last_loss": math.fsum(s.loss for s in tail) / len(tail),
            "tune_seconds": log[-1].seconds,
            "tokens_per_second": sum(s.tokens for s in log) / log[-1].seconds,
            "peak_memory_mb": max(s.memory_mb for s in log),
            "matrix_gflops": gflops,
            "threads": torch.get_num_threads(),
        }
    )


def _lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:  # str.splitlines would cut at U+2028 inside a text
        return list(file)


def _examples(
    tokenizer: Tokenizer, pairs: list[Pair], instruction: str, context: int
) -> tuple[list[Example], list[str]]:
    """Lessons as tokens, and the ids of those that do not fit into `context`."""
    from tensaku.tune.pack import Example

    end = min(tokenizer.eos)
    fitting, long = [], []
    for p in pairs:
        asked = messages(instruction, p.draft, fund=p.fund, section=p.section, as_of=p.as_of)
        example = Example(tokenizer.chat(asked), [*tokenizer.encode(tokenizer.plain(p.final)), end])
        if len(example.prompt) + len(example.completion) > context:
            long.append(p.id)
        else:
            fitting.append(example)
    return fitting, long


def _matrix_gflops() -> float:
    """Speed of a plain fp32 product on this machine now, in GFLOP/s: the yardstick beside a training time."""
    import torch

    a, b = torch.ones(1024, 640), torch.ones(640, 4096)
    best = math.inf
    for _ in range(5):
        started = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - started)
    return round(2 * 1024 * 640 * 4096 / best / 1e9, 1)
