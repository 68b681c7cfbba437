"""An adapter as PEFT keeps it: adapter_config.json and adapter_model.safetensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import save_file

if TYPE_CHECKING:
    from tensaku.tune.lora import Lora

__all__ = ["write_adapter"]


def write_adapter(folder: Path, lora: Lora, base: str) -> None:
    """Write the adapter as PEFT's save_pretrained does; `base` names the model tuned."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for (layer, _), thin in lora.thin.items():
        for n, module in enumerate(thin.modules):
            name = f"base_model.model.model.layers.{layer}.{module}"
            tensors[f"{name}.lora_A.weight"] = thin.down(n).detach().contiguous()
            tensors[f"{name}.lora_B.weight"] = thin.bs[n].detach().contiguous()
            if thin.magnitudes:
                tensors[f"{name}.lora_magnitude_vector"] = thin.magnitudes[n].detach().contiguous()
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
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
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
