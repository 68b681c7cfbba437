"""LoRA on the fused projections of the decoder, merged once a step, saved as a plain PEFT folder.

LoRA (Hu et al. 2021): W' = W + s B A, s = alpha / rank. Here W' is formed once a step, so the forward pass costs one
product, and the backward pass gets A's and B's gradients from thin products: with G = dL/dy and x the input,
dB = s G' (x A'), dA = s (G B)' x, dx = G W'.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tensaku.models.weights import FUSED, Weights

__all__ = ["Lora"]


class _MergedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, merged: Tensor, scale: float, a: Tensor, *bs: Tensor) -> Tensor:
        ctx.save_for_backward(x, merged, a, *bs)
        ctx.scale = scale
        return x @ merged.T

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, merged, a, *bs = ctx.saved_tensors
        down = x @ a.T
        rank = a.shape[0] // len(bs)
        at = 0
        up, b_grads = [], []
        for n, b in enumerate(bs):
            g = grad[:, at : at + b.shape[0]]
            at += b.shape[0]
            b_grads.append((g.T @ down[:, n * rank : (n + 1) * rank]).mul_(ctx.scale))
            up.append(g @ b)
        a_grad = (torch.cat(up, 1).T @ x).mul_(ctx.scale)
        x_grad = grad @ merged if ctx.needs_input_grad[0] else None
        return x_grad, None, None, a_grad, *b_grads


class Lora:
    """The trainable matrices beside frozen `weights`, and the linear operation that uses them.

    Only the last `layers` layers have them (0: all): the backward pass then ends where they begin.

    A fused projection of k modules has one A [k * rank, in] (theirs stacked) and k matrices B [out of each, rank].
    A starts as PEFT starts it (uniform in +-1/sqrt(in)), B at zero.
    """

    def __init__(self, weights: Weights, *, rank: int, alpha: float, seed: int, layers: int = 0) -> None:
        self._weights = weights
        self.rank, self.alpha = rank, alpha
        self.scale = alpha / rank
        random = torch.Generator().manual_seed(seed)
        self._a: dict[tuple[int, str], Tensor] = {}
        self._b: dict[tuple[int, str], list[Tensor]] = {}
        self._merged: dict[tuple[int, str], Tensor] = {}
        count = len(weights.linear)
        self._layers = range(max(0, count - layers) if layers else 0, count)
        for layer in self._layers:
            for part, weight in weights.linear[layer].items():
                modules = FUSED[part]
                bound = 1 / math.sqrt(weight.shape[1])
                a = torch.empty(len(modules) * rank, weight.shape[1]).uniform_(-bound, bound, generator=random)
                self._a[layer, part] = a.requires_grad_()
                self._b[layer, part] = [
                    torch.zeros(size, rank, requires_grad=True) for size in _sizes(weights, part, weight)
                ]
                self._merged[layer, part] = torch.empty_like(weight)

    def __call__(self, layer: int, part: str, x: Tensor) -> Tensor:
        """x W' with gradients for A and B; `merge` must have been called."""
        at = layer, part
        if layer not in self._layers:
            return x @ self._weights.linear[layer][part].T
        out: Tensor = _MergedLinear.apply(x, self._merged[at], self.scale, self._a[at], *self._b[at])  # type: ignore[no-untyped-call]
        return out

    @torch.no_grad()
    def merge(self) -> None:
        """Form W + s B A of every projection; call once after each change of A and B."""
        for (layer, part), merged in self._merged.items():
            weight, a, at = self._weights.linear[layer][part], self._a[layer, part], 0
            for n, b in enumerate(self._b[layer, part]):
                rows = slice(at, at + b.shape[0])
                own = a[n * self.rank : (n + 1) * self.rank]
                torch.addmm(weight[rows], b, own, alpha=self.scale, out=merged[rows])
                at += b.shape[0]

    @staticmethod
    def modules(part: str) -> tuple[str, ...]:
        """The modules that the fused projection `part` stands for, in the order of their matrices."""
        return FUSED[part]

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable matrix under a stable name."""
        for (layer, part), a in self._a.items():
            yield f"{layer}.{part}.a", a
            for n, b in enumerate(self._b[layer, part]):
                yield f"{layer}.{part}.b{n}", b

    def save(self, folder: Path, base: str) -> None:
        """Write adapter_config.json and adapter_model.safetensors as PEFT does; `base` names the model tuned."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {}
        for (layer, part), a in self._a.items():
            for n, (module, b) in enumerate(zip(FUSED[part], self._b[layer, part], strict=True)):
                name = f"base_model.model.model.layers.{layer}.{module}"
                tensors[f"{name}.lora_A.weight"] = a.detach()[n * self.rank : (n + 1) * self.rank].contiguous()
                tensors[f"{name}.lora_B.weight"] = b.detach().contiguous()
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
            "target_modules": sorted(m.split(".")[1] for modules in FUSED.values() for m in modules),
            "use_rslora": False,
            "use_dora": False,
        }
        if len(self._layers) < len(self._weights.linear):
            config["layers_to_transform"] = list(self._layers)
        (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _sizes(weights: Weights, part: str, weight: Tensor) -> list[int]:
    """Output rows of each module in a fused projection."""
    shape = weights.shape
    if part == "qkv":
        kv = shape.kv_heads * shape.head_dim
        return [shape.heads * shape.head_dim, kv, kv]
    if part == "gate_up":
        return [shape.intermediate, shape.intermediate]
    return [weight.shape[0]]
