"""The evaluation's figures as rows of text, for a terminal."""

from __future__ import annotations

import json
from typing import Any

from tensaku.evaluate.report.board import HEADS as BOARD_HEADS
from tensaku.evaluate.report.board import board_cells
from tensaku.evaluate.report.rungs import HEADS, cells
from tensaku.evaluate.results import MODELLESS
from tensaku.store import Artifact

__all__ = ["board_table", "ladder_table", "table"]

NAMES = {
    "draft": "原稿のまま draft",
    "rules": "規則だけ rules",
    "majority": "最頻の答えだけ majority",
    "base": "基盤モデル base",
    "tuned": "調整済み tuned",
    "tuned_fp32": "調整済み fp32",
}


def table(artifact: Artifact) -> list[list[str]]:
    """The first row names the columns; then one row a contestant. All cells are text.

    Args:
        artifact: what the stage `evaluate` left.
    """
    found: dict[str, Any] = json.loads(artifact.file("scores.json").read_text(encoding="utf-8"))
    labels = list(found["rows"]["draft"]["scores"])
    rows = [["", "n", *labels, "facts kept", "exact", "dropped", "doubled", "tokens/s", "first s", "yen/1000"]]
    for name, row in found["rows"].items():
        findings = row["findings"]
        figures = [_figure(row["scores"][label]) for label in labels]
        shares = [f"{100 * findings['facts_kept']:.1f} %", f"{100 * findings['exact']:.1f} %"]
        counts = [str(findings["dropped_sentences"]), str(findings["doubled_sentences"])]
        speed = f"{row['tokens_per_second']:.1f}" if row["tokens_per_second"] else "-"
        costs = [_cost(row["costs"], "first_token", 2), _cost(row["costs"], "yen_per_thousand", 0)]
        rows.append([NAMES.get(name, name), str(findings["n"]), *figures, *shares, *counts, speed, *costs])
    return rows


def _cost(costs: dict[str, float | None], name: str, decimals: int) -> str:
    value = costs[name]
    return "-" if value is None else f"{value:,.{decimals}f}"


def _figure(score: dict[str, Any]) -> str:
    return f"{score['value']:.1f} ({score['low']:.1f}-{score['high']:.1f})"


def ladder_table(artifact: Artifact) -> list[list[str]]:
    """The first row names the columns; then the untouched draft, the base models, and every rung. All cells are text.

    Args:
        artifact: what the stage `ladder` left.
    """
    found: dict[str, Any] = json.loads(artifact.file("ladder.json").read_text(encoding="utf-8"))
    return [[english for _, english in HEADS], *(cells(row) for row in found["rows"])]


def board_table(artifact: Artifact) -> list[list[str]]:
    """The first row names the columns; then every candidate, the best first. All cells are text.

    Args:
        artifact: what the stage `leaderboard` left.
    """
    found: dict[str, Any] = json.loads(artifact.file("leaderboard.json").read_text(encoding="utf-8"))
    rows = [board_cells(row, found["scorer"]) for row in found["rows"]]
    for cells_of in rows:
        cells_of[2] = NAMES[cells_of[2]] if cells_of[2] in MODELLESS else cells_of[2]
    return [[english for _, english in BOARD_HEADS], *rows]
