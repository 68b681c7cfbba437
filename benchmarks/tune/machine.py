"""What the machine is and what it can do: the yardstick beside every figure."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["has_bf16", "machine"]

_ROWS, _WIDTH, _OUT = 1024, 640, 4096


def _cpuinfo(field: str) -> str:
    path = Path("/proc/cpuinfo")
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if line.startswith(field):
            return line.partition(":")[2].strip()
    return ""


def has_bf16() -> bool:
    """Whether the processor multiplies bf16 by itself."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set((_cpuinfo("flags") or _cpuinfo("Features")).split()))


def _gflops(product: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype) -> float:
    """Speed of [1024, 640] x [640, 4096], best of 20."""
    x, w = torch.randn(_ROWS, _WIDTH).to(dtype), torch.randn(_OUT, _WIDTH).to(dtype)
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        product(x, w)
        best = min(best, time.perf_counter() - started)
    return round(2 * _ROWS * _WIDTH * _OUT / best / 1e9)


def _onednn(x: Tensor, w: Tensor) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, w, None, "none", [], "")
    return found


def machine() -> dict[str, Any]:
    """Processor, memory, and products in GFLOP/s by the libraries torch has."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found: dict[str, Any] = {
        "processor": _cpuinfo("model name") or platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bf16_units": has_bf16(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "memory_gb": round(pages / 2**30, 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load_before": round(os.getloadavg()[0], 2),
    }
    found["gflops_fp32_mkl"] = _gflops(lambda x, w: x @ w.T, torch.float32)
    if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        found["gflops_fp32_onednn"] = _gflops(_onednn, torch.float32)
        found["gflops_bf16"] = _gflops(lambda x, w: x @ w.T, torch.bfloat16)
    return found
