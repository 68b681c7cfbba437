"""Checkpoints of a training run: everything needed to go on as if nothing had happened, written atomically."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tensaku.errors import UsageError
from tensaku.tune.group import Group

__all__ = ["FILE", "Position", "gathered", "peek", "put", "restore", "save", "write_tensors"]

FILE = "checkpoint.safetensors"
_RANDOM = "torch.random"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands: `step` steps done; `best` validation loss so far, at step `best_step`, `worse` validations
    ago; `resumed` the steps after which it was taken up again; `run` names what decides the result, so that no other
    run goes on from here."""

    step: int = 0
    best: float | None = None
    best_step: int = 0
    worse: int = 0
    resumed: tuple[int, ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)


def gathered(parameters: Mapping[str, Tensor], group: Group, named: str = "") -> dict[str, Tensor]:
    """In process 0 each of `parameters` as a whole, under its name behind `named`; nothing in the others.

    Where a model is shared out, every process must call this; the others hold one whole tensor at a time.
    """
    found = {}
    for name, p in parameters.items():
        tensor = group.whole(p)
        if group.rank == 0:
            found[named + name] = tensor
    return found


def save(
    folder: Path,
    at: Position,
    parameters: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    group: Group,
) -> None:
    """Write the state at `at`, by process 0 of `group`; a kill at any moment leaves this or the one before.

    Where a model is shared out, every process must call this.

    Raises:
        OSError: the disk is full or the folder cannot be written; the checkpoint before stays.
    """
    tensors = gathered(parameters, group, "p.")
    for key in sorted({key for p in parameters.values() for key in optimizer.state[p]}):
        held = {name: optimizer.state[p][key] for name, p in parameters.items() if key in optimizer.state[p]}
        tensors |= gathered(held, group, f"o.{key}.")
    if group.rank == 0:
        tensors[_RANDOM] = torch.get_rng_state()
        write_tensors(folder / FILE, tensors, {"position": json.dumps(asdict(at), sort_keys=True)})


def put(parameter: Tensor, value: Tensor) -> Tensor:
    """`value` on the device of `parameter`, and shared out as it is."""
    value = value.to(parameter.device)
    if type(parameter).__name__ != "DTensor" or value.shape != parameter.shape:  # a step's number is not shared out
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(parameter, DTensor)
    # Each process has read the whole value, so nobody has to send it.
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file so that it is there whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(path.name + ".new")
    try:
        save_file(tensors, new, metadata=metadata)
        with new.open("rb") as written:
            os.fsync(written.fileno())
        new.replace(path)
    except SafetensorError as error:  # its own word for what the operating system said
        new.unlink(missing_ok=True)
        raise OSError(f"{path.name} could not be written: {error}") from None
    except OSError:
        new.unlink(missing_ok=True)
        raise


def peek(folder: Path) -> Position:
    """Where the last checkpoint stands; the beginning if there is none that can be read."""
    try:
        with safe_open(folder / FILE, framework="pt") as found:
            values = json.loads(found.metadata()["position"])
            return Position(**values | {"resumed": tuple(values["resumed"])})
    except FileNotFoundError:
        return Position()
    except (SafetensorError, KeyError, TypeError, ValueError):
        (folder / FILE).unlink()  # written by another hand: begin again rather than go on from something unknown
        return Position()


def restore(
    folder: Path, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, run: Mapping[str, Any]
) -> Position:
    """Put the last state back, if there is one; returns where it stands.

    Raises:
        UsageError: the checkpoint is of another run.
    """
    at = peek(folder)
    if at.step == 0:
        return at
    differs = sorted(k for k in {*at.run, *run} if at.run.get(k) != run.get(k))
    if differs:
        named = ", ".join(f"{k} {at.run.get(k)!r}, now {run.get(k)!r}" for k in differs)
        fix = "Delete the file to begin anew, or go back to the settings that it was made with"
        raise UsageError(f"the checkpoint is of another run ({named})", where=folder / FILE, fix=fix)
    with safe_open(folder / FILE, framework="pt") as found, torch.no_grad():
        names = set(found.keys())
        for name, p in parameters.items():
            p.copy_(put(p, found.get_tensor(f"p.{name}")))
            keys = [k for k in ("step", "exp_avg", "exp_avg_sq") if f"o.{k}.{name}" in names]
            optimizer.state[p] = {k: put(p, found.get_tensor(f"o.{k}.{name}")) for k in keys}
        torch.set_rng_state(found.get_tensor(_RANDOM))
    return replace(at, resumed=(*at.resumed, at.step))
