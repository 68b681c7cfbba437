"""What the own core takes: counted from sizes, against what autograd and the real learner really hold."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.errors import UsageError
from tensaku.plan.headers import built_in, describe
from tensaku.plan.own import (
    OwnServing,
    OwnTraining,
    kept_bytes,
    serving_sizes,
    serving_work,
    training_sizes,
    training_work,
)
from tensaku.testing import tiny_model


@pytest.mark.parametrize("family", ["gemma3_text", "llama"])
@pytest.mark.parametrize("layers", [0, 2])
def test_what_is_kept_is_what_autograd_keeps(
    tmp_path: Path, family: Literal["gemma3_text", "llama"], layers: int
) -> None:
    import torch

    from tensaku.models.products import plain
    from tensaku.tune import Tune
    from tensaku.tune.own import open_learner
    from tensaku.tune.pack import Example

    folder = tiny_model(tmp_path / "m", family=family)
    anatomy = describe(str(folder))
    prefix, prompt, completion, batch = 8, 60, 40, 6
    examples = [Example([4] * prefix + [5 + n] * prompt, [6 + n] * completion) for n in range(batch)]
    learner = open_learner(Tune(layers=layers), folder, 256, prefix, plain)
    ours = {p.untyped_storage().data_ptr() for _, p in learner.named_parameters()}
    kept: dict[int, int] = {}
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in ours:
            kept[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    weights = [learner.decoder.weights.embedding, learner.decoder.weights.final_norm]
    for norms in learner.decoder.weights.norms:
        weights += list(norms.values())
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        learner.gradients(examples, learner.count(examples))
    frozen = {w.untyped_storage().data_ptr() for w in weights}
    measured = sum(size for place, size in kept.items() if place not in frozen)

    run = OwnTraining("lora", batch, prefix, prompt + completion - 1, completion, 16, layers)
    assert kept_bytes(anatomy, run) == pytest.approx(measured, rel=0.03)


_RUNS = st.builds(
    OwnTraining,
    st.sampled_from(["lora", "qlora", "full"]),
    st.integers(1, 32),
    st.integers(0, 300),
    st.integers(20, 900),
    st.integers(1, 20),
    st.integers(1, 128),
    st.integers(0, 18),
)


@given(_RUNS)
def test_more_never_needs_less(run: OwnTraining) -> None:
    from dataclasses import replace

    model = built_in("gemma-3-270m")
    needed, taken = sum(training_sizes(model, run).values()), training_work(model, run)
    for name in ("segments", "prefix", "each", "rank"):
        more = replace(run, **{name: getattr(run, name) + 1})
        assert sum(training_sizes(model, more).values()) >= needed * 0.9999999
        assert training_work(model, more)["products"] >= taken["products"]
    if 0 < run.layers < model.layers and run.method != "full":
        more = replace(run, layers=run.layers + 1)
        assert sum(training_sizes(model, more).values()) >= needed


@given(st.integers(1, 32), st.integers(64, 4096), st.integers(1, 500), st.integers(2, 400))
def test_more_serving_never_needs_less(slots: int, context: int, prompt: int, answer: int) -> None:
    model = built_in("gemma-3-270m")
    asked = OwnServing("int8", slots, context, slots, prompt, answer)
    needed, taken = sum(serving_sizes(model, asked).values()), serving_work(model, asked)
    for name in ("slots", "context", "adapters"):
        more = asked._replace(**{name: getattr(asked, name) + 1})
        assert sum(serving_sizes(model, more).values()) >= needed
    for name in ("users", "prompt", "answer"):
        more = asked._replace(**{name: getattr(asked, name) + 1})
        assert all(serving_work(model, more)[kind] >= value for kind, value in taken.items())


def test_what_the_own_core_does_not_compute_is_refused() -> None:
    with pytest.raises(UsageError, match="does not compute gpt2"):
        training_sizes(built_in("175b-class"), OwnTraining("lora", 1, 0, 10, 5))


def test_the_constants_of_the_code_that_is_counted() -> None:
    from tensaku.engines.native import cache
    from tensaku.plan import own
    from tensaku.tune import head

    assert own._PAGE == cache.PAGE
    assert (own._TILE, own._KEPT_LOGITS) == (head._TILE, head._KEPT)
    held = serving_sizes(built_in("gemma-3-270m"), OwnServing("int8", 3, 1000, 1, 10, 10))["keys and values"]
    assert held == 3 * cache.pages_for(1000) * cache.PAGE * 4 * 2 * 18 * 256
