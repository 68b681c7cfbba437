"""The report of a training: one HTML file that needs nothing else, to be read on a screen or on paper."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from tensaku.report import page
from tensaku.tune.report import opening, plots, tables
from tensaku.tune.report.course import Course

__all__ = ["FILE", "write_report"]

FILE = "report.html"


def write_report(folder: Path, facts: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Write `report.html` into `folder` from what the training left there.

    Of `loss.jsonl` and `usage.jsonl` either may be missing or short, as for a method that takes no steps; what they
    would show is then left out.

    Args:
        facts: of the artifact. `kept_step` is the step whose weights were kept, if not the last; `memorised` is a
            warning by language, as in `{"ja": ..., "en": ...}`; any other fact finds its place in a table.
        config: the section, as plain values.

    Raises:
        DataError: a line of `loss.jsonl` is not what it should be.
    """
    course = Course.read(folder)
    parts = [
        opening.opening(course, facts),
        plots.learning(course, facts),
        plots.machine(course),
        tables.lessons(facts),
        tables.settings(config),
        tables.results(course, facts),
        tables.reading(course),
    ]
    style = resources.files("tensaku.tune.report").joinpath("style.css").read_text(encoding="utf-8")
    (folder / FILE).write_text(page("添削 学習報告書 Tensaku training", parts, style), encoding="utf-8")
