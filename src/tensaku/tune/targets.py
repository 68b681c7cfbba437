"""Which modules of a model of any architecture stand for the projections that a task file names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from tensaku.errors import UsageError

__all__ = ["projections", "target_modules"]

_PARTS = {
    "q": ("self_attn.q_proj", "attn.q_proj", "attention.q_proj", "attention.query", "q_proj"),
    "k": ("self_attn.k_proj", "attn.k_proj", "attention.k_proj", "attention.key", "k_proj"),
    "v": ("self_attn.v_proj", "attn.v_proj", "attention.v_proj", "attention.value", "v_proj"),
    "q k v": ("attn.c_attn", "attention.query_key_value", "self_attention.query_key_value", "qkv_proj", "attn.Wqkv"),
    "o": ("o_proj", "attn.c_proj", "attention.dense", "self_attn.dense", "self_attention.dense", "out_proj"),
    "gate": ("gate_proj",),
    "gate up": ("gate_up_proj",),
    "up": ("up_proj", "mlp.c_fc", "mlp.fc1", "mlp.fc_in", "dense_h_to_4h", "fc1"),
    "down": ("down_proj", "mlp.c_proj", "mlp.fc2", "mlp.fc_out", "dense_4h_to_h", "fc2"),
}
"""The projections that a module is, by the end of its name; several where one matrix holds them."""

_ENDS = {end: tuple(parts.split()) for parts, ends in _PARTS.items() for end in ends}
_LAYER = re.compile(r"(?:^|\.)(\d+)\.")


def projections(model: nn.Module) -> list[str]:
    """Names of all matrices inside numbered layers that can have thin ones beside them."""
    from transformers.pytorch_utils import Conv1D

    return [name for name, m in model.named_modules() if isinstance(m, nn.Linear | Conv1D) and _LAYER.search(name)]


def target_modules(model: Any, targets: Sequence[str], layers: int) -> list[str]:
    """The modules that `targets` ("q", "up" ...; empty: all) name in the last `layers` layers (0: all of them).

    Raises:
        UsageError: a target matches no module, or only a part of one; there are fewer layers; there is nothing at all.
    """
    names = projections(model)
    numbers = sorted({_layer(name) for name in names})
    if layers > len(numbers):
        what = f"the model has {len(numbers)} layers, {layers} are asked to learn"
        raise UsageError(what, where="tune.layers", fix="Name fewer, or 0 for all of them")
    learning = set(numbers[-layers:])
    names = [name for name in names if _layer(name) in learning]
    if not names:
        what = "this model has no layer with a matrix that LoRA can stand beside"
        raise UsageError(what, where="tune.method", fix='Set tune.method = "full", or use another base model')
    if not targets:
        return names
    chosen = [name for name in names if (parts := _parts(name)) and set(parts) <= set(targets)]
    missed = [target for target in targets if not any(target in _parts(name) for name in chosen)]
    if missed:
        has = _listed(dict.fromkeys(parts for name in names if (parts := _parts(name))))
        what = f"no projection of this model is {' or '.join(map(repr, missed))} alone"
        fix = f"It has {has}" if has else "None of its matrices has a known name"
        raise UsageError(what, where="tune.targets", fix=f"{fix}; leave tune.targets empty for every matrix")
    return chosen


def _layer(name: str) -> int:
    found = _LAYER.search(name)
    assert found is not None
    return int(found[1])


def _parts(name: str) -> tuple[str, ...]:
    return next((parts for end, parts in _ENDS.items() if name == end or name.endswith("." + end)), ())


def _listed(kinds: Iterable[tuple[str, ...]]) -> str:
    return ", ".join(parts[0] if len(parts) == 1 else f"{', '.join(parts)} in one" for parts in kinds)
