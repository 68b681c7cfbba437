"""The loss over chunks of a block-held vocabulary against autograd in double precision."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
import torch
from torch.nn import functional

from tensaku.models.blocks import BlockMatrix
from tensaku.tune import block_head
from tensaku.tune.block_head import sum_cross_entropy
from tensaku.tune.quantised import Scratch


def head_of(values: torch.Tensor) -> BlockMatrix:
    raw = np.array(gguf.quantize(values.numpy(), gguf.GGMLQuantizationType.Q8_0))
    return BlockMatrix(torch.from_numpy(raw), "Q8_0", values.shape[1])


@pytest.mark.parametrize("rising", [False, True])
def test_loss_and_gradient_agree_with_autograd_in_fp64(monkeypatch: pytest.MonkeyPatch, rising: bool) -> None:
    monkeypatch.setattr(block_head, "_AT_ONCE", 7 * 32)  # 15 chunks, the last one short
    torch.manual_seed(0)
    values, labels = torch.randn(101, 32), torch.randint(0, 101, (25,))
    if rising:  # each chunk beats the one before, so that what was summed is scaled down every time
        values *= torch.linspace(0.1, 4, 101)[:, None]
    hidden = (torch.randn(25, 32) * 2).requires_grad_()
    head = head_of(values)
    loss = sum_cross_entropy(hidden, head, labels, Scratch())
    assert loss.dtype == torch.float64
    (loss / 3).backward()  # type: ignore[no-untyped-call]

    exact = hidden.detach().double().requires_grad_()
    wanted = functional.cross_entropy(exact @ head.dequantise().double().T, labels, reduction="sum")
    (wanted / 3).backward()  # type: ignore[no-untyped-call]
    assert abs(loss.item() - wanted.item()) < 1e-6 * wanted.item()
    assert hidden.grad is not None
    assert exact.grad is not None
    assert (hidden.grad - exact.grad).norm() < 1e-6 * exact.grad.norm()


def test_without_a_gradient_the_loss_is_the_same() -> None:
    torch.manual_seed(1)
    head, hidden, labels = head_of(torch.randn(40, 32)), torch.randn(5, 32), torch.tensor([0, 39, 7, 7, 20])
    alone = sum_cross_entropy(hidden, head, labels, Scratch())
    assert alone == sum_cross_entropy(hidden.requires_grad_(), head, labels, Scratch())
    assert not alone.requires_grad


def test_a_hopeless_word_keeps_the_loss_finite() -> None:
    values = torch.zeros(2, 32)
    values[0, 0], values[1, 0] = 127, -127
    hidden = torch.zeros(1, 32)
    hidden[0, 0] = 100
    assert sum_cross_entropy(hidden, head_of(values), torch.tensor([1]), Scratch()).item() == 25_400
