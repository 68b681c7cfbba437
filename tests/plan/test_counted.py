"""Known answers: what others published, had again by their way of counting."""

from __future__ import annotations

import pytest

from tensaku.plan import Training, plan
from tensaku.plan.answer import Ask
from tensaku.plan.counted import as_accelerate, as_resource_planner, sixteen_bit
from tensaku.plan.headers import built_in
from tensaku.plan.job import Load
from tensaku.plan.money import inference_ratio, training_ratio


def test_the_public_calculator_on_a_japanese_llama_2_7b() -> None:
    layer, total, adam = as_accelerate(built_in("elyza-7b")).spoken()
    assert round(layer, 2) == 776.03
    assert round(total, 2) == 24.74
    assert round(adam, 2) == 98.96


def test_what_it_leaves_out() -> None:
    model = built_in("elyza-7b")
    counted = as_accelerate(model, rotary_tables=False)
    assert 4 * model.parameters - counted.total == 4 * 32000 * 4096  # the head
    with_tables = as_accelerate(model)
    assert with_tables.total - counted.total == 32 * (2 * 4096 * 128 * 4 + 64 * 4)


def test_the_public_calculator_on_bert() -> None:
    assert round(as_accelerate(built_in("bert-base-cased")).total / 2**20, 2) == 413.18


def test_accelerate_itself_counts_as_we_say_it_does() -> None:
    """On a tiny Llama: the installed accelerate, against our way of it, with the tables that its Transformers keeps."""
    import torch
    import transformers
    from accelerate.utils import calculate_maximum_sizes

    config = transformers.LlamaConfig(
        hidden_size=64, intermediate_size=160, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=96, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        model = transformers.LlamaModel(config)
    total, _ = calculate_maximum_sizes(model)
    from tensaku.plan.anatomy import anatomy_from

    ours = as_accelerate(anatomy_from(config.to_dict(), name="x", source="here"), rotary_tables=False)
    buffers = sum(b.numel() * b.element_size() for b in model.buffers())
    assert total == pytest.approx(ours.total + buffers)


def test_sixteen_bit_sizes() -> None:
    assert sixteen_bit(175e9) == 350e9
    assert sixteen_bit(7e9) == 14e9
    assert sixteen_bit(0.6e9) == 1.2e9  # the published 2.4 GB are four bytes each:
    assert 0.6e9 * 4 == 2.4e9


def test_cost_ratios_under_the_published_assumptions() -> None:
    assert training_ratio(7e9, 175e9).of_one == pytest.approx(25)
    assert training_ratio(0.6e9, 175e9).of_one == pytest.approx(300, rel=0.05)
    small, smallest = inference_ratio(700_000, 175e9), inference_ratio(200_000, 175e9)
    assert small.large == 5 * 3_000_000
    assert small.of_one == pytest.approx(20, rel=0.1)
    assert smallest.of_one == pytest.approx(70, rel=0.1)


def test_eight_a100_for_a_day_cost_what_was_published() -> None:
    from tensaku.plan.hardware import accelerator
    from tensaku.plan.money import Money, bill

    assert bill(Money(), accelerator("a100-sxm-80"), 8, 24.0).rent == 140_000


def _gpus(model: str, method: str, hardware: str = "h100-sxm") -> int:
    found = plan(model, method, Ask(train=Training(sequence=2048)), hardware)  # type: ignore[arg-type]
    assert found.fit is not None
    return found.fit.layout.gpus


def test_fourteen_billion_serve_on_one_h100_and_seventy_do_not() -> None:
    assert _gpus("qwen2.5-14b", "serve") == 1
    assert _gpus("llama-3.1-70b", "serve") == 2


def test_three_billion_train_on_one_h100_and_seven_do_not() -> None:
    assert _gpus("qwen2.5-3b", "full") == 1
    assert _gpus("qwen2.5-7b", "full") == 2
    assert _gpus("llama-2-7b", "full") == 2


def test_a_server_of_eight_is_enough_for_lora_of_seventy_billion_and_two_for_every_weight() -> None:
    lora, full = plan("llama-3.1-70b", "lora"), plan("llama-3.1-70b", "full")
    assert lora.fit is not None
    assert full.fit is not None
    assert lora.fit.layout.gpus <= 8
    assert lora.servers == 1
    assert full.fit.layout.gpus == 16
    assert full.servers == 2
    assert full.fit.smaller is not None
    assert full.fit.smaller.gpus == 8


def test_the_resource_planner_knows_no_vocabulary_and_no_grouped_heads() -> None:
    model = built_in("llama-3.1-8b")
    ours = plan(model, "serve", Ask(serve=Load(prompt=3000, answer=1096)))
    assert ours.fit is not None
    theirs = as_resource_planner(model)
    weights = 12 * 4096**2 * 32 * 2
    assert theirs == weights + 1.2 * 2 * 4096 * 32 * 2 * 4096
    assert weights < ours.fit.memory.exact["weights"]
    assert theirs - weights > 4 * ours.fit.memory.exact["keys and values"]
