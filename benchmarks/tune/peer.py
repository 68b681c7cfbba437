"""What the two Hugging Face variants share: loading the model, and the loop around their losses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from benchmarks.tune.course import Course, Lesson, Watch
from torch import Tensor

__all__ = ["load", "loop", "mixed"]


def load(course: Course, **settings: Any) -> Any:
    """The model in fp32, with the course's LoRA or with all weights to be trained."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(course.model, dtype=torch.float32, local_files_only=True, **settings)
    if course.adapter is None:
        return model.train()
    from peft import PeftModel

    return PeftModel.from_pretrained(model, course.adapter, is_trainable=True).train()


def mixed(course: Course) -> AbstractContextManager[Any]:
    """Products in the precision of the course."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if course.precision == "bf16" else nullcontext()


def loop(
    course: Course, watch: Watch, model: Any, loss_of: Callable[[list[Lesson]], Tensor], *, fused: bool | None
) -> None:
    """The steps of the course with torch's AdamW; `fused` None leaves the choice to torch."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    settings: dict[str, Any] = {"betas": (0.9, course.beta2), "eps": 1e-8, "weight_decay": 0.0}
    optimizer = torch.optim.AdamW(parameters, lr=course.rates[0], fused=fused, **settings)
    watch.start()
    for batch, rate in zip(course.batches, course.rates, strict=True):
        with mixed(course):
            loss = loss_of(batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, course.clip)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        watch.step(loss.item(), model.save_pretrained)
