"""The ladder as a page: one table, best rung marked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tensaku.evaluate.report.pieces import DASH, scorer_name
from tensaku.report import grid, page, percent, section

__all__ = ["cells", "write_page"]

HEADS = (
    ("基盤モデル", "base model"),
    ("方法", "method"),
    ("得点", "score"),
    ("原稿との差", "gain over the draft"),
    ("事実の保持", "facts kept"),
    ("調整の秒数", "seconds to tune"),
    ("メモリー MB", "memory at the peak"),
    ("大きさ MB", "size of the result"),
    ("件", "drafts"),
)
"""The columns, in both languages."""


def cells(row: Mapping[str, Any]) -> list[str]:
    """One row of the ladder as text, a cell for each of `HEADS`."""
    if row["row"] == "draft":
        names = [DASH, "原稿のまま draft"]
    elif row["row"] == "rules":
        names = [DASH, "規則だけ rules"]
    elif row["row"] == "base":
        names = [row["base"], "調整なし untuned"]
    else:
        names = [row["base"], row["method"]]
    if row.get("failed"):
        return [*names, "失敗 failed", *[DASH] * 2, *_costs(row), DASH]
    score = f"{row['score']:.1f} ({row['low']:.1f}–{row['high']:.1f})"
    gain = DASH if row["gain"] is None else f"{row['gain']:+.1f} ({row['gain_low']:+.1f}–{row['gain_high']:+.1f})"
    return [*names, score, gain, percent(row["facts_kept"]), *_costs(row), str(row["n"])]


def _costs(row: Mapping[str, Any]) -> list[str]:
    found = [row.get(name) for name in ("seconds", "memory_mb", "size_mb")]
    return [DASH if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in found]


def write_page(path: Path, found: Mapping[str, Any]) -> None:
    """Write the page of one ladder, as `ladder.json` holds it."""
    heads = [Markup("{}<small>{}</small>").format(*head) for head in HEADS]
    rows = [_marked(cells(row), row["best"]) for row in found["rows"]]
    failed = [row for row in found["rows"] if row.get("failed")]
    lead = Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        "<h1>方法とモデルの比較<small>The ladder</small></h1>"
        '<p class="lead">同じ学習用の対、同じ試験 {} 件。得点は {}。'
        "<small>The same lessons, the same exam of {} drafts. Intervals: 95 %.</small></p></header>"
    ).format(found["exam_n"], scorer_name(found["scorer"]), found["exam_n"])
    body = lead + section("比較", "Side by side", grid(heads, rows, numbers_from=2))
    if failed:
        items = Markup().join(
            Markup("<li>{} / {}: {}</li>").format(row["base"], row["method"], row["failed"]) for row in failed
        )
        body += section("失敗した段", "Rungs that failed", Markup("<ul>{}</ul>").format(items))
    path.write_text(page("添削 方法とモデルの比較 Tensaku ladder", [body]), encoding="utf-8")


def _marked(row: list[str], best: bool) -> list[Any]:
    return [Markup("<b>{}</b>").format(cell) for cell in row] if best else list(row)
