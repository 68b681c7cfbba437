"""Blocks against the gguf package, to the last bit."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tensaku.errors import UsageError
from tensaku.models.blocks import FORMATS, BlockMatrix, BlockStack

COLUMNS = 768
# Where each format keeps fp16 numbers, which are drawn finite; every other byte may hold anything.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108]}
HALVES |= {"Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def some(kind: str, rows: int, seed: int = 0) -> NDArray[np.uint8]:
    """Rows of blocks with any codes and finite scales of either sign."""
    random = np.random.default_rng(seed)
    if kind in ("F32", "F16", "BF16"):
        values = random.standard_normal((rows, COLUMNS)).astype(np.float32)
        return np.asarray(gguf.quantize(values, gguf.GGMLQuantizationType[kind])).view(np.uint8).reshape(rows, -1)
    length, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    blocks = random.integers(0, 256, (rows * COLUMNS // length, size), dtype=np.uint8)
    for at in HALVES[kind]:
        blocks[:, at : at + 2] = random.standard_normal((len(blocks), 1)).astype(np.float16).view(np.uint8)
    return blocks.reshape(rows, -1)


def exact(data: NDArray[np.uint8], kind: str) -> torch.Tensor:
    return torch.from_numpy(np.array(gguf.dequantize(data, gguf.GGMLQuantizationType[kind]), dtype=np.float32))


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """The same bits, so that -0 is not 0."""
    return torch.equal(a.contiguous().view(torch.int32), b.contiguous().view(torch.int32))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_as_ggml_reads_it(kind: str) -> None:
    data = some(kind, 700)  # more than is turned at a time
    matrix = BlockMatrix(torch.from_numpy(data), kind, COLUMNS)
    wanted = exact(data, kind)
    assert matrix.shape == wanted.shape == (700, COLUMNS)
    assert same(matrix.dequantise(), wanted)
    assert same(matrix.dequantise(slice(5, 600)), wanted[5:600])
    rows = torch.tensor([699, 3, 3, 0])
    assert same(matrix.dequantise(rows), wanted[rows])
    out = torch.full((2, COLUMNS), torch.nan)
    assert matrix.dequantise(slice(698, 700), out=out) is out
    assert same(out, wanted[698:])


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_what_was_quantised_comes_back(kind: str) -> None:
    values = np.random.default_rng(3).standard_normal((6, COLUMNS)).astype(np.float32)
    data = np.asarray(gguf.quantize(values, gguf.GGMLQuantizationType[kind]))
    matrix = BlockMatrix(torch.from_numpy(data), kind, COLUMNS)
    assert same(matrix.dequantise(), exact(data, kind))
    assert (matrix.dequantise() - torch.from_numpy(values)).abs().max() < 0.5


def test_a_stack_keeps_each_in_its_own_format() -> None:
    kinds = ("Q5_0", "Q8_0", "Q6_K")
    held = [some(kind, 3, n) for n, kind in enumerate(kinds)]
    parts = tuple(BlockMatrix(torch.from_numpy(d), k, COLUMNS) for d, k in zip(held, kinds, strict=True))
    stack = BlockStack(parts)
    assert stack.shape == (9, COLUMNS)
    assert same(stack.dequantise(), torch.cat([exact(d, k) for d, k in zip(held, kinds, strict=True)]))


def test_a_format_that_cannot_be_read_is_named() -> None:
    with pytest.raises(UsageError, match=r'format IQ4_XS cannot be read.*method = "lora"'):
        BlockMatrix(torch.zeros(1, 136, dtype=torch.uint8), "IQ4_XS", 256)


@pytest.mark.parametrize(("columns", "size"), [(64, 35), (48, 51)])
def test_bytes_that_are_no_whole_blocks(columns: int, size: int) -> None:
    with pytest.raises(UsageError, match=rf"{size} bytes a row are not {columns} weights in the format Q8_0"):
        BlockMatrix(torch.zeros(1, size, dtype=torch.uint8), "Q8_0", columns)
