"""The training step against Transformers and PEFT themselves."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from tensaku.models.decoder import Decoder
from tensaku.models.weights import Weights
from tensaku.tune.head import mean_cross_entropy
from tensaku.tune.lora import Lora
from tensaku.tune.pack import Example, PackedAttention, pack, shared_prefix


def started(folder: Path) -> tuple[Weights, Lora]:
    """LoRA with both matrices away from zero, so that each gradient says something."""
    weights = Weights.load(folder)
    lora = Lora(weights, rank=4, alpha=8, seed=3)
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, p in lora.named_parameters():
            if ".b" in name:
                p.normal_(0, 0.1, generator=random)
    lora.merge()
    return weights, lora


def ours(weights: Weights, lora: Lora, examples: list[Example]) -> float:
    batch = pack(examples, shared_prefix(examples))
    attend = PackedAttention(weights.shape, batch)
    hidden = Decoder(weights).hidden(batch.ids, batch.positions, lora, attend, rows=batch.scored)
    loss = mean_cross_entropy(hidden, weights.head, batch.labels)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item()


def theirs(folder: Path, adapter: Path, examples: list[Example], dtype: torch.dtype) -> tuple[float, dict[str, Any]]:
    """One pair at a time, unpacked, through Transformers and PEFT in fp64."""
    import peft
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
        model = peft.PeftModel.from_pretrained(base, adapter, is_trainable=True).to(dtype)
    count = sum(len(e.completion) for e in examples)
    total = 0.0
    for example in examples:
        ids = torch.tensor([example.prompt + example.completion])
        logits = model(ids).logits[0, len(example.prompt) - 1 : -1]
        loss = functional.cross_entropy(logits, torch.tensor(example.completion), reduction="sum") / count
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_loss_and_every_gradient_agree_with_peft_in_fp64(
    family: str, request: pytest.FixtureRequest, tmp_path: Path, examples: list[Example]
) -> None:
    folder = request.getfixturevalue(family)
    weights, lora = started(folder)
    lora.save(tmp_path, str(folder))
    loss = ours(weights, lora, examples)
    wanted, grads = theirs(folder, tmp_path, examples, torch.float64)
    assert abs(loss - wanted) < 1e-5 * wanted
    compared = 0
    mine: dict[str, Any] = dict(lora.named_parameters())
    for layer, parts in enumerate(weights.linear):
        for part in parts:
            for n, module in enumerate(lora.modules(part)):
                at = f"base_model.model.model.layers.{layer}.{module}"
                rows = slice(n * lora.rank, (n + 1) * lora.rank)
                for grad, name in (
                    (mine[f"{layer}.{part}.a"].grad[rows], "lora_A"),
                    (mine[f"{layer}.{part}.b{n}"].grad, "lora_B"),
                ):
                    exact = grads[f"{at}.{name}.default.weight"]
                    assert (grad - exact).norm() <= 1e-5 * exact.norm(), (at, name)
                    compared += 1
    assert compared == len(grads) == 2 * 7 * weights.shape.layers


def test_a_saved_adapter_gives_peft_our_logits(gemma: Path, tmp_path: Path) -> None:
    import peft
    from transformers import AutoModelForCausalLM

    weights, lora = started(gemma)
    lora.save(tmp_path, str(gemma))
    ids = torch.arange(3, 40)
    batch = pack([Example(ids[:20].tolist(), [*ids[20:].tolist(), 1])], 0)
    with torch.no_grad():
        hidden = Decoder(weights).hidden(
            batch.ids, batch.positions, lora, PackedAttention(weights.shape, batch), rows=batch.scored
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            base = AutoModelForCausalLM.from_pretrained(gemma, dtype=torch.float32)
            model = peft.PeftModel.from_pretrained(base, tmp_path)
        wanted = model(ids[None]).logits[0, 19:]
    assert (hidden @ weights.head.T - wanted).abs().max() < 1e-4
