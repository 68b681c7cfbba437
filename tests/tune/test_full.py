"""Full fine-tuning against Transformers in fp64, and what it leaves."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tensaku.models.decoder import Decoder
from tensaku.models.products import product
from tensaku.models.weights import Weights, load_tensors, unfused
from tensaku.tune import head
from tensaku.tune.full import Full
from tensaku.tune.learner import DecoderLearner
from tensaku.tune.pack import Example, shared_prefix


def learner_over(folder: Path, examples: list[Example], multiply: str) -> tuple[Weights, DecoderLearner]:
    weights = Weights.load(folder)
    full = Full(weights, product(multiply), folder)
    return weights, DecoderLearner(Decoder(weights), full, shared_prefix(examples), product(multiply))


@pytest.mark.parametrize("multiply", ["plain", "onednn"])
@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_every_gradient_agrees_with_transformers_in_fp64(
    family: str, multiply: str, request: pytest.FixtureRequest, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    folder = request.getfixturevalue(family)
    monkeypatch.setattr(head, "_LEAST", 100)  # several blocks of words
    monkeypatch.setattr(head, "_TILE", 100)
    monkeypatch.setattr(head, "_KEPT", 20_000)  # and several turns of rows
    weights, learner = learner_over(folder, examples, multiply)
    terms = learner.count(examples)
    loss = learner.gradients(examples, terms).loss / terms
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
    total = 0.0
    for example in examples:
        logits = model(torch.tensor([example.prompt + example.completion])).logits[0, len(example.prompt) - 1 : -1]
        part = functional.cross_entropy(logits, torch.tensor(example.completion), reduction="sum") / terms
        part.backward()  # type: ignore[no-untyped-call]
        total += part.item()
    assert abs(loss - total) < 1e-5 * total
    for _, p in learner.named_parameters():
        assert p.grad is not None
        p.data = p.grad  # so that the unfusing of weights unfuses gradients
    object.__setattr__(weights.shape, "norm_offset", 0.0)
    mine = unfused(weights)
    exact = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert mine.keys() == exact.keys()
    errors = {name: float((mine[name] - exact[name]).norm() / exact[name].norm()) for name in exact}
    assert max(errors.values()) <= 1e-5, errors


@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_what_is_saved_is_a_whole_model_with_what_was_learnt(
    family: str, request: pytest.FixtureRequest, examples: list[Example], tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    folder = request.getfixturevalue(family)
    _, learner = learner_over(folder, examples, "plain")
    before = learner.loss(examples)
    optimizer = torch.optim.SGD([p for _, p in learner.named_parameters()], lr=0.05)
    learner.gradients(examples, learner.count(examples))
    optimizer.step()
    after = learner.loss(examples)
    assert after.loss < before.loss
    learner.save(tmp_path, "base-1")
    saved = tmp_path / "model"
    assert load_tensors(saved).keys() == load_tensors(folder).keys()
    assert (saved / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    again = DecoderLearner(*_plain_over(saved), shared_prefix(examples), product("plain"))
    assert abs(again.loss(examples).loss - after.loss) < 1e-4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32)
    ids = torch.arange(3, 40)[None]
    assert torch.isfinite(model(ids).logits).all()


def _plain_over(folder: Path) -> tuple[Decoder, Full]:
    weights = Weights.load(folder)
    return Decoder(weights), Full(weights, product("plain"), folder)


def test_a_second_pass_of_one_step_adds_to_the_first(gemma: Path, examples: list[Example]) -> None:
    _, whole = learner_over(gemma, examples, "plain")
    terms = whole.count(examples)
    whole.gradients(examples, terms)
    _, parts = learner_over(gemma, examples, "plain")
    parts.gradients(examples[:4], terms)
    parts.gradients(examples[4:], terms)
    for (name, p), (_, q) in zip(whole.named_parameters(), parts.named_parameters(), strict=True):
        assert p.grad is not None
        assert q.grad is not None
        assert torch.allclose(p.grad, q.grad, rtol=1e-4, atol=1e-6), name
