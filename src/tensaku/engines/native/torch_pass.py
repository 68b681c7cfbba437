"""The pass in torch: for processors without AVX2, machines without a compiler, and weights in fp32."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tensaku.engines.native.adapter import Adapter
from tensaku.engines.native.attend import CachedAttention, Span
from tensaku.engines.native.cache import Cache
from tensaku.engines.native.linear import MIN_ROWS, GroupedLinear, row_groups
from tensaku.models.decoder import Decoder
from tensaku.models.weights import Weights

if TYPE_CHECKING:
    from tensaku.engines.native.model import Found, Work

__all__ = ["TorchPass"]


class TorchPass:
    """The decoder of `models/decoder.py` over grouped products and the paged cache."""

    kind = "torch"

    def __init__(self, weights: Weights, cache: Cache, *, precision: str, context: int, threads: int) -> None:
        self._linear = GroupedLinear(weights, precision=precision, threads=threads)
        weights.head = weights.embedding  # the products have their own copy
        self._attend = CachedAttention(weights.shape, cache, context)
        self._decoder = Decoder(weights, context)
        self._seconds = 0.0

    def weight(self, layer: int, part: str) -> Tensor:
        """The base's weight as it is multiplied, fp32, [out, in]."""
        return self._linear.weight(layer, part)

    def prepare(self, adapter: Adapter) -> None:
        """Nothing: adapters are used as they were read."""

    def seconds(self) -> dict[str, float]:
        """Time spent since the last call; torch does not say on what."""
        spent, self._seconds = self._seconds, 0.0
        return {"all": spent}

    def close(self) -> None:
        """Nothing: Python frees it all."""

    @torch.inference_mode()
    def run(self, works: Sequence[Work]) -> list[Found]:
        """What each work asks for."""
        from tensaku.engines.native.model import Found

        began = perf_counter()
        hidden = self._hidden(works)
        asked = sum(work.wanted for work in works)
        logits = self._linear.head(hidden)[:asked] if asked else None
        words = [] if logits is None else logits.argmax(-1).tolist()
        found, at = [], 0
        for work in works:
            rows = slice(at, at + work.wanted)
            found.append(Found(words[rows], logits[rows] if work.scored and logits is not None else None))
            at += work.wanted
        self._seconds += perf_counter() - began
        return found

    @torch.inference_mode()
    def states(self, work: Work) -> Tensor:
        """The last hidden states of the work's wanted tokens, after the final norm, [wanted, hidden]."""
        return self._hidden([work])[: work.wanted].clone()

    def _hidden(self, works: Sequence[Work]) -> Tensor:
        ids: list[int] = []
        positions: list[int] = []
        rows: list[int] = []
        spans: list[Span] = []
        last_spans: list[Span] = []
        for work in works:
            n, first = len(work.tokens), len(work.place.tokens)
            start, asked = len(ids), len(rows)
            ids.extend(work.tokens)
            positions.extend(range(first, first + n))
            rows.extend(range(start + n - work.wanted, start + n))
            spans.append(Span(work.place.pages, start, start + n, first))
            if work.wanted:
                last_spans.append(Span(work.place.pages, asked, len(rows), first + n - work.wanted))
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
