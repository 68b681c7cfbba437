"""Pack pairs into one row of tokens, the prefix they share standing once.

    [ shared prefix | rest of pair 1 | rest of pair 2 | ... ]

Each rest sees the prefix and itself, never another pair; its positions go on from the prefix. Gradients flow through
the one prefix from every pair, so the step equals the padded, separate one (exact where dropout is 0). Only completion
tokens are scored, and the last token of a pair feeds nothing, so it is not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tensaku.models.shape import Shape

__all__ = ["Example", "Pack", "PackedAttention", "pack", "shared_prefix"]


class Example(NamedTuple):
    """One lesson as token ids: what is given, and what is to be written (its end token included)."""

    prompt: list[int]
    completion: list[int]


@dataclass(frozen=True, slots=True)
class Pack:
    """One step's tokens. `segments` are the (start, end) rows of each pair's rest; row r predicts `labels` where
    `scored` says so: `labels[i]` follows row `scored[i]`."""

    ids: Tensor
    positions: Tensor
    prefix: int
    segments: list[tuple[int, int]]
    scored: Tensor
    scored_per_segment: list[int]
    labels: Tensor


def shared_prefix(examples: Sequence[Example]) -> int:
    """How many first tokens all prompts have in common; every prompt keeps at least one token of its own."""
    if not examples:
        return 0
    first, last = min(e.prompt for e in examples), max(e.prompt for e in examples)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return min(same, min(len(e.prompt) for e in examples) - 1)


def pack(examples: Sequence[Example], prefix: int) -> Pack:
    """Pack `examples`, whose prompts agree on their first `prefix` tokens and are longer than that."""
    ids = list(examples[0].prompt[:prefix])
    positions = list(range(prefix))
    segments, counts = [], []
    scored: list[int] = []
    labels: list[int] = []
    for example in examples:
        start = len(ids)
        rest = example.prompt[prefix:] + example.completion[:-1]
        ids += rest
        positions += range(prefix, prefix + len(rest))
        segments.append((start, len(ids)))
        first = start + len(example.prompt) - prefix - 1
        scored += range(first, first + len(example.completion))
        labels += example.completion
        counts.append(len(example.completion))
    as_tensor = torch.tensor
    return Pack(as_tensor(ids), as_tensor(positions), prefix, segments, as_tensor(scored), counts, as_tensor(labels))


class PackedAttention:
    """Attention over a pack without cross-talk: the prefix to itself, each segment to prefix and itself.

    In the last layer queries come for the scored rows alone. Sliding windows are respected by position.
    """

    def __init__(self, shape: Shape, batch: Pack) -> None:
        self._shape, self._pack = shape, batch
        self._full: dict[tuple[int, int], Tensor] = {}
        self._masks = {window: self._build(window) for window in set(shape.windows)}
        last = shape.windows[-1]
        self._last_masks = self._build_scored(last)

    def _mask(self, queries: Tensor, keys: Tensor, window: int) -> Tensor:
        seen = keys[None] <= queries[:, None]
        return seen & (queries[:, None] - keys[None] < window) if window else seen

    def _build(self, window: int) -> list[Tensor]:
        p = self._pack
        head = p.positions[: p.prefix]
        masks = [self._mask(head, head, window)]
        for a, b in p.segments:
            own = p.positions[a:b]
            masks.append(self._mask(own, torch.cat([head, own]), window))
        return masks

    def _build_scored(self, window: int) -> list[Tensor]:
        p = self._pack
        head = p.positions[: p.prefix]
        rows = torch.split(p.positions[p.scored], p.scored_per_segment)
        return [
            self._mask(own, torch.cat([head, p.positions[a:b]]), window)
            for own, (a, b) in zip(rows, p.segments, strict=True)
        ]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What each query gathers, [queries, heads * head_dim]."""
        p, shape = self._pack, self._shape
        k, v = k.transpose(0, 1), v.transpose(0, 1)
        q = q.transpose(0, 1)
        only_scored = q.shape[1] != k.shape[1]
        if only_scored:
            parts = torch.split(q, p.scored_per_segment, 1)
            masks = self._last_masks
            outs = []
        else:
            parts = torch.split(q, [p.prefix, *(b - a for a, b in p.segments)], 1)
            masks = self._masks[shape.windows[layer]]
            outs = [self._one(parts[0], k[:, : p.prefix], v[:, : p.prefix], masks[0])] if p.prefix else []
            parts, masks = parts[1:], masks[1:]
        for own, mask, (a, b) in zip(parts, masks, p.segments, strict=True):
            keys = torch.cat([k[:, : p.prefix], k[:, a:b]], 1)
            values = torch.cat([v[:, : p.prefix], v[:, a:b]], 1)
            outs.append(self._one(own, keys, values, mask))
        return torch.cat(outs, 1).transpose(0, 1).flatten(1)

    @staticmethod
    def _one(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        groups = q.shape[0] // k.shape[0]
        if groups > 1:
            k, v = k.repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
        return functional.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask, scale=1.0)[0]
