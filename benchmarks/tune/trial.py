"""A trial: several variants take the same steps in turn, round after round, each time in a process of their own."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.tune.course import Course

__all__ = ["VARIANTS", "Failed", "Row", "Variant", "take", "trial"]

_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "DO_NOT_TRACK": "1",
}


class Failed(Exception):
    """The benchmark cannot say anything; says why."""


@dataclass(frozen=True)
class Variant:
    """Who trains: a module beside this one, a precision, and what is asked of it besides."""

    name: str
    module: str
    words: str
    precision: str = "fp32"
    options: Mapping[str, Any] = field(default_factory=dict)


_PLAIN = {"gradient_checkpointing": False}
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("trl", "trl", "TRL SFTTrainer"),
        Variant("trl_bf16", "trl", "TRL SFTTrainer, its default bf16", "bf16"),
        Variant("trl_no_recompute", "trl", "TRL, gradient checkpointing off", options=_PLAIN),
        Variant("hf", "hf", "Hugging Face, padded"),
        Variant("hf_bf16", "hf", "Hugging Face, padded, bf16", "bf16"),
        Variant("hf_tuned", "hf_tuned", "Hugging Face tuned by hand"),
        Variant("hf_tuned_bf16", "hf_tuned", "Hugging Face tuned by hand, bf16", "bf16"),
        Variant("ours", "ours", "Tensaku"),
        Variant("ours_bf16", "ours", "Tensaku, bf16", "bf16"),
    )
}


@dataclass
class Row:
    """What one variant did over all rounds, warm-up steps left out of `seconds` and kept in `losses`."""

    name: str
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    peak_mb: int = 0
    versions: dict[str, str] = field(default_factory=dict)


def take(variant: Variant, course: Course, folder: Path, peers: Path) -> dict[str, Any]:
    """Let one variant take a course; returns its result.

    Args:
        folder: where its files are; emptied first.
        peers: the Python that has TRL; ours runs with the one that runs this.

    Raises:
        Failed: it broke off; its last words are in the message.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    asked = replace(course, folder=str(folder), precision=variant.precision, options=dict(variant.options))
    asked.write(folder / "course.json")
    python = sys.executable if variant.module == "ours" else str(peers)
    command = [python, "-m", f"benchmarks.tune.{variant.module}", "course.json", "result.json"]
    command[3:] = [str(folder / name) for name in command[3:]]
    with (folder / "words.txt").open("w", encoding="utf-8") as words:
        code = subprocess.run(command, env={**os.environ, **_QUIET}, stdout=words, stderr=words, check=False).returncode
    if code:
        said = (folder / "words.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-12:]
        raise Failed("\n".join([f"{variant.words} broke off (exit {code}):", *said]))
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return found


def trial(
    names: Sequence[str],
    courses: Sequence[Course],
    folder: Path,
    peers: Path,
    say: Callable[[str], None],
    allowance: float = math.inf,
) -> dict[str, Row]:
    """Every variant takes every course, in turn; the first step of each is its warm-up.

    `say` hears of each turn. No round begins that would end after `allowance` seconds, but one is taken in any case.
    """
    rows = {name: Row(name) for name in names}
    started = time.monotonic()
    for number, course in enumerate(courses, 1):
        for name, row in rows.items():
            result = take(VARIANTS[name], course, folder / name, peers)
            row.versions = result["versions"]
            row.seconds += result["seconds"][1:]
            row.losses += result["losses"]
            row.peak_mb = max(row.peak_mb, result["peak_mb"])
            steps = " ".join(f"{s:.2f}" for s in result["seconds"][1:])
            say(f"round {number} of {len(courses)}  {name:16}  {steps}")
        if (time.monotonic() - started) * (number + 1) / number > allowance:
            break
    return rows
