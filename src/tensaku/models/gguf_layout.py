"""What a decoder is called in GGUF and in Hugging Face's form, and what differs between the two in its numbers.

Gemma's norms are stored as 1 + w in GGUF and as w here. Llama's queries and keys are rotated in neighbouring pairs by
llama.cpp and in halves by Hugging Face, so their rows stand in another order. Names: the GGUF specification.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensaku.models.shape import Shape

__all__ = ["ARCHITECTURES", "config_from", "fields_of", "gguf_name", "hf_name", "row_order"]

ARCHITECTURES = {"gemma3": "gemma3_text", "llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""GGUF's name of an architecture -> Hugging Face's `model_type`."""

_CLASSES = {
    "gemma3_text": "Gemma3ForCausalLM",
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}
_OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_GEMMA = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_LLAMA = {"ffn_norm": "post_attention_layernorm"}
_PATTERN = 6  # Gemma 3: every sixth layer sees everything; GGUF files do not say so
_LOCAL_THETA = 10000.0  # nor this, the base of the rotary frequencies in the others
_GEMMA_27B = 62  # layers of the one Gemma 3 that scales attention by its width; nor this


def _layer_names(family: str) -> dict[str, str]:
    return _LAYER | (_GEMMA if family == "gemma3_text" else _LLAMA)


def hf_name(name: str, family: str) -> str:
    """A GGUF tensor's name in Hugging Face's form.

    Raises:
        KeyError: a decoder of this family has no such tensor.
    """
    stem, _, suffix = name.rpartition(".")
    if stem in _OUTER:
        return f"{_OUTER[stem]}.{suffix}"
    if not stem.startswith("blk."):
        raise KeyError(name)
    _, layer, part = stem.split(".", 2)
    return f"model.layers.{layer}.{_layer_names(family)[part]}.{suffix}"


def gguf_name(name: str, family: str) -> str:
    """The reverse of `hf_name`. Raises KeyError as it does."""
    stem, _, suffix = name.rpartition(".")
    stem = stem if stem.startswith(("model.", "lm_head")) else f"model.{stem}"
    outer = {theirs: ours for ours, theirs in _OUTER.items()}
    if stem in outer:
        return f"{outer[stem]}.{suffix}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{ {theirs: ours for ours, theirs in _layer_names(family).items()}[part] }.{suffix}"


def row_order(name: str, shape: Shape) -> NDArray[np.intp] | None:
    """For a tensor named as in Hugging Face's form: which of its rows stands where in GGUF; None: as they are."""
    heads = {"q_proj": shape.heads, "k_proj": shape.kv_heads}.get(name.split(".")[-2])
    if shape.family != "llama" or heads is None:
        return None
    rows = np.arange(heads * shape.head_dim)
    return rows.reshape(heads, 2, shape.head_dim // 2).swapaxes(1, 2).reshape(-1)


def fields_of(shape: Shape) -> dict[str, int | float | str]:
    """What a GGUF file says of a decoder, without the architecture before each name."""
    whole = next((i for i, window in enumerate(shape.windows) if not window), -1)  # a layer that sees everything
    fields: dict[str, int | float | str] = {
        "context_length": shape.context,
        "embedding_length": shape.hidden,
        "block_count": shape.layers,
        "feed_forward_length": shape.intermediate,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head_dim,
        "attention.value_length": shape.head_dim,
        "attention.layer_norm_rms_epsilon": shape.eps,
        "rope.freq_base": shape.thetas[whole],
        "rope.dimension_count": shape.head_dim,
        "vocab_size": shape.vocabulary,
    }
    if shape.rope_scales[whole] != 1.0:
        fields |= {"rope.scaling.type": "linear", "rope.scaling.factor": shape.rope_scales[whole]}
    if shape.family == "gemma3_text":
        fields["attention.sliding_window"] = max(shape.windows)
    return fields


def config_from(get: Any, family: str, rows: int, tied: bool) -> dict[str, Any]:
    """A `config.json` for a decoder of `rows` words, from `get(name)`: a GGUF file's field, without its architecture.

    Raises:
        TypeError: a field is missing.
    """
    hidden, heads = int(get("embedding_length")), int(get("attention.head_count"))
    config: dict[str, Any] = {
        "architectures": [_CLASSES[family]],
        "model_type": family,
        "hidden_size": hidden,
        "intermediate_size": int(get("feed_forward_length")),
        "num_hidden_layers": int(get("block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": int(get("attention.head_count_kv") or heads),
        "head_dim": int(get("attention.key_length") or get("rope.dimension_count") or hidden // heads),
        "max_position_embeddings": int(get("context_length")),
        "rms_norm_eps": float(f"{get('attention.layer_norm_rms_epsilon'):.3e}"),  # the file's is in single precision
        "rope_theta": float(get("rope.freq_base") or 10000.0),
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": tied,
        "vocab_size": rows,
        "torch_dtype": "float32",
    }
    if get("rope.scaling.type") not in (None, "none"):
        config["rope_scaling"] = {"rope_type": get("rope.scaling.type"), "factor": float(get("rope.scaling.factor"))}
    return config | (_gemma(get, config) if family == "gemma3_text" else {"hidden_act": "silu"})


def _gemma(get: Any, config: dict[str, Any]) -> dict[str, Any]:
    layers, hidden, heads = (config[name] for name in ("num_hidden_layers", "hidden_size", "num_attention_heads"))
    whole = [(i + 1) % _PATTERN == 0 for i in range(layers)]
    return {
        "query_pre_attn_scalar": hidden // heads if layers == _GEMMA_27B else config["head_dim"],
        "rope_local_base_freq": _LOCAL_THETA,
        "sliding_window": int(get("attention.sliding_window")),
        "layer_types": ["full_attention" if w else "sliding_attention" for w in whole],
        "hidden_activation": "gelu_pytorch_tanh",
    }
