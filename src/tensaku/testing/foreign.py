"""Random models of families that the decoder does not compute, small enough for a test, written by Transformers."""

from __future__ import annotations

import importlib
import json
import shutil
import warnings
from pathlib import Path
from typing import Any, Literal

from tensaku.testing.model import tiny_model

__all__ = ["tiny_foreign_model"]

Family = Literal["gpt2", "gpt_neox", "phi", "mistral", "qwen2_moe", "gemma2", "granite", "bloom", "opt", "bert"]


def tiny_foreign_model(folder: Path, family: Family, *, seed: int = 0) -> Path:
    """Write a model folder of `family`: two or three layers of width 32, the tokenizer of `tiny_model`."""
    import torch

    transformers: Any = importlib.import_module("transformers")

    own = tiny_model(folder.with_name(folder.name + "-own"))
    words = json.loads((own / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers.utils.logging.disable_progress_bar()
        config = transformers.AutoConfig.for_model(family, **_settings(family, words))
        transformers.AutoModelForCausalLM.from_config(config).float().save_pretrained(folder)
    torch.random.set_rng_state(state)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.move(own / name, folder / name)
    shutil.rmtree(own)
    return folder


def _settings(family: str, words: int) -> dict[str, Any]:
    ends = {"vocab_size": words, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    if family == "gpt2":
        return ends | {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 256, "initializer_range": 0.2}
    if family == "bloom":
        return ends | {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.2}
    if family == "opt":
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "ffn_dim": 48, "num_attention_heads": 4}
        return ends | sizes | {"word_embed_proj_dim": 32, "max_position_embeddings": 256, "init_std": 0.2}
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    common = ends | sizes | {"max_position_embeddings": 256, "initializer_range": 0.2}
    grouped = {"num_key_value_heads": 2}
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
    own: dict[str, dict[str, Any]] = {
        "mistral": grouped | {"sliding_window": 12},
        "gemma2": grouped | {"head_dim": 8, "sliding_window": 12},
        "granite": grouped | {"logits_scaling": 3.0},
        "qwen2_moe": grouped | experts | {"shared_expert_intermediate_size": 24, "decoder_sparse_step": 1},
    }
    return common | own.get(family, {})
