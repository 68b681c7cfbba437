"""The page of errors: what was planned beside what was measured, run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from markupsafe import Markup

from tensaku.plan.said import Said
from tensaku.report import Line, grid, line_chart, page, section

__all__ = ["HEADS", "NUMBERS", "OUTSIDE", "Spread", "cells", "error_page", "spreads"]


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
    for spread in spreads(rows):
        points = [(n + 1.0, 100 * abs(row[spread.key])) for n, row in enumerate(rows) if row[spread.key] is not None]
        title = (f"{spread.what.ja}の誤差（%、実行順）", f"error of {spread.what}, %, in the order of runs")
        most = f"最大 most {100 * spread.most:.1f} %"
        parts.append(line_chart(title, [Line(points, dots=True)], figure=most, over=("実行", "run")))
    if any(row["outside"] for row in rows):
        words = "、".join(f"{english} は{japanese}" for english, japanese in _IN_JAPANESE.items() if " " in english)
        parts.append(
            Markup("<p>{}（drafting は先読み、adapters はアダプター、{}）{}</p>").format(OUTSIDE.ja, words, OUTSIDE)
        )
    heads = [head.ja if head == head.ja else f"{head.ja} {head}" for head in HEADS]
    parts.append(section("実行ごと", "Run by run", grid(heads, [cells(row) for row in rows], numbers_from=NUMBERS)))
    return page("見積もりの誤差 Errors of the plan", parts)


OUTSIDE = Said(
    "Kinds with an asterisk were in none of the runs that the constants were fitted to: no band covers them.",
    "＊の付く種類は、定数を当てはめた実行に含まれていません。誤差の幅はこれらには当てはまりません。",
)
"""What the asterisks mean."""
HEADS = (
    Said("run", "実行"), Said("date", "日付"), Said("kind", "種類"), Said("MB", "MB"), Said("said", "予測"),
    Said("error", "誤差"), Said("s", "秒"), Said("said", "予測"), Said("error", "誤差"),
)  # fmt: skip
"""Of the table of runs; figures from `NUMBERS` on."""
NUMBERS = 3


class Spread(NamedTuple):
    """Errors of memory or of time, in parts of one: how many runs, the middle and the largest, without sign."""

    what: Said
    key: str
    runs: int
    middle: float
    most: float


def spreads(rows: Sequence[Mapping[str, Any]]) -> list[Spread]:
    """Of memory and of time, where any run has them."""
    found = []
    for what, key in ((Said("memory", "メモリ"), "memory_error"), (Said("time", "時間"), "time_error")):
        values = [abs(row[key]) for row in rows if row[key] is not None]
        if values:
            found.append(Spread(what, key, len(values), median(values), max(values)))
    return found


_IN_JAPANESE = {
    "lora": "LoRA",
    "qlora": "QLoRA",
    "full": "全パラメータ",
    "adapters": "アダプター",
    "drafting": "先読み",
    "more memory": "メモリが大きい",
    "less memory": "メモリが小さい",
    "more work": "計算量が多い",
    "less work": "計算量が少ない",
    "another processor": "別のプロセッサー",
    "slower processor": "遅いプロセッサー",
    "faster processor": "速いプロセッサー",
}


def cells(row: Mapping[str, Any], ja: bool = False) -> list[str]:
    """A row of the table of runs; `ja`: what the runs are in Japanese alone."""
    kinds = [(trait, trait in row["outside"]) for trait in row["traits"]]
    kinds += [(word, True) for word in row["outside"] if word not in row["traits"]]
    named = [f"{_IN_JAPANESE.get(kind, kind) if ja else kind}{'＊' if outside else ''}" for kind, outside in kinds]
    found = [str(row["name"]), str(row["date"]), ("、" if ja else ", ").join(named)]
    for measured, said, error, digits in (
        ("peak_mb", "peak_predicted", "memory_error", 0),
        ("seconds", "seconds_predicted", "time_error", 3),
    ):
        if row[measured] is None:
            found += ["", "", ""]
        else:
            found += [f"{row[measured]:,.{digits}f}", f"{row[said]:,.{digits}f}", f"{100 * row[error]:+.1f} %"]
    return found
