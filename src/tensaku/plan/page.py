"""The page of errors: what was planned beside what was measured, run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tensaku.report import Line, grid, line_chart, page, section

__all__ = ["error_page"]


def error_page(rows: Sequence[Mapping[str, Any]], source: str) -> str:
    """One HTML file, in Japanese and English; `rows` as `runs.noted` gives them, oldest first."""
    parts = [
        Markup("<h1>見積もりの誤差 <small>Errors of the plan</small></h1><p>定数 constants: {}</p>").format(source)
    ]
    if not rows:
        parts.append(
            Markup("<p>まだ記録がありません。 No run was recorded yet: <code>tensaku run</code> records each.</p>")
        )
        return page("見積もりの誤差 Errors of the plan", parts)
    for key, japanese, english in (("memory_error", "メモリ", "memory"), ("time_error", "時間", "time")):
        points = [(n + 1.0, 100 * abs(row[key])) for n, row in enumerate(rows) if row[key] is not None]
        worst = max((value for _, value in points), default=0.0)
        title = (f"{japanese}の誤差（%、実行順）", f"error of {english}, %, in the order of runs")
        parts.append(
            line_chart(title, [Line(points, dots=True)], figure=f"最大 most {worst:.1f} %", over=("実行", "run"))
        )
    if any(row["outside"] for row in rows):
        parts.append(Markup("<p>{}</p>").format(_OUTSIDE))
    parts.append(section("実行ごと", "Run by run", grid(_HEADS, [_cells(row) for row in rows], numbers_from=3)))
    return page("見積もりの誤差 Errors of the plan", parts)


_OUTSIDE = (
    "＊の付く種類（drafting は下書きからの先読み、adapters はアダプター、more / less memory・work は規模の違い）は、"
    "定数を当てはめた実行に含まれていません。"
    "誤差の幅はこれらには当てはまりません。 "
    "Kinds with an asterisk were in none of the runs that the constants were fitted to: no band covers them."
)
_HEADS = ("実行 run", "日付 date", "種類 kind", "MB", "予測 said", "誤差 error", "秒 s", "予測 said", "誤差 error")


def _cells(row: Mapping[str, Any]) -> list[str]:
    kinds = [f"{trait}＊" if trait in row["outside"] else str(trait) for trait in row["traits"]]
    kinds += [f"{word}＊" for word in row["outside"] if word not in row["traits"]]
    cells = [str(row["name"]), str(row["date"]), ", ".join(kinds)]
    for measured, said, error, digits in (
        ("peak_mb", "peak_predicted", "memory_error", 0),
        ("seconds", "seconds_predicted", "time_error", 3),
    ):
        if row[measured] is None:
            cells += ["", "", ""]
        else:
            cells += [f"{row[measured]:,.{digits}f}", f"{row[said]:,.{digits}f}", f"{100 * row[error]:+.1f} %"]
    return cells
