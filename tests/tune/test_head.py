"""The loss over blocks of words against autograd in double precision."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tensaku.models.products import plain
from tensaku.tune import head
from tensaku.tune.head import cross_entropy, losses_of


@pytest.mark.parametrize("weighted", [False, True])
def test_losses_and_gradients_agree_with_autograd_in_fp64(monkeypatch: pytest.MonkeyPatch, weighted: bool) -> None:
    monkeypatch.setattr(head, "_LEAST", 16)  # several blocks, the last one short
    monkeypatch.setattr(head, "_TILE", 16)
    monkeypatch.setattr(head, "_KEPT", 50 * 7)  # several turns, the last one short
    torch.manual_seed(0)
    hidden, weight = torch.randn(25, 16) * 3, torch.randn(50, 16)
    labels = torch.randint(0, 50, (25,))
    for_head = torch.ones(50, 16)
    counts = torch.rand(25).round(decimals=1) if weighted else None
    losses, grad = cross_entropy(hidden, weight, labels, terms=40, multiply=plain, head_grad=for_head, weights=counts)

    exact, exact_head = hidden.double().requires_grad_(), weight.double().requires_grad_()
    wanted = functional.cross_entropy(exact @ exact_head.T, labels, reduction="none")
    wanted = wanted if counts is None else wanted * counts
    (wanted.sum() / 40).backward()  # type: ignore[no-untyped-call]
    assert exact.grad is not None
    assert exact_head.grad is not None
    assert (losses - wanted).abs().max() < 1e-5
    assert (grad - exact.grad).norm() < 1e-6 * exact.grad.norm()
    assert ((for_head - 1) - exact_head.grad).norm() < 1e-5 * exact_head.grad.norm()
    if counts is None:
        assert torch.equal(losses_of(hidden, weight, labels, plain), losses)


def test_a_hopeless_word_keeps_the_loss_finite() -> None:
    hidden, weight = torch.tensor([[100.0, 0.0]]), torch.tensor([[10.0, 0.0], [-10.0, 0.0]])
    losses, grad = cross_entropy(hidden, weight, torch.tensor([1]), terms=1, multiply=plain)
    assert losses.tolist() == [2000.0]
    assert grad.tolist() == [[20.0, 0.0]]
