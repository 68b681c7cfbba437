"""LoRA beside frozen weights: rank, scale, targets, rsLoRA and DoRA as PEFT defines them; saved as a plain PEFT folder.

LoRA (Hu et al. 2021): W' = W + s B A with s = alpha / rank, or alpha / sqrt(rank) (rsLoRA, Kalajdzievski 2023). W' is
formed once a step, so the forward pass costs one product, and the backward pass gets A's and B's gradients from thin
products: with G = dL/dy and x the input, dB = s G' (x A'), dA = s (G B)' x, dx = G W'.

DoRA (Liu et al. 2024): each row of W' is brought to a learnt length m, W'' = m W' / |W'|, the length |W'| taken as a
constant in the gradient (their section 4.3, as PEFT does it): with D = G m / |W'|, the above holds for D, and
dm = sum(G y) / m.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tensaku.errors import UsageError
from tensaku.models.products import Multiply
from tensaku.models.shape import Shape
from tensaku.models.weights import FUSED, Weights, sizes_of
from tensaku.tune.peft_folder import write_adapter

__all__ = ["TARGETS", "Lora", "LoraSettings", "MergedLora", "Thin"]

#: The names of single projections, as a task file writes them, and the module that each stands for.
TARGETS = {module.split(".")[1].removesuffix("_proj"): module for modules in FUSED.values() for module in modules}


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """`layers`: only the last so many have LoRA (0: all). `targets`: names of `TARGETS` (empty: all)."""

    rank: int = 16
    alpha: float = 32.0
    layers: int = 0
    targets: tuple[str, ...] = ()
    rslora: bool = False
    dora: bool = False
    seed: int = 1

    @property
    def scale(self) -> float:
        """What B A is multiplied by."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)


@dataclass(slots=True)
class Thin:
    """The trainable matrices of one fused projection: those of its modules that are targets.

    `out` is how many columns the fused projection has; `a` is [modules * rank, in], theirs stacked; `bs[n]` is
    [out of module n, rank], and changes the output columns `spans[n]`; `magnitudes[n]` is [out of module n] with DoRA.
    """

    modules: tuple[str, ...]
    out: int
    spans: list[slice]
    a: Tensor
    bs: list[Tensor]
    magnitudes: list[Tensor]

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor under a stable name."""
        yield "a", self.a
        for n, b in enumerate(self.bs):
            yield f"b{n}", b
        for n, m in enumerate(self.magnitudes):
            yield f"m{n}", m

    @torch.no_grad()
    def diagonal(self) -> Tensor:
        """All B in one, [out, modules * rank], zero where column and module do not meet."""
        whole = self.a.new_zeros(self.out, len(self.a))
        for n, (b, span) in enumerate(zip(self.bs, self.spans, strict=True)):
            whole[span, n * b.shape[1] : (n + 1) * b.shape[1]] = b
        return whole

    def down(self, n: int) -> Tensor:
        """A of module n, [rank, in]."""
        rank = self.bs[n].shape[1]
        return self.a[n * rank : (n + 1) * rank]


class Lora:
    """The trainable matrices beside a model of `shape`. A starts as in PEFT (uniform in +-1/sqrt(in)), B at zero.

    Raises:
        UsageError: rank or targets make no sense.
    """

    def __init__(self, shape: Shape, settings: LoraSettings) -> None:
        _check(shape, settings)
        self.shape, self.settings = shape, settings
        random = torch.Generator().manual_seed(settings.seed)
        first = max(0, shape.layers - settings.layers) if settings.layers else 0
        wanted = {TARGETS[name] for name in settings.targets or TARGETS}
        self.thin: dict[tuple[int, str], Thin] = {}
        for layer in range(first, shape.layers):
            for part, modules in FUSED.items():
                chosen = tuple(m for m in modules if m in wanted)
                if chosen:
                    self.thin[layer, part] = _started(shape, part, chosen, settings, random)

    def start_magnitudes(self, rows_of: Any) -> None:
        """With DoRA, let lengths start as those of the frozen rows; `rows_of(layer, part)` is the weight [out, in]."""
        for (layer, part), thin in self.thin.items():
            weight = rows_of(layer, part)
            for m, span in zip(thin.magnitudes, thin.spans, strict=True):
                m.data.copy_(torch.linalg.vector_norm(weight[span], dim=1))

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor under a stable name."""
        for (layer, part), thin in self.thin.items():
            for name, tensor in thin.tensors():
                yield f"{layer}.{part}.{name}", tensor

    def save(self, folder: Path, base: str) -> None:
        """Write `adapter/` in PEFT's layout; `base` names the model tuned."""
        write_adapter(folder / "adapter", self, base)


def _check(shape: Shape, settings: LoraSettings) -> None:
    if settings.rank < 1:
        raise UsageError(f"the rank is {settings.rank}", where="tune.rank", fix="Set it to 1 or more")
    unknown = [name for name in settings.targets if name not in TARGETS]
    if unknown:
        what = f"no layer has a projection called {', '.join(map(repr, unknown))}"
        raise UsageError(what, where="tune.targets", fix=f"Known are {', '.join(TARGETS)}; leave it empty for all")
    if settings.layers > shape.layers:
        what = f"the model has {shape.layers} layers, {settings.layers} are asked to learn"
        raise UsageError(what, where="tune.layers", fix="Name fewer, or 0 for all of them")


def _started(shape: Shape, part: str, chosen: Sequence[str], settings: LoraSettings, random: torch.Generator) -> Thin:
    sizes = sizes_of(shape, part)
    bound = 1 / math.sqrt(sizes.into)
    a = torch.empty(len(chosen) * settings.rank, sizes.into).uniform_(-bound, bound, generator=random)
    spans, at = [], 0
    for module, out in zip(FUSED[part], sizes.outs, strict=True):
        if module in chosen:
            spans.append(slice(at, at + out))
        at += out
    widths = [span.stop - span.start for span in spans]
    bs = [torch.zeros(width, settings.rank, requires_grad=True) for width in widths]
    magnitudes = [torch.ones(width, requires_grad=True) for width in widths] if settings.dora else []
    return Thin(tuple(chosen), sum(sizes.outs), spans, a.requires_grad_(), bs, magnitudes)


class MergedLora(Lora):
    """LoRA over frozen weights in fp32, merged once a step."""

    embedding_grad: Tensor | None = None
    head_grad: Tensor | None = None

    def __init__(self, weights: Weights, settings: LoraSettings, multiply: Multiply) -> None:
        super().__init__(weights.shape, settings)
        self._weights, self._multiply = weights, multiply
        self._lengths: dict[tuple[int, str], Tensor] = {}
        self._merged: dict[tuple[int, str], Tensor] = self._room()
        if settings.dora:
            self.start_magnitudes(self.frozen)

    def __call__(self, layer: int, part: str, x: Tensor) -> Tensor:
        """x W' with gradients for A and B; `prepare` must have been called."""
        thin = self.thin.get((layer, part))
        if thin is None:
            y: Tensor = _Frozen.apply(x, partial(self.frozen, layer, part), self._multiply)  # type: ignore[no-untyped-call]
            return y
        at = layer, part
        merged = partial(self.merged, layer, part)
        how = _How(self.settings.scale, self._multiply, merged, thin.spans, thin.diagonal(), self._lengths, at)
        out: Tensor = _Beside.apply(x, how, thin.a, *thin.bs, *thin.magnitudes)  # type: ignore[no-untyped-call]
        return out

    def frozen(self, layer: int, part: str) -> Tensor:
        """The base's own weight, [out, in]."""
        return self._weights.linear[layer][part]

    def merged(self, layer: int, part: str) -> Tensor:
        """W', [out, in]."""
        return self._merged[layer, part]

    def prepare(self) -> None:
        """Form W' of every projection."""
        for (layer, part), merged in self._merged.items():
            self._merge(layer, part, self.frozen(layer, part), merged)

    def _room(self) -> dict[tuple[int, str], Tensor]:
        return {(layer, part): self.frozen(layer, part).clone() for layer, part in self.thin}

    @torch.no_grad()
    def _merge(self, layer: int, part: str, weight: Tensor, merged: Tensor) -> None:
        """Write W' into `merged`, which holds W already where no module is a target; may be `weight` itself."""
        thin = self.thin[layer, part]
        for n, (b, span) in enumerate(zip(thin.bs, thin.spans, strict=True)):
            torch.addmm(weight[span], b, thin.down(n), alpha=self.settings.scale, out=merged[span])
        if thin.magnitudes:
            self._lengths[layer, part] = lengths = torch.linalg.vector_norm(merged, dim=1)
            for m, span in zip(thin.magnitudes, thin.spans, strict=True):
                merged[span] *= (m / lengths[span])[:, None]


@dataclass(slots=True)
class _How:
    scale: float
    multiply: Multiply
    merged: Callable[[], Tensor]
    spans: list[slice]
    diagonal: Tensor
    lengths: Mapping[tuple[int, str], Tensor]
    at: tuple[int, str]


class _Frozen(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Callable[[], Tensor], multiply: Multiply) -> Tensor:
        ctx.weight, ctx.multiply = weight, multiply
        return multiply(x, weight())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ctx.multiply(grad, ctx.weight().T), None, None


class _Beside(torch.autograd.Function):
    """x W'; the matrix is asked for again on the way back, so that one held in blocks need not be kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, how: _How, a: Tensor, *rest: Tensor) -> Tensor:
        y = how.multiply(x, how.merged())
        ctx.how = how
        ctx.save_for_backward(x, a, y if len(rest) > len(how.spans) else None, *rest)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        how, (x, a, y, *rest) = ctx.how, ctx.saved_tensors
        bs, magnitudes = rest[: len(how.spans)], rest[len(how.spans) :]
        multiply, rank = how.multiply, bs[0].shape[1]
        m_grads = []
        direct = grad
        if magnitudes:
            direct, lengths = grad.clone(), how.lengths[how.at]
            for m, span in zip(magnitudes, how.spans, strict=True):
                m_grads.append((grad[:, span] * y[:, span]).sum(0) / m)
                direct[:, span] *= m / lengths[span]
        # One product for all modules of the projection: what falls beside the diagonal is thrown away, and costs less
        # than slices, whose rows do not lie one after the other.
        crossed = multiply(multiply(x, a).T, direct.T)
        b_grads = [
            crossed[n * rank : (n + 1) * rank, span].T.contiguous().mul_(how.scale) for n, span in enumerate(how.spans)
        ]
        a_grad = multiply(multiply(direct, how.diagonal.T).T, x.T).mul_(how.scale)
        x_grad = multiply(grad, how.merged().T) if ctx.needs_input_grad[0] else None
        return x_grad, None, a_grad, *b_grads, *m_grads
