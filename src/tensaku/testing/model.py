"""A random model small enough for a test, in the form in which real ones come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

__all__ = ["CHARACTERS", "tiny_model"]

CHARACTERS = "▁\n、。はがのをにとでもし年月日前比上昇下落市場株式国内当した原稿公表文0123456789.%-:"
"""The characters that have a token of their own; any other is written as its bytes."""

_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")
_TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}\n\n{% endfor %}"


def tiny_model(
    folder: Path, *, family: Literal["gemma3_text", "llama"] = "gemma3_text", seed: int = 0, head_dim: int = 8
) -> Path:
    """Write a model folder: config.json, model.safetensors (random, fixed by `seed`), tokenizer.json, its settings.

    Three layers of width 32 with four heads of `head_dim`; in Gemma's form with sliding windows of 12 tokens, normed
    queries and tied embeddings.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    words = [*_SPECIAL, *(f"<0x{n:02X}>" for n in range(256)), *dict.fromkeys(CHARACTERS)]
    config = _config(family, len(words), head_dim)
    random = torch.Generator().manual_seed(seed)
    sizes = _sizes(config)
    tensors = {name: torch.randn(size, generator=random) * 0.2 for name, size in sizes.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", config)
    _write(folder / "tokenizer.json", _tokenizer(words))
    settings = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "chat_template": _TEMPLATE}
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"} | settings)
    return folder


def _config(family: str, vocabulary: int, head_dim: int) -> dict[str, Any]:
    common = {
        "model_type": family,
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": head_dim,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
    }
    if family == "llama":
        return common | {"architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "tie_word_embeddings": False}
    return common | {
        "architectures": ["Gemma3ForCausalLM"],
        "query_pre_attn_scalar": head_dim,
        "rope_local_base_freq": 1e4,
        "sliding_window": 12,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "hidden_activation": "gelu_pytorch_tanh",
        "tie_word_embeddings": True,
    }


def _sizes(c: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    hidden, inner, dim = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    q, kv = c["num_attention_heads"] * dim, c["num_key_value_heads"] * dim
    gemma = c["model_type"] == "gemma3_text"
    sizes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (c["vocab_size"], hidden)}
    sizes["model.norm.weight"] = (hidden,)
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}"
        sizes |= {f"{at}.self_attn.q_proj.weight": (q, hidden), f"{at}.self_attn.o_proj.weight": (hidden, q)}
        sizes |= {f"{at}.self_attn.{n}_proj.weight": (kv, hidden) for n in "kv"}
        sizes |= {f"{at}.mlp.{n}_proj.weight": (inner, hidden) for n in ("gate", "up")}
        sizes[f"{at}.mlp.down_proj.weight"] = (hidden, inner)
        norms = ["input_layernorm", "post_attention_layernorm"]
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"] if gemma else []
        sizes |= {f"{at}.{n}.weight": (hidden,) for n in norms}
        if gemma:
            sizes |= {f"{at}.self_attn.{n}_norm.weight": (dim,) for n in "qk"}
    if not c["tie_word_embeddings"]:
        sizes["lm_head.weight"] = (c["vocab_size"], hidden)
    return sizes


def _tokenizer(words: list[str]) -> dict[str, Any]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [{"id": n, "content": word, "special": True} | plain for n, word in enumerate(_SPECIAL)]
    decoders: list[dict[str, Any]] = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}]
    decoders += [{"type": "ByteFallback"}, {"type": "Fuse"}]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {word: n for n, word in enumerate(words)},
            "merges": [],
        },
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
