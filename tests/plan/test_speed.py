"""Operations against torch's own counter, drafts against their formula, and a data sheet read rightly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.errors import UsageError
from tensaku.plan.anatomy import anatomy_from
from tensaku.plan.hardware import accelerator, accelerators, cpus, gpus, node, price
from tensaku.plan.headers import built_in
from tensaku.plan.job import Load, Training
from tensaku.plan.layout import Layout
from tensaku.plan.speed import (
    Reached,
    attention_operations,
    expected_tokens,
    forward_operations,
    serving_times,
    step_operations,
    step_time,
)


def test_forward_operations_are_what_torch_counts() -> None:
    """torch counts attention's whole square; we count the half that a word may look at."""
    import torch
    import transformers
    from torch.utils.flop_counter import FlopCounterMode

    config = transformers.LlamaConfig(
        hidden_size=64, intermediate_size=160, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=96, tie_word_embeddings=False,
    )  # fmt: skip
    anatomy = anatomy_from(config.to_dict(), name="x", source="here")
    tokens = 40
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
        ids = torch.zeros(1, tokens, dtype=torch.long)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(ids)
    ours = forward_operations(anatomy, tokens, tokens)
    square = 4 * 3 * 64 * tokens * tokens
    theirs = counter.get_total_flops()
    assert ours - attention_operations(anatomy, tokens) + square == pytest.approx(theirs, rel=2e-3)


@given(st.integers(1, 300), st.integers(0, 300), st.integers(0, 40))
def test_what_is_looked_at_is_counted_one_by_one(tokens: int, before: int, window: int) -> None:
    config = {
        "model_type": "mistral", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": 9, "sliding_window": window or None,
    }  # fmt: skip
    anatomy = anatomy_from(config, name="x", source="here")
    looked = sum(min(at + 1, window) if window else at + 1 for at in range(before, before + tokens))
    assert attention_operations(anatomy, tokens, before) == pytest.approx(4 * 8 * looked)


@given(st.floats(0, 1), st.integers(1, 32))
def test_drafts_write_between_one_word_and_all(accepted: float, drafted: int) -> None:
    found = expected_tokens(accepted, drafted)
    assert 1 <= found <= drafted + 1
    assert found == pytest.approx(sum(accepted**n for n in range(drafted + 1)))


def test_thin_matrices_save_a_third_of_the_work() -> None:
    model = built_in("llama-3.1-8b")
    full = step_operations(model, Training(method="full", recompute=False))
    lora = step_operations(model, Training(method="lora", recompute=False))
    assert lora / full == pytest.approx(2 / 3, rel=0.02)


def test_six_operations_a_parameter_and_word() -> None:
    model, run = built_in("llama-2-7b"), Training(method="full", recompute=False, sequence=256)
    assert step_operations(model, run) == pytest.approx(6 * model.parameters * run.tokens, rel=0.03)


def test_the_published_figures_of_the_h100_are_with_sparsity() -> None:
    h100 = accelerator("h100-sxm")
    assert h100.sparse["bf16"] == 1979
    assert h100.operations("bf16") == 989.5e12
    assert accelerator("h100-pcie").operations("bf16") == 756.5e12
    assert accelerator("h100-nvl").sparse["bf16"] == 1671
    assert accelerator("h100-nvl").operations("bf16") == 835.5e12
    assert accelerator("h100-nvl").operations("fp32") == 60e12
    assert accelerator("l4").operations("bf16") == 121e12
    assert not accelerator("a100-sxm-80").sparse  # its dense figure is the one that is published
    assert accelerator("a100-sxm-80").operations("bf16") == 312e12


def test_every_accelerator_has_a_source_and_nothing_is_filled_in() -> None:
    for one in accelerators().values():
        assert "http" in one.source
        assert all(value > 0 for value in one.tflops.values())
    with pytest.raises(UsageError, match="unknown here"):
        accelerator("rtx-6000-ada").operations("bf16")
    assert price("h200-sxm") is None


@pytest.mark.parametrize(("count", "cores", "sockets"), [(1, 6, 1), (2, 12, 2), (4, 24, 2), (8, 48, 2)])
def test_servers_are_as_certified_configurations_state_them(count: int, cores: int, sockets: int) -> None:
    found = node(accelerator("h100-sxm"), count)
    assert (found.cores, found.sockets) == (cores, sockets)
    assert found.ram_least == 1.5 * 80e9 * count
    assert found.ram_better == 2 * 80e9 * count
    assert found.pcie_lanes >= 16 * count


@given(st.integers(1, 64), st.integers(0, 3000), st.floats(0, 0.95))
def test_times_rise_with_load_and_fall_with_drafts(users: int, prefix: int, accepted: float) -> None:
    model, h100 = built_in("llama-3.1-8b"), accelerator("h100-sxm")
    base = Load(users=users, prompt=4000)
    plain = serving_times(model, base, Layout(), h100)
    more = serving_times(model, base.model_copy(update={"users": users + 1}), Layout(), h100)
    kept = serving_times(model, base.model_copy(update={"prefix": prefix}), Layout(), h100)
    drafted = serving_times(model, base.model_copy(update={"accepted": accepted}), Layout(), h100)
    assert more.one_pass >= plain.one_pass
    assert kept.prompt <= plain.prompt
    assert drafted.words_a_pass >= 1
    slow, fast = (serving_times(model, base, Layout(), h100, part=part).one_pass for part in (0, 2))
    assert fast <= plain.one_pass <= slow


@given(st.floats(0.01, 1), st.integers(1, 16), st.integers(1, 64))
def test_a_model_that_drafts_takes_its_time(accepted: float, drafted: int, users: int) -> None:
    """Each drafted word is a pass of the small model, one after the other; one as large as the other gains nothing."""
    model, h100 = built_in("qwen2.5-14b"), accelerator("h100-sxm")
    load = Load(users=users, accepted=accepted, drafted=drafted)
    free, small, large = (
        serving_times(model, load, Layout(), h100, draft=draft)
        for draft in (None, built_in("qwen2.5-0.5b"), built_in("qwen2.5-14b"))
    )
    one = serving_times(model, Load(users=users), Layout(), h100).one_pass
    assert free.one_pass < small.one_pass < large.one_pass
    assert free.prompt < small.prompt < large.prompt
    assert large.one_pass >= free.one_pass + 0.9 * drafted * one
    assert large.tokens_a_second(users) < 1.2 * users / one


def test_one_answer_is_bound_by_reading_the_weights() -> None:
    model, h100 = built_in("llama-3.1-8b"), accelerator("h100-sxm")
    found = serving_times(model, Load(prompt=10, answer=10), Layout(), h100)
    weights = 2 * (model.parameters - model.count("embedding"))
    assert found.bound == "bandwidth"
    assert found.one_pass == pytest.approx(weights / 3350e9 / Reached().bandwidth[1], rel=0.01)


def test_experts_are_read_only_as_far_as_they_are_met() -> None:
    config = {
        "model_type": "mixtral", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 500, "num_local_experts": 8,
        "num_experts_per_tok": 2, "tie_word_embeddings": False,
    }  # fmt: skip
    model, h100 = anatomy_from(config, name="moe", source="here"), accelerator("h100-sxm")
    one, many = (serving_times(model, Load(users=n, prompt=4, answer=4), Layout(), h100) for n in (1, 64))
    assert one.one_pass < 0.6 * many.one_pass


def test_a_pipeline_has_its_bubble() -> None:
    model, run, h100 = built_in("llama-3.1-8b"), Training(method="full"), accelerator("h100-sxm")
    one = step_time(model, run, Layout(), h100)
    two = step_time(model, run, Layout(pipeline=2), h100)
    # two micro-batches over two stages take three turns of half the work each
    assert two.seconds == pytest.approx(1.5 * one.seconds)
    assert one.low < one.seconds < one.high


def test_a_processor_is_cores_times_clock_times_what_a_core_does() -> None:
    """Intel: 1,024 operations in bf16 a core and cycle by AMX, 64 in fp32; AMD states none for bf16."""
    xeon, epyc = accelerator("xeon-8480+"), accelerator("EPYC-9654")
    assert xeon.operations("bf16") == pytest.approx(56 * 2.0e9 * 1024)
    assert xeon.operations("fp32") == pytest.approx(56 * 2.0e9 * 64)
    assert xeon.bytes_a_second() == pytest.approx(8 * 4800e6 * 8)
    assert epyc.operations("fp32") == pytest.approx(96 * 2.4e9 * 2 * 8 * 2)
    assert epyc.operations("bf16") == epyc.operations("fp32")  # widened first
    assert epyc.bytes_a_second() == 460.8e9
    for one in cpus().values():
        assert one.processor
        assert f"{one.memory / 1e9:g} GB is assumed" in one.how
        assert "GHz (base)" in one.how


def test_eight_bit_products_are_those_of_the_matrix_units_where_there_are_any() -> None:
    model = built_in("llama-3.1-8b")
    long = Load(precision="int8", prompt=4000)
    fast, slow = (
        serving_times(model, long, Layout(), accelerator(name)).prompt for name in ("xeon-8480+", "epyc-9654")
    )
    assert slow > 10 * fast


def test_on_a_processor_the_optimiser_takes_its_time() -> None:
    model, xeon = built_in("llama-2-7b"), accelerator("xeon-8480+")
    run = Training(method="full", sequence=16)
    found = step_time(model, run, Layout(), xeon)
    assert found.low >= 28 * model.parameters / xeon.bytes_a_second() / 0.8
    thin = step_time(model, run.model_copy(update={"method": "lora"}), Layout(), xeon)
    assert thin.seconds < found.seconds / 5


def test_no_more_memory_is_planned_than_cards_report() -> None:
    """nvidia-smi says 81,559 MiB of an H100 of "80 GB"."""
    h100 = accelerator("h100-sxm")
    assert h100.reported == 81559 * 2**20
    assert h100.reported / h100.memory == pytest.approx(1.069, abs=1e-3)
    known = [one for one in gpus().values() if one.reported]
    assert len(known) >= 6
    assert all(one.memory < (one.reported or 0) for one in known)
