"""Weights are read whole or not at all, and never from a pickle."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tensaku.errors import UsageError
from tensaku.models.shape import Shape
from tensaku.models.weights import Weights, load_tensors


def test_projections_are_stacked_in_their_order(gemma: Path) -> None:
    tensors = load_file(gemma / "model.safetensors")
    weights = Weights.load(gemma)
    at = "model.layers.1.self_attn"
    stacked = torch.cat([tensors[f"{at}.{name}_proj.weight"] for name in "qkv"])
    assert torch.equal(weights.linear[1]["qkv"], stacked)
    assert torch.equal(weights.linear[2]["down"], tensors["model.layers.2.mlp.down_proj.weight"])
    assert weights.head is weights.embedding
    assert torch.equal(weights.final_norm, tensors["model.norm.weight"] + 1)  # Gemma means 1 + w
    assert set(weights.norms[0]) == {"input", "post_attention", "pre_feedforward", "post_feedforward", "q", "k"}


def test_llama_has_a_head_of_its_own_and_two_norms(llama: Path) -> None:
    tensors = load_file(llama / "model.safetensors")
    weights = Weights.load(llama)
    assert torch.equal(weights.head, tensors["lm_head.weight"])
    assert torch.equal(weights.norms[0]["pre_feedforward"], tensors["model.layers.0.post_attention_layernorm.weight"])
    assert set(weights.norms[0]) == {"input", "pre_feedforward"}


def test_a_missing_tensor_is_named(gemma: Path) -> None:
    tensors = load_file(gemma / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, gemma / "model.safetensors")
    with pytest.raises(UsageError, match=r"layers\.1\.mlp\.up_proj\.weight is missing.*incomplete"):
        Weights.load(gemma)


def test_a_wrong_size_is_named(gemma: Path) -> None:
    config = json.loads((gemma / "config.json").read_text(encoding="utf-8"))
    (gemma / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}), encoding="utf-8")
    what = r"mlp\.gate_proj\.weight is \[48, 32\], the configuration says \[64, 32\].*do not belong together"
    with pytest.raises(UsageError, match=what):
        Weights.load(gemma)


def test_several_files_with_an_index(gemma: Path) -> None:
    whole = Weights.load(gemma)
    tensors = load_file(gemma / "model.safetensors")
    (gemma / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
    for file, held in parts.items():
        save_file({name: tensors[name] for name in held}, gemma / file)
    index = {"weight_map": {name: file for file, held in parts.items() for name in held}}
    (gemma / "model.safetensors.index.json").write_text(json.dumps(index))
    again = Weights.load(gemma)
    assert torch.equal(again.embedding, whole.embedding)
    assert all(torch.equal(a["qkv"], b["qkv"]) for a, b in zip(again.linear, whole.linear, strict=True))
    (gemma / "model-2-of-2.safetensors").unlink()
    with pytest.raises(UsageError, match=r"has no model-2-of-2\.safetensors"):
        load_tensors(gemma)


def test_pickled_weights_are_refused_unopened(gemma: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(gemma / "opened"),))  # type: ignore[return-value]

    (gemma / "model.safetensors").unlink()
    (gemma / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UsageError, match=r"has no model\.safetensors.*pickled weights \(\.bin, \.pt\) are refused"):
        Weights.load(gemma)
    assert not (gemma / "opened").exists()


def test_damaged_weights(gemma: Path) -> None:
    raw = (gemma / "model.safetensors").read_bytes()
    (gemma / "model.safetensors").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(UsageError, match="the weights cannot be read"):
        Weights.load(gemma)


def test_names_without_the_prefix_are_understood(gemma: Path) -> None:
    tensors = {name.removeprefix("model."): t for name, t in load_file(gemma / "model.safetensors").items()}
    weights = Weights.from_tensors(Shape.load(gemma), tensors)
    assert torch.equal(weights.embedding, Weights.load(gemma).embedding)
