"""Memory: exact where it follows from sizes, monotonic, and never lost by splitting."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.errors import UsageError
from tensaku.plan.anatomy import Anatomy, anatomy_from
from tensaku.plan.answer import Answer, Ask, plan
from tensaku.plan.fit import fewest
from tensaku.plan.headers import built_in
from tensaku.plan.job import Load, Training
from tensaku.plan.layout import Layout, cut, layouts, share, stages
from tensaku.plan.memory import cache_bytes, serving, thin_parameters, training, training_stages, weight_bytes
from tensaku.plan.money import Money
from tensaku.plan.speed import steps
from tensaku.plan.text import answer_lines, answer_values


def _model(layers: int = 4, kv: int = 2, *, tied: bool = False, words: int = 1000) -> Anatomy:
    config = {
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": layers,
        "num_attention_heads": 8,
        "num_key_value_heads": kv,
        "vocab_size": words,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": tied,
    }
    return anatomy_from(config, name="small", source="here")


_LAYOUTS = st.builds(
    Layout, st.sampled_from([1, 2, 4, 8]), st.integers(1, 4), st.sampled_from([1, 2, 3, 8]), st.integers(0, 3)
)


@given(_LAYOUTS, st.booleans(), st.sampled_from([1, 2, 8]))
def test_splitting_never_loses_a_number(layout: Layout, tied: bool, kv: int) -> None:
    model = _model(kv=kv, tied=tied)
    held: dict[str, int] = {}
    for _, _, pieces in stages(model, layout):
        for piece in pieces:
            ways = 1 if piece.part in ("small", "vision") else layout.tensor
            assert cut(piece, layout) * ways >= piece.numbers
            held[piece.name] = held.get(piece.name, 0) + cut(piece, layout) * ways
    assert set(held) == {piece.name for piece in model.pieces}
    assert sum(layers for _, layers, _ in stages(model, layout)) == model.layers


@given(_LAYOUTS, st.sampled_from(["lora", "qlora", "full", "dpo", "pretrain"]))
def test_sharded_states_sum_up_to_the_whole(layout: Layout, method: str) -> None:
    model, run = _model(), Training.model_validate({"method": method, "sequence": 16})
    one = training(model, run)
    split = training_stages(model, run, layout)
    for name in ("weights", "gradients", "optimiser"):
        together = sum(stage.exact[name] for stage in split) * layout.tensor * layout.data
        assert together >= one.exact[name] * 0.999999


@given(
    st.sampled_from(["lora", "qlora", "full", "dpo", "pretrain"]),
    st.integers(1, 64),
    st.integers(1, 8192),
    st.integers(1, 256),
    st.booleans(),
    _LAYOUTS,
)
def test_more_training_never_needs_less(
    method: str, batch: int, sequence: int, rank: int, recompute: bool, layout: Layout
) -> None:
    model = _model()
    base = {"method": method, "batch": batch, "sequence": sequence, "rank": rank, "recompute": recompute}
    needed = training(model, Training.model_validate(base), layout).total
    for more in ({"batch": batch + 1}, {"sequence": sequence + 1}, {"rank": rank + 1}):
        assert training(model, Training.model_validate(base | more), layout).total >= needed
    if recompute:
        kept = training(model, Training.model_validate(base | {"recompute": False}), layout).total
        assert kept >= needed * 0.999999
    assert training(_model(layers=5), Training.model_validate(base), layout).total >= needed


@given(st.integers(1, 64), st.integers(2, 4096), st.integers(1, 2048), st.integers(0, 40), st.integers(1, 64), _LAYOUTS)
def test_more_load_never_needs_less(
    users: int, prompt: int, answer: int, adapters: int, rank: int, layout: Layout
) -> None:
    model = _model()
    base = {"users": users, "prompt": prompt, "answer": answer, "adapters": adapters, "rank": rank}
    needed = serving(model, Load.model_validate(base), layout).total
    for key in base:
        more = Load.model_validate(base | {key: base[key] + 1})
        assert serving(model, more, layout).total >= needed
    prefixed = Load.model_validate(base | {"prefix": prompt // 2})
    if users > 1 and adapters <= 1 and prompt // 2:
        assert serving(model, prefixed, layout).total <= needed


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_a_window_bounds_the_cache(short: int, more: int) -> None:
    gemma = built_in("gemma-3-270m")
    small, large = cache_bytes(gemma, short, "bf16"), cache_bytes(gemma, short + more, "bf16")
    assert large > small
    whole_layers = sum(not window for window in gemma.windows)
    per_token = 2 * gemma.kv_heads * gemma.head_dim * 2
    assert large - small <= per_token * gemma.layers * more
    assert large - small >= per_token * whole_layers * more


def test_states_of_full_tuning_are_sixteen_bytes_a_parameter() -> None:
    for precision in ("bf16", "fp32"):
        model = built_in("llama-2-7b")
        exact = training(model, Training(method="full", precision=precision)).exact
        states = exact["weights"] + exact["gradients"] + exact["optimiser"]
        assert states == 16 * model.parameters


def test_thin_matrices_as_peft_makes_them() -> None:
    """Rank 16 beside all seven projections of Gemma 3 270M: what the sealed adapter of the demonstration holds."""
    assert thin_parameters(built_in("gemma-3-270m"), 16) == 16 * 18 * (
        (640 + 1024) + 2 * (640 + 256) + (1024 + 640) + 2 * (640 + 2048) + (2048 + 640)
    )


def test_keys_and_values_of_llama_2_7b_take_half_a_megabyte_a_token() -> None:
    assert cache_bytes(built_in("llama-2-7b"), 1, "bf16") == 2 * 32 * 4096 * 2
    assert cache_bytes(built_in("llama-3.1-70b"), 1, "bf16") == 2 * 80 * 8 * 128 * 2


def test_heads_of_keys_fewer_than_gpus_are_repeated() -> None:
    model = built_in("qwen2.5-7b")  # four heads of keys
    assert cache_bytes(model, 100, "bf16", tensor=8) == cache_bytes(model, 100, "bf16", tensor=4)


def test_what_is_smaller_than_bf16_keeps_embedding_and_norms_in_bf16() -> None:
    model = built_in("llama-2-7b")
    int8 = sum(weight_bytes(p, p.numbers, "int8") for p in model.pieces)
    assert int8 == model.count("matrix") + 2 * (model.parameters - model.count("matrix"))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 8, 16, 24, 64])
@pytest.mark.parametrize("training_job", [True, False])
def test_layouts_take_exactly_the_gpus_asked_for(count: int, training_job: bool) -> None:
    for layout in layouts(built_in("llama-3.1-70b"), count, training=training_job):
        assert layout.gpus == count
        assert layout.tensor <= 8


def test_activations_of_a_layer_are_what_torch_keeps() -> None:
    """Our count against autograd's own, for one layer of a Llama with fused attention, in bf16."""
    import torch
    import transformers

    tokens = 64
    config = transformers.LlamaConfig(
        hidden_size=256, intermediate_size=688, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=32, tie_word_embeddings=False,
    )  # fmt: skip
    model = transformers.LlamaModel(config).bfloat16()
    weights = {p.data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}
    held: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)  # or its place would be given away
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        x = torch.randn(1, tokens, 256, dtype=torch.bfloat16, requires_grad=True)
        model(inputs_embeds=x)

    anatomy = anatomy_from(config.to_dict(), name="one", source="here")
    from tensaku.plan.memory import activation_bytes

    counted = activation_bytes(anatomy, tokens, "bf16")
    # beside it Transformers' three norms (the last one is no layer's) keep their inputs in fp32, and a root a token
    norms = 3 * tokens * (256 * 4 + 4)
    assert sum(kept.values()) == counted + norms


_METHODS = st.sampled_from(["lora", "qlora", "full", "dpo", "pretrain"])


@settings(max_examples=30, deadline=None)
@given(_METHODS, st.integers(1, 64), st.integers(1, 16), st.integers(1, 4), st.sampled_from([24e9, 48e9, 80e9]))
def test_more_never_takes_fewer_gpus(method: str, batch: int, thousands: int, times: int, room: float) -> None:
    model = built_in("qwen2.5-3b")

    def gpus(batch: int, sequence: int, room: float) -> int:
        run = Training.model_validate({"method": method, "batch": batch, "sequence": sequence})
        try:
            return fewest(model, run, room).layout.gpus
        except UsageError:
            return 1 << 20

    least = gpus(batch, 1000 * thousands, room)
    assert gpus(batch * times, 1000 * thousands, room) >= least
    assert gpus(batch, 1000 * thousands * times, room) >= least
    assert gpus(batch, 1000 * thousands, room / times) >= least


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 512), st.integers(1, 30_000), st.integers(1, 2000), st.integers(0, 50), st.integers(1, 4))
def test_more_users_never_take_fewer_gpus(users: int, prompt: int, answer: int, adapters: int, times: int) -> None:
    model = built_in("qwen2.5-14b")

    def gpus(**more: int) -> int:
        asked = {"users": users, "prompt": prompt, "answer": answer, "adapters": adapters} | more
        try:
            return fewest(model, Load.model_validate(asked), 80e9).layout.gpus
        except UsageError:
            return 1 << 20

    least = gpus()
    assert gpus(users=users * times) >= least
    assert gpus(prompt=prompt * times) >= least
    assert gpus(adapters=adapters * times) >= least


@settings(max_examples=20, deadline=None)
@given(_METHODS, st.integers(1, 8), st.floats(0.5, 2.0), st.floats(0.5, 2.0))
def test_units_never_mix(method: str, batch: int, faster: float, dearer: float) -> None:
    """Bytes follow from sizes alone, seconds go as operations by speed, hours are seconds, yen go as prices."""
    model, money = built_in("qwen2.5-0.5b"), {"rent_gpu_day": 1000.0, "gpu_price": 1e6, "yen_per_kwh": 30.0}

    def asked(speed: float, price: float) -> Answer:
        prices = {name: value * price for name, value in money.items()}
        train = Training.model_validate({"batch": batch, "precision": "bf16"})
        return plan(model, method, Ask(train=train, tflops=100 * speed, money=Money(**prices)), "l40s")  # type: ignore[arg-type]

    one, fast, dear = asked(1.0, 1.0), asked(faster, 1.0), asked(1.0, dearer)
    assert one.fit is not None
    assert one.step is not None
    assert one.hours is not None
    assert one.bill is not None
    assert fast.fit == one.fit == dear.fit
    assert fast.step is not None
    assert fast.step.seconds == pytest.approx(one.step.seconds / faster)
    assert one.hours[1] * 3600 == pytest.approx(one.step.seconds * steps(one.ask.train, one.fit.layout))
    assert dear.bill is not None
    assert dear.step == one.step
    assert dear.bill.kwh == one.bill.kwh
    for name in ("power", "rent", "buy", "written_off", "own_total", "rent_total"):
        assert getattr(dear.bill, name) == pytest.approx(dearer * getattr(one.bill, name))
    assert dear.bill.break_even_days == pytest.approx(one.bill.break_even_days)
    told = answer_values(one)
    assert told["memory"]["total"] == one.fit.memory.total
    assert f"{one.fit.memory.total / 1e9:,.2f} GB" in "\n".join(answer_lines(one))


@given(st.integers(0, 10**12), st.integers(1, 1000))
def test_the_largest_share_covers_everything_and_no_more(count: int, ways: int) -> None:
    assert share(count, ways) * ways >= count
    assert (share(count, ways) - 1) * ways < count or not count


def test_the_reason_names_what_is_too_much() -> None:
    found = fewest(built_in("qwen2.5-7b"), Training(method="full"), 80e9)
    assert found.layout.gpus == 2
    assert found.smaller is not None
    assert found.smaller.gpus == 1
    assert found.smaller.missing > 0
    assert "optimiser" in found.smaller.reason
    assert found.memory.high <= 80e9
