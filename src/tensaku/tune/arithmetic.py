"""How this machine trains: which product, which number format, how many threads. Settled once a run, then kept.

Products round differently by library, format and threads. Where two are nearly level, what else the machine does
decides which one is measured as faster. So the first measurement counts on this machine for good, and a run that is
taken up again goes on as it began: the same inputs give the same bytes on the same machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from tensaku.machine import cache_folder, processor
from tensaku.models.products import PRODUCTS, Multiply, plain, product, speed
from tensaku.tune.devices import CPU, speeds_on
from tensaku.tune.group import current, first_then_others

__all__ = ["How", "Settings", "settle"]

_FILE = "machine.json"
_log = logging.getLogger(__name__)


class Settings(Protocol):
    """A section that says in which number format to train, and counts as a whole."""

    @property
    def precision(self) -> str:
        """Which number format: auto, fp32 or bf16."""
        ...

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Its values, plain."""
        ...


def _chosen(cfg: Settings, path: Path, fastest: str) -> dict[str, Any]:
    """The product and the threads: as they stand in the file, or the best ones, put there."""
    if path.exists():
        chosen: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        torch.set_num_threads(chosen["threads"])
        return chosen
    name = {"auto": fastest, "fp32": fastest if fastest != "bf16" else "plain", "bf16": "bf16"}[cfg.precision]
    chosen = {"product": name, "threads": torch.get_num_threads()}
    new = path.with_name(path.name + ".new")  # whole or not at all, whatever a kill or a full disk does
    new.write_text(json.dumps(chosen), encoding="utf-8")
    new.replace(path)
    return chosen


def _first_found(where: str, found: str) -> str:
    """What was found in the first measurement of `where` on this machine: now, if there was none."""
    known = hashlib.sha256("\0".join([where, processor() or "", torch.__version__]).encode()).hexdigest()[:16]
    path = cache_folder() / f"product-{known}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as new:
            new.write(found)
            new.flush()
            with contextlib.suppress(FileExistsError):
                os.link(new.name, path)  # of two that measure at once, one is the first
        kept = path.read_text(encoding="ascii", errors="replace")
        if kept not in PRODUCTS:  # a machine that lost its power leaves an empty file
            path.unlink()
            return _first_found(where, found)
        return kept
    except OSError as error:
        _log.warning("what is faster here cannot be kept, and may come out differently next time (%s)", error)
        return found


@dataclass(frozen=True, slots=True)
class How:
    """`run` decides the result and is kept with each checkpoint; `facts` go into the manifest; `spoken` to the person
    at the terminal; `bf16` says whether a GPU is to multiply in it."""

    multiply: Multiply
    run: Mapping[str, Any]
    facts: Mapping[str, Any]
    spoken: str
    bf16: bool = False


def settle(cfg: Settings, aside: Path, inputs: Mapping[str, str], device: torch.device = CPU) -> How:
    """Measure and decide, or go on as the run began.

    Args:
        cfg: what was asked for.
        aside: where a run keeps what it needs to be taken up again.
        inputs: what else decides the result.
        device: where the work is done.
    """
    if device != CPU:
        return _on_gpu(cfg, aside, inputs, device)
    with first_then_others(current()):
        measured = speed()
        ways = f"{torch.get_num_threads()} threads, oneDNN: {measured.onednn > 0}"
        fastest = _first_found(ways, measured.fastest)
        chosen = _chosen(cfg, aside / _FILE, fastest)
    name = chosen["product"]
    precision = "bf16" if name == "bf16" else "fp32"
    facts = {
        "precision": precision,
        "product": name,
        "threads": chosen["threads"],
        "matrix_gflops": measured.plain,
        "matrix_gflops_by": measured._asdict(),
    }
    by = {"plain": "torch's own product", "onednn": "oneDNN", "bf16": "bf16 units"}[name]
    found = f"{measured.plain:.0f} plain, {measured.onednn:.0f} oneDNN, {measured.bf16:.0f} bf16"
    spoken = f"{precision} by {by} on {chosen['threads']} threads (GFLOP/s here: {found})"
    return How(product(name), _run(chosen, cfg, inputs), facts, spoken)


def _on_gpu(cfg: Settings, aside: Path, inputs: Mapping[str, str], device: torch.device) -> How:
    with first_then_others(current()):
        wide, narrow = speeds_on(device)
        name = torch.cuda.get_device_name(device)
        chosen = _chosen(cfg, aside / _FILE, _first_found(name, "bf16" if narrow > wide else "plain"))
    bf16 = chosen["product"] == "bf16"
    facts = {"precision": "bf16" if bf16 else "fp32", "product": chosen["product"], "device": name}
    facts |= {"matrix_gflops": wide, "matrix_gflops_by": {"plain": wide, "bf16": narrow}}
    spoken = f"{facts['precision']} on {name} (GFLOP/s here: {wide:.0f} in fp32, {narrow:.0f} in bf16)"
    return How(plain, _run(chosen | {"device": name}, cfg, inputs), facts, spoken, bf16)


def _run(chosen: Mapping[str, Any], cfg: Settings, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What decides the result."""
    digest = hashlib.sha256(json.dumps([cfg.model_dump(mode="json"), dict(inputs)], sort_keys=True).encode())
    return {**chosen, "torch": torch.__version__, "settings": digest.hexdigest()[:16]}
