"""An adapter as PEFT keeps it: adapter_config.json and adapter_model.safetensors; written, and read to learn on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tensaku.errors import UsageError

if TYPE_CHECKING:
    from tensaku.models.shape import Shape
    from tensaku.tune.lora import Lora, LoraSettings

__all__ = ["load_adapter_into", "settings_of", "write_adapter"]

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def write_adapter(folder: Path, lora: Lora, base: str) -> None:
    """Write the adapter as PEFT's save_pretrained does; `base` names the model tuned."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().contiguous() for name, tensor in _named(lora).items()}
    save_file(tensors, folder / _WEIGHTS, metadata={"format": "pt"})
    settings = lora.settings
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": settings.rank,
        "lora_alpha": settings.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": sorted({m.split(".")[1] for thin in lora.thin.values() for m in thin.modules}),
        "use_rslora": settings.rslora,
        "use_dora": settings.dora,
    }
    layers = sorted({layer for layer, _ in lora.thin})
    if len(layers) < lora.shape.layers:
        config["layers_to_transform"] = layers
    (folder / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _named(lora: Lora) -> dict[str, torch.Tensor]:
    """Every trainable tensor, or view of one, under PEFT's name."""
    tensors = {}
    for (layer, _), thin in lora.thin.items():
        for n, module in enumerate(thin.modules):
            name = f"base_model.model.model.layers.{layer}.{module}"
            tensors[f"{name}.lora_A.weight"] = thin.down(n)
            tensors[f"{name}.lora_B.weight"] = thin.bs[n]
            if thin.magnitudes:
                tensors[f"{name}.lora_magnitude_vector"] = thin.magnitudes[n]
    return tensors


def settings_of(folder: Path, shape: Shape, *, seed: int = 1) -> LoraSettings:
    """The settings that the adapter in `folder` was made with, over a model of `shape`.

    Raises:
        UsageError: it is no LoRA adapter in PEFT's layout, or one that cannot be learnt on here.
    """
    from tensaku.tune.lora import TARGETS, LoraSettings

    where = folder / _CONFIG
    try:
        config: dict[str, Any] = json.loads(where.read_text(encoding="utf-8"))
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        wanted = {str(name) for name in config["target_modules"]}
        layers = sorted(int(n) for n in config.get("layers_to_transform") or range(shape.layers))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"this is no LoRA adapter that can be read ({error})"
        raise UsageError(what, where=where, fix="Start from a sealed tune of the form adapter") from None
    names = tuple(name for name, module in TARGETS.items() if module.split(".")[1] in wanted)
    last = list(range(shape.layers - len(layers), shape.layers))
    odd = [name for name in ("rank_pattern", "alpha_pattern", "modules_to_save") if config.get(name)]
    if odd or layers != last or len(names) != len(wanted):
        what = (
            f"the adapter uses {', '.join(odd)}" if odd else "the adapter's layers or projections are not of this kind"
        )
        raise UsageError(what, where=where, fix="Start from an adapter that was tuned here over this base")
    count = 0 if len(layers) == shape.layers else len(layers)
    targets = () if len(names) == len(TARGETS) else names
    return LoraSettings(rank, alpha, count, targets, bool(config.get("use_rslora")), bool(config.get("use_dora")), seed)


@torch.no_grad()
def load_adapter_into(lora: Lora, folder: Path) -> None:
    """Put the tensors of the adapter in `folder` into `lora`, which was made with its settings.

    Raises:
        UsageError: the adapter cannot be read, or its tensors are others than those of `lora`.
    """
    where = folder / _WEIGHTS
    try:
        found = load_file(where)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"the adapter's weights cannot be read ({error})", where=where) from None
    wanted = _named(lora)
    odd = sorted(wanted.keys() ^ found.keys())
    odd += sorted(name for name in wanted.keys() & found.keys() if wanted[name].shape != found[name].shape)
    if odd:
        what = f"{len(odd)} tensors of the adapter do not fit the base, the first is {odd[0]}"
        raise UsageError(what, where=where, fix="Start from an adapter that was tuned over this base")
    for name, tensor in wanted.items():
        tensor.copy_(found[name])
