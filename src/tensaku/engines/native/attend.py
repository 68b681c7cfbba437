"""Attention over the paged cache, stream by stream: the decoder's `Attend` for serving with torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tensaku.engines.native.cache import PAGE, Cache
from tensaku.engines.native.linear import MIN_ROWS
from tensaku.models.shape import Shape

__all__ = ["CachedAttention", "Span"]

BLOCK = 256
"""Keys are read in blocks of this many positions, so that sums have one order whatever is asked at once."""


class Span(NamedTuple):
    """Rows `start` to `end` of a pass are the positions `first`, `first` + 1, ... of the stream with `pages`."""

    pages: Sequence[int]
    start: int
    end: int
    first: int


class _Reach(NamedTuple):
    """What a span sees in layers of one window: the positions of `pages`, with `bias` -inf where it must not."""

    pages: Tensor
    bias: Tensor


class CachedAttention:
    """Writes the new keys and values, then mixes those that each row may see.

    The arithmetic of a row is the same whatever else the pass holds: keys are read in whole blocks from a block's
    start, what is too much gets the weight zero, products over values are summed block by block, and all heads of a
    group stand in one product of at least `MIN_ROWS` rows.
    """

    def __init__(self, shape: Shape, cache: Cache, context: int) -> None:
        self._cache = cache
        self._kv, self._group, self._dim = shape.kv_heads, shape.heads // shape.kv_heads, shape.head_dim
        self._windows = shape.windows
        self._last = shape.layers - 1
        self._zero = -(-context // BLOCK) * BLOCK  # distance 0 stands here in the tables
        self._tables = {window: self._table(window) for window in set(shape.windows)}
        self._spans: list[Span] = []
        self._last_spans: list[Span] = []
        self._reach: list[dict[int, _Reach]] = []
        self._last_reach: list[dict[int, _Reach]] = []
        self._pages = self._offsets = torch.empty(0, dtype=torch.long)

    def _table(self, window: int) -> Tensor:
        """0 where a key at distance d (key position minus query position, index d + zero) is seen, else -inf."""
        distance = torch.arange(-self._zero, self._zero + BLOCK)
        seen = (distance <= 0) & ((distance > -window) | (window == 0))
        return torch.zeros(len(distance)).masked_fill_(~seen, float("-inf"))

    def plan(self, spans: Sequence[Span], last_spans: Sequence[Span]) -> None:
        """The spans of the next pass, and those of the rows that remain in its last layer."""
        self._spans, self._last_spans = list(spans), list(last_spans)
        self._reach = [self._reaches(span) for span in spans]
        same = self._spans == self._last_spans
        self._last_reach = self._reach if same else [self._reaches(span) for span in last_spans]
        at = [(span.pages, span.first + i) for span in spans for i in range(span.end - span.start)]
        self._pages = torch.tensor([pages[position // PAGE] for pages, position in at])
        self._offsets = torch.tensor([position % PAGE for _, position in at])

    def _reaches(self, span: Span) -> dict[int, _Reach]:
        return {window: self._reach_of(span, window) for window in self._tables}

    def _reach_of(self, span: Span, window: int) -> _Reach:
        rows = span.end - span.start
        low = max(0, span.first - window + 1) // BLOCK * BLOCK if window else 0
        high = -(-(span.first + rows) // BLOCK) * BLOCK
        # the row of position p looks up distances low - p ... high - p: a slice of the table, one further left each row
        start = low - (span.first + rows - 1) + self._zero
        bias = self._tables[window][start : start + rows - 1 + high - low].unfold(0, high - low, 1).flip(0)
        pages = list(span.pages[low // PAGE : high // PAGE])
        pages += pages[-1:] * ((high - low) // PAGE - len(pages))  # positions that nobody sees: any numbers will do
        return _Reach(torch.tensor(pages), bias[:, None])

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What each query gathers, [queries, heads * head_dim]; rows that belong to no span gather nothing."""
        pool = self._cache.pools[layer].view(-1, self._kv, 2, PAGE * self._dim)
        keys = pool[:, :, 0].view(-1, self._kv, self._dim, PAGE)
        values = pool[:, :, 1].view(-1, self._kv, PAGE, self._dim)
        real = len(self._pages)
        keys[self._pages, :, :, self._offsets] = k[:real]
        values[self._pages, :, self._offsets] = v[:real]
        last = layer == self._last
        spans, reaches = (self._last_spans, self._last_reach) if last else (self._spans, self._reach)
        window = self._windows[layer]
        out = q.new_zeros(q.shape)
        for span, reach in zip(spans, reaches, strict=True):
            pages, bias = reach[window]
            for head in range(self._kv):
                heads = slice(head * self._group, (head + 1) * self._group)
                rows = q[span.start : span.end, heads]
                seen = keys[pages, head].transpose(1, 2).reshape(-1, self._dim)
                read = values[pages, head].reshape(-1, self._dim)
                out[span.start : span.end, heads] = self._mix(rows, seen, read, bias)
        return out.view(len(q), -1)

    def _mix(self, q: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """q is [rows, group, dim]; all its heads share `keys` and `values`, [seen, dim]."""
        rows, seen = len(q), len(keys)
        n = rows * self._group
        q = q.reshape(n, self._dim)
        if n < MIN_ROWS:
            q = F.pad(q, (0, 0, 0, MIN_ROWS - n))
        scores = q @ keys.t()
        scores[:n].view(rows, self._group, seen).add_(bias)
        weights = torch.softmax(scores, -1)
        mixed = weights[:, :BLOCK] @ values[:BLOCK]
        for at in range(BLOCK, seen, BLOCK):
            mixed.addmm_(weights[:, at : at + BLOCK], values[at : at + BLOCK])
        return mixed[:n].view(rows, self._group, self._dim)
