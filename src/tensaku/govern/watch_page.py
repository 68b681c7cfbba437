"""Monitoring to be read: control charts of every figure, alerts, reports and decisions, as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from tensaku.govern.monitor import FIGURES, PSI_ALERT
from tensaku.ledger import FilingRow
from tensaku.report import Figure, Reading, cards, control_chart, count, grid, page, section

__all__ = ["readings_of", "watch_page"]


def readings_of(lines: Sequence[Mapping[str, Any]], figure: str) -> list[Reading]:
    """One figure of one release month by month, with the limits that were in force then.

    Args:
        lines: what `figures_by_month` gives of the release, the oldest first.
        figure: one of `FIGURES`.
    """
    found = []
    for line in lines:
        value = line["figures"].get(figure)
        out = any(alert["figure"] == figure for alert in line["alerts"])
        low, mean, high = line["limits"].get(figure, (None, None, None))
        if figure.startswith("psi_"):
            low, mean, high = None, None, PSI_ALERT
        found.append(Reading(line["month"], value, low, mean, high, out))
    return found


def watch_page(
    lines: Sequence[Mapping[str, Any]],
    filings: Sequence[FilingRow],
    at: datetime,
    *,
    month: str = "",
    note: str = "",
    by: str = "",
) -> str:
    """The page, in Japanese and English.

    Args:
        lines: what `figures_by_month` gives.
        filings: the reports and decisions on record.
        at: when it is written.
        month: the month that the report is of; empty: all.
        note: what whoever reports says of it.
        by: who reports.
    """
    releases = list(dict.fromkeys(line["release"] for line in lines))
    shown = [line for line in lines if month in ("", line["month"])]
    alerts = [(line, alert) for line in shown for alert in line["alerts"]]
    title = ("月次モニタリング報告", "Monthly monitoring report") if month else ("モニタリング", "Monitoring")
    head = Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        '<h1>{}<small>{}</small></h1><p class="lead">{}<small>{}</small></p></header>'
    ).format(*title, month or f"{at.astimezone():%Y-%m-%d}", by)
    top = cards(
        (
            Figure("応答 Answers", count(sum(line["n"] for line in shown)), month or "全期間", "answers"),
            Figure("リリース Releases", str(len({line["release"] for line in shown})), "応答したもの", "that answered"),
            Figure("警告 Alerts", str(len(alerts)), "管理限界の外", "outside the limits"),
            Figure(
                "判断 Decisions",
                str(sum(row.kind == "decision" for row in filings)),
                "再調整の要否",
                "to retrain or keep",
            ),
        )
    )
    parts = [head, top]
    if note:
        parts.append(section("所見", "Note", Markup("<p>{}</p>").format(note)))
    parts.append(section("警告", "Alerts", _alerts(alerts)))
    for ref in releases:
        own = [line for line in lines if line["release"] == ref and (not month or line["month"] <= month)]
        if own and (not month or own[-1]["month"] == month):
            parts.append(section(ref, f"{own[0]['month']} – {own[-1]['month']}", _charts(own)))
    parts.append(section("記録", "On record", _recorded(filings)))
    return page(f"{title[0]} {title[1]} {month}".strip(), parts)


def _alerts(alerts: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Markup:
    if not alerts:
        return Markup("<p>警告はない。<small>There are no alerts.</small></p>")
    both = Markup("{}<small>{}</small>")
    rows = [
        (
            line["month"],
            both.format(alert["ja"], alert["en"]),
            line["release"],
            f"{alert['value']:.4g}",
            alert["wanted"],
        )
        for line, alert in alerts
    ]
    heads = ("月 Month", "指標 Figure", "リリース Release", "値 Value", "限界 Limits")
    return grid(heads, rows, 3)


def _charts(lines: Sequence[Mapping[str, Any]]) -> Markup:
    drawn = Markup().join(control_chart(words, readings_of(lines, name)) for name, words in FIGURES.items())
    note = Markup(
        "<p>実線は各月の値、破線は管理限界（それまでの月の平均 ± 2.66 × 平均移動範囲、3 か月から。PSI は 0.25）、"
        "赤い点は限界の外。<small>Solid: each month's figure. Dashed: limits from the months before, from three months "
        "on; of a PSI 0.25. A red dot is outside.</small></p>"
    )
    return Markup('<div class="plots">{}</div>{}').format(drawn, note)


def _recorded(filings: Sequence[FilingRow]) -> Markup:
    if not filings:
        return Markup("<p>報告も判断もまだない。<small>Neither reports nor decisions yet.</small></p>")
    names = {"monitoring": "報告 report", "decision": "判断 decision"}
    rows = []
    for row in filings:
        held = row.content
        told = (
            held.get("note", "")
            if row.kind == "monitoring"
            else f"{held['decision']}: {held['reason']} ({held['gain']}; {held['cost']})"
        )
        rows.append(
            (f"{row.at.astimezone():%Y-%m-%d}", names[row.kind], held.get("month", "—"), row.subject, row.by, told)
        )
    heads = ("日付 Date", "種類 Kind", "月 Month", "リリース Release", "担当 By", "内容 What")
    return grid(heads, rows, 9)
