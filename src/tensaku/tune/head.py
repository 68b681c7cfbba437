"""Cross-entropy over a large vocabulary, some words at a time, its gradient computed on the way forward.

The logits of all words never exist together. A block of the head's rows is multiplied, turned into probabilities where
it lies in the cache, and multiplied back, with a running maximum and sum as in online softmax (Milakov and Gimelshein
2018); the head is read once. Softmax cross-entropy: L = logsumexp(z) - z[y]; dL/dh = (softmax(z) - onehot(y)) W and,
where the head learns too, dL/dW = (softmax(z) - onehot(y))' h.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from tensaku.models.products import Multiply

__all__ = ["Rows", "cross_entropy", "losses_of"]


class Rows(Protocol):
    """A head of [vocabulary, width] that hands out rows: a tensor, or blocks that become numbers when asked for."""

    def __len__(self) -> int:
        """The vocabulary."""
        ...

    def __getitem__(self, rows: slice | Tensor, /) -> Tensor:
        """Some rows in fp32, good until others are asked for."""
        ...


_FLOOR = -60.0  # exp(-60) is nothing beside 1, and keeps the products clear of denormal numbers, which are slow
_TILE = 1 << 22
"""Numbers at a time, of logits or of the head, whichever are more: 16 MB, so that both stay in the last cache."""
_LEAST = 1024
_KEPT = 1 << 28
"""Logits kept for the head's own gradient: 1 GB; more rows are taken in turns."""


@torch.no_grad()
def cross_entropy(
    hidden: Tensor,
    head: Rows,
    labels: Tensor,
    *,
    terms: int,
    multiply: Multiply,
    head_grad: Tensor | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood of each label times its weight, and the gradient of their sum over `terms`.

    Args:
        hidden: [rows, width].
        head: [vocabulary, width], or what hands out its rows.
        labels: the right word of each row, [rows].
        terms: what the sum is divided by in the gradients: the scored tokens of the whole step.
        multiply: the matrix product to use.
        head_grad: [vocabulary, width]; the head's gradient is added to it, if given.
        weights: [rows], what each row counts for; None: 1.

    Returns:
        The weighted losses in nats, [rows] in fp64, and the gradient with respect to `hidden`, [rows, width].
    """
    turn = len(hidden) if head_grad is None else max(1, _KEPT // len(head))
    losses, grads = [], []
    for start in range(0, len(hidden), turn):
        rows = slice(start, start + turn)
        own = None if weights is None else weights[rows, None].to(hidden)
        loss, grad = _with_gradient(hidden[rows], head, labels[rows], terms, own, multiply, head_grad)
        losses.append(loss)
        grads.append(grad)
    return torch.cat(losses), torch.cat(grads)


@torch.no_grad()
def losses_of(hidden: Tensor, head: Rows, labels: Tensor, multiply: Multiply) -> Tensor:
    """The losses of `cross_entropy` alone, [rows] in fp64."""
    online = _Online(hidden, labels)
    for words in _blocks(head, *hidden.shape):
        online.add(multiply(hidden, head[words]), words)
    return online.losses()


class _Online:
    """Softmax over blocks of words as they come: running maximum `peak` and sum `norm`, each [rows, 1]."""

    def __init__(self, hidden: Tensor, labels: Tensor) -> None:
        self.peak = hidden.new_full((len(hidden), 1), -torch.inf)
        self.norm = hidden.new_zeros((len(hidden), 1))
        self._labels, self._at_label = labels, hidden.new_zeros(len(hidden))

    def add(self, z: Tensor, words: slice) -> Tensor:
        """Turn logits z [rows, words] into exp(z - peak) in place; returns what earlier sums must be multiplied by."""
        here = ((self._labels >= words.start) & (self._labels < words.stop)).nonzero()[:, 0]
        self._at_label[here] = z[here, self._labels[here] - words.start]
        higher = torch.maximum(self.peak, z.amax(1, keepdim=True))
        fade = (self.peak - higher).exp_()
        z.sub_(higher).clamp_min_(_FLOOR).exp_()
        self.norm.mul_(fade).add_(z.sum(1, keepdim=True))
        self.peak = higher
        return fade

    def losses(self) -> Tensor:
        return (self.norm.double().log() + self.peak.double())[:, 0] - self._at_label.double()


def _blocks(head: Rows, rows: int, width: int) -> Iterator[slice]:
    step = max(_LEAST, _TILE // max(rows, width))
    for start in range(0, len(head), step):
        yield slice(start, min(start + step, len(head)))


def _with_gradient(
    hidden: Tensor,
    head: Rows,
    labels: Tensor,
    terms: int,
    weights: Tensor | None,
    multiply: Multiply,
    head_grad: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """`weights` is [rows, 1]."""
    online = _Online(hidden, labels)
    grad = torch.zeros_like(hidden)
    kept: list[tuple[slice, Tensor, Tensor]] = []
    for words in _blocks(head, *hidden.shape):
        some = head[words]
        z = multiply(hidden, some)
        fade = online.add(z, words)
        grad.mul_(fade).add_(multiply(z, some.T))
        if head_grad is not None:
            kept.append((words, z, online.peak))
    grad.div_(online.norm).sub_(head[labels]).div_(terms)
    losses = online.losses()
    if weights is not None:
        grad.mul_(weights)
        losses.mul_(weights[:, 0])
        hidden = hidden * weights  # the head's gradient is linear in it
    if head_grad is not None:
        for words, z, then in kept:
            weighted = hidden * ((then - online.peak).exp_() / online.norm / terms)
            head_grad[words] += multiply(z.T, weighted.T)
        head_grad.index_add_(0, labels, hidden, alpha=-1 / terms)
    return losses, grad
