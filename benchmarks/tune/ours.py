"""Tensaku's own training core, step by step as its training loop takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from benchmarks.tune.course import Course, NotThere, Watch, main
from torch import Tensor


class _Learner:
    """The one place that knows Tensaku's training functions."""

    def __init__(self, course: Course) -> None:
        from safetensors.torch import load_file

        from tensaku.models.decoder import Decoder
        from tensaku.models.weights import Weights
        from tensaku.tune.lora import Lora
        from tensaku.tune.pack import Example, shared_prefix

        if course.adapter is None:
            raise NotThere("full fine-tuning is not there yet")
        if course.precision != "fp32":
            raise NotThere("bf16 is not there yet")
        self._batches = [[Example(*lesson) for lesson in batch] for batch in course.batches]
        lessons = [lesson for batch in self._batches for lesson in batch]
        self._prefix = shared_prefix(lessons)
        weights = Weights.load(Path(course.model))
        self._decoder = Decoder(weights, max(len(e.prompt) + len(e.completion) for e in lessons))
        self._lora = Lora(weights, rank=16, alpha=32, seed=0)
        self._begin(load_file(Path(course.adapter) / "adapter_model.safetensors"))

    @torch.no_grad()
    def _begin(self, first: dict[str, Tensor]) -> None:
        """Start from the values that every variant starts from."""
        for name, p in self.parameters():
            layer, part, kind = name.split(".")
            modules = self._lora.modules(part)
            if kind.startswith("b"):
                p.copy_(first[f"base_model.model.model.layers.{layer}.{modules[int(kind[1:])]}.lora_B.weight"])
            else:
                keys = [f"base_model.model.model.layers.{layer}.{module}.lora_A.weight" for module in modules]
                p.copy_(torch.cat([first[key] for key in keys]))

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        """What learns."""
        return self._lora.named_parameters()

    def gradients(self, step: int) -> float:
        """Put the gradients of a step in place; returns its mean loss."""
        from tensaku.tune.head import mean_cross_entropy
        from tensaku.tune.pack import PackedAttention, pack

        batch = pack(self._batches[step], self._prefix)
        self._lora.merge()
        attend = PackedAttention(self._decoder.shape, batch)
        hidden = self._decoder.hidden(batch.ids, batch.positions, self._lora, attend, rows=batch.scored)
        loss = mean_cross_entropy(hidden, self._decoder.weights.head, batch.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def save(self, folder: Path) -> None:
        """Write the PEFT folder."""
        self._lora.save(folder, "base")


def run(course: Course, watch: Watch) -> None:
    """Take the course."""
    learner = _Learner(course)
    parameters = [p for _, p in learner.parameters()]
    settings = {"betas": (0.9, course.beta2), "eps": 1e-8, "weight_decay": 0.0}
    optimizer = torch.optim.AdamW(parameters, lr=course.rates[0], **settings)  # type: ignore[arg-type]
    watch.start()
    for step, rate in enumerate(course.rates):
        optimizer.zero_grad(set_to_none=True)
        loss = learner.gradients(step)
        torch.nn.utils.clip_grad_norm_(parameters, course.clip)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        watch.step(loss, learner.save)


if __name__ == "__main__":
    main(run)
