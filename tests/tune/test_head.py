"""The loss over chunks of rows against autograd in double precision."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tensaku.tune import head
from tensaku.tune.head import mean_cross_entropy


def test_loss_and_gradient_agree_with_autograd_in_fp64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_CHUNK", 7 * 50)  # several chunks, the last one short
    torch.manual_seed(0)
    hidden = (torch.randn(25, 16) * 3).requires_grad_()
    weight, labels = torch.randn(50, 16), torch.randint(0, 50, (25,))
    loss = mean_cross_entropy(hidden, weight, labels)
    (loss * 2).backward()  # type: ignore[no-untyped-call]

    exact = hidden.detach().double().requires_grad_()
    wanted = functional.cross_entropy(exact @ weight.double().T, labels)
    (wanted * 2).backward()  # type: ignore[no-untyped-call]
    assert abs(loss.item() - wanted.item()) < 1e-6
    assert hidden.grad is not None
    assert exact.grad is not None
    assert (hidden.grad - exact.grad).abs().max() < 1e-6 * exact.grad.abs().max()


def test_a_hopeless_word_keeps_the_loss_finite() -> None:
    hidden = torch.tensor([[100.0, 0.0]])
    weight = torch.tensor([[10.0, 0.0], [-10.0, 0.0]])
    loss = mean_cross_entropy(hidden, weight, torch.tensor([1]))
    assert loss.item() == 2000.0
