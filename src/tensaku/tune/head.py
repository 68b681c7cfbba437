"""Cross-entropy over a large vocabulary, some rows at a time, its gradient computed on the way forward.

Logits of all rows never exist together: a chunk of rows is multiplied by the head, turned into probabilities in place,
and multiplied back. Softmax cross-entropy: L = mean(logsumexp(z) - z[y]); dL/dh = (softmax(z) - onehot(y)) W / n.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["mean_cross_entropy"]

_FLOOR = -60.0  # exp(-60) is nothing beside 1, and keeps the product clear of denormal numbers, which are slow
_CHUNK = 1 << 26  # logits at a time: 256 MB, a whole step of a trimmed model, 256 rows of 262,144 words


class _MeanCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
        count = hidden.shape[0]
        grad = torch.empty_like(hidden)
        total = torch.zeros((), dtype=torch.float64)
        step = max(1, _CHUNK // head.shape[0])
        for start in range(0, count, step):
            rows = slice(start, start + step)
            target = labels[rows, None]
            z = hidden[rows] @ head.T
            at_label = z.gather(1, target)
            peak = z.amax(1, keepdim=True)
            z.sub_(peak).clamp_min_(_FLOOR).exp_()
            norm = z.sum(1, keepdim=True)
            total += (norm.log() + peak - at_label).sum(dtype=torch.float64)
            torch.mm(z.div_(norm), head, out=grad[rows])
            grad[rows] -= head[labels[rows]]
        ctx.save_for_backward(grad.div_(count))
        return (total / count).to(hidden.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (grad,) = ctx.saved_tensors
        return grad * upstream, None, None


def mean_cross_entropy(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log-likelihood of `labels` [rows] in nats, for hidden states [rows, width] and a frozen head
    [vocabulary, width]. The gradient flows to `hidden` only."""
    return _MeanCrossEntropy.apply(hidden, head, labels)  # type: ignore[no-any-return,no-untyped-call]
