"""The figures of every row as a table for a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["write_sheet"]

_FINDINGS = ("facts_kept", "edits_precision", "edits_recall", "over_editing", "dropped", "doubled", "style_violations")
_COSTS = ("tokens_per_second", "seconds", "first_token", "memory_mb", "joules", "yen_per_thousand")


def write_sheet(
    path: Path, rows: Mapping[str, Mapping[str, Any]], clean: Mapping[str, Any], told: Mapping[str, Mapping[str, str]]
) -> None:
    """One line a row: what is told of it, every score with its interval, on the clean part too, findings, costs.

    Args:
        rows: by name, in order, as `Results.scores` has them.
        clean: the scores on the part of the exam that no lesson gives away, as `discipline` has them.
        told: column -> row -> what stands there, before the scores; a row that is not named has nothing there.
    """
    labels = list(next(iter(rows.values()))["scores"])
    heads = ["name", *told, "n", *(f"{label}{end}" for label in labels for end in ("", "_low", "_high"))]
    heads += [*(f"{label}_clean" for label in labels), "clean_n", *_FINDINGS, *_COSTS]
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # the mark at the start lets Excel read Japanese
        out = csv.writer(file, lineterminator="\n")
        out.writerow(heads)
        for name, row in rows.items():
            held, untaught = row["findings"], clean["rows"].get(name, {})
            cells = [_safe(cell) for cell in (name, *(column.get(name, "") for column in told.values()))]
            cells += [held["n"], *(row["scores"][label][key] for label in labels for key in ("value", "low", "high"))]
            cells += [untaught[label]["value"] if untaught else "" for label in labels] + [clean["n"]]
            cells += [held["facts_kept"], held["edits"]["precision"], held["edits"]["recall"], held["over_editing"]]
            cells += [held["dropped_sentences"], held["doubled_sentences"], sum(held["style"].values())]
            cells += [row["tokens_per_second"], *row["costs"].values()]
            out.writerow(cells)


def _safe(cell: str) -> Any:
    """A text that a spreadsheet would take for a formula is set apart."""
    return f"'{cell}" if cell[:1] in "=+-@" and cell else cell
