"""Many passages from few: sentences of JSQuAD drawn anew, with names and figures that stand nowhere else."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.retrieve.jsquad import Course

from tensaku.text import sentences

__all__ = ["grow"]

_A_FILE = 200


def grow(course: Course, passages: int, folder: Path) -> None:
    """Write so many passages, two hundred to a file, each under a heading of its own; those that stand there stay."""
    if (folder / "whole").exists():
        return
    drawn = random.Random(1)
    every = [s.text.strip() for _, text in course.passages for s in sentences(text) if s.text.strip()]
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, passages, _A_FILE):
        parts = []
        for number in range(start, min(start + _A_FILE, passages)):
            body = "".join(drawn.choice(every) for _ in range(3))
            parts.append(f"# 資料{number}\n\n{body}整理番号は{drawn.randrange(10**8):08d}である。\n")
        (folder / f"f{start:07d}.md").write_text("\n".join(parts), encoding="utf-8")
    (folder / "whole").touch()
