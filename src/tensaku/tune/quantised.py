"""LoRA beside weights that stay as a GGUF file holds them (as QLoRA, Dettmers et al. 2023).

Every matrix is held in blocks. A projection is turned into fp32 for one product, in one scratch buffer that the next
projection overwrites, on the way forward and again on the way back; nothing of it is kept for autograd. The adapter is
merged in that buffer, so it learns exactly as over weights in fp32 (`lora.MergedLora`), DoRA included.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from tensaku.models.block_files import load_blocks
from tensaku.models.blocks import BlockMatrix, BlockStack
from tensaku.models.decoder import Decoder
from tensaku.models.products import Multiply
from tensaku.models.shape import Shape
from tensaku.models.weights import FUSED, Weights, load_tensors
from tensaku.tune.lora import LoraSettings, MergedLora

__all__ = ["BlockDecoder", "BlockLora", "BlockRows", "BlockWeights", "Scratch"]


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
        self._held = weights

    def embed(self, ids: Tensor) -> Tensor:
        """[rows] token ids to [rows, hidden]."""
        return self._held.embed(ids) * self.shape.embed_scale


class BlockRows:
    """A head held in blocks, as the loss asks for it."""

    def __init__(self, held: BlockMatrix, scratch: Scratch) -> None:
        self._held, self._scratch = held, scratch

    def __len__(self) -> int:
        return self._held.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        if isinstance(rows, Tensor):
            return self._held.dequantise(rows)
        count = len(range(*rows.indices(len(self))))
        return self._held.dequantise(rows, out=self._scratch.take(count, self._held.shape[1]))


class BlockLora(MergedLora):
    """LoRA over block-held weights: W' is made for each product in the scratch buffer, and again on the way back."""

    def __init__(self, weights: BlockWeights, settings: LoraSettings, multiply: Multiply) -> None:
        self._held = weights
        super().__init__(weights.frame, settings, multiply)

    def frozen(self, layer: int, part: str) -> Tensor:
        """The base's own weight in fp32, good until the next is asked for."""
        return self._held.dequantise(layer, part)

    def merged(self, layer: int, part: str) -> Tensor:
        """W' in fp32, good until the next is asked for."""
        weight = self.frozen(layer, part)
        self._merge(layer, part, weight, weight)
        return weight

    def _room(self) -> dict[tuple[int, str], Tensor]:
        return {}
