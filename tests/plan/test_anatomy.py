"""Every tensor as Transformers makes it, on the meta device: nothing is loaded and nothing is guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tensaku.errors import UsageError
from tensaku.plan.anatomy import FAMILIES, anatomy_from
from tensaku.plan.headers import built_in, describe, names

PUBLISHED = {
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-2-70b": 68_976_648_192,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-70b": 70_553_706_496,
    "qwen2.5-0.5b": 494_032_768,
    "qwen2.5-7b": 7_615_616_512,
    "qwen2.5-72b": 72_706_203_648,
    "gemma-3-270m": 268_098_176,
    "gemma-3-1b": 999_885_952,
    "0.6b-class": 596_049_920,
    "bert-base-cased": 108_310_272,
}
"""What the models' own safetensors files hold (llama-2 and bert: what their papers' code makes)."""

_TINY: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "max_position_embeddings": 64,
}


def _sizes_by_transformers(config: dict[str, Any], auto: str) -> dict[str, tuple[int, ...]]:
    import torch
    import transformers

    made = transformers.AutoConfig.for_model(**config)
    with torch.device("meta"):
        model = getattr(transformers, auto).from_config(made)
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


@pytest.mark.parametrize(
    ("config", "auto"),
    [
        ({"model_type": "llama", **_TINY, "tie_word_embeddings": False}, "AutoModelForCausalLM"),
        ({"model_type": "mistral", **_TINY, "tie_word_embeddings": False, "head_dim": 8}, "AutoModelForCausalLM"),
        ({"model_type": "qwen2", **_TINY, "tie_word_embeddings": True}, "AutoModelForCausalLM"),
        ({"model_type": "qwen3", **_TINY, "tie_word_embeddings": False, "head_dim": 16}, "AutoModelForCausalLM"),
        (
            {"model_type": "gemma3_text", **_TINY, "head_dim": 16, "sliding_window": 8, "tie_word_embeddings": True},
            "AutoModelForCausalLM",
        ),
        (
            {"model_type": "gpt2", "n_layer": 3, "n_embd": 48, "n_head": 4, "vocab_size": 90, "n_positions": 32},
            "AutoModelForCausalLM",
        ),
        (
            {
                "model_type": "bert",
                **{k: v for k, v in _TINY.items() if k != "num_key_value_heads"},
                "type_vocab_size": 2,
            },
            "AutoModel",
        ),
    ],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else "",
)
def test_tensors_are_those_that_transformers_makes(config: dict[str, Any], auto: str) -> None:
    theirs = _sizes_by_transformers(config, auto)
    ours = anatomy_from(config, name="tiny", source="here")

    prefix = "transformer." if config["model_type"] == "gpt2" else ""
    assert {f"{prefix}{piece.name}": piece.size for piece in ours.pieces} == theirs


@pytest.mark.parametrize("family", ["mixtral", "qwen3_moe"])
def test_experts_are_counted_whatever_their_names(family: str) -> None:
    config = {"model_type": family, **_TINY, "tie_word_embeddings": False, "head_dim": 8}
    config |= (
        {"num_local_experts": 5, "num_experts_per_tok": 2}
        if family == "mixtral"
        else {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    )
    theirs = _sizes_by_transformers(config, "AutoModelForCausalLM")
    ours = anatomy_from(config, name="tiny", source="here")

    total = 0
    for size in theirs.values():
        count = 1
        for length in size:
            count *= length
        total += count
    assert ours.parameters == total
    assert ours.active_parameters == ours.parameters - ours.count("expert") * 3 // 5


def test_a_gemma_that_sees_is_counted_with_its_eyes() -> None:
    import torch
    import transformers

    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    vision |= {"image_size": 28, "patch_size": 7, "vision_use_head": False}
    text = {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 4, "sliding_window": 16}
    made = transformers.Gemma3Config(text_config=dict(text), vision_config=dict(vision), mm_tokens_per_image=4)
    with torch.device("meta"):
        model = transformers.Gemma3ForConditionalGeneration(made)

    ours = anatomy_from(
        {"model_type": "gemma3", "text_config": text, "vision_config": vision}, name="tiny", source="here"
    )
    assert ours.parameters == sum(p.numel() for p in model.parameters())
    assert ours.windows == (16, 16, 16, 16)  # four layers: the sixth would be the first that sees everything


@pytest.mark.parametrize("name", PUBLISHED)
def test_built_in_shapes_have_the_published_number_of_parameters(name: str) -> None:
    assert built_in(name).parameters == PUBLISHED[name]


def test_gpt_3_has_about_175_billion() -> None:
    assert built_in("175b-class").parameters == pytest.approx(175e9, rel=0.005)


def test_every_built_in_model_names_its_source() -> None:
    for name in names():
        one = built_in(name)
        assert "http" in one.source or "arXiv" in one.source
        assert one.name == name


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "mamba2"}, "'mamba2' (a hybrid: it has mamba layers"),
        ({"model_type": "deepseek_v3", "n_routed_experts": 256}, "'deepseek_v3' (a mixture of experts)"),
        ({"model_type": "falcon"}, "'falcon' is not known to the planner, and it does not guess"),
        ({"model_type": "llama", **_TINY, "num_local_experts": 8}, "has experts"),
        ({"model_type": "qwen3", **_TINY, "layer_types": ["linear_attention"] * 4}, "hybrid with linear_attention"),
        ({"model_type": "llama", **_TINY, "num_key_value_heads": 4}, "6 heads cannot share 4"),
        ({"model_type": "llama", **_TINY, "hidden_size": "wide"}, "wrong value"),
        ({"model_type": "llama", **_TINY, "num_experts": "many"}, "wrong value"),
        ({"model_type": "llama", **_TINY, "layer_types": 3}, "wrong value"),
        ({"model_type": "llama"}, "is missing in the model's configuration"),
        ({"model_type": "llama", **_TINY, "vocab_size": -1}, "vocab_size = -1"),
        ({}, "the architecture ''"),
    ],
)
def test_what_is_not_known_is_refused_by_name(config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        anatomy_from(config, name="x", source="here", where="config.json")
    assert words in str(caught.value)
    assert "config.json" in str(caught.value)


def test_windows_of_qwen_begin_at_the_layer_its_configuration_says() -> None:
    config = {"model_type": "qwen2", **_TINY, "use_sliding_window": True, "sliding_window": 16, "max_window_layers": 3}
    assert anatomy_from(config, name="x", source="here").windows == (0, 0, 0, 16)


def test_the_stretched_positions_of_llama_3_change_nothing(tmp_path: Path) -> None:
    plain = {"model_type": "llama", **_TINY, "tie_word_embeddings": False}
    stretched = {**plain, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}
    (tmp_path / "config.json").write_text(json.dumps(stretched), encoding="utf-8")

    assert describe(str(tmp_path)).pieces == anatomy_from(plain, name="x", source="here").pieces


def test_every_family_is_tried_here() -> None:
    tried = {"llama", "mistral", "qwen2", "qwen3", "gemma3_text", "gpt2", "bert", "mixtral", "qwen3_moe", "gemma3"}
    assert tried == set(FAMILIES)
