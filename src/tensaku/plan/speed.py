"""Time by roofline: operations over arithmetic, bytes over bandwidth, whichever takes longer (Williams et al. 2009).

How much of either is reached is an assumption with its source, or what was measured (`calibrate.py`): never a figure of
a data sheet by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from tensaku.plan.anatomy import Anatomy
from tensaku.plan.hardware import Accelerator
from tensaku.plan.job import Load, Training
from tensaku.plan.layout import Layout, share
from tensaku.plan.memory import BYTES, cache_bytes, thin_parameters, weight_bytes
from tensaku.plan.said import Said

__all__ = ["Reached", "StepTime", "Times", "attention_operations", "expected_tokens", "forward_operations",
           "serving_times", "step_operations", "step_time", "steps", "usual"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reached:
    """Shares of what the data sheet says that are reached: in a training step, reading a prompt, and of the bandwidth
    when writing. Each is (low, middle, high)."""

    step: tuple[float, float, float] = (0.25, 0.40, 0.50)
    prompt: tuple[float, float, float] = (0.30, 0.45, 0.60)
    bandwidth: tuple[float, float, float] = (0.40, 0.60, 0.80)
    source: str = Said(
        "step: 38-43 % were reported for Llama 3 on H100, communication included (arXiv:2407.21783, table 4); "
        "prompt and bandwidth: assumed, no GPU was measured here",
        "学習ステップは Llama 3 の H100 での報告値 38～43 %（通信込み、arXiv:2407.21783 表 4）。"
        "プロンプトの読み込みとメモリ帯域は仮定で、GPU での実測はありません",
    )


_OF_PROCESSORS = Reached(
    step=(0.10, 0.20, 0.35),
    prompt=(0.15, 0.25, 0.40),
    bandwidth=(0.40, 0.60, 0.80),
    source=Said(
        "prompts and training steps assumed, at the base clock: the paper on AUM (sharing of AMX units, table I and "
        "section IV) has 40.6 TFLOP/s of 206 reading prompts of Llama 2 7B on two Xeon 8475B, 20 %; bandwidth assumed: "
        "the same paper gives their memory 234 GB/s, 76 % of 8 channels of DDR5-4800. No server processor was measured "
        "here",
        "プロンプトの読み込みと学習ステップは仮定（ベースクロック基準）。AUM の論文（AMX の共有、表 I と IV 節）では "
        "Xeon 8475B 2 基での Llama 2 7B の読み込みが 206 のうち 40.6 TFLOP/s（20 %）。メモリ帯域も仮定で、"
        "同論文の値は 234 GB/s（DDR5-4800 8 チャネルの 76 %）。サーバー用プロセッサーでの実測はありません",
    ),
)


def usual(accelerator: Accelerator) -> Reached:
    """What is assumed to be reached where nothing was measured."""
    return _OF_PROCESSORS if accelerator.processor else Reached()


class StepTime(NamedTuple):
    """Seconds of a step on all GPUs, in the middle and at the ends of the band, and its operations on one GPU."""

    seconds: float
    low: float
    high: float
    operations: float


class Times(NamedTuple):
    """Serving, seconds: to read a prompt, for one pass that writes, and words that a pass writes for each answer."""

    prompt: float
    one_pass: float
    words_a_pass: float
    bound: str

    def tokens_a_second(self, users: int) -> float:
        """Words a second over all answers."""
        return users * self.words_a_pass / self.one_pass


def attention_operations(anatomy: Anatomy, tokens: int, before: int = 0) -> float:
    """Operations of scores and of gathering, for `tokens` that follow `before` others; each looks back, itself
    included, within its layer's window."""
    total = 0.0
    for window in anatomy.windows:
        total += _looked_at(tokens, before, window)
    return 4.0 * anatomy.heads * anatomy.head_dim * total


def _looked_at(tokens: int, before: int, window: int) -> float:
    """Sum over the new tokens of how many each looks at."""
    last = before + tokens
    if not window or last <= window:
        return tokens * before + tokens * (tokens + 1) / 2
    growing = max(0, window - before)
    return growing * before + growing * (growing + 1) / 2 + (tokens - growing) * float(window)


def forward_operations(anatomy: Anatomy, tokens: int, scored: int, before: int = 0) -> float:
    """Operations (a multiplication and an addition are two) of one pass over one text; `scored` rows reach the head."""
    matrices = anatomy.count("matrix")
    if anatomy.experts:
        matrices += anatomy.count("expert") * anatomy.active // anatomy.experts
    head = anatomy.vocabulary * anatomy.hidden if anatomy.decodes else 0
    return 2.0 * matrices * tokens + 2.0 * head * scored + attention_operations(anatomy, tokens, before)


def step_operations(anatomy: Anatomy, run: Training) -> float:
    """Operations of one training step on what one GPU takes at once.

    Backwards, a product costs one more for its input and, where its weight learns, one more for the weight.
    """
    forward = run.sequences * forward_operations(anatomy, run.sequence, run.sequence)
    again = forward if run.recompute else 0.0
    if not run.thin:
        return 3.0 * forward + again
    thin = 6.0 * thin_parameters(anatomy, run.rank) * run.tokens
    if anatomy.experts:
        thin *= anatomy.active / anatomy.experts
    reference = forward if run.method == "dpo" else 0.0
    return 2.0 * forward + again + thin + reference


def step_time(
    anatomy: Anatomy, run: Training, layout: Layout, accelerator: Accelerator, reached: Reached | None = None
) -> StepTime:
    """Time of one optimiser step, in which each data-parallel copy takes `run.batch` sequences.

    A pipeline takes as many micro-batches as it has stages, so that many steps' work is done in one; its bubble is
    (stages - 1) of (micro-batches + stages - 1). On a processor what the optimiser moves is added.

    Raises:
        UsageError: how fast the accelerator multiplies is unknown.
    """
    reached = reached or usual(accelerator)
    peak = accelerator.operations(run.precision)
    micro = layout.pipeline
    bubble = (micro + layout.pipeline - 1) / micro
    each = step_operations(anatomy, run) * micro / (layout.tensor * layout.pipeline)
    low, middle, high = (each * bubble / peak / part for part in reversed(reached.step))
    if accelerator.processor:
        moved = _UPDATE * _learns(anatomy, run) / accelerator.bytes_a_second()
        low, middle, high = (
            time + moved / part for time, part in zip((low, middle, high), reversed(reached.bandwidth), strict=True)
        )
    return StepTime(middle, low, high, each)


_UPDATE = 28.0
"""Bytes that the optimiser moves for a number that learns: two moments and the copy in fp32 read and written, gradient
read, weight written (24 + 2 + 2 in bf16, 16 + 4 + 8 in fp32). A GPU does it in no time worth counting."""


def _learns(anatomy: Anatomy, run: Training) -> int:
    if run.thin:
        return thin_parameters(anatomy, run.rank)
    return sum(piece.numbers for piece in anatomy.pieces if piece.part != "vision")


def steps(run: Training, layout: Layout) -> int:
    """Optimiser steps of the whole training."""
    return max(1, math.ceil(run.epochs * run.examples / (run.batch * layout.data * layout.pipeline)))


def expected_tokens(accepted: float, drafted: int) -> float:
    """Words that a verifying pass writes, if each of `drafted` words is right with probability `accepted` and the first
    wrong one is replaced: (1 - a^(k+1)) / (1 - a) (Leviathan et al. 2023)."""
    if accepted >= 1:
        return float(drafted + 1)
    return (1 - accepted ** (drafted + 1)) / (1 - accepted)


def serving_times(
    anatomy: Anatomy,
    load: Load,
    layout: Layout,
    accelerator: Accelerator,
    reached: Reached | None = None,
    *,
    part: int = 1,
    users: int | None = None,
    draft: Anatomy | None = None,
) -> Times:
    """Times of a server with `users` answers under way on each copy of the model.

    A pass reads the weights once (of experts those that are met), every answer's keys and values, and its adapters.
    `part` picks the end of the band: 0 slow, 1 middle, 2 fast. `draft`, a model that drafts, reads the prompt too and
    takes one pass of its own for each drafted word, one after the other.

    Raises:
        UsageError: a figure of the accelerator is unknown.
    """
    reached = reached or usual(accelerator)
    users = max(1, share(load.users, layout.data)) if users is None else users
    ways = layout.tensor * layout.pipeline
    kind = load.precision if load.precision in ("fp8", "int8") and load.precision in accelerator.tflops else "bf16"
    peak = accelerator.operations("fp32" if load.precision == "fp32" else kind) * reached.prompt[part]
    moved = accelerator.bytes_a_second() * reached.bandwidth[part]
    fresh = load.prompt - load.prefix
    # one after the other through the stages of a pipeline: a single text gains nothing from them
    prompt = max(
        forward_operations(anatomy, fresh, 1, load.prefix) / layout.tensor / peak,
        _weights(anatomy, load, fresh) / layout.tensor / moved,
    )
    rows = users * (load.drafted + 1 if load.accepted else 1)
    middle = load.prompt + load.answer // 2
    operations = users * forward_operations(anatomy, rows // users, rows // users, middle)
    read = _weights(anatomy, load, rows) + users * cache_bytes(anatomy, middle, load.cache)
    read += min(users, load.adapters) * thin_parameters(anatomy, load.rank) * BYTES["bf16"]
    by_arithmetic, by_memory = operations / ways / peak, read / ways / moved
    one = max(by_arithmetic, by_memory) * layout.pipeline
    words = expected_tokens(load.accepted, load.drafted)
    if draft is not None and load.accepted:
        kept = load.model_copy(update={"precision": "fp32" if load.precision == "fp32" else "bf16"})
        plain = accelerator.operations(kept.precision) * reached.prompt[part]
        prompt += max(forward_operations(draft, load.prompt, 1) / plain, _weights(draft, kept, load.prompt) / moved)
        held = _weights(draft, kept, users) + users * cache_bytes(draft, middle, load.cache)
        one += load.drafted * max(users * forward_operations(draft, 1, 1, middle) / plain, held / moved)
    return Times(prompt, one, words, "arithmetic" if by_arithmetic > by_memory else "bandwidth")


def _weights(anatomy: Anatomy, load: Load, rows: int) -> float:
    """Bytes of weights that a pass over `rows` rows reads: each expert only if a row meets it."""
    met = 1.0
    if anatomy.experts:
        met = 1 - (1 - anatomy.active / anatomy.experts) ** rows
    read = 0.0
    for piece in anatomy.pieces:
        if piece.part == "vision" or (piece.part == "embedding" and not anatomy.tied):
            continue  # a few rows of it
        size = weight_bytes(piece, piece.numbers, load.precision)
        read += size * met if piece.part == "expert" else size
    return read
