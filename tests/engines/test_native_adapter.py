from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tensaku.engines.native.adapter import load_adapter
from tensaku.engines.requests import adapter_hash
from tensaku.errors import UsageError
from tensaku.models.shape import Shape

Get = Callable[..., Any]


@pytest.fixture
def folder(tiny: Get, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny().adapter("all"), tmp_path / "adapter"))


@pytest.fixture
def shape(tiny: Get) -> Shape:
    return Shape.load(tiny().folder)


def _configure(folder: Path, **values: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _change(folder: Path, **tensors: torch.Tensor | None) -> None:
    path = folder / "adapter_model.safetensors"
    held = load_file(path)
    for end, tensor in tensors.items():
        name = next(n for n in held if n.endswith(end.replace("__", ".")))
        if tensor is None:
            del held[name]
        else:
            held[name] = tensor
    save_file(held, path)


def test_the_hash_follows_the_content(folder: Path, shape: Shape) -> None:
    before = load_adapter(folder, shape).hash
    assert before == adapter_hash(folder)
    assert len(before) == 64
    _configure(folder, lora_alpha=9.0)
    assert load_adapter(folder, shape).hash != before


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_file_is_named(folder: Path, shape: Shape, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UsageError, match=f"no adapter: it has no {name}"):
        load_adapter(folder, shape)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff" * 80])
def test_a_damaged_file_is_refused(folder: Path, shape: Shape, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        load_adapter(folder, shape)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"peft_type": "IA3"}, "type 'IA3'"),
        ({"use_dora": True}, "has 0 lengths of rows"),
        ({"bias": "all"}, "biases"),
        ({"modules_to_save": ["lm_head"]}, "whole modules"),
        ({"fan_in_fan_out": True}, "transposed"),
        ({"init_lora_weights": "pissa"}, "changed base"),
        ({"r": 8}, "rank and base ask for"),
        ({"r": 0}, "rank is 0"),
        ({"r": None}, "no rank and scale"),
        ({"lora_alpha": "much"}, "no rank and scale"),
        ({"rank_pattern": {"(": 3}}, "no rank and scale"),
    ],
)
def test_what_the_engine_does_not_do_is_refused(
    folder: Path, shape: Shape, values: dict[str, Any], message: str
) -> None:
    _configure(folder, **values)
    with pytest.raises(UsageError, match=message):
        load_adapter(folder, shape)


def test_an_adapter_of_another_base_is_refused(tiny: Get, folder: Path, shape: Shape) -> None:
    with pytest.raises(UsageError, match="belongs to another base"):
        load_adapter(tiny("gemma3_wide").adapter("all"), shape)
    _change(folder, layers__3__self_attn__q_proj__lora_A__weight=torch.ones(4, 63))
    with pytest.raises(UsageError, match=r"layers.3.self_attn.q_proj are \[4, 63\]"):
        load_adapter(folder, shape)


def test_half_a_pair_and_numbers_that_are_none_are_refused(folder: Path, shape: Shape) -> None:
    _change(folder, layers__0__mlp__up_proj__lora_A__weight=torch.full((4, 64), float("nan")))
    with pytest.raises(UsageError, match="not finite"):
        load_adapter(folder, shape)
    _change(folder, layers__0__mlp__up_proj__lora_A__weight=None)
    with pytest.raises(UsageError, match="lacks one of lora_A and lora_B"):
        load_adapter(folder, shape)


def test_an_unknown_module_is_refused(folder: Path, shape: Shape) -> None:
    path = folder / "adapter_model.safetensors"
    save_file(load_file(path) | {"base_model.model.model.embed_tokens.lora_embedding_A": torch.ones(4, 352)}, path)
    with pytest.raises(UsageError, match="embed_tokens"):
        load_adapter(folder, shape)


def test_dora_needs_the_base_and_all_its_lengths(tiny: Get, tmp_path: Path, shape: Shape) -> None:
    folder = Path(shutil.copytree(tiny().adapter("dora", use_dora=True), tmp_path / "dora"))
    with pytest.raises(UsageError, match="computed with the base's weights"):
        load_adapter(folder, shape)
    _configure(folder, use_dora=False)
    with pytest.raises(UsageError, match="lora_magnitude_vector, which the engine cannot"):
        load_adapter(folder, shape)
    _configure(folder, use_dora=True)
    _change(folder, layers__0__mlp__up_proj__lora_magnitude_vector=torch.ones(95))
    with pytest.raises(UsageError, match=r"has 95 lengths of rows for layers.0.mlp.up_proj, not 96"):
        load_adapter(folder, shape)
