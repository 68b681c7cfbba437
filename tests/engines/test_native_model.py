from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tensaku.engines.native.adapter import Adapter, load_adapter
from tensaku.engines.native.cache import Held
from tensaku.engines.native.linear import Int8Matrix
from tensaku.engines.native.model import Model, Work

Tiny = Any  # the fixtures' class: one family's folder, Transformers' model and adapters over it
Get = Callable[[str], Tiny]
FAMILIES = ("gemma3_text", "gemma3_wide", "llama", "llama_mha", "qwen2", "qwen3")


def _sequence(n: int, seed: int) -> list[int]:
    draw = random.Random(seed)
    return [draw.randrange(6, 350) for _ in range(n)]


def _open(tiny: Tiny, precision: Any = "fp32", threads: int = 1, processor: str | None = "native") -> Model:
    torch.set_num_threads(1)  # as the engine's thread does
    return Model(tiny.folder, precision=precision, context=768, slots=6, threads=threads, processor=processor)


def _chunked(model: Model, tokens: list[int], adapter: Adapter | None, cuts: list[int]) -> torch.Tensor:
    """Scores after each token, the text fed in chunks."""
    place = Held("", model.context)
    rows = []
    for start, end in zip([0, *cuts], [*cuts, len(tokens)], strict=True):
        scores = model.logits([Work(place, adapter, tokens[start:end], end - start)])
        assert scores is not None
        rows.append(scores.clone())
    model.cache.release(place)
    return torch.cat(rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_agree_with_transformers(tiny: Get, family: str) -> None:
    made = tiny(family)
    tokens = _sequence(330, 1)
    with torch.inference_mode():
        wanted = made.model(torch.tensor([tokens])).logits[0]
    got = _chunked(_open(made), tokens, None, [1, 2, 70, 200])
    assert (got - wanted).abs().max() < 1e-4 * wanted.abs().max().clamp_min(1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("all", {}),
        ("some", {"targets": ["q_proj", "v_proj", "down_proj"], "r": 3, "lora_alpha": 5}),
        ("rs", {"use_rslora": True, "r": 9}),
        ("dora", {"use_dora": True}),
        ("dora-some", {"use_dora": True, "targets": ["k_proj", "gate_proj", "o_proj"], "r": 2, "use_rslora": True}),
        ("pattern", {"rank_pattern": {"k_proj": 2, "layers.1.self_attn.v_proj": 6}, "alpha_pattern": {"up_proj": 30}}),
    ],
)
@pytest.mark.parametrize("family", ["gemma3_text", "llama", "qwen2", "qwen3"])
def test_logits_with_an_adapter_agree_with_peft(tiny: Get, family: str, name: str, options: dict[str, Any]) -> None:
    made = tiny(family)
    tokens = _sequence(60, 2)
    with torch.inference_mode():
        plain = made.model(torch.tensor([tokens])).logits[0]
    tuned = made.with_adapter(name, **options)
    with torch.inference_mode():
        wanted = tuned(torch.tensor([tokens])).logits[0]
    made.release(tuned)
    model = _open(made)
    got = _chunked(model, tokens, load_adapter(made.adapter(name), model.shape, model.weight), [3, 30])
    assert (got - wanted).abs().max() < 1e-4 * wanted.abs().max().clamp_min(1)
    assert (plain - wanted).abs().max() > 1e-2  # the adapter does something


@pytest.mark.parametrize(
    ("family", "precision", "threads", "processor"),
    [(family, "int8", 1, processor) for family in FAMILIES for processor in ("native", None)]
    + [(family, "fp32", 1, None) for family in FAMILIES]
    + [("gemma3_wide", "int8", 2, "native")]
    + [pytest.param("gemma3_wide", "int8", 2, other, marks=pytest.mark.slow) for other in ("haswell", None)],
)
def test_a_row_does_not_depend_on_its_neighbours(
    tiny: Get, family: str, precision: str, threads: int, processor: str | None
) -> None:
    """Bit for bit: alone word by word, in chunks of any size, and among rows of other streams and adapters."""
    made = tiny(family)
    model = _open(made, precision, threads, processor)
    folders = [made.adapter("all"), made.adapter("dora", use_dora=True)]
    adapters = [*(load_adapter(folder, model.shape, model.weight) for folder in folders), None]
    draw = random.Random(3)
    texts = [_sequence(draw.randrange(255, 280), seed) for seed in range(3)]
    alone = [
        _chunked(model, text, adapter, list(range(235, len(text))))
        for text, adapter in zip(texts, adapters, strict=True)
    ]
    together: list[list[torch.Tensor]] = [[], [], []]
    places = [Held(str(i), model.context) for i in range(3)]
    while any(len(places[i].tokens) < len(texts[i]) for i in range(3)):
        works, order = [], []
        for i in draw.sample(range(3), 3):
            left = texts[i][len(places[i].tokens) :][: draw.choice([1, 1, 2, 3, 5, 17, 64])]
            if left and draw.random() < 0.8:
                works.append(Work(places[i], adapters[i], left, len(left)))
                order.append(i)
        if works:
            scores = model.logits(works)
            assert scores is not None
            for i, rows in zip(order, torch.split(scores, [len(w.tokens) for w in works]), strict=True):
                together[i].append(rows.clone())
    for one, many in zip(alone, together, strict=True):
        assert torch.equal(one, torch.cat(many))


def test_only_the_rows_asked_for_are_scored(tiny: Get) -> None:
    made = tiny("gemma3_text")
    model = _open(made, "int8")
    adapter = load_adapter(made.adapter("all"), model.shape)
    text = _sequence(90, 5)
    every = _chunked(model, text, adapter, [40])
    a, b, c = (Held(name, model.context) for name in "abc")
    assert model.logits([Work(a, adapter, text[:40], 0)]) is None
    scores = model.logits([Work(a, adapter, text[40:], 1), Work(b, None, text[:7], 0), Work(c, adapter, text[:9], 2)])
    assert scores is not None
    assert torch.equal(scores[0], every[-1])
    assert torch.equal(scores[1:], every[7:9])
    assert b.tokens == text[:7]


def test_int8_stays_near_fp32(tiny: Get) -> None:
    made = tiny("gemma3_wide")
    text = _sequence(200, 6)
    exact = _chunked(_open(made), text, None, [])
    near = _chunked(_open(made, "int8"), text, None, [])
    error = (near - exact).norm() / exact.norm()
    assert 0 < error < 0.08  # random weights are the worst case


@pytest.mark.parametrize("family", ["gemma3_text", "llama"])
def test_dora_and_plain_adapters_in_one_pass_agree_with_peft(tiny: Get, family: str) -> None:
    made = tiny(family)
    kinds: list[dict[str, Any]] = [{"use_dora": True}, {}, {"use_dora": True, "targets": ["q_proj", "down_proj"]}]
    names = ["dora", "all", "dora-thin"]
    texts = [_sequence(n, n) for n in (40, 55, 31)]
    wanted = []
    for name, options, text in zip(names, kinds, texts, strict=True):
        tuned = made.with_adapter(name, **options)
        with torch.inference_mode():
            wanted.append(tuned(torch.tensor([text])).logits[0])
        made.release(tuned)
    model = _open(made)
    adapters = [load_adapter(made.adapter(name), model.shape, model.weight) for name in names]
    works = [Work(Held(str(i), model.context), adapters[i], texts[i], len(texts[i])) for i in range(3)]
    scores = model.logits(works)
    assert scores is not None
    for got, one in zip(torch.split(scores, [len(text) for text in texts]), wanted, strict=True):
        assert (got - one).abs().max() < 1e-4 * one.abs().max().clamp_min(1)


def test_in_int8_the_lengths_of_rows_are_those_of_the_weights_as_multiplied(tiny: Get) -> None:
    """Then each row of the adapted weights has the length that was learnt, whatever rounding made of the base."""
    made = tiny("gemma3_wide")
    model = _open(made, "int8")
    folder = made.adapter("dora", use_dora=True)
    adapter = load_adapter(folder, model.shape, model.weight)
    down, up = adapter.layers[0]["down"]
    whole = (model.weight(0, "down") + up.t() @ down.t()) * adapter.gains[0]["down"][:, None]
    held = load_file(folder / "adapter_model.safetensors")
    [lengths] = [t for name, t in held.items() if "layers.0.mlp.down_proj.lora_magnitude_vector" in name]
    assert (whole.norm(dim=1) / lengths - 1).abs().max() < 1e-5
    text = _sequence(100, 8)
    exact = _open(made)
    wanted = _chunked(exact, text, load_adapter(folder, exact.shape, exact.weight), [])
    error = (_chunked(model, text, adapter, []) - wanted).norm() / wanted.norm()
    assert 0 < error < 0.08


def _by_blocks(x: torch.Tensor) -> torch.Tensor:
    """`x`, [rows, in], as the kernel's bytes say it: 127 steps either way of a block's largest number."""
    blocks = torch.nn.functional.pad(x, (0, -x.shape[1] % 64)).view(len(x), -1, 64)
    size = blocks.abs().amax(-1, keepdim=True).clamp_min(1e-12)
    return (torch.round(blocks * (127 / size)) * (size / 127)).flatten(1)[:, : x.shape[1]]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_compiled_pass_agrees_with_torch(tiny: Get, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch is given activations rounded alike, so what differs is the order of fp32 sums, and roundings that it
    tips. How far these lead torch itself shows, with its sums in fp64."""
    made = tiny(family)
    text = _sequence(330, 9)
    folder = made.adapter("dora", use_dora=True)

    def scores(processor: str | None, sums: torch.dtype) -> torch.Tensor:
        def product(self: Int8Matrix, x: torch.Tensor) -> torch.Tensor:
            return (_by_blocks(x).to(sums) @ self.weight().to(sums).T).float()

        monkeypatch.setattr(Int8Matrix, "__call__", product)
        model = _open(made, "int8", 2, processor)
        assert model.pass_.kind == ("torch" if processor is None else "compiled")
        return _chunked(model, text, load_adapter(folder, model.shape, model.weight), [1, 2, 70, 200])

    compiled, plain = scores("native", torch.float32), scores(None, torch.float32)
    errors = _apart(compiled, plain)
    if family == "gemma3_wide":  # with the real widths every row has tipped roundings
        assert errors.median() < 1.5 * _apart(plain, scores(None, torch.float64)).median()
    else:  # a row that none was tipped in; 7 bits would give 0.05 at least
        assert errors.min() < 1e-3
    assert errors.mean() < 0.03


def _apart(some: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The distance of each row, [rows], by the length of the other one."""
    apart: torch.Tensor = (some - others).norm(dim=1) / others.norm(dim=1)
    return apart


@pytest.mark.parametrize("family", ["gemma3_wide", "llama"])
def test_the_compiled_pass_gives_the_same_bits_on_every_processor(tiny: Get, family: str) -> None:
    made = tiny(family)
    text = _sequence(300, 10)
    folder = made.adapter("all")
    found = []
    for processor, threads in (("native", 1), ("native", 3), ("haswell", 2)):
        model = _open(made, "int8", threads, processor)
        found.append(_chunked(model, text, load_adapter(folder, model.shape, model.weight), [100, 101, 200]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_the_number_of_threads_may_change_at_any_pass(tiny: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tiny("llama")
    text = _sequence(300, 11)
    alone = _chunked(_open(made, "int8", 1), text, None, list(range(20, 300)))
    draw, sizes = random.Random(4), [1, 2, 4]
    monkeypatch.setattr("tensaku.engines.native.crew.Crew.next", lambda crew: draw.choice(sizes))
    assert torch.equal(alone, _chunked(_open(made, "int8", 4), text, None, list(range(20, 300))))
