"""A LoRA or DoRA adapter in PEFT's layout: read, checked against the base, ready to multiply.

DoRA (Liu et al. 2024) brings each row of W + s B A to a learnt length m: y = m / |W + s B A| * (W x + s B A x). The
factor is a constant of base and adapter, one an output column, and is computed when the adapter is loaded, from the
weights as the engine multiplies them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tensaku.engines.requests import ADAPTER_FILES, adapter_contents, contents_hash
from tensaku.errors import UsageError
from tensaku.models.shape import Shape
from tensaku.models.weights import FUSED, sizes_of

__all__ = ["Adapter", "combined", "load_adapter"]

_MODULE = r"(?:^|\.)layers\.(\d+)\.((?:self_attn|mlp)\.\w+)"
_NAME = re.compile(rf"{_MODULE}\.lora_([AB])(?:\.default)?\.weight$")
_LENGTHS = re.compile(rf"{_MODULE}\.lora_magnitude_vector(?:\.default)?(?:\.weight)?$")
_PART_OF = {module: part for part, modules in FUSED.items() for module in modules}


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Adapter:
    """Per layer and fused projection the pair (down [in, ranks], up [ranks, out]), the scaling in `up`.

    `gains` has, with DoRA, per layer and fused projection what each output column is multiplied by, [out]. `hash` is
    the content hash (SHA-256, hex) of the adapter's two files.
    """

    hash: str
    layers: list[dict[str, tuple[Tensor, Tensor]]]
    gains: list[dict[str, Tensor]] = field(default_factory=list)


def combined(parts: Sequence[tuple[Adapter, float]]) -> Adapter:
    """The weighted sum of adapters: what each adds to the base, times its weight.

    Raises:
        UsageError: one of them is a DoRA adapter, whose effect is no sum.
    """
    if any(adapter.gains and any(adapter.gains) for adapter, _ in parts):
        raise UsageError("a DoRA adapter cannot be combined with others", fix="Combine LoRA adapters")
    layers: list[dict[str, tuple[Tensor, Tensor]]] = []
    for layer in range(len(parts[0][0].layers)):
        layers.append({})
        for part in FUSED:
            found = [(*one.layers[layer][part], weight) for one, weight in parts if part in one.layers[layer]]
            if found:
                down = torch.cat([down for down, _, _ in found], 1)
                layers[-1][part] = down, torch.cat([up * weight for _, up, weight in found])
    said = "+".join(f"{adapter.hash}:{weight!r}" for adapter, weight in parts)
    return Adapter(hashlib.sha256(said.encode("ascii")).hexdigest(), layers)


WeightOf = Callable[[int, str], Tensor]
"""The base's weight of a layer's fused projection, [out, in], as the engine multiplies it."""


class _Thin(NamedTuple):
    """A [r, in], B [out, r] with the scaling in it, and with DoRA the length of each row, [out]."""

    a: Tensor
    b: Tensor
    lengths: Tensor | None


def load_adapter(folder: Path, shape: Shape, weight_of: WeightOf | None = None) -> Adapter:
    """The adapter in `folder`, for a base of `shape`; one with DoRA asks for the base's weights.

    Raises:
        UsageError: the folder is no LoRA adapter in PEFT's layout, it does not fit the base, or it uses something
            that the engine does not do.
    """
    where = folder / ADAPTER_FILES[0]
    contents = adapter_contents(folder)
    try:
        config = json.loads(contents[0])
    except ValueError as error:
        raise UsageError(f"the adapter's configuration is not JSON ({error})", where=where) from None
    if not isinstance(config, dict):
        raise UsageError("the adapter's configuration is not a JSON object", where=where)
    _refuse_unknown(config, where)
    thin = _matrices(folder / ADAPTER_FILES[1], contents[1], shape, config)
    layers: list[dict[str, tuple[Tensor, Tensor]]] = [{} for _ in range(shape.layers)]
    gains: list[dict[str, Tensor]] = [{} for _ in range(shape.layers)]
    for layer in range(shape.layers):
        for part, modules in FUSED.items():
            found = {m: thin[layer, m] for m in modules if (layer, m) in thin}
            if found:
                layers[layer][part] = _fuse(found, part, shape)
            if any(one.lengths is not None for one in found.values()):
                if weight_of is None:
                    fix = "Load it into an engine"
                    raise UsageError(
                        "DoRA is computed with the base's weights, which are not here", where=where, fix=fix
                    )
                gains[layer][part] = _gain(found, part, shape, weight_of(layer, part))
    return Adapter(contents_hash(contents), layers, gains)


def _refuse_unknown(config: dict[str, Any], where: Path) -> None:
    kind = config.get("peft_type")
    if str(kind).upper() != "LORA":
        raise UsageError(f"the adapter is of type {kind!r}", where=where, fix="The engine runs LoRA adapters only")
    init = config.get("init_lora_weights", True)
    asked = {
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
        raise UsageError(
            f"the adapter uses {', '.join(used)}", where=where, fix="The engine runs plain LoRA and DoRA only"
        )


def _matrices(path: Path, content: bytes, shape: Shape, config: dict[str, Any]) -> dict[tuple[int, str], _Thin]:
    """What the adapter has for each layer and module."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(content)
    except (SafetensorError, ValueError) as error:
        raise UsageError(f"the adapter's weights cannot be read ({error})", where=path) from None
    found: dict[tuple[int, str], dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = _NAME.search(name) or (_LENGTHS.search(name) if config.get("use_dora") else None)
        if not match or match[2] not in _PART_OF:
            fix = f"Known are {', '.join(m.split('.')[1] for m in _PART_OF)}"
            raise UsageError(f"the adapter changes {name}, which the engine cannot", where=path, fix=fix)
        if int(match[1]) >= shape.layers:
            what = f"the adapter changes layer {match[1]}, the base has {shape.layers} layers"
            raise UsageError(what, where=path, fix="It belongs to another base")
        kind = match[3] if match.re is _NAME else "lengths"
        found.setdefault((int(match[1]), match[2]), {})[kind] = tensor.float()
    if not found:
        raise UsageError("the adapter is empty", where=path)
    return {at: _checked(at, held, path, shape, config) for at, held in found.items()}


def _checked(at: tuple[int, str], held: dict[str, Tensor], path: Path, shape: Shape, config: dict[str, Any]) -> _Thin:
    name = f"layers.{at[0]}.{at[1]}"
    if not {"A", "B"} <= held.keys():
        raise UsageError(f"the adapter lacks one of lora_A and lora_B of {name}", where=path)
    a, b, lengths = held["A"], held["B"], held.get("lengths")
    rank, scale = _scaling(name, config, path)
    out, into = _size(at[1], shape)
    if tuple(a.shape) != (rank, into) or tuple(b.shape) != (out, rank):
        what = (
            f"the adapter's matrices of {name} are {list(a.shape)} and {list(b.shape)}, "
            f"rank and base ask for {[rank, into]} and {[out, rank]}"
        )
        raise UsageError(what, where=path, fix="It belongs to another base")
    if config.get("use_dora") and (lengths is None or lengths.numel() != out):
        what = f"the adapter has {0 if lengths is None else lengths.numel()} lengths of rows for {name}, not {out}"
        raise UsageError(what, where=path, fix="It was not saved whole, or belongs to another base")
    if not all(torch.isfinite(tensor).all() for tensor in held.values()):
        raise UsageError(f"the adapter's matrices of {name} hold numbers that are not finite", where=path)
    return _Thin(a, b * scale, None if lengths is None else lengths.flatten())


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
        raise UsageError(what, where=path.parent / ADAPTER_FILES[0]) from None
    if rank < 1:
        raise UsageError(f"the adapter's rank is {rank}", where=path.parent / ADAPTER_FILES[0])
    return rank, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _size(module: str, shape: Shape) -> tuple[int, int]:
    """(out, in) of a module of the base."""
    part = _PART_OF[module]
    into, outs = sizes_of(shape, part)
    return outs[FUSED[part].index(module)], into


def _fuse(found: dict[str, _Thin], part: str, shape: Shape) -> tuple[Tensor, Tensor]:
    """The matrices of a fused projection: A stacked, B on the diagonal, zero where a module has no adapter."""
    up = torch.zeros(sum(len(thin.a) for thin in found.values()), sum(sizes_of(shape, part).outs))
    row = 0
    for module, columns in _columns(part, shape).items():
        if module in found:
            b = found[module].b
            up[row : row + b.shape[1], columns] = b.t()
            row += b.shape[1]
    return torch.cat([thin.a for thin in found.values()]).t().contiguous(), up


def _gain(found: dict[str, _Thin], part: str, shape: Shape, weight: Tensor) -> Tensor:
    """m / |W + s B A| of each row of a fused projection, [out]; 1 where a module has no adapter."""
    gain = torch.ones(len(weight))
    for module, columns in _columns(part, shape).items():
        if module in found and (lengths := found[module].lengths) is not None:
            # in fp64, so that it comes out the same on any number of threads
            whole = torch.addmm(weight[columns].double(), found[module].b.double(), found[module].a.double())
            gain[columns] = (lengths / torch.linalg.vector_norm(whole, dim=1).clamp_min(1e-12)).float()
    return gain


def _columns(part: str, shape: Shape) -> dict[str, slice]:
    """The output columns of each module of a fused projection."""
    found, at = {}, 0
    for module, out in zip(FUSED[part], sizes_of(shape, part).outs, strict=True):
        found[module] = slice(at, at + out)
        at += out
    return found
