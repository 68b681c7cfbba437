"""Checkpoints of a training run: everything needed to go on as if nothing had happened, written atomically."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

__all__ = ["FILE", "restore", "save"]

FILE = "checkpoint.safetensors"


def save(folder: Path, step: int, parameters: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Write the state after `step` steps; a kill at any moment leaves this or the one before."""
    tensors = {f"p.{name}": p.detach() for name, p in parameters.items()}
    for name, p in parameters.items():
        for key, value in optimizer.state[p].items():
            tensors[f"o.{key}.{name}"] = value
    new = folder / (FILE + ".new")
    save_file(tensors, new, metadata={"step": json.dumps(step)})
    with new.open("rb") as written:
        os.fsync(written.fileno())
    new.replace(folder / FILE)


def restore(folder: Path, parameters: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> int:
    """Put the last state back, if there is one; returns how many steps it had done (0: none)."""
    path = folder / FILE
    try:
        with safe_open(path, framework="pt") as found:
            step = int(json.loads(found.metadata()["step"]))
            names = set(found.keys())
            with torch.no_grad():
                for name, p in parameters.items():
                    p.copy_(found.get_tensor(f"p.{name}"))
                    keys = [k for k in ("step", "exp_avg", "exp_avg_sq") if f"o.{k}.{name}" in names]
                    optimizer.state[p] = {k: found.get_tensor(f"o.{k}.{name}") for k in keys}
    except FileNotFoundError:
        return 0
    except SafetensorError:
        path.unlink()  # written by another hand: begin again rather than go on from something unknown
        return 0
    return step
