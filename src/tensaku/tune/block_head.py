"""Cross-entropy over a head held in blocks, some words at a time: neither the head nor all logits exist in fp32.

The vocabulary is passed over once. For each row of hidden states are kept the largest logit so far, the sum of
exponentials below it (online softmax, Milakov and Gimelshein 2018), and the head's rows weighted by them (as attention
does with values in FlashAttention, Dao et al. 2022); a new largest logit scales both down. At the end

    L = sum over rows of (m + log s - z[y])        dL/dh = (sum over words of exp(z - m) W) / s - W[y]
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tensaku.models.blocks import BlockMatrix
from tensaku.tune.quantised import Scratch, multiply

__all__ = ["sum_cross_entropy"]

_FLOOR = -60.0  # exp(-60) is nothing beside 1, and keeps the product clear of denormal numbers, which are slow
_AT_ONCE = 1 << 22  # numbers at a time, of the head or of logits, whichever are more: 16 MB


class _SumCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: BlockMatrix, labels: Tensor, scratch: Scratch) -> Tensor:
        wanted = ctx.needs_input_grad[0]
        rows = hidden.shape[0]
        words, width = head.shape
        peak = torch.full((rows, 1), -torch.inf)
        norm, at_label = torch.zeros(rows, 1), torch.zeros(rows, 1)
        grad = torch.zeros_like(hidden) if wanted else None
        step = max(1, _AT_ONCE // max(width, rows))
        for start in range(0, words, step):
            stop = min(start + step, words)
            some = head.dequantise(slice(start, stop), out=scratch.take(stop - start, width))
            z = multiply(hidden, some)
            inside = ((labels >= start) & (labels < stop))[:, None]
            at_label = torch.where(inside, z.gather(1, (labels[:, None] - start).clamp(0, stop - start - 1)), at_label)
            higher = torch.maximum(peak, z.amax(1, keepdim=True))
            shrink = (peak - higher).exp_()
            peak = higher
            z.sub_(peak).clamp_min_(_FLOOR).exp_()
            norm.mul_(shrink).add_(z.sum(1, keepdim=True))
            if grad is not None:
                grad.mul_(shrink).add_(multiply(z, some.T))
        if grad is not None:
            ctx.save_for_backward(grad.div_(norm).sub_(head.dequantise(labels)))
        return (norm.double().log() + peak - at_label).sum()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (grad,) = ctx.saved_tensors
        return grad * upstream.to(grad.dtype), None, None, None


def sum_cross_entropy(hidden: Tensor, head: BlockMatrix, labels: Tensor, scratch: Scratch) -> Tensor:
    """Sum of the negative log-likelihoods of `labels` [rows] in nats, in fp64, for hidden states [rows, width] and a
    frozen head [vocabulary, width]. The gradient flows to `hidden` only; it is computed if that requires one."""
    return _SumCrossEntropy.apply(hidden, head, labels, scratch)  # type: ignore[no-any-return,no-untyped-call]
