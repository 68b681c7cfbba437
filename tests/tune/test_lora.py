"""The training step against Transformers and PEFT themselves, tensor by tensor."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tensaku.errors import UsageError
from tensaku.models.decoder import Decoder
from tensaku.models.products import plain, product
from tensaku.models.shape import Shape
from tensaku.models.weights import Weights
from tensaku.tune.attention import PackedAttention
from tensaku.tune.learner import DecoderLearner
from tensaku.tune.lora import Lora, LoraSettings, MergedLora
from tensaku.tune.pack import Example, pack, shared_prefix

KINDS = {
    "lora": LoraSettings(rank=4, alpha=8, seed=3),
    "rslora": LoraSettings(rank=4, alpha=8, seed=3, rslora=True),
    "dora": LoraSettings(rank=4, alpha=8, seed=3, dora=True),
    "some": LoraSettings(rank=3, alpha=9, seed=3, targets=("q", "v", "up", "down"), layers=2),
    "some-dora": LoraSettings(rank=2, alpha=4, seed=3, targets=("k", "gate"), dora=True, rslora=True),
}


def started(folder: Path, settings: LoraSettings, multiply: str = "plain") -> MergedLora:
    """LoRA with every tensor away from where it starts, so that each gradient says something."""
    lora = MergedLora(Weights.load(folder), settings, product(multiply))
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, p in lora.named_parameters():
            kind = name.rsplit(".", 1)[1][0]
            if kind == "b":
                p.normal_(0, 0.1, generator=random)
            elif kind == "m":
                p.mul_(torch.empty_like(p).uniform_(0.8, 1.2, generator=random))
    return lora


def ours(lora: MergedLora, examples: list[Example], multiply: str = "plain") -> float:
    learner = DecoderLearner(Decoder(lora._weights), lora, shared_prefix(examples), product(multiply))
    terms = learner.count(examples)
    return learner.gradients(examples, terms).loss / terms


def theirs(folder: Path, adapter: Path, examples: list[Example]) -> tuple[float, dict[str, torch.Tensor]]:
    """One pair at a time, unpacked, through Transformers and PEFT in fp64."""
    import peft
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
        model = peft.PeftModel.from_pretrained(base, adapter, is_trainable=True).to(torch.float64)
    count = sum(len(e.completion) for e in examples)
    total = 0.0
    for example in examples:
        ids = torch.tensor([example.prompt + example.completion])
        logits = model(ids).logits[0, len(example.prompt) - 1 : -1]
        loss = functional.cross_entropy(logits, torch.tensor(example.completion), reduction="sum") / count
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def in_peft(lora: Lora) -> dict[str, torch.Tensor]:
    """Our gradients under PEFT's names."""
    found = {}
    for (layer, _), thin in lora.thin.items():
        assert thin.a.grad is not None
        for n, module in enumerate(thin.modules):
            at = f"base_model.model.model.layers.{layer}.{module}"
            rank = lora.settings.rank
            found[f"{at}.lora_A.default.weight"] = thin.a.grad[n * rank : (n + 1) * rank]
            found[f"{at}.lora_B.default.weight"] = grad_of(thin.bs[n])
            if thin.magnitudes:
                found[f"{at}.lora_magnitude_vector.default.weight"] = grad_of(thin.magnitudes[n])
    return found


def grad_of(p: torch.Tensor) -> torch.Tensor:
    assert p.grad is not None
    return p.grad


@pytest.mark.parametrize("multiply", ["plain", "onednn"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_loss_and_every_gradient_agree_with_peft_in_fp64(
    family: str, kind: str, multiply: str, request: pytest.FixtureRequest, tmp_path: Path, examples: list[Example]
) -> None:
    folder = request.getfixturevalue(family)
    lora = started(folder, KINDS[kind], multiply)
    lora.save(tmp_path, str(folder))
    loss = ours(lora, examples, multiply)
    wanted, grads = theirs(folder, tmp_path / "adapter", examples)
    assert abs(loss - wanted) < 1e-5 * wanted
    mine = in_peft(lora)
    assert mine.keys() == grads.keys()
    errors = {name: float((mine[name] - grads[name]).norm() / grads[name].norm()) for name in grads}
    assert max(errors.values()) <= 1e-5, errors


@pytest.mark.parametrize("kind", ["lora", "some", "some-dora"])
def test_a_saved_adapter_gives_peft_our_logits(kind: str, gemma: Path, tmp_path: Path) -> None:
    import peft
    from transformers import AutoModelForCausalLM

    lora = started(gemma, KINDS[kind])
    lora.save(tmp_path, str(gemma))
    weights = lora._weights
    lora.prepare()
    ids = torch.arange(3, 40)
    batch = pack([Example(ids[:20].tolist(), [*ids[20:].tolist(), 1])], 0)
    with torch.no_grad():
        attend = PackedAttention(weights.shape, batch, plain)
        hidden = Decoder(weights).hidden(batch.ids, batch.positions, lora, attend, rows=batch.scored)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            base = AutoModelForCausalLM.from_pretrained(gemma, dtype=torch.float32)
            model = peft.PeftModel.from_pretrained(base, tmp_path / "adapter")
        wanted = model(ids[None]).logits[0, 19:]
    assert (hidden @ weights.head.T - wanted).abs().max() < 1e-4


def test_magnitudes_start_as_the_lengths_of_the_rows(gemma: Path) -> None:
    weights = Weights.load(gemma)
    lora = MergedLora(weights, KINDS["dora"], plain)
    lora.prepare()
    for (layer, part), merged in lora._merged.items():
        assert torch.allclose(merged, weights.linear[layer][part], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (LoraSettings(rank=0), "rank is 0"),
        (LoraSettings(targets=("q", "wide")), "no layer has a projection called 'wide'.*q, k, v"),
        (LoraSettings(layers=9), "has 3 layers, 9 are asked"),
    ],
)
def test_settings_that_match_nothing_are_refused(gemma: Path, settings: LoraSettings, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Lora(Shape.load(gemma), settings)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_a_weight_counts_a_lessons_loss_and_nothing_else(kind: str, gemma: Path, examples: list[Example]) -> None:
    """The gradient of weighted lessons is the weighted sum of the gradients of each lesson by itself."""
    weights = [0.25, 1.0, 0.0, 0.6]
    few = [example._replace(weight=w) for example, w in zip(examples, weights, strict=False)]
    lora = started(gemma, KINDS[kind])
    learner = DecoderLearner(Decoder(lora._weights), lora, shared_prefix(few), product("plain"))
    terms = learner.count(few)
    measured = learner.gradients(few, terms)
    together = {name: grad_of(p).clone() for name, p in lora.named_parameters()}
    wanted = {name: torch.zeros_like(grad) for name, grad in together.items()}
    loss = 0.0
    for example in few:
        for _, p in lora.named_parameters():
            p.grad = None
        loss += example.weight * learner.gradients([example._replace(weight=1.0)], terms).loss
        for name, p in lora.named_parameters():
            wanted[name] += example.weight * grad_of(p)
    assert measured.loss == pytest.approx(loss, rel=1e-5)
    assert measured.scored == terms
    for name, grad in together.items():
        assert float((grad - wanted[name]).norm()) <= 1e-4 * float(wanted[name].norm()), name
    assert learner.loss(few).loss == pytest.approx(
        learner.loss(examples[: len(few)]).loss
    )  # validation reads all alike
