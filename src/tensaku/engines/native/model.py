"""One pass of the model: rows of several streams in, the most probable next word of the rows asked for out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tensaku.engines.native.adapter import Adapter
from tensaku.engines.native.attend import CachedAttention, Span
from tensaku.engines.native.cache import Cache, Slot
from tensaku.engines.native.linear import MIN_ROWS, GroupedLinear, row_groups
from tensaku.engines.resolve import CONTEXT
from tensaku.errors import UsageError
from tensaku.models.decoder import Decoder
from tensaku.models.weights import Weights

__all__ = ["Model", "Precision", "Work"]

Precision = Literal["int8", "fp32"]


class Work(NamedTuple):
    """Run `tokens`, which follow what `slot` holds; the next word is asked for after each of the last `wanted`."""

    slot: Slot
    adapter: Adapter | None
    tokens: Sequence[int]
    wanted: int


class Model:
    """Weights, cache and the decoder between them. Not thread-safe: one thread runs it."""

    def __init__(self, folder: Path, *, precision: Precision, context: int | None, slots: int, threads: int) -> None:
        weights = Weights.load(folder)
        context = min(CONTEXT, weights.shape.context) if context is None else context
        if context > weights.shape.context:
            what = f"a context of {context} tokens is more than the base was made for ({weights.shape.context})"
            raise UsageError(what, where=folder, fix=f"Ask for at most {weights.shape.context}")
        self.shape = weights.shape
        self.context = context
        self.cache = Cache(weights.shape, slots=slots, context=context)
        self._linear = GroupedLinear(weights, precision=precision, threads=threads)
        weights.head = weights.embedding  # the products have their own copy
        self._attend = CachedAttention(weights.shape, self.cache)
        self._decoder = Decoder(weights, context)

    def weight(self, layer: int, part: str) -> Tensor:
        """The base's weight as it is multiplied, fp32, [out, in]. Any thread may ask."""
        return self._linear.weight(layer, part)

    @torch.inference_mode()
    def run(self, works: Sequence[Work]) -> list[list[int]]:
        """For each work its `wanted` next words; the slots then hold the work's tokens too."""
        logits = self.logits(works)
        words = [] if logits is None else logits.argmax(-1).tolist()
        answers, at = [], 0
        for work in works:
            answers.append(words[at : at + work.wanted])
            at += work.wanted
        return answers

    @torch.inference_mode()
    def logits(self, works: Sequence[Work]) -> Tensor | None:
        """The scores behind `run`, [rows asked for, vocabulary], or None if none is asked for."""
        hidden = self._hidden(works)
        for work in works:
            work.slot.tokens.extend(work.tokens)
        asked = sum(work.wanted for work in works)
        return self._linear.head(hidden)[:asked] if asked else None

    def _hidden(self, works: Sequence[Work]) -> Tensor:
        ids: list[int] = []
        positions: list[int] = []
        rows: list[int] = []
        spans: list[Span] = []
        last_spans: list[Span] = []
        for work in works:
            n, first = len(work.tokens), len(work.slot.tokens)
            start, asked = len(ids), len(rows)
            ids.extend(work.tokens)
            positions.extend(range(first, first + n))
            rows.extend(range(start + n - work.wanted, start + n))
            spans.append(Span(work.slot.index, start, start + n, first))
            if work.wanted:
                last_spans.append(Span(work.slot.index, asked, len(rows), first + n - work.wanted))
        every_row = len(rows) == len(ids)
        _pad(ids, 0)
        _pad(positions, 0)
        _pad(rows, len(ids) - 1)
        self._attend.plan(spans, last_spans)
        groups = row_groups([(len(work.tokens), work.adapter) for work in works])
        asked_groups = groups if every_row else row_groups([(work.wanted, work.adapter) for work in works])
        self._linear.plan(groups, asked_groups)
        chosen = None if every_row else torch.tensor(rows)
        return self._decoder.hidden(torch.tensor(ids), torch.tensor(positions), self._linear, self._attend, rows=chosen)


def _pad(numbers: list[int], filler: int) -> None:
    """Bring `numbers` to `MIN_ROWS`: fp32 products of fewer rows would round in another way."""
    numbers.extend([filler] * (MIN_ROWS - len(numbers)))
