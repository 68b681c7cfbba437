"""Tensaku's own training core, step by step as its training loop takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from benchmarks.tune.course import Course, Watch, main
from torch import Tensor

if TYPE_CHECKING:
    from tensaku.tune.learner import DecoderLearner
    from tensaku.tune.lora import Lora


def _learner(course: Course) -> DecoderLearner:
    """What the stage `tune` trains with here: the product by whichever library is faster, or in bf16 if asked."""
    from tensaku.models.decoder import Decoder
    from tensaku.models.products import product, speed
    from tensaku.models.weights import Weights
    from tensaku.tune.full import Full
    from tensaku.tune.learner import DecoderLearner
    from tensaku.tune.lora import LoraSettings, MergedLora
    from tensaku.tune.pack import Example, shared_prefix

    lessons = [Example(*lesson) for batch in course.batches for lesson in batch]
    multiply = product("bf16" if course.precision == "bf16" else speed().fastest)
    weights = Weights.load(Path(course.model))
    learns: Any
    if course.adapter is None:
        learns = Full(weights, multiply, Path(course.model))
    else:
        learns = MergedLora(weights, LoraSettings(rank=course.rank, alpha=course.alpha), multiply)
        _begin(learns, Path(course.adapter))
    context = max(len(lesson.prompt) + len(lesson.completion) for lesson in lessons)
    return DecoderLearner(Decoder(weights, context), learns, shared_prefix(lessons), multiply)


@torch.no_grad()
def _begin(lora: Lora, adapter: Path) -> None:
    """Start from the values that every variant starts from."""
    from safetensors.torch import load_file

    first = load_file(adapter / "adapter_model.safetensors")

    def value(layer: int, module: str, matrix: str) -> Tensor:
        return first[f"base_model.model.model.layers.{layer}.{module}.lora_{matrix}.weight"]

    for (layer, _), thin in lora.thin.items():
        thin.a.copy_(torch.cat([value(layer, module, "A") for module in thin.modules]))
        for b, module in zip(thin.bs, thin.modules, strict=True):
            b.copy_(value(layer, module, "B"))


def run(course: Course, watch: Watch) -> None:
    """Take the course."""
    from tensaku.tune.pack import Example
    from tensaku.tune.peft_folder import write_adapter

    learner = _learner(course)
    batches = [[Example(*lesson) for lesson in batch] for batch in course.batches]
    parameters = [p for _, p in learner.named_parameters()]
    settings: dict[str, Any] = {"betas": (0.9, course.beta2), "eps": 1e-8, "weight_decay": 0.0}
    optimizer = torch.optim.AdamW(parameters, lr=course.rates[0], fused=True, **settings)

    def save(folder: Path) -> None:
        write_adapter(folder, learner.trainable, course.model)  # type: ignore[arg-type]

    watch.start()
    for batch, rate in zip(batches, course.rates, strict=True):
        terms = learner.count(batch)
        optimizer.zero_grad(set_to_none=True)
        measured = learner.gradients(batch, terms)
        torch.nn.utils.clip_grad_norm_(parameters, course.clip)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        watch.step(measured.loss / terms, save)


if __name__ == "__main__":
    main(run)
