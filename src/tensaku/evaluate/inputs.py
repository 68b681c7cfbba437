"""What the stages of this room are given, read from its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensaku import text
from tensaku.evaluate.rewriting import Rule, best_rules
from tensaku.records import Pair, from_dict
from tensaku.store import Artifact, Bench, SourceFile

__all__ = ["exam_pairs", "jsonl", "lesson_pairs", "mined_rules", "names_in", "style_in"]


def jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The values of each line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def exam_pairs(exam: Artifact) -> list[Pair]:
    """The pairs of the exam, in its order."""
    return _pairs(exam.file("exam.jsonl"))


def lesson_pairs(lessons: Artifact) -> list[Pair]:
    """The lessons, in their order."""
    return _pairs(lessons.file("lessons.jsonl"))


def names_in(file: SourceFile | None) -> text.Names:
    """The names that count as facts; none without a file."""
    return {} if file is None else text.names_from(file.path.read_text(encoding="utf-8"), where=str(file.path))


def style_in(file: SourceFile | None) -> list[text.StyleRule]:
    """The house style as far as it can be checked; no rules without a file."""
    return [] if file is None else text.style_from(file.path.read_text(encoding="utf-8"), where=str(file.path))


def mined_rules(bench: Bench, lessons: Artifact) -> list[Rule]:
    """The best replacements of the lessons."""
    taught = lesson_pairs(lessons)
    with bench.progress("mine replacements from the lessons") as bar:
        return best_rules(taught, bar.advance)


def _pairs(path: Path) -> list[Pair]:
    return [from_dict(Pair, values) for values in jsonl(path)]
