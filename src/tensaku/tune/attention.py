"""Attention over a pack without cross-talk: the prefix to itself, each segment to the prefix and itself.

Queries that share a head of keys (grouped-query attention, Ainslie et al. 2023) stand as further rows of one product,
so that nothing is repeated or copied for them. Forward: P = softmax(Q K' + mask), O = P V. Backward, with dO given:
dV = P' dO, dP = dO V', dS = P (dP - sum(dP P)), dQ = dS K, dK = dS' Q. Probabilities are kept, [rows, keys] a segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tensaku.models.products import Multiply
from tensaku.models.shape import Shape
from tensaku.tune.pack import Pack

__all__ = ["PackedAttention"]


class _Segment(NamedTuple):
    """Queries at rows `queries`; keys are the first `prefix` rows and those of `own`. `unseen` is [queries, keys]."""

    queries: slice
    own: slice
    unseen: Tensor


@dataclass(frozen=True, slots=True)
class _Plan:
    prefix: int
    segments: list[_Segment]
    multiply: Multiply


class PackedAttention:
    """The decoder's `Attend` for one pack.

    In the last layer queries come for the scored rows alone. Sliding windows are respected by position.
    """

    def __init__(self, shape: Shape, batch: Pack, multiply: Multiply) -> None:
        self._windows = shape.windows
        self._rows = len(batch.ids)
        self._whole = {w: _Plan(batch.prefix, list(_segments(batch, w)), multiply) for w in set(shape.windows)}
        self._scored = _Plan(batch.prefix, list(_scored(batch, shape.windows[-1])), multiply)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What each query gathers, [queries, heads * head_dim]."""
        whole = q.shape[0] == self._rows
        plan = self._whole[self._windows[layer]] if whole else self._scored
        out: Tensor = _Attention.apply(q, k, v, plan)  # type: ignore[no-untyped-call]
        return out.flatten(1)


def _unseen(queries: Tensor, keys: Tensor, window: int) -> Tensor:
    hidden = keys[None] > queries[:, None]
    return hidden | (queries[:, None] - keys[None] >= window) if window else hidden


def _segments(batch: Pack, window: int) -> Iterator[_Segment]:
    head = batch.positions[: batch.prefix]
    if batch.prefix:
        yield _Segment(slice(0, batch.prefix), slice(batch.prefix, batch.prefix), _unseen(head, head, window))
    for a, b in batch.segments:
        own = batch.positions[a:b]
        yield _Segment(slice(a, b), slice(a, b), _unseen(own, torch.cat([head, own]), window))


def _scored(batch: Pack, window: int) -> Iterator[_Segment]:
    head = batch.positions[: batch.prefix]
    at = 0
    for (a, b), count in zip(batch.segments, batch.scored_per_segment, strict=True):
        rows = slice(at, at + count)
        at = rows.stop
        keys = torch.cat([head, batch.positions[a:b]])
        yield _Segment(rows, slice(a, b), _unseen(batch.positions[batch.scored[rows]], keys, window))


def _keys(x: Tensor, head: int, plan: _Plan, segment: _Segment) -> Tensor:
    """Keys or values that a segment sees, [keys, head_dim]."""
    if segment.own.start == segment.own.stop:
        return x[: plan.prefix, head]
    return torch.cat([x[: plan.prefix, head], x[segment.own, head]])


def _queries(x: Tensor, head: int, groups: int, segment: _Segment) -> Tensor:
    """Queries that share a head of keys, one below the other, [queries * groups, head_dim]."""
    return x[segment.queries, head * groups : (head + 1) * groups].reshape(-1, x.shape[-1])


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, plan: _Plan) -> Tensor:
        groups = q.shape[1] // k.shape[1]
        out = torch.empty_like(q, memory_format=torch.contiguous_format)
        probabilities = []
        for segment in plan.segments:
            for head in range(k.shape[1]):
                own = _queries(q, head, groups, segment)
                scores = plan.multiply(own, _keys(k, head, plan, segment))
                by_query = scores.view(-1, groups, scores.shape[-1])
                by_query.masked_fill_(segment.unseen[:, None], -torch.inf)
                p = torch.softmax(scores, -1)
                probabilities.append(p)
                gathered = plan.multiply(p, _keys(v, head, plan, segment).T)
                out[segment.queries, head * groups : (head + 1) * groups] = gathered.view(-1, groups, q.shape[-1])
        ctx.plan = plan
        ctx.save_for_backward(q, k, v, *probabilities)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, *probabilities = ctx.saved_tensors
        plan, multiply = ctx.plan, ctx.plan.multiply
        groups = q.shape[1] // k.shape[1]
        dq = torch.empty_like(q, memory_format=torch.contiguous_format)
        dk, dv = torch.zeros_like(k), torch.zeros_like(v)
        kept = iter(probabilities)
        for segment in plan.segments:
            for head in range(k.shape[1]):
                p = next(kept)
                down = _queries(grad, head, groups, segment)
                own, keys = _queries(q, head, groups, segment), _keys(k, head, plan, segment)
                dp = multiply(down, _keys(v, head, plan, segment))
                ds = torch._softmax_backward_data(dp, p, -1, dp.dtype)
                for_queries = multiply(ds, keys.T).view(-1, groups, q.shape[-1])
                dq[segment.queries, head * groups : (head + 1) * groups] = for_queries
                _add(dk, head, multiply(ds.T, own.T), plan, segment)
                _add(dv, head, multiply(p.T, down.T), plan, segment)
        return dq, dk, dv, None


def _add(total: Tensor, head: int, part: Tensor, plan: _Plan, segment: _Segment) -> None:
    total[: plan.prefix, head] += part[: plan.prefix]
    total[segment.own, head] += part[plan.prefix :]
