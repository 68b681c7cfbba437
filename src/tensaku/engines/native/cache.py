"""Keys and values of every slot, and what a new prompt can take over from them.

The memory is a slab of fixed size: `slots` times `context` positions. A slot keeps what it computed after its answer
has ended, so a prompt that begins like an earlier one (the instruction of a task) starts where they part. What a slot
holds belongs to one adapter: it is taken over only by a prompt for the adapter with the same content hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tensaku.models.shape import Shape

__all__ = ["BLOCK", "Cache", "Slot", "common_length"]

BLOCK = 256
"""Attention reads keys in blocks of this many positions, so that its sums have one order whatever is asked at once."""


@dataclass(slots=True, eq=False)
class Slot:
    """Room for one stream. `tokens` are those whose keys and values it holds, computed with the adapter of `owner`."""

    index: int
    owner: str | None = None
    tokens: list[int] = field(default_factory=list)
    busy: bool = False
    used: int = 0


class Cache:
    """`keys[layer]` and `values[layer]` are [kv_heads, slots * span, head_dim]; a slot's positions start at
    index * span; `span` is the context rounded up to whole blocks."""

    def __init__(self, shape: Shape, *, slots: int, context: int) -> None:
        self.span = -(-context // BLOCK) * BLOCK
        size = (shape.kv_heads, slots * self.span, shape.head_dim)
        # zeros, not empty: masked positions are multiplied by zero, which must not meet a NaN
        self.keys = [torch.zeros(size) for _ in range(shape.layers)]
        self.values = [torch.zeros(size) for _ in range(shape.layers)]
        self.slots = [Slot(i) for i in range(slots)]
        self._clock = 0

    def free_slots(self) -> int:
        """How many slots no stream holds."""
        return sum(not slot.busy for slot in self.slots)

    def take(self, owner: str, prompt: Sequence[int]) -> Slot | None:
        """A free slot for a stream, if there is one: the one that holds most of the prompt, else the longest unused."""
        free = [slot for slot in self.slots if not slot.busy]
        if not free:
            return None
        best = max(free, key=lambda s: (_reusable(s, owner, prompt), -s.used))
        best.busy = True
        self._touch(best)
        return best

    def reuse(self, slot: Slot, owner: str, prompt: Sequence[int]) -> int:
        """Fill `slot` with as much of the prompt as any slot holds; returns how many tokens that is.

        The last token is never taken over: its row is what the first word of the answer is read from.
        """
        source = max(self.slots, key=lambda s: (_reusable(s, owner, prompt), s is slot))
        n = _reusable(source, owner, prompt)
        if n and source is not slot:
            self._copy(source, slot, n)
        slot.owner, slot.tokens = owner, list(prompt[:n])
        return n

    def release(self, slot: Slot) -> None:
        """Give a slot back; what it holds stays to be reused."""
        slot.busy = False
        self._touch(slot)

    def forget(self) -> None:
        """Drop all that is held: after a failed pass nobody knows what was written."""
        for slot in self.slots:
            slot.owner, slot.tokens, slot.busy = None, [], False

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.used = self._clock

    def _copy(self, source: Slot, target: Slot, n: int) -> None:
        start, to = source.index * self.span, target.index * self.span
        tensor: Tensor
        for tensor in (*self.keys, *self.values):
            tensor[:, to : to + n] = tensor[:, start : start + n]


def _reusable(slot: Slot, owner: str, prompt: Sequence[int]) -> int:
    if slot.owner != owner:
        return 0
    return min(common_length(slot.tokens, prompt), len(prompt) - 1)


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens `a` and `b` begin with in common."""
    n = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        n += 1
    return n
