"""A LoRA adapter in PEFT's layout: read, checked against the base, ready to multiply."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tensaku.errors import UsageError
from tensaku.models.shape import Shape
from tensaku.models.weights import FUSED

__all__ = ["Adapter", "adapter_hash", "load_adapter"]

_NAME = re.compile(r"(?:^|\.)layers\.(\d+)\.((?:self_attn|mlp)\.\w+)\.lora_([AB])(?:\.default)?\.weight$")
_FILES = ("adapter_config.json", "adapter_model.safetensors")
_PART_OF = {module: part for part, modules in FUSED.items() for module in modules}


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """Per layer and fused projection the pair (down [in, ranks], up [ranks, out]), the scaling in `up`.

    `hash` is the content hash (SHA-256, hex) of the adapter's two files.
    """

    hash: str
    layers: list[dict[str, tuple[Tensor, Tensor]]]


def adapter_hash(folder: Path) -> str:
    """Content hash of an adapter: SHA-256 (hex) over the SHA-256 of its configuration and of its weights.

    Raises:
        UsageError: one of them is missing or cannot be read.
    """
    return _hash([_read(folder, name) for name in _FILES])


def _hash(contents: list[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def load_adapter(folder: Path, shape: Shape) -> Adapter:
    """The adapter in `folder`, for a base of `shape`.

    Raises:
        UsageError: the folder is no LoRA adapter in PEFT's layout, it does not fit the base, or it uses something
            that the engine does not do.
    """
    where = folder / _FILES[0]
    contents = [_read(folder, name) for name in _FILES]
    try:
        config = json.loads(contents[0])
    except ValueError as error:
        raise UsageError(f"the adapter's configuration is not JSON ({error})", where=where) from None
    if not isinstance(config, dict):
        raise UsageError("the adapter's configuration is not a JSON object", where=where)
    _refuse_unknown(config, where)
    pairs = _pairs(folder / _FILES[1], contents[1], shape, config)
    layers: list[dict[str, tuple[Tensor, Tensor]]] = [{} for _ in range(shape.layers)]
    for layer in range(shape.layers):
        for part, modules in FUSED.items():
            found = {m: pairs[layer, m] for m in modules if (layer, m) in pairs}
            if found:
                layers[layer][part] = _fuse(found, part, shape)
    return Adapter(_hash(contents), layers)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        what = f"this folder is no adapter: it has no {name}"
        raise UsageError(what, where=folder, fix="Name a folder that PEFT's save_pretrained wrote") from None
    except OSError as error:
        raise UsageError(f"the adapter cannot be read ({error.strerror})", where=folder / name) from None


def _refuse_unknown(config: dict[str, Any], where: Path) -> None:
    kind = config.get("peft_type")
    if str(kind).upper() != "LORA":
        raise UsageError(f"the adapter is of type {kind!r}", where=where, fix="The engine runs LoRA adapters only")
    init = config.get("init_lora_weights", True)
    asked = {
        "DoRA (use_dora)": config.get("use_dora"),
        "biases (bias)": config.get("bias", "none") != "none",
        "biases (lora_bias)": config.get("lora_bias"),
        "whole modules (modules_to_save)": config.get("modules_to_save"),
        "transposed weights (fan_in_fan_out)": config.get("fan_in_fan_out"),
        "new words (trainable_token_indices)": config.get("trainable_token_indices"),
        f"a changed base (init_lora_weights {init!r})": not isinstance(init, bool)
        and str(init) not in ("gaussian", "orthogonal", "eva", "None"),
    }
    used = [name for name, value in asked.items() if value]
    if used:
        raise UsageError(f"the adapter uses {', '.join(used)}", where=where, fix="The engine runs plain LoRA only")


def _pairs(
    path: Path, content: bytes, shape: Shape, config: dict[str, Any]
) -> dict[tuple[int, str], tuple[Tensor, Tensor]]:
    """(A [r, in], B [out, r] with the scaling in it) of each layer and module."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(content)
    except (SafetensorError, ValueError) as error:
        raise UsageError(f"the adapter's weights cannot be read ({error})", where=path) from None
    halves: dict[tuple[int, str], dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = _NAME.search(name)
        if not match or match[2] not in _PART_OF:
            fix = f"Known are {', '.join(m.split('.')[1] for m in _PART_OF)}"
            raise UsageError(f"the adapter changes {name}, which the engine cannot", where=path, fix=fix)
        if int(match[1]) >= shape.layers:
            what = f"the adapter changes layer {match[1]}, the base has {shape.layers} layers"
            raise UsageError(what, where=path, fix="It belongs to another base")
        halves.setdefault((int(match[1]), match[2]), {})[match[3]] = tensor.float()
    if not halves:
        raise UsageError("the adapter is empty", where=path)
    return {at: _checked(at, half, path, shape, config) for at, half in halves.items()}


def _checked(
    at: tuple[int, str], half: dict[str, Tensor], path: Path, shape: Shape, config: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    name = f"layers.{at[0]}.{at[1]}"
    if len(half) != 2:
        raise UsageError(f"the adapter lacks one of lora_A and lora_B of {name}", where=path)
    a, b = half["A"], half["B"]
    rank, scale = _scaling(name, config, path)
    out, into = _size(at[1], shape)
    if tuple(a.shape) != (rank, into) or tuple(b.shape) != (out, rank):
        what = (
            f"the adapter's matrices of {name} are {list(a.shape)} and {list(b.shape)}, "
            f"rank and base ask for {[rank, into]} and {[out, rank]}"
        )
        raise UsageError(what, where=path, fix="It belongs to another base")
    if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise UsageError(f"the adapter's matrices of {name} hold numbers that are not finite", where=path)
    return a, b * scale


def _scaling(name: str, config: dict[str, Any], path: Path) -> tuple[int, float]:
    """Rank and scale of a module: alpha / rank, or alpha / sqrt(rank) with rsLoRA; patterns name single modules."""

    def of(key: str, pattern_key: str) -> float:
        patterns = config.get(pattern_key) or {}
        for pattern, value in patterns.items():
            if re.match(rf"(.*\.)?({pattern})$", f"model.{name}"):
                return float(value)
        return float(config[key])

    try:
        rank, alpha = int(of("r", "rank_pattern")), of("lora_alpha", "alpha_pattern")
    except (KeyError, TypeError, ValueError, re.error) as error:
        what = f"the adapter's configuration names no rank and scale ({error})"
        raise UsageError(what, where=path.parent / _FILES[0]) from None
    if rank < 1:
        raise UsageError(f"the adapter's rank is {rank}", where=path.parent / _FILES[0])
    return rank, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _size(module: str, shape: Shape) -> tuple[int, int]:
    """(out, in) of a module of the base."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    hidden, inner = shape.hidden, shape.intermediate
    return {
        "q_proj": (q, hidden),
        "k_proj": (kv, hidden),
        "v_proj": (kv, hidden),
        "o_proj": (hidden, q),
        "gate_proj": (inner, hidden),
        "up_proj": (inner, hidden),
        "down_proj": (hidden, inner),
    }[module.split(".")[1]]


def _fuse(found: dict[str, tuple[Tensor, Tensor]], part: str, shape: Shape) -> tuple[Tensor, Tensor]:
    """The matrices of a fused projection: A stacked, B on the diagonal, zero where a module has no adapter."""
    ranks = sum(a.shape[0] for a, _ in found.values())
    sizes = [_size(module, shape)[0] for module in FUSED[part]]
    up = torch.zeros(ranks, sum(sizes))
    row = column = 0
    for module, size in zip(FUSED[part], sizes, strict=True):
        if module in found:
            b = found[module][1]
            up[row : row + b.shape[1], column : column + size] = b.t()
            row += b.shape[1]
        column += size
    return torch.cat([a for a, _ in found.values()]).t().contiguous(), up
