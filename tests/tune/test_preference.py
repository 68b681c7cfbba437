"""The loss from decisions: every gradient against Transformers and PEFT in fp64, the loss against TRL's formula."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from tensaku.models.decoder import Decoder
from tensaku.models.products import product
from tensaku.models.weights import Weights
from tensaku.tune.lora import LoraSettings, MergedLora
from tensaku.tune.pack import Example
from tensaku.tune.preference import Preference, PreferenceLearner

BETA = 0.3
KINDS = {"lora": LoraSettings(rank=4, alpha=8, seed=3), "dora": LoraSettings(rank=4, alpha=8, seed=3, dora=True)}


def moved(folder: Path, settings: LoraSettings) -> MergedLora:
    """LoRA with every tensor away from where it starts, so that each gradient says something."""
    lora = MergedLora(Weights.load(folder), settings, product("plain"))
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, p in lora.named_parameters():
            if name.rsplit(".", 1)[1][0] == "b":
                p.normal_(0, 0.1, generator=random)
    return lora


def learner_of(lora: MergedLora, sft: float) -> PreferenceLearner:
    decoder = Decoder(lora._weights)
    return PreferenceLearner(decoder, lora, beta=BETA, sft=sft, multiply=product("plain"))


@pytest.fixture
def preferences(examples: list[Example]) -> list[Preference]:
    """Some that begin alike, one that does not, one whose rejected text is the longer by far."""
    found = []
    for n, (one, other) in enumerate(zip(examples[:4], examples[4:8], strict=True)):
        rejected = [*one.completion[: n % 3], *other.completion]
        found.append(Preference(one.prompt, one.completion, rejected, reference=0.5 * n - 1.0))
    return found


def theirs(folder: Path, adapter: Path, preferences: list[Preference], sft: float) -> tuple[float, dict[str, Any]]:
    """One text at a time, unpacked, in fp64; the loss as TRL writes it."""
    import peft
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
        model: Any = peft.PeftModel.from_pretrained(base, adapter, is_trainable=True).to(torch.float64)

    def logps(prompt: list[int], text: list[int]) -> torch.Tensor:
        logits = model(torch.tensor([prompt + text])).logits[0, len(prompt) - 1 : -1]
        return -functional.cross_entropy(logits, torch.tensor(text), reduction="none")

    total = 0.0
    for one in preferences:
        chosen, rejected = logps(one.prompt, one.chosen), logps(one.prompt, one.rejected)
        logits = (chosen.sum() - rejected.sum()) - one.reference  # pi_logratios - ref_logratios
        loss = -functional.logsigmoid(BETA * logits) - sft * chosen.mean()
        (loss / len(preferences)).backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("sft", [0.0, 0.7])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_loss_and_every_gradient_agree_with_fp64(
    family: str, kind: str, sft: float, request: pytest.FixtureRequest, tmp_path: Path, preferences: list[Preference]
) -> None:
    folder = request.getfixturevalue(family)
    lora = moved(folder, KINDS[kind])
    lora.save(tmp_path, str(folder))
    learner = learner_of(lora, sft)
    measured = learner.gradients(preferences, learner.count(preferences))
    wanted, grads = theirs(folder, tmp_path / "adapter", preferences, sft)
    assert abs(measured.loss - wanted) < 1e-5 * abs(wanted)
    assert learner.loss(preferences).loss == pytest.approx(measured.loss, rel=1e-6)
    assert measured.scored == len(preferences)
    errors = {}
    for (layer, _), thin in lora.thin.items():
        for n, module in enumerate(thin.modules):
            at = f"base_model.model.model.layers.{layer}.{module}"
            assert thin.a.grad is not None
            mine = {"lora_A.default.weight": thin.a.grad[4 * n : 4 * n + 4], "lora_B.default.weight": thin.bs[n].grad}
            mine |= {"lora_magnitude_vector.default.weight": thin.magnitudes[n].grad} if thin.magnitudes else {}
            for name, grad in mine.items():
                true = grads[f"{at}.{name}"]
                assert grad is not None
                errors[f"{at}.{name}"] = float((grad - true).norm() / true.norm())
    assert len(errors) == len(grads)
    assert max(errors.values()) <= 1e-5, errors


def test_gradients_of_parts_add_up_to_those_of_the_whole(gemma: Path, preferences: list[Preference]) -> None:
    """As for two processes that share a step."""
    whole, parts = moved(gemma, KINDS["lora"]), moved(gemma, KINDS["lora"])
    learner_of(whole, 0.5).gradients(preferences, 4)
    learner = learner_of(parts, 0.5)
    for part in (preferences[:1], preferences[1:]):
        learner.gradients(part, 4)
    for (name, p), (_, q) in zip(whole.named_parameters(), parts.named_parameters(), strict=True):
        assert p.grad is not None
        assert q.grad is not None
        assert torch.allclose(p.grad, q.grad, rtol=1e-5, atol=1e-8), name


def test_where_it_starts_the_loss_is_log_2_and_the_reference_its_margin(
    gemma: Path, preferences: list[Preference]
) -> None:
    learner = learner_of(moved(gemma, KINDS["lora"]), 0.0)
    learner.prepare()
    started = [one._replace(reference=learner.margin(one)) for one in preferences]
    assert learner.loss(started).loss == pytest.approx(len(started) * math.log(2), rel=1e-12)


def test_a_margin_is_the_same_whether_what_begins_alike_is_given_or_scored(
    gemma: Path, preferences: list[Preference]
) -> None:
    lora = moved(gemma, KINDS["lora"])
    given, scored = learner_of(lora, 0.0), learner_of(lora, 1.0)
    given.prepare()
    for one in preferences:
        assert given.margin(one) == pytest.approx(scored.margin(one), abs=2e-4)
