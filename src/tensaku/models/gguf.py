"""Gemma 3 from a GGUF file into a Hugging Face folder: weights dequantised to fp32, vocabulary, merges, template.

Transformers can do this too, in two minutes; read directly it takes seconds. Any other architecture goes through
Transformers (see `base.py`). GGUF names and the sentencepiece score order: the GGUF specification and
sentencepiece's BPE, where a pair merges by the score of the piece it makes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tensaku.errors import UsageError

__all__ = ["CHAT_TEMPLATE", "architecture_of", "read_gemma3", "write_tokenizer"]

#: The template we give a base model that has none. Turns are plain words, since a base model has never seen markers;
#: an answer ends with the end-of-text token, which it has.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ message['content'] }}{{ eos_token }}"
    "{% else %}{{ message['content'] }}\n\n{% endif %}{% endfor %}"
)

_LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CONTROL, _USER, _BYTE = 3, 4, 6


def read_gemma3(path: Path) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Configuration, tensors, `tokenizer.json` and `tokenizer_config.json` of a Gemma 3 GGUF file.

    Raises:
        UsageError: it is no GGUF file, or not of Gemma 3's architecture.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UsageError(f"this is no GGUF file ({error})", where=path) from None
    architecture = _field(reader, "general.architecture")
    if architecture != "gemma3":
        raise UsageError(f"the GGUF architecture is {architecture!r}, not 'gemma3'", where=path)
    try:
        return _config(reader), dict(_tensors(reader)), _tokenizer(reader), _tokenizer_config()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"this GGUF file is not as Gemma 3's are ({error!r})", where=path) from None


def architecture_of(path: Path) -> str:
    """The architecture a GGUF file names.

    Raises:
        UsageError: it is no GGUF file.
    """
    from gguf import GGUFReader

    try:
        return str(_field(GGUFReader(path), "general.architecture"))
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UsageError(f"this is no GGUF file ({error})", where=path) from None


def _field(reader: Any, name: str, default: Any = None) -> Any:
    field = reader.get_field(name)
    return default if field is None else field.contents()


def _config(reader: Any) -> dict[str, Any]:
    def get(name: str) -> Any:
        return _field(reader, f"gemma3.{name}")

    layers, dim = int(get("block_count")), int(get("attention.key_length"))
    scaled = {}
    if get("rope.scaling.type") not in (None, "none"):
        scaled = {"rope_scaling": {"rope_type": get("rope.scaling.type"), "factor": float(get("rope.scaling.factor"))}}
    return scaled | {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "hidden_size": int(get("embedding_length")),
        "intermediate_size": int(get("feed_forward_length")),
        "num_hidden_layers": layers,
        "num_attention_heads": int(get("attention.head_count")),
        "num_key_value_heads": int(get("attention.head_count_kv")),
        "head_dim": dim,
        # The 27B model alone scales by its width; GGUF files do not say so.
        "query_pre_attn_scalar": int(get("embedding_length")) // int(get("attention.head_count"))
        if layers == 62
        else dim,
        "max_position_embeddings": int(get("context_length")),
        "rms_norm_eps": float(f"{get('attention.layer_norm_rms_epsilon'):.3e}"),
        "rope_theta": float(get("rope.freq_base")),
        "rope_local_base_freq": 10000.0,
        "sliding_window": int(get("attention.sliding_window")),
        "layer_types": ["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(layers)],
        "hidden_activation": "gelu_pytorch_tanh",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "vocab_size": len(reader.get_field("tokenizer.ggml.tokens").data),
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "torch_dtype": "float32",
    }


def _tensors(reader: Any) -> Any:
    from gguf import dequantize

    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        found = torch.from_numpy(np.array(values))
        name = tensor.name.removesuffix(".weight")
        if name == "token_embd":
            yield "model.embed_tokens.weight", found
            continue
        if name == "output_norm":
            yield "model.norm.weight", found - 1.0  # GGUF stores 1 + w, Hugging Face w
            continue
        _, layer, part = name.split(".")
        yield f"model.layers.{layer}.{_LAYER[part]}.weight", found - 1.0 if part.endswith("norm") else found


def _tokenizer(reader: Any) -> dict[str, Any]:
    tokens: list[str] = reader.get_field("tokenizer.ggml.tokens").contents()
    scores: list[float] = reader.get_field("tokenizer.ggml.scores").contents()
    kinds: list[int] = reader.get_field("tokenizer.ggml.token_type").contents()
    vocab = {token: i for i, token in enumerate(tokens)}
    added = [
        {"id": i, "content": token, "special": kinds[i] == _CONTROL, "single_word": False, "lstrip": False}
        | {"rstrip": False, "normalized": False}
        for i, token in enumerate(tokens)
        if kinds[i] in (_CONTROL, _USER)
    ]
    skip = {token for i, token in enumerate(tokens) if kinds[i] in (_CONTROL, _USER, _BYTE)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": _merges(vocab, scores, skip),
        },
    }


def _merges(vocab: dict[str, int], scores: list[float], skip: set[str]) -> list[list[str]]:
    """Every pair of pieces whose joining is a piece, best score of the joined piece first.

    Pairs that make the same piece are ordered by their parts' ids, as Transformers orders them.
    """
    found = []
    for token, number in vocab.items():
        if len(token) < 2 or token in skip:
            continue
        for cut in range(1, len(token)):
            left, right = vocab.get(token[:cut]), vocab.get(token[cut:])
            if left is not None and right is not None:
                found.append((-scores[number], left, right, cut, token))
    found.sort()
    return [[token[:cut], token[cut:]] for _, _, _, cut, token in found]


def _tokenizer_config() -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
    }


def write_tokenizer(folder: Path, tokenizer: dict[str, Any], config: dict[str, Any]) -> None:
    """Write both tokenizer files into a model folder."""
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    text = json.dumps(config, ensure_ascii=False, indent=2)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")
