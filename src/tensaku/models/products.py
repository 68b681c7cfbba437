"""The matrix product that carries training: true fp32 through whichever library is faster on this machine.

On processors of AMD, MKL keeps to AVX2 where oneDNN uses what the processor has: 480 against 225 GFLOP/s on a Zen 5
(docs/log.md). Both sum in fp32. Which one is used is measured, not guessed from a name, and written down with the work:
they round differently, so a run that goes on must go on with the same one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["PRODUCTS", "Multiply", "Speed", "plain", "product", "speed"]

Multiply = Callable[[Tensor, Tensor], Tensor]
"""x W' for x [rows, in] and W [out, in], both of two dimensions (transposed views will do); a new tensor."""

_ROWS, _IN, _OUT = 512, 640, 2048
_TRIES = 12
_MARGIN = 1.05
"""oneDNN must win by this much: where both are level, the plain operator is one thing less to rely on."""


class Speed(NamedTuple):
    """GFLOP/s of one middling product by each way; 0.0 where there is no such way."""

    plain: float
    onednn: float
    bf16: float

    @property
    def fastest(self) -> str:
        """The name of the faster product in fp32: "plain" or "onednn"."""
        return "onednn" if self.onednn > _MARGIN * self.plain else "plain"


def plain(x: Tensor, weight: Tensor) -> Tensor:
    """The product by torch's own operator."""
    return x @ weight.T


def _onednn(x: Tensor, weight: Tensor) -> Tensor:
    """Operands whose rows do not lie one after the other would fall to its slow reference, so they are copied first."""
    x, weight = _dense(x), _dense(weight)
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
    return found


def _dense(x: Tensor) -> Tensor:
    return x if x.is_contiguous() or x.T.is_contiguous() else x.contiguous()


def _bf16(x: Tensor, weight: Tensor) -> Tensor:
    """Both rounded to 8 bits of mantissa, summed in fp32, the result rounded again."""
    return (x.bfloat16() @ weight.bfloat16().T).float()


PRODUCTS: Mapping[str, Multiply] = {"plain": plain, "onednn": _onednn, "bf16": _bf16}
"""Every way, by its name."""


def product(name: str) -> Multiply:
    """The product called "plain", "onednn" or "bf16"; a KeyError for any other name."""
    return PRODUCTS[name]


@cache
def speed() -> Speed:
    """Time the product by every way on the threads that torch uses now: a fifth of a second, once a process."""
    random = torch.Generator().manual_seed(0)
    x, w = torch.randn(_ROWS, _IN, generator=random), torch.randn(_OUT, _IN, generator=random)
    x16, w16 = x.bfloat16(), w.bfloat16()
    ways: dict[str, Callable[[], Tensor]] = {"plain": lambda: x @ w.T, "bf16": lambda: x16 @ w16.T}
    if _agrees(x, w):
        ways["onednn"] = lambda: _onednn(x, w)
    best = dict.fromkeys(("plain", "onednn", "bf16"), math.inf)
    for _ in range(_TRIES):  # in turns: what else the machine does then falls on all of them
        for name, work in ways.items():
            started = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - started)
    return Speed(**{name: round(2 * _ROWS * _IN * _OUT / seconds / 1e9, 1) for name, seconds in best.items()})


def _agrees(x: Tensor, w: Tensor) -> bool:
    """Whether oneDNN is there and multiplies in fp32: it may be set to something coarser from outside."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    try:
        found = _onednn(x, w)
    except (RuntimeError, AttributeError):
        return False
    exact = x.double() @ w.double().T
    return bool((found - exact).abs().max() <= 3e-6 * exact.abs().max())
