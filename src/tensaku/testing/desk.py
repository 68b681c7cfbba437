"""A workspace that walks the whole road in seconds."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from tensaku.testing.model import tiny_model

__all__ = ["tiny_desk"]

_TASK = """\
[task]
name = "tiny"

[sources]
use = [{ path = "data/pairs.jsonl" }]

[base]
model = "path:model"

[trim]
keep = "all"

[tune]
epochs = 0.2
rank = 4

[evaluate]
resamples = 100
base_sample = 3

[gate]
need = []

[approval]
gate = "never"
validation = "never"
"""
_EXAM_FROM = "2026-04"


def tiny_desk(folder: Path, *, lessons: int = 50, exam: int = 10) -> Path:
    """Write a workspace: some of the sample desk's shortest pairs, its instruction and names, and a tiny random model.

    Args:
        folder: where; made if it is not there.
        lessons: pairs older than the newest six months, spread over them.
        exam: pairs of the newest six months.
    """
    sample = resources.files("tensaku.sampledesk")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name in ("instruction.md", "names.toml"):
        (folder / name).write_bytes((sample / name).read_bytes())
    lines = (sample / "pairs.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    older = _short([row for row in rows if row["as_of"] < _EXAM_FROM], lessons)
    newest = _short([row for row in rows if row["as_of"] >= _EXAM_FROM], exam)
    written = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in older + newest)
    (folder / "data" / "pairs.jsonl").write_text(written, encoding="utf-8")
    tiny_model(folder / "model")
    (folder / "tensaku.toml").write_text(_TASK, encoding="utf-8")
    return folder


def _short(rows: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """Every third of the shortest `3 n` drafts, so that months, funds and managers are mixed."""
    shortest = sorted(rows, key=lambda row: len(row["draft"]))[: 3 * n : 3]
    return sorted(shortest, key=lambda row: str(row["id"]))
