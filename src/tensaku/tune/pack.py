"""Pack pairs into one row of tokens, the prefix they share standing once.

    [ shared prefix | rest of pair 1 | rest of pair 2 | ... ]

Each rest sees the prefix and itself, never another pair; its positions go on from the prefix. Gradients flow through
the one prefix from every pair, so the step equals the padded, separate one (exact where dropout is 0). Only completion
tokens are scored, and the last token of a pair feeds nothing, so it is not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Example", "Pack", "pack", "shared_prefix"]


class Example(NamedTuple):
    """One lesson as token ids: what is given, and what is to be written (its end token included)."""

    prompt: list[int]
    completion: list[int]
    weight: float = 1.0
    """What its loss counts for."""


@dataclass(frozen=True, slots=True)
class Pack:
    """One step's tokens. `segments` are the (start, end) rows of each pair's rest; row r predicts `labels` where
    `scored` says so: `labels[i]` follows row `scored[i]`. `weights` holds what each label's loss
    counts for, [labels]; None: all alike."""

    ids: Tensor
    positions: Tensor
    prefix: int
    segments: list[tuple[int, int]]
    scored: Tensor
    scored_per_segment: list[int]
    labels: Tensor
    weights: Tensor | None = None

    def to(self, device: torch.device) -> Pack:
        """The same on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("ids", "positions", "scored", "labels")}
        weights = self.weights if self.weights is None else self.weights.to(device)
        return replace(self, **moved, weights=weights)


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
    weights = None
    if any(example.weight != 1 for example in examples):
        weights = torch.tensor([example.weight for example in examples]).repeat_interleave(torch.tensor(counts))
    as_tensor = torch.tensor
    rows = as_tensor(ids), as_tensor(positions), prefix, segments, as_tensor(scored), counts, as_tensor(labels)
    return Pack(*rows, weights)
