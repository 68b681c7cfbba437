"""The C++ pass (kernel/): built once for a processor, loaded, and called. Its layouts stand in kernel/model.h too.

It needs a C++ compiler (`c++`, `g++` or `clang++`) and a processor with AVX2; without them torch computes the pass.
What was built is kept under the user's cache folder, by the hash of sources, compiler and processor.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from tensaku.machine import cache_folder

__all__ = ["Library", "PassLayout", "ShapeLayout", "library"]

_log = logging.getLogger(__name__)
_SOURCES = Path(__file__).parent / "kernel"
_FLAGS = ("-std=c++20", "-O3", "-ffp-contract=off", "-fPIC", "-shared", "-pthread", "-Wno-psabi")
_int, _address = ctypes.c_int32, ctypes.c_void_p

Library = ctypes.CDLL


class ShapeLayout(ctypes.Structure):
    """`tk::Shape`."""

    _fields_ = [
        *((name, _int) for name in ("layers", "hidden", "heads", "kv_heads", "dim", "inner", "vocabulary")),
        *((name, _int) for name in ("context", "threads", "silu", "qk_norm", "sandwich")),
        *((name, ctypes.c_float) for name in ("eps", "embed_scale", "attention_scale")),
    ]


class PassLayout(ctypes.Structure):
    """`tk::Pass`."""

    _fields_ = [
        *((name, _int) for name in ("rows", "wanted")),
        *(
            (name, _address)
            for name in ("ids", "positions", "pages", "adapters", "wanted_rows", "scores", "words", "states")
        ),
    ]


_RETURNS = {"tk_open": _address, "tk_adapter": _address}
_TAKES: dict[str, list[type]] = {
    "tk_open": [_address, _address, _address],
    "tk_close": [_address],
    "tk_layer": [_address, _int, _address, _int],
    "tk_matrix": [_address, _int, _int, _int, _int, _address, _address],
    "tk_weight": [_address, _int, _int, _address],
    "tk_adapter": [_address],
    "tk_adapter_part": [_address, _address, _int, _int, _int, _address, _address, _address],
    "tk_adapter_close": [_address],
    "tk_pass": [_address, _address, _int],
    "tk_seconds": [_address, _address],
}


@functools.cache
def library(processor: str = "native") -> Library | None:
    """The kernel built for `processor` (as `-march` names it), or None, with a line in the log that says why."""
    flags = _processor_flags()
    if not {"avx2", "fma"} <= flags:
        _log.info("the compiled pass needs a processor with AVX2; torch computes instead")
        return None
    compiler = next((found for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), None)
    if compiler is None:
        _log.warning("no C++ compiler: torch computes, several times slower. Install g++ and start again")
        return None
    try:
        return _load(_build(compiler, processor, flags))
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        _log.warning("the compiled pass could not be built: torch computes, several times slower (%s)", str(said)[:400])
        return None


def _processor_flags() -> frozenset[str]:
    if platform.machine() not in ("x86_64", "AMD64"):
        return frozenset()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())


def _build(compiler: str, processor: str, flags: frozenset[str]) -> Path:
    """The shared library; built if it is not there yet."""
    known = hashlib.sha256("\0".join([compiler, processor, *_FLAGS, *sorted(flags)]).encode())
    known.update(subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout)
    for source in sorted(_SOURCES.iterdir()):
        known.update(source.read_bytes())
    folder = cache_folder()
    path = folder / f"pass-{known.hexdigest()[:24]}.so"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    _log.info("building the compiled pass, once for this machine (a few seconds)")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / path.name
        command = [compiler, *_FLAGS, f"-march={processor}", str(_SOURCES / "pass.cpp"), "-o", str(made)]
        subprocess.run(command, capture_output=True, check=True, text=True, timeout=300)
        made.replace(path)  # whole or not at all: two processes may build at once
    return path


def _load(path: Path) -> Library:
    found = ctypes.CDLL(str(path))
    for name, takes in _TAKES.items():
        function = getattr(found, name)
        function.argtypes, function.restype = takes, _RETURNS.get(name)
    return found
