"""Full fine-tuning: every weight of the model learns. What is left is a complete model folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tensaku.models.block_files import is_blocks
from tensaku.models.products import Multiply
from tensaku.models.weights import Weights, unfused

__all__ = ["Full", "copy_model_files"]


class Full:
    """The decoder's `Linear` over `weights` that learn themselves, in place.

    Norm weights are held as they act (Gemma's with its offset in them); without weight decay that learns the same.

    Args:
        weights: the model, fp32.
        multiply: the matrix product.
        base: folder of the model that `weights` came from; its other files go into what is saved.
    """

    def __init__(self, weights: Weights, multiply: Multiply, base: Path) -> None:
        self._weights, self._multiply, self._base = weights, multiply, base
        tied = weights.head is weights.embedding
        weights.embedding = weights.embedding.clone().requires_grad_()
        weights.head = weights.embedding if tied else weights.head.clone().requires_grad_()
        weights.final_norm = weights.final_norm.clone().requires_grad_()
        weights.linear = [{k: w.clone().requires_grad_() for k, w in parts.items()} for parts in weights.linear]
        weights.norms = [{k: w.clone().requires_grad_() for k, w in parts.items()} for parts in weights.norms]
        weights.biases = [None if b is None else b.clone().requires_grad_() for b in weights.biases]
        self.embedding_grad: Tensor | None = torch.zeros_like(weights.embedding)
        self.head_grad: Tensor | None = self.embedding_grad if tied else torch.zeros_like(weights.head)

    def __call__(self, layer: int, part: str, x: Tensor) -> Tensor:
        """x W' with gradients for W and x."""
        y: Tensor = _Product.apply(x, self._weights.linear[layer][part], self._multiply)  # type: ignore[no-untyped-call]
        return y

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the model under a stable name; fused projections as they are fused."""
        w = self._weights
        yield "embedding", w.embedding
        if w.head is not w.embedding:
            yield "head", w.head
        yield "final_norm", w.final_norm
        for n, (linear, norms, bias) in enumerate(zip(w.linear, w.norms, w.biases, strict=True)):
            yield from ((f"{n}.{part}", tensor) for part, tensor in linear.items())
            yield from ((f"{n}.norm.{name}", tensor) for name, tensor in norms.items())
            if bias is not None:
                yield f"{n}.bias", bias

    def prepare(self) -> None:
        """Give embedding and head their gradients' places, emptied where the last step's were thrown away."""
        w = self._weights
        assert self.embedding_grad is not None
        assert self.head_grad is not None
        if w.embedding.grad is None:
            w.embedding.grad = self.embedding_grad.zero_()
        if w.head.grad is None:
            w.head.grad = self.head_grad.zero_()

    def save(self, folder: Path, base: str) -> None:
        """Write `model/`, a complete Hugging Face folder."""
        from safetensors.torch import save_file

        target = folder / "model"
        target.mkdir(parents=True, exist_ok=True)
        copy_model_files(self._base, target)
        # One word of metadata: safetensors writes several in no fixed order, and the bytes must be the same each time.
        save_file(unfused(self._weights), target / "model.safetensors", metadata={"format": "pt"})


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, multiply: Multiply) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.multiply = multiply
        return multiply(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        x, weight = ctx.saved_tensors
        for_x = ctx.multiply(grad, weight.T) if ctx.needs_input_grad[0] else None
        return for_x, ctx.multiply(grad.T, x.T), None


def copy_model_files(source: Path, target: Path) -> None:
    """Copy everything of a model folder but its weights and what belongs to the artifact it was."""
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        weights = path.suffix == ".safetensors" or path.name.endswith(".index.json") or is_blocks(path.name)
        if path.is_file() and not weights and inside != Path("manifest.json"):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / inside)
