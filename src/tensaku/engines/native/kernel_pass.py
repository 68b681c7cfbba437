"""The pass in the compiled kernel: one call for all rows, all layers and the choice of words."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tensaku.engines.native.adapter import Adapter
from tensaku.engines.native.cache import Cache
from tensaku.engines.native.compiled import Library, PassLayout, ShapeLayout
from tensaku.engines.native.crew import Crew
from tensaku.errors import EngineError
from tensaku.models.decoder import Rope
from tensaku.models.shape import Shape
from tensaku.models.weights import FUSED, Weights, sizes_of

if TYPE_CHECKING:
    from tensaku.engines.native.model import Found, Work

__all__ = ["KernelPass", "computable"]

_LANES = 16
_HEAD = len(FUSED)
_NORMS = ("input", "post_attention", "pre_feedforward", "post_feedforward", "q", "k")
_KINDS = ("products", "attention", "between", "all")


def computable(shape: Shape) -> bool:
    """Whether the kernel computes this shape: its widths must be whole vectors."""
    return all(width % _LANES == 0 for width in (shape.hidden, shape.head_dim, shape.intermediate))


class KernelPass:
    """Weights in int8, packed for the kernel. What it points to (embedding, norms, tables, cache) is kept alive
    here."""

    kind = "compiled"

    def __init__(self, lib: Library, weights: Weights, cache: Cache, *, context: int, threads: int) -> None:
        self._lib, self._shape = lib, weights.shape
        self._kept: list[Tensor] = []
        layout = _layout(weights.shape, context, threads)
        embedding = self._address(weights.embedding)
        self._model = lib.tk_open(ctypes.byref(layout), embedding, self._address(weights.final_norm))
        self._close = weakref.finalize(self, lib.tk_close, self._model)
        self._set_layers(weights, cache, context)
        self._set_matrix(0, _HEAD, weights.head)
        weights.head = weights.embedding
        self._adapters: weakref.WeakKeyDictionary[Adapter, int] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._rows = _Room(256)
        self._crew = Crew(threads)

    def _address(self, tensor: Tensor | None) -> int | None:
        if tensor is None:
            return None
        self._kept.append(tensor.float().contiguous())
        return self._kept[-1].data_ptr()

    def _set_layers(self, weights: Weights, cache: Cache, context: int) -> None:
        shape = weights.shape
        ropes = [(cos[:, 0], sin[:, 0]) for cos, sin in Rope(shape, context).rows(torch.arange(context))]
        shared: dict[tuple[float, float], tuple[int | None, int | None]] = {}
        for i, (cos, sin) in enumerate(ropes):
            key = shape.thetas[i], shape.rope_scales[i]
            if key not in shared:
                shared[key] = self._address(cos), self._address(sin)
            norms = [self._address(weights.norms[i].get(name)) for name in _NORMS]
            pool = cache.pools[i]
            self._kept.append(pool)
            given = (ctypes.c_void_p * 10)(*norms, self._address(weights.biases[i]), *shared[key], pool.data_ptr())
            self._lib.tk_layer(self._model, i, given, shape.windows[i])
            for number, part in enumerate(FUSED):
                self._set_matrix(i, number, weights.linear[i].pop(part))  # pop: fp32 weights are freed one by one

    def _set_matrix(self, layer: int, part: int, weight: Tensor) -> None:
        scales = (weight.abs().amax(1) / 127).clamp_min(1e-12)
        bytes_ = torch.round(weight / scales[:, None]).clamp_(-127, 127).to(torch.int8).contiguous()
        out, into = weight.shape
        self._lib.tk_matrix(self._model, layer, part, out, into, bytes_.data_ptr(), scales.contiguous().data_ptr())

    def weight(self, layer: int, part: str) -> Tensor:
        """The base's weight as it is multiplied, fp32, [out, in]."""
        self._check_open()
        into, outs = sizes_of(self._shape, part)
        found = torch.empty(sum(outs), into)
        self._lib.tk_weight(self._model, layer, list(FUSED).index(part), found.data_ptr())
        return found

    def prepare(self, adapter: Adapter) -> None:
        """Lay an adapter out for the kernel; it is freed with the adapter."""
        with self._lock:
            self._check_open()
            if adapter in self._adapters:
                return
            handle = self._lib.tk_adapter(self._model)
            for layer, parts in enumerate(adapter.layers):
                gains = adapter.gains[layer] if adapter.gains else {}
                for number, part in enumerate(FUSED):
                    if part in parts:
                        self._set_part(handle, layer, number, *parts[part], gains.get(part))
            weakref.finalize(adapter, self._lib.tk_adapter_close, handle)
            self._adapters[adapter] = handle

    def _set_part(self, handle: int, layer: int, part: int, down: Tensor, up: Tensor, gain: Tensor | None) -> None:
        down, up = down.contiguous(), up.contiguous()
        gained = None if gain is None else gain.contiguous()
        address = None if gained is None else gained.data_ptr()
        ranks = down.shape[1]
        self._lib.tk_adapter_part(self._model, handle, layer, part, ranks, down.data_ptr(), up.data_ptr(), address)

    def run(self, works: Sequence[Work]) -> list[Found]:
        """What each work asks for."""
        from tensaku.engines.native.model import Found

        rows, scores = self._plan(works)
        threads, began = self._crew.next(), perf_counter()
        self._lib.tk_pass(self._model, ctypes.byref(rows.layout), threads)
        self._crew.note(threads, rows.layout.rows, perf_counter() - began)
        found, at = [], 0
        for work, scored in zip(works, scores, strict=True):
            found.append(Found(rows.words[at : at + work.wanted].tolist(), scored))
            at += work.wanted
        return found

    def states(self, work: Work) -> Tensor:
        """The last hidden states of the work's wanted tokens, after the final norm, [wanted, hidden]."""
        rows, _ = self._plan([work])
        made = torch.empty(work.wanted, self._shape.hidden)
        rows.layout.states = made.data_ptr()
        try:
            self._lib.tk_pass(self._model, ctypes.byref(rows.layout), self._crew.next())
        finally:
            rows.layout.states = None
        return made

    def _plan(self, works: Sequence[Work]) -> tuple[_Room, list[Tensor | None]]:
        n = sum(len(work.tokens) for work in works)
        if n > self._rows.size:
            self._rows = _Room(2 * n)
        rows, scores = self._rows, []
        at = asked = 0
        for work in works:
            first, end = len(work.place.tokens), at + len(work.tokens)
            rows.ids[at:end] = work.tokens
            rows.positions[at:end] = rows.counting[first : first + end - at]
            rows.pages[at:end] = work.place.table.ctypes.data
            rows.adapters[at:end] = self._handle(work.adapter)
            last = asked + work.wanted
            rows.wanted[asked:last] = rows.counting[end - work.wanted : end]
            rows.scores[asked:last] = 0
            made = torch.empty(work.wanted, self._shape.vocabulary) if work.scored else None
            if made is not None:
                rows.scores[asked:last] = [made[i].data_ptr() for i in range(work.wanted)]
            scores.append(made)
            at, asked = end, last
        rows.layout.rows, rows.layout.wanted = at, asked
        return rows, scores

    def _handle(self, adapter: Adapter | None) -> int:
        if adapter is None:
            return 0
        if adapter not in self._adapters:
            self.prepare(adapter)
        return self._adapters[adapter]

    def _check_open(self) -> None:
        if not self._close.alive:
            raise EngineError("the engine is closed")

    def seconds(self) -> dict[str, float]:
        """Time spent since the last call, in all and by kind."""
        found = (ctypes.c_double * len(_KINDS))()
        self._lib.tk_seconds(self._model, found)
        return dict(zip(_KINDS, found, strict=True))

    def close(self) -> None:
        """Free the packed weights and end the kernel's threads. No pass may run."""
        self._close()


class _Room:
    """The arrays of one pass, used again by the next."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.counting = np.arange(1 << 20, dtype=np.int32)
        self.ids, self.positions, self.wanted, self.words = (np.zeros(size, dtype=np.int32) for _ in range(4))
        self.pages, self.adapters, self.scores = (np.zeros(size, dtype=np.uint64) for _ in range(3))
        arrays: tuple[NDArray[Any], ...] = (
            self.ids,
            self.positions,
            self.pages,
            self.adapters,
            self.wanted,
            self.scores,
            self.words,
        )
        self.layout = PassLayout(0, 0, *(array.ctypes.data for array in arrays))


def _layout(shape: Shape, context: int, threads: int) -> ShapeLayout:
    return ShapeLayout(
        layers=shape.layers,
        hidden=shape.hidden,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        dim=shape.head_dim,
        inner=shape.intermediate,
        vocabulary=shape.vocabulary,
        context=context,
        threads=threads,
        silu=shape.activation == "silu",
        qk_norm=shape.qk_norm,
        sandwich=shape.sandwich,
        eps=shape.eps,
        embed_scale=shape.embed_scale,
        attention_scale=shape.attention_scale,
    )
