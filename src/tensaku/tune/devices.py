"""Where a model learns: on processors or on GPUs, whole in every process or shared out among them.

On GPUs, and wherever a model is shared out, Transformers runs it: the own core multiplies on processors. Shared out
means FSDP2 (`torch.distributed.fsdp.fully_shard`): each process holds its part of every tensor, gathers a layer when
the layer is computed, and keeps its part of the summed gradient.

Nothing here that needs a GPU was ever run on one; FSDP2 was, over gloo on processors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tensaku.errors import UsageError
from tensaku.tune.group import Alone, Group, Sharded, current
from tensaku.tune.section import Tune

__all__ = ["CPU", "HERE", "Place", "backend", "place_for", "speeds_on", "wants_gpu"]

CPU = torch.device("cpu")
_GPU_METHODS = ("lora", "full")


@dataclass(frozen=True, slots=True)
class Place:
    """The `device` that this process computes on; `group` the processes that share a step; `sharded` whether the model
    is shared out among them."""

    device: torch.device
    group: Group
    sharded: bool

    @property
    def why_transformers(self) -> str | None:
        """Why Transformers has to run the model here; None where the own core can."""
        if self.sharded:
            return "the model is shared out among the processes (FSDP2)"
        return "the model learns on a GPU" if self.device != CPU else None


HERE = Place(CPU, Alone(), sharded=False)
"""Processors of this machine, one process."""


def wants_gpu(settings: Mapping[str, Any]) -> bool:
    """Whether a section `[tune]` with these values learns on GPUs: it says so, or leaves it open and one is there.

    A cluster's machines differ from the one that asks, so there it must say so.
    """
    device = settings.get("device", "cpu")  # a section without it has no way to a GPU
    return device == "cuda" or (
        device == "auto"
        and not settings.get("cluster")
        and settings.get("method") in _GPU_METHODS
        and settings.get("core") != "own"
        and torch.cuda.is_available()
    )


def backend(settings: Mapping[str, Any]) -> str:
    """What torch.distributed's group speaks: NCCL between GPUs, gloo between processors."""
    return "cpu:gloo,cuda:nccl" if wants_gpu(settings) else "gloo"


def place_for(cfg: Tune) -> Place:
    """Where this process works for `cfg`, in the group that it has joined.

    Raises:
        UsageError: there is no such GPU, or the settings do not go together.
    """
    group = current()
    gpu = wants_gpu(cfg.model_dump())
    sharded = cfg.parallel == "fsdp" or (cfg.parallel == "auto" and gpu and cfg.processes > 1)
    if sharded and cfg.processes < 2:
        what = "one process has nobody to share the model with"
        raise UsageError(what, where="tune.parallel", fix='Set tune.processes to 2 or more, or tune.parallel = "auto"')
    for asked, name in ((sharded, f'tune.parallel = "{cfg.parallel}"'), (gpu, f'tune.device = "{cfg.device}"')):
        if asked and cfg.method not in _GPU_METHODS:
            what = f"{cfg.method!r} is done by the own core alone, which works on processors, whole in every process"
            raise UsageError(what, where=name, fix='Set tune.method to "lora" or "full", or leave this out')
        if asked and cfg.core == "own":
            what = "the own core works on processors, whole in every process"
            raise UsageError(what, where=name, fix='Set tune.core = "auto"')
    device = _gpu() if gpu else CPU
    return Place(device, Sharded() if sharded else group, sharded)


def _gpu() -> torch.device:
    """The GPU of this process, by its number on this machine."""
    if not torch.cuda.is_available():
        what = "there is no GPU that this torch can use"
        raise UsageError(
            what, where="tune.device", fix='Set it to "auto" or "cpu", or install a torch built for the GPU'
        )
    number, count = int(os.environ.get("LOCAL_RANK", current().rank)), torch.cuda.device_count()
    if number >= count:
        what = f"process {number} of this machine has no GPU of its own ({count} found)"
        raise UsageError(what, where="tune.processes", fix="Start no more processes than there are GPUs")
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device


def speeds_on(device: torch.device) -> tuple[float, float]:
    """GFLOP/s of one middling product on a GPU in fp32 and in bf16; bf16 is 0 where the GPU has no units for it."""
    x, w = torch.randn(4096, 2048, device=device), torch.randn(4096, 2048, device=device)
    wide = _timed(x, w)
    return wide, (_timed(x.bfloat16(), w.bfloat16()) if torch.cuda.is_bf16_supported() else 0.0)


def _timed(x: torch.Tensor, w: torch.Tensor) -> float:
    best = float("inf")
    for _ in range(8):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record()
        x @ w.T
        end.record()
        torch.cuda.synchronize(x.device)
        best = min(best, begin.elapsed_time(end))
    return round(2 * x.shape[0] * x.shape[1] * w.shape[0] / best / 1e6, 1)
