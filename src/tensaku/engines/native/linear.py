"""Matrix products of a pass: base weights in int8 or fp32, and each row's adapter beside them.

A row's result must not depend on the rows beside it: then an answer is the same alone, among others, or verified from
a guess. In int8 that holds by construction: each row is scaled by itself, and sums of integers have no order. In fp32
it holds for MKL's product as long as it has at least `MIN_ROWS` rows and one thread (measured, and tested), so every
fp32 product here has that many rows and runs on one thread; only the int8 products use more.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from tensaku.engines.native.adapter import Adapter
from tensaku.models.weights import Weights

__all__ = ["MIN_ROWS", "Fp32Matrix", "GroupedLinear", "Int8Matrix", "Matrix", "RowGroup", "row_groups"]

MIN_ROWS = 4

# 7 bits for activations: on AVX2, two products of 8 by 8 bits overflow the 16 bits that FBGEMM adds them in. The same
# on every processor, so that an answer does not depend on it.
_STEPS, _ZERO = 63.0, 64

# 7 bits alone cost 2 BLEU and five outputs in a hundred with a changed fact (docs/log.md). What rounding leaves is
# therefore multiplied too, as a second row 126 times finer: 14 bits, and reading the weights is what costs.
_FINER = 126.0

_WORK_FOR_THREADS = 100_000_000
"""Multiplications below which a product stays on one thread: on a busy machine each meeting of threads waits for the
last of them, which costs a writing stream more than it gains. Prompts and large vocabularies are above it."""


class Matrix(Protocol):
    """y = x W' for one weight; x is [rows, in], y a new tensor [rows, out]."""

    def __call__(self, x: Tensor) -> Tensor:
        """The product, [rows, out]."""
        ...

    def weight(self) -> Tensor:
        """W as it is multiplied, fp32, [out, in]."""
        ...


class Int8Matrix:
    """Weights in int8 per output channel, activations in twice 7 bits per row, sums in int32."""

    def __init__(self, weight: Tensor, threads: int = 1) -> None:
        self._packed = _pack(weight)
        self._threads = threads
        self._rows_for_threads = _WORK_FOR_THREADS // weight.numel() // 2 + 1

    def __call__(self, x: Tensor) -> Tensor:
        """The product, [rows, out]."""
        n = len(x)
        scale = x.abs().amax(-1, keepdim=True).clamp_min_(1e-12)
        halves = torch.empty(2 * n, x.shape[1])
        coarse, fine = halves[:n], halves[n:]
        torch.div(x, scale, out=fine)
        torch.mul(fine, _STEPS, out=coarse).round_().div_(_STEPS)
        fine.sub_(coarse).mul_(_FINER)
        multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        if self._threads == 1 or n < self._rows_for_threads:
            y: Tensor = multiply(halves, 1 / _STEPS, _ZERO, self._packed)
        else:
            torch.set_num_threads(self._threads)
            y = multiply(halves, 1 / _STEPS, _ZERO, self._packed)
            torch.set_num_threads(1)
        return torch.add(y[:n], y[n:], alpha=1 / _FINER).mul_(scale)

    def weight(self) -> Tensor:
        """W as it is multiplied, fp32, [out, in]."""
        with warnings.catch_warnings():  # as in `_pack`
            warnings.simplefilter("ignore", UserWarning)
            held: Tensor = torch.ops.quantized.linear_unpack(self._packed)[0]
            return held.dequantize()


class Fp32Matrix:
    """Weights as they are."""

    def __init__(self, weight: Tensor) -> None:
        self._transposed = weight.t()

    def __call__(self, x: Tensor) -> Tensor:
        """The product, [rows, out]."""
        return x @ self._transposed

    def weight(self) -> Tensor:
        """W as it is multiplied, fp32, [out, in]."""
        return self._transposed.t()


def _pack(weight: Tensor) -> object:
    scales = (weight.abs().amax(1).double() / 127).clamp_min(1e-12)
    zeros = torch.zeros(len(weight), dtype=torch.long)
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"  # read while packing only
    try:
        with warnings.catch_warnings():  # torch announces that it will drop quantised tensors; its version is pinned
            warnings.simplefilter("ignore", UserWarning)
            quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
            return torch.ops.quantized.linear_prepack(quantised, None)
    finally:
        torch.backends.quantized.engine = before


class RowGroup(NamedTuple):
    """Rows `start` to `end` of a pass use `adapter`."""

    start: int
    end: int
    adapter: Adapter


def row_groups(sizes: Sequence[tuple[int, Adapter | None]]) -> list[RowGroup]:
    """The groups of rows that stand one after the other, `sizes` being (rows, adapter); rows without are left out."""
    groups: list[RowGroup] = []
    at = 0
    for n, adapter in sizes:
        if n and adapter is not None:
            if groups and groups[-1].end == at and groups[-1].adapter is adapter:
                groups[-1] = groups[-1]._replace(end=at + n)
            else:
                groups.append(RowGroup(at, at + n, adapter))
        at += n
    return groups


class GroupedLinear:
    """The decoder's `Linear` for serving: the base's product, plus each group's adapter in fp32.

    `plan` is called before each pass. After the last layer's `qkv`, only the rows whose next word is asked for remain,
    and they have groups of their own.
    """

    def __init__(self, weights: Weights, *, precision: str, threads: int) -> None:
        int8 = precision == "int8"
        self._layers: list[dict[str, Matrix]] = []
        for parts in weights.linear:
            self._layers.append({})
            for part in list(parts):  # pop: the fp32 weights are freed one by one
                weight = parts.pop(part) if int8 else parts[part]
                self._layers[-1][part] = Int8Matrix(weight, threads) if int8 else Fp32Matrix(weight)
        self.head: Matrix = Int8Matrix(weights.head, threads) if int8 else Fp32Matrix(weights.head)
        self._last = len(self._layers) - 1
        self._groups: list[RowGroup] = []
        self._last_groups: list[RowGroup] = []

    def plan(self, groups: list[RowGroup], last_groups: list[RowGroup]) -> None:
        """The groups of the next pass, and those of the rows that leave its last layer."""
        self._groups, self._last_groups = groups, last_groups

    def weight(self, layer: int, part: str) -> Tensor:
        """The base's weight as it is multiplied, fp32, [out, in]."""
        return self._layers[layer][part].weight()

    def __call__(self, layer: int, part: str, x: Tensor) -> Tensor:
        """The product with the base's weights, and with the adapters' beside them."""
        y = self._layers[layer][part](x)
        groups = self._last_groups if layer == self._last and part != "qkv" else self._groups
        for start, end, adapter in groups:
            delta = adapter.layers[layer].get(part)
            if delta is not None:
                _add_delta(x, y, start, end, *delta)
            gain = adapter.gains[layer].get(part) if adapter.gains else None
            if gain is not None:
                y[start:end].mul_(gain)
        return y


def _add_delta(x: Tensor, y: Tensor, start: int, end: int, down: Tensor, up: Tensor) -> None:
    """y[start:end] += x[start:end] down up, computed over at least `MIN_ROWS` rows.

    A smaller group borrows its neighbours' rows and takes zero for them. The form of the product is the same in either
    case, so that it rounds the same.
    """
    rows = len(x)
    first = max(0, min(start, rows - MIN_ROWS)) if end - start < MIN_ROWS else start
    last = max(end, first + MIN_ROWS) if end - start < MIN_ROWS else end
    if last - first == rows:
        inner = x @ down
        target = y
    else:
        inner = x[first:last] @ down
        target = y[first:last]
    if first < start:
        inner[: start - first] = 0.0
    if end < last:
        inner[end - first :] = 0.0
    target.addmm_(inner, up)
