"""LoRA beside weights that stay as a GGUF file holds them (as QLoRA, Dettmers et al. 2023).

Every matrix is held in blocks. A projection is turned into fp32 for one product, in one scratch buffer that the next
projection overwrites, on the way forward and again on the way back; nothing of it is kept for autograd. With x the
input, G = dL/dy and s the adapter's scale:

    y = x W' + s (x A') B'      dx = G W + s (G B) A      dA = s (G B)' x      dB = s G' (x A')
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from tensaku.models.block_files import load_blocks
from tensaku.models.blocks import BlockMatrix, BlockStack
from tensaku.models.decoder import Decoder
from tensaku.models.shape import Shape
from tensaku.models.weights import FUSED, Weights, load_tensors

__all__ = ["BlockDecoder", "BlockWeights", "QuantisedLora", "Scratch", "multiply"]


def multiply(x: Tensor, w: Tensor) -> Tensor:
    """x w', for x [rows, in] and w [out, in]."""
    return x @ w.T


class Scratch:
    """One buffer of fp32 that grows to the largest matrix it was asked for. What it gave before is overwritten."""

    def __init__(self) -> None:
        self._held = torch.empty(0)

    def take(self, rows: int, columns: int) -> Tensor:
        """Room for [rows, columns]."""
        if self._held.numel() < rows * columns:
            self._held = torch.empty(rows * columns)
        return self._held[: rows * columns].view(rows, columns)


@dataclass(frozen=True, slots=True)
class BlockWeights:
    """A model whose matrices are blocks: `linear[layer][part]` the fused projections, `embedding` and `head` (the same
    where the model ties them).

    `frame` is everything else, in fp32: shape, norms and biases. Its own `linear` holds sizes without content (on the
    meta device), its embedding and head no rows: enough to make an adapter for it, too little to be multiplied by.
    """

    frame: Weights
    linear: list[dict[str, BlockStack]]
    embedding: BlockMatrix
    head: BlockMatrix
    scratch: Scratch

    @classmethod
    def load(cls, folder: Path) -> BlockWeights:
        """Map the model in `folder`: no matrix is read before it is needed.

        Raises:
            UsageError: it was not made from a GGUF file, a tensor is missing or has the wrong shape, or its blocks are
                of a format that cannot be read.
        """
        shape = Shape.load(folder)
        blocks = load_blocks(folder)
        small = {name: tensor for name, tensor in load_tensors(folder).items() if tensor.dim() == 1}
        sizes = {name: torch.empty(matrix.shape, device="meta") for name, matrix in blocks.items()}
        # Names and sizes are checked, and norms and biases fused, where every other model's are.
        whole = Weights.from_tensors(shape, small | sizes, where=folder)
        linear = []
        for layer in range(shape.layers):
            at = f"model.layers.{layer}"
            named = {part: tuple(blocks[f"{at}.{m}.weight"] for m in modules) for part, modules in FUSED.items()}
            linear.append({part: BlockStack(matrices) for part, matrices in named.items()})
        embedding = blocks["model.embed_tokens.weight"]
        head = embedding if shape.tied else blocks["lm_head.weight"]
        empty = torch.empty(0, shape.hidden)
        return cls(replace(whole, embedding=empty, head=empty), linear, embedding, head, Scratch())

    @property
    def shape(self) -> Shape:
        """Everything about the model that is not a weight."""
        return self.frame.shape

    def embed(self, ids: Tensor) -> Tensor:
        """The rows of the embedding for `ids` [rows], each turned into fp32 once; [rows, hidden]."""
        unique, where = torch.unique(ids, return_inverse=True)
        return functional.embedding(where, self.embedding.dequantise(unique))

    def dequantise(self, layer: int, part: str) -> Tensor:
        """A fused projection in fp32 [out, in], in the scratch buffer: good until the next one is asked for."""
        stack = self.linear[layer][part]
        return stack.dequantise(out=self.scratch.take(*stack.shape))


class BlockDecoder(Decoder):
    """The decoder over weights held in blocks."""

    def __init__(self, weights: BlockWeights, context: int | None = None) -> None:
        super().__init__(weights.frame, context)
        self.blocks = weights

    def embed(self, ids: Tensor) -> Tensor:
        """[rows] token ids to [rows, hidden]."""
        return self.blocks.embed(ids) * self.shape.embed_scale


class Adapter(Protocol):
    """What is asked of whatever makes and saves the thin matrices (`lora.Lora`).

    Under `{layer}.{part}.a` stand the A of every adapted module of a fused projection, stacked, [modules * rank, in];
    under `{layer}.{part}.b{n}` the B [out, rank] of its module n.
    """

    scale: float

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable matrix under a stable name."""
        ...

    def save(self, folder: Path, base: str) -> None:
        """Write the adapter's files."""
        ...


class _Beside(NamedTuple):
    """The adapter of one fused projection: A, and for each adapted module its B and the first row it adds to."""

    a: Tensor
    bs: list[Tensor]
    starts: list[int]


class QuantisedLora:
    """The trainable matrices of `adapter` beside block-held weights, and the linear operation that uses them."""

    def __init__(self, weights: BlockWeights, adapter: Adapter) -> None:
        self._weights, self._adapter = weights, adapter
        parameters = dict(adapter.named_parameters())
        self._beside: dict[tuple[int, str], _Beside] = {}
        for layer, parts in enumerate(weights.linear):
            for part, stack in parts.items():
                a = parameters.get(f"{layer}.{part}.a")
                if a is not None:
                    bs, starts, at = [], [], 0
                    for n, matrix in enumerate(stack.parts):
                        b = parameters.get(f"{layer}.{part}.b{n}")
                        if b is not None:
                            bs.append(b)
                            starts.append(at)
                        at += matrix.shape[0]
                    self._beside[layer, part] = _Beside(a, bs, starts)

    def __call__(self, layer: int, part: str, x: Tensor) -> Tensor:
        """x W' + s (x A') B' with gradients for x, A and B."""
        beside = self._beside.get((layer, part))
        matrices = () if beside is None else (beside.a, *beside.bs)
        call = _Call(self._weights, layer, part, self._adapter.scale, () if beside is None else tuple(beside.starts))
        out: Tensor = _BlockLinear.apply(call, x, *matrices)  # type: ignore[no-untyped-call]
        return out

    def merge(self) -> None:
        """Nothing to do: adapter and weights stay apart."""

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable matrix under a stable name."""
        return self._adapter.named_parameters()

    def save(self, folder: Path, base: str) -> None:
        """Write the adapter as a plain PEFT folder; `base` names the model tuned."""
        self._adapter.save(folder, base)


class _Call(NamedTuple):
    weights: BlockWeights
    layer: int
    part: str
    scale: float
    starts: tuple[int, ...]


class _BlockLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, x: Tensor, *matrices: Tensor) -> Tensor:
        ctx.call = call
        out = multiply(x, call.weights.dequantise(call.layer, call.part))
        if not matrices:
            return out
        ctx.save_for_backward(x, *matrices)
        a, *bs = matrices
        down = multiply(x, a)
        for n, (b, start) in enumerate(zip(bs, call.starts, strict=True)):
            own = down[:, n * b.shape[1] : (n + 1) * b.shape[1]]
            out[:, start : start + b.shape[0]].addmm_(own, b.T, alpha=call.scale)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        call: _Call = ctx.call
        x_grad = None
        if ctx.needs_input_grad[1]:
            x_grad = multiply(grad, call.weights.dequantise(call.layer, call.part).T)
        if not ctx.saved_tensors:
            return None, x_grad
        x, a, *bs = ctx.saved_tensors
        down = multiply(x, a)
        up, b_grads = [], []
        for n, (b, start) in enumerate(zip(bs, call.starts, strict=True)):
            g = grad[:, start : start + b.shape[0]]
            b_grads.append((g.T @ down[:, n * b.shape[1] : (n + 1) * b.shape[1]]).mul_(call.scale))
            up.append(g @ b)
        joined = torch.cat(up, 1).mul_(call.scale)
        if x_grad is not None:
            x_grad.addmm_(joined, a)
        return None, x_grad, joined.T @ x, *b_grads
