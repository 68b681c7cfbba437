"""Matrices held as a GGUF file holds them, in blocks of few bits, and turned into fp32 a few rows at a time.

A row of a matrix is whole blocks, so rows can be chosen, reordered and cut off without touching a block. Each format
(a block's length and bytes, where its scales and codes stand) is as ggml's `ggml-common.h` lays it out and its
`dequantize_row_*` reads it; every operation is rounded as there, so results are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tensaku.errors import UsageError

__all__ = ["FORMATS", "BlockMatrix", "BlockStack"]

_AT_ONCE = 1 << 20  # weights turned at a time: few enough passes, and 1 to 3 MB of codes beside the result


def _half(blocks: Tensor, at: int) -> Tensor:
    """The fp16 number at byte `at` of each block, [blocks, 1], in fp32."""
    return blocks[:, at : at + 2].view(torch.float16).float()


def _f32(blocks: Tensor, out: Tensor) -> None:
    out.copy_(blocks.view(torch.float32))


def _f16(blocks: Tensor, out: Tensor) -> None:
    out.copy_(blocks.view(torch.float16))


def _bf16(blocks: Tensor, out: Tensor) -> None:
    out.copy_(blocks.view(torch.bfloat16))


def _nibbles(codes: Tensor, run: int) -> Tensor:
    """Two codes a byte: of each `run` bytes first the low halves, then the high ones; [blocks, runs, 2, run]."""
    split = torch.unflatten(codes, 1, (-1, run))
    return torch.stack((split & 15, split >> 4), 2)


def _fifths(blocks: Tensor, at: int) -> Tensor:
    """Codes of five bits, [blocks, 32]: the fifth bits of all stand in 4 bytes at `at`, the rest follow."""
    bits = torch.arange(8, dtype=torch.uint8)
    high = (blocks[:, at : at + 4, None] >> bits & 1).flatten(1)
    return _nibbles(blocks[:, at + 4 : at + 20], 16).flatten(1).add_(high, alpha=16)


def _q4_0(blocks: Tensor, out: Tensor) -> None:
    out.copy_(_nibbles(blocks[:, 2:], 16).flatten(1).view(torch.int8).sub_(8)).mul_(_half(blocks, 0))


def _q4_1(blocks: Tensor, out: Tensor) -> None:
    out.copy_(_nibbles(blocks[:, 4:], 16).flatten(1)).mul_(_half(blocks, 0)).add_(_half(blocks, 2))


def _q5_0(blocks: Tensor, out: Tensor) -> None:
    out.copy_(_fifths(blocks, 2).view(torch.int8).sub_(16)).mul_(_half(blocks, 0))


def _q5_1(blocks: Tensor, out: Tensor) -> None:
    out.copy_(_fifths(blocks, 4)).mul_(_half(blocks, 0)).add_(_half(blocks, 2))


def _q8_0(blocks: Tensor, out: Tensor) -> None:
    out.copy_(blocks[:, 2:].view(torch.int8)).mul_(_half(blocks, 0))


def _k_scales(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Scales and minima of the eight parts of a block of Q4_K or Q5_K, [blocks, 8, 1] each: six bits a number, twelve
    bytes from byte 4 on, each times the block's own scale."""
    low, mid, high = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    scale = torch.cat((low & 63, high & 15 | low >> 2 & 48), 1).float().mul_(_half(blocks, 0))
    least = torch.cat((mid & 63, high >> 4 | mid >> 2 & 48), 1).float().mul_(_half(blocks, 2))
    return scale[:, :, None], least[:, :, None]


def _q4_k(blocks: Tensor, out: Tensor) -> None:
    scale, least = _k_scales(blocks)
    parts = torch.unflatten(out, 1, (8, 32))
    parts.copy_(_nibbles(blocks[:, 16:], 32).flatten(1, 2)).mul_(scale).sub_(least)


def _q5_k(blocks: Tensor, out: Tensor) -> None:
    scale, least = _k_scales(blocks)
    codes = _nibbles(blocks[:, 48:], 32).flatten(1, 2)
    codes.add_(blocks[:, None, 16:48] >> torch.arange(8, dtype=torch.uint8)[:, None] & 1, alpha=16)
    torch.unflatten(out, 1, (8, 32)).copy_(codes).mul_(scale).sub_(least)


def _q6_k(blocks: Tensor, out: Tensor) -> None:
    # Of each 128 codes: 64 bytes hold four low bits, in runs of 64; 32 bytes hold two high bits, in runs of 32.
    codes = torch.unflatten(_nibbles(blocks[:, :128], 64), 3, (2, 32)).flatten(2, 3)
    high = torch.unflatten(blocks[:, 128:192], 1, (2, 1, 32)) >> torch.arange(0, 8, 2, dtype=torch.uint8)[:, None]
    codes.add_(high.bitwise_and_(3), alpha=16)
    scale = blocks[:, 192:208].view(torch.int8).float().mul_(_half(blocks, 208))
    signed = codes.view(torch.int8).sub_(32).view(-1, 16, 16)
    torch.unflatten(out, 1, (16, 16)).copy_(signed).mul_(scale[:, :, None])


def _q2_k(blocks: Tensor, out: Tensor) -> None:
    shifts = torch.arange(0, 8, 2, dtype=torch.uint8)[:, None]
    codes = (torch.unflatten(blocks[:, 16:80], 1, (2, 1, 32)) >> shifts).bitwise_and_(3).view(-1, 16, 16)
    scale = (blocks[:, :16] & 15).float().mul_(_half(blocks, 80))
    least = (blocks[:, :16] >> 4).float().mul_(_half(blocks, 82))
    torch.unflatten(out, 1, (16, 16)).copy_(codes).mul_(scale[:, :, None]).sub_(least[:, :, None])


def _q3_k(blocks: Tensor, out: Tensor) -> None:
    # A set bit of the mask means that 4 is *not* taken off; a scale is four bits of one byte and two of another.
    shifts = torch.arange(0, 8, 2, dtype=torch.uint8)[:, None]
    codes = (torch.unflatten(blocks[:, 32:96], 1, (2, 1, 32)) >> shifts).bitwise_and_(3)
    mask = blocks[:, None, :32] >> torch.arange(8, dtype=torch.uint8)[:, None] & 1
    signed = codes.view(-1, 8, 32).add_(mask, alpha=4).view(torch.int8).sub_(4).view(-1, 16, 16)
    low = _nibbles(blocks[:, 96:104], 8).flatten(1)
    high = (blocks[:, None, 104:108] >> shifts).bitwise_and_(3).flatten(1)
    scale = low.add_(high, alpha=16).view(torch.int8).sub_(32).float().mul_(_half(blocks, 108))
    torch.unflatten(out, 1, (16, 16)).copy_(signed).mul_(scale[:, :, None])


@dataclass(frozen=True, slots=True)
class _Format:
    length: int  # weights a block
    size: int  # bytes a block
    read: Callable[[Tensor, Tensor], None]  # [blocks, size] uint8 into [blocks, length] fp32


#: The block formats that can be read, by ggml's name.
FORMATS = {
    "F32": _Format(1, 4, _f32),
    "F16": _Format(1, 2, _f16),
    "BF16": _Format(1, 2, _bf16),
    "Q4_0": _Format(32, 18, _q4_0),
    "Q4_1": _Format(32, 20, _q4_1),
    "Q5_0": _Format(32, 22, _q5_0),
    "Q5_1": _Format(32, 24, _q5_1),
    "Q8_0": _Format(32, 34, _q8_0),
    "Q2_K": _Format(256, 84, _q2_k),
    "Q3_K": _Format(256, 110, _q3_k),
    "Q4_K": _Format(256, 144, _q4_k),
    "Q5_K": _Format(256, 176, _q5_k),
    "Q6_K": _Format(256, 210, _q6_k),
}


@dataclass(frozen=True, slots=True)
class BlockMatrix:
    """A matrix [rows, columns] as its blocks: `data` is uint8 [rows, bytes a row], `kind` one of `FORMATS`.

    Raises:
        UsageError: the format is not one of `FORMATS`, or the bytes of a row are not `columns` weights.
    """

    data: Tensor
    kind: str
    columns: int

    def __post_init__(self) -> None:
        form = FORMATS.get(self.kind)
        if form is None:
            fix = f'Use a GGUF file in one of {", ".join(FORMATS)}, or set tune.method = "lora"'
            raise UsageError(f"blocks of the format {self.kind} cannot be read", fix=fix)
        if self.columns % form.length or self.data.shape[1] != self.columns // form.length * form.size:
            what = f"{self.data.shape[1]} bytes a row are not {self.columns} weights in the format {self.kind}"
            raise UsageError(what, fix="The file is damaged: make the base again")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix that the blocks stand for."""
        return self.data.shape[0], self.columns

    def dequantise(self, rows: slice | Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
        """The matrix, or only the rows asked for (a slice or indices), in fp32; written into `out` if given."""
        data = self.data if rows is None else self.data[rows]
        if out is None:
            out = torch.empty(len(data), self.columns)
        form = FORMATS[self.kind]
        step = max(1, _AT_ONCE // self.columns)
        for at in range(0, len(data), step):
            some = data[at : at + step]
            form.read(some.reshape(-1, form.size), out[at : at + step].view(-1, form.length))
        return out


@dataclass(frozen=True, slots=True)
class BlockStack:
    """Matrices of one width stacked by rows, each in a format of its own."""

    parts: tuple[BlockMatrix, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the stack."""
        return sum(part.shape[0] for part in self.parts), self.parts[0].columns

    def dequantise(self, *, out: Tensor | None = None) -> Tensor:
        """All of it in fp32; written into `out` if given."""
        if out is None:
            out = torch.empty(self.shape)
        at = 0
        for part in self.parts:
            part.dequantise(out=out[at : at + part.shape[0]])
            at += part.shape[0]
        return out
