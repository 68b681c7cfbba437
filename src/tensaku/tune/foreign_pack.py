"""A pack through a model of Transformers: its attention replaced by one that knows prefix and segments.

Models of Transformers hand queries, keys and values to a function that can be named. The one here gathers as
`PackedAttention` does, so the prefix that lessons share is computed once and nothing is padded. Not every model lets
itself be treated like that (attention of another kind, states that run on from token to token): whoever uses it must
see first that it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from tensaku.models.products import Multiply
from tensaku.models.shape import Shape
from tensaku.tune.attention import PackedAttention
from tensaku.tune.pack import Pack

__all__ = ["NAME", "NotPackable", "packed", "register"]

NAME = "tensaku_packed"
"""What Transformers knows the attention by."""

_HARMLESS = {"dropout", "scaling", "sliding_window", "position_ids", "use_cache", "cache_position", "output_attentions"}
_HARMLESS |= {"is_causal", "output_hidden_states", "return_dict", "output_router_logits"}


class NotPackable(Exception):
    """The model's attention does something that the one here does not."""


@dataclass(frozen=True, slots=True)
class _Windows:
    """As much of a `Shape` as the attention asks for."""

    windows: tuple[int, ...]


@dataclass(slots=True)
class _Now:
    """The pack on its way, and the attention for each sliding window met so far."""

    batch: Pack
    multiply: Multiply
    by_window: dict[int, PackedAttention] = field(default_factory=dict)

    def attention(self, window: int) -> PackedAttention:
        if window not in self.by_window:
            shape = cast(Shape, _Windows((window,)))
            self.by_window[window] = PackedAttention(shape, self.batch, self.multiply)
        return self.by_window[window]


_now: ContextVar[_Now] = ContextVar("tensaku-pack")


@contextmanager
def packed(batch: Pack, multiply: Multiply) -> Iterator[dict[int, Any]]:
    """While the body runs, the attention is that of `batch`; yields what is filled with the windows it met."""
    now = _Now(batch, multiply)
    token = _now.set(now)
    try:
        yield now.by_window
    finally:
        _now.reset(token)


def register() -> None:
    """Make the attention known to Transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attend)


def _attend(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **how: Any) -> Any:
    """Transformers' form: query [1, heads, rows, head_dim] in, ([1, rows, heads, head_dim], None) out."""
    other = sorted(name for name, value in how.items() if value is not None and name not in _HARMLESS)
    if other or mask is not None or not getattr(module, "is_causal", True) or how.get("is_causal") is False:
        raise NotPackable(f"its attention takes {', '.join(other) or 'a mask of its own'}")
    if key.shape[-1] != value.shape[-1] or query.shape[0] != 1 or query.shape[2] != key.shape[2]:
        raise NotPackable("its keys and values are of different sizes")
    scale = how.get("scaling")
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    q, k, v = ((x[0].transpose(0, 1)) for x in (query * scale, key, value))
    gather = _now.get().attention(int(how.get("sliding_window") or 0))
    out = gather(0, q, k, v)
    return torch.unflatten(out, 1, (q.shape[1], q.shape[2]))[None], None
