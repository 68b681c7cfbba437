"""What stands between the matrix products, with backward passes of our own: little memory, few passes over it.

RMSNorm: y = x r w with r = (mean(x^2) + eps)^(-1/2); with g = dy w and n = x r:
dx = r (g - n mean(g n)), dw = sum(dy n).
Rotary embedding: a rotation, so the gradient is turned back. Gated feed-forward: act(gate) up.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tensaku.models.decoder import Glue

__all__ = ["TrainingGlue"]


class TrainingGlue(Glue):
    """The decoder's `Glue` for training."""

    def norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """RMSNorm over the last dimension."""
        y: Tensor = _Norm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
        return y

    def gated(self, gate_up: Tensor, activation: str) -> Tensor:
        """act(gate) up, for [rows, 2 inner] to [rows, inner]."""
        y: Tensor = _Gated.apply(gate_up, activation)  # type: ignore[no-untyped-call]
        return y

    def rotate(self, x: Tensor, cos: Tensor, sin: Tensor, scale: float = 1.0) -> Tensor:
        """The rotary embedding of [rows, heads, head_dim], times `scale`."""
        if scale != 1.0:
            cos, sin = cos * scale, sin * scale
        y: Tensor = _Rotate.apply(x, cos, sin)  # type: ignore[no-untyped-call]
        return y


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        r = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, r)
        return torch.mul(x, r).mul_(weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight, r = ctx.saved_tensors
        normed = x * r
        for_weight = None
        if ctx.needs_input_grad[1]:
            for_weight = (grad * normed).reshape(-1, x.shape[-1]).sum(0)
        if not ctx.needs_input_grad[0]:
            return None, for_weight, None
        g = grad * weight
        along = (g * normed).mean(-1, keepdim=True)
        return g.addcmul_(normed, along, value=-1).mul_(r), for_weight, None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor, activation: str) -> Tensor:
        gate, up = gate_up.chunk(2, -1)
        ctx.save_for_backward(gate_up)
        ctx.activation = activation
        return _act(gate, activation).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, -1)
        both = torch.empty_like(gate_up)
        for_gate, for_up = both.chunk(2, -1)
        torch.mul(grad, _act(gate, ctx.activation), out=for_up)
        if ctx.activation == "gelu":
            for_gate.copy_(torch.ops.aten.gelu_backward(grad * up, gate, approximate="tanh"))
        else:
            for_gate.copy_(torch.ops.aten.silu_backward(grad * up, gate))
        return both, None


def _act(gate: Tensor, activation: str) -> Tensor:
    return functional.gelu(gate, approximate="tanh") if activation == "gelu" else functional.silu(gate)


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return (x * cos).addcmul_(_swapped(x), sin)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return (grad * cos).add_(_swapped(grad * sin)), None, None


def _swapped(x: Tensor) -> Tensor:
    """The two halves of the last dimension, exchanged."""
    half = x.shape[-1] // 2
    return torch.cat([x[..., half:], x[..., :half]], -1)
