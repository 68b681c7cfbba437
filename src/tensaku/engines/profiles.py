"""What our own engine is set to, by what the machine has and by what matters: each answer's speed, or all of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from tensaku.machine import available_mb, processor
from tensaku.models.shape import Shape

__all__ = ["PROFILES", "Hardware", "Name", "Profile", "keys_and_values_mb", "profile_for"]

Name = Literal["latency", "throughput"]
PROFILES: tuple[Name, ...] = ("latency", "throughput")

_SHARE = 0.5
"""Of the memory that is free, what keys and values may take at most."""


class Hardware(NamedTuple):
    """What was found: processors that this process may use, memory that is free (None: not told), GPUs, its name."""

    cores: int
    free_mb: float | None
    gpus: int
    name: str

    @classmethod
    def found(cls, proc: Path = Path("/proc")) -> Hardware:
        """This machine. NVIDIA's driver lists its GPUs below /proc/driver/nvidia/gpus."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        try:
            gpus = len(list((proc / "driver/nvidia/gpus").iterdir()))
        except OSError:
            gpus = 0
        return cls(cores, available_mb(proc), gpus, processor(proc) or "unknown processor")


@dataclass(frozen=True)
class Profile:
    """The settings of a profile on a machine.

    `at_once`: answers written together; `chunk`: rows of new prompts that one step reads while others write; `why`:
    what bounds `at_once`.
    """

    name: Name
    at_once: int
    chunk: int
    why: Literal["cores", "memory"]


def profile_for(name: Literal["auto", "latency", "throughput"], hardware: Hardware, stream_mb: float = 0.0) -> Profile:
    """The settings of `name` on a machine; `stream_mb`: keys and values of one answer of a whole context, in MB.

    An answer more costs the others part of their speed; `make bench-serve PARTS=profiles` measures it.
    `auto` is `throughput`, but on a single processor `latency`: there two answers together are hardly faster than one
    after the other.
    """
    if name == "auto":
        name = "throughput" if hardware.cores > 1 else "latency"
    wanted = max(2, hardware.cores) if name == "latency" else max(8, 4 * hardware.cores)
    wanted = min(wanted, 256)
    fits = wanted
    if stream_mb and hardware.free_mb is not None:
        fits = max(1, int(min(wanted, hardware.free_mb * _SHARE / stream_mb)))
    chunk = 64 if name == "latency" else 128
    return Profile(name, min(wanted, fits), chunk, "memory" if fits < wanted else "cores")


def keys_and_values_mb(base: Path, context: int) -> float:
    """Keys and values of one answer of `context` tokens over the base in the folder `base`, in MB (fp32)."""
    shape = Shape.load(base)
    return shape.layers * shape.kv_heads * shape.head_dim * min(context, shape.context) * 2 * 4 / 2**20
