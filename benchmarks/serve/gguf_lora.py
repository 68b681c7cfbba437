"""A PEFT LoRA adapter as a GGUF file, as llama.cpp reads them (Gemma and other families without reordered rows)."""

from __future__ import annotations

import json
import re
from pathlib import Path

from safetensors.numpy import load_file

_NAMES = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}


def write_lora(adapter: Path, path: Path, architecture: str = "gemma3", strength: float = 1.0) -> Path:
    """Write the adapter in the folder `adapter` as `path`; `strength` multiplies its B matrices."""
    from gguf import GGUFWriter

    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    writer = GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    for name, values in load_file(adapter / "adapter_model.safetensors").items():
        found = re.search(r"layers\.(\d+)\.\w+\.(\w+)\.lora_([AB])\.", name)
        assert found is not None, name
        layer, module, side = found.groups()
        values = values.astype("float32") * (strength if side == "B" else 1.0)
        writer.add_tensor(f"blk.{layer}.{_NAMES[module]}.weight.lora_{side.lower()}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
