"""A tiny random model in a folder, and lessons for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tensaku.tune.pack import Example

CONFIG: dict[str, Any] = {
    "model_type": "gemma3_text",
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "query_pre_attn_scalar": 8,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
    "sliding_window": 12,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "hidden_activation": "gelu_pytorch_tanh",
    "tie_word_embeddings": True,
    "eos_token_id": 1,
    "bos_token_id": 2,
    "pad_token_id": 0,
}
LLAMA = {k: v for k, v in CONFIG.items() if k not in ("layer_types", "sliding_window", "rope_local_base_freq")} | {
    "model_type": "llama",
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}


def write_model(folder: Path, config: dict[str, Any], seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    random = torch.Generator().manual_seed(seed)
    hidden, inner, dim = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    q, kv = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    gemma = config["model_type"] == "gemma3_text"
    sizes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config["vocab_size"], hidden)}
    sizes["model.norm.weight"] = (hidden,)
    for i in range(config["num_hidden_layers"]):
        at = f"model.layers.{i}"
        sizes |= {f"{at}.self_attn.q_proj.weight": (q, hidden), f"{at}.self_attn.o_proj.weight": (hidden, q)}
        sizes |= {f"{at}.self_attn.{n}_proj.weight": (kv, hidden) for n in "kv"}
        sizes |= {f"{at}.mlp.{n}_proj.weight": (inner, hidden) for n in ("gate", "up")}
        sizes |= {f"{at}.mlp.down_proj.weight": (hidden, inner)}
        norms = ["input_layernorm", "post_attention_layernorm"]
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"] if gemma else []
        sizes |= {f"{at}.{n}.weight": (hidden,) for n in norms}
        if gemma:
            sizes |= {f"{at}.self_attn.{n}_norm.weight": (dim,) for n in "qk"}
    if not config["tie_word_embeddings"]:
        sizes["lm_head.weight"] = (config["vocab_size"], hidden)
    tensors = {name: torch.randn(size, generator=random) * 0.2 for name, size in sizes.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="session")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("gemma"), CONFIG)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("llama"), LLAMA)


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Prompts that share nine tokens, of different lengths, some longer than the sliding window."""
    random = torch.Generator().manual_seed(7)

    def some(low: int, high: int) -> list[int]:
        count = int(torch.randint(low, high, (1,), generator=random))
        return torch.randint(3, 97, (count,), generator=random).tolist()

    shared = some(9, 10)
    return [Example(shared + [3 + n] + some(4, 20), [*some(3, 12), 1]) for n in range(10)]
