"""Configurations of every family as Transformers writes them, and those that the decoder must refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tensaku.errors import UsageError
from tensaku.models.shape import Shape

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "rope_theta": 500000.0,
}
GEMMA: dict[str, Any] = LLAMA | {
    "model_type": "gemma3_text",
    "num_hidden_layers": 7,
    "head_dim": 16,
    "query_pre_attn_scalar": 64,
    "sliding_window": 24,
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
    "hidden_activation": "gelu_pytorch_tanh",
}
del GEMMA["hidden_act"]


def test_llama() -> None:
    shape = Shape.from_config(LLAMA)
    assert (shape.layers, shape.heads, shape.kv_heads, shape.head_dim) == (3, 4, 2, 8)
    assert (shape.activation, shape.norm_offset, shape.embed_scale) == ("silu", 0.0, 1.0)
    assert not shape.qk_norm
    assert not shape.sandwich
    assert not shape.qkv_bias
    assert not shape.tied
    assert shape.windows == (0, 0, 0)
    assert shape.thetas == (500000.0,) * 3
    assert shape.attention_scale == pytest.approx(8**-0.5)
    assert (shape.context, shape.eps, shape.vocabulary) == (256, 1e-5, 100)


def test_gemma_in_the_spelling_of_old_files() -> None:
    shape = Shape.from_config(GEMMA | {"rope_scaling": {"type": "linear", "factor": 8.0}})
    assert shape.windows == (24, 24, 24, 24, 24, 0, 24)  # every sixth layer sees everything
    assert shape.thetas == (1e4, 1e4, 1e4, 1e4, 1e4, 1e6, 1e4)
    assert shape.rope_scales == (1.0, 1.0, 1.0, 1.0, 1.0, 8.0, 1.0)  # the scaling is for those layers alone
    assert shape.attention_scale == pytest.approx(64**-0.5)
    assert shape.embed_scale == pytest.approx(32**0.5)
    assert (shape.activation, shape.norm_offset, shape.tied) == ("gelu", 1.0, True)
    assert shape.qk_norm
    assert shape.sandwich


def test_gemma_in_the_spelling_of_new_files_says_the_same() -> None:
    ropes = {
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    }
    kinds = ["full_attention" if i == 5 else "sliding_attention" for i in range(7)]
    new = {k: v for k, v in GEMMA.items() if not k.startswith("rope")} | {
        "layer_types": kinds,
        "rope_parameters": ropes,
    }
    assert Shape.from_config(new) == Shape.from_config(GEMMA | {"rope_scaling": {"type": "linear", "factor": 8.0}})


def test_one_rope_for_all_layers_in_the_new_spelling() -> None:
    new = {k: v for k, v in LLAMA.items() if k != "rope_theta"}
    new["rope_parameters"] = {"rope_type": "linear", "factor": 2.0, "rope_theta": 7000.0}
    shape = Shape.from_config(new)
    assert (shape.thetas[0], shape.rope_scales[0]) == (7000.0, 2.0)


def test_qwen() -> None:
    second, third = (Shape.from_config(LLAMA | {"model_type": name, "head_dim": 8}) for name in ("qwen2", "qwen3"))
    assert (second.qkv_bias, second.qk_norm) == (True, False)
    assert (third.qkv_bias, third.qk_norm) == (False, True)
    kinds = ["full_attention", "sliding_attention", "sliding_attention"]
    sliding = LLAMA | {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 9, "layer_types": kinds}
    assert Shape.from_config(sliding).windows == (0, 9, 9)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"model_type": "mamba"}, r"the model family 'mamba' is not known.*Known: gemma3_text, llama, qwen2, qwen3"),
        ({"model_type": None}, "the model family 'None' is not known"),
        ({"hidden_size": None}, "holds a wrong value"),
        ({"num_hidden_layers": "three"}, "holds a wrong value"),
        ({"rope_scaling": "linear"}, "holds a wrong value"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "rotary scaling of type 'yarn' is not known"),
        ({"rope_scaling": {"type": "dynamic", "factor": 4.0}}, "rotary scaling of type 'dynamic' is not known"),
        ({"layer_types": ["full_attention"] * 2}, "layer_types names 2 layers, num_hidden_layers says 3"),
        ({"layer_types": ["chunked_attention"] * 3}, "does not know this model's layer_types"),
        ({"attention_bias": True}, "does not know this model's attention_bias"),
        ({"mlp_bias": True}, "does not know this model's mlp_bias"),
        ({"hidden_act": "relu"}, "does not know this model's activation relu"),
        ({"final_logit_softcapping": 30.0}, "does not know this model's final_logit_softcapping"),
        ({"use_sliding_window": True, "sliding_window": 9}, "does not know this model's use_sliding_window"),
    ],
)
def test_what_would_be_computed_wrongly_is_refused(change: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        Shape.from_config(LLAMA | change, where="config.json")


@pytest.mark.parametrize("missing", ["hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size"])
def test_a_missing_key_is_named(missing: str) -> None:
    with pytest.raises(UsageError, match=f"the key '{missing}' is missing"):
        Shape.from_config({k: v for k, v in LLAMA.items() if k != missing})


def test_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"this folder is no model: it has no config\.json\. Name a folder"):
        Shape.load(tmp_path)
    for text, what in (("{", "cannot be read"), ("[1]", "holds no JSON object")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(UsageError, match=what) as caught:
            Shape.load(tmp_path)
        assert caught.value.where == str(tmp_path / "config.json")
    (tmp_path / "config.json").write_bytes("設定".encode("cp932"))
    with pytest.raises(UsageError, match="cannot be read"):
        Shape.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    assert Shape.load(tmp_path).family == "llama"
