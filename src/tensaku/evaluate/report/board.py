"""The leaderboard as a page: the table with its groups, charts, parts of the exam, every comparison, what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tensaku.evaluate.groups import letters
from tensaku.evaluate.report.origins import discipline_section
from tensaku.evaluate.report.outputs import every_output, filter_rules
from tensaku.evaluate.report.panel import panel_section
from tensaku.evaluate.report.pieces import DASH, row_name, row_words, scale_end, scorer_name
from tensaku.evaluate.report.sections import p_value
from tensaku.evaluate.results import MODELLESS, Results
from tensaku.report import Bar, bar_chart, count, grid, page, percent, section
from tensaku.revise import SECTIONS

__all__ = ["board_cells", "write_board"]

_NARROW = "th, td { padding-left: 0.45rem; padding-right: 0.45rem; }\nth:first-child { white-space: nowrap; }\n"
_FEW = 5  # pairs; a part with fewer says next to nothing
_DIMENSIONS = {
    "manager": ("運用会社別", "by manager"),
    "section": ("欄別", "by section"),
    "month": ("月別", "by month"),
    "length": ("原稿の長さ別", "by length of the draft"),
}
HEADS = (
    ("順位", "rank"),
    ("組", "group"),
    ("候補", "candidate"),
    ("得点", "score"),
    ("重なりを除く", "clean part"),
    ("原稿との差", "over the draft"),
    ("規則との差", "over the rules"),
    ("直しの F0.5", "edits"),
    ("直しすぎ", "over-editing"),
    ("事実の保持", "facts kept"),
    ("欠落・重複", "lost, doubled"),
    ("1 件の秒数", "s a comment"),
    ("千件の費用", "yen / 1,000"),
)
"""The columns of the table, in both languages."""


def board_cells(row: Mapping[str, Any], scorer: str) -> list[str]:
    """One row of the leaderboard as text, a cell for each of `HEADS`."""
    score, held, costs = row["scores"][scorer], row["findings"], row["costs"]
    first, last = row["rank"]
    return [
        str(first) if first == last else f"{first}–{last}",
        " ".join(letters(row["groups"])),
        row["name"],
        f"{score['value']:.1f} ({score['low']:.1f}–{score['high']:.1f})",
        _clean(row, scorer),
        _gain(row, scorer, "draft"),
        _gain(row, scorer, "rules"),
        f"{100 * held['edits']['f0.5']:.1f}",
        percent(held["over_editing"]),
        percent(held["facts_kept"]),
        f"{held['dropped_sentences']} + {held['doubled_sentences']}",
        DASH if costs["seconds"] is None else f"{costs['seconds']:.2f}",
        DASH if costs["yen_per_thousand"] is None else f"{costs['yen_per_thousand']:,.0f}",
    ]


def _clean(row: Mapping[str, Any], scorer: str) -> str:
    """The score on the pairs that no lesson gives away."""
    if not row["clean"]:
        return DASH
    score = row["clean"][scorer]
    return f"{score['value']:.1f} ({score['low']:.1f}–{score['high']:.1f})"


def _gain(row: Mapping[str, Any], scorer: str, over: str) -> str:
    found = next((gain for gain in row["gains"] if (gain["scorer"], gain["over"]) == (scorer, over)), None)
    return DASH if found is None else f"{found['value']:+.1f} ({found['low']:+.1f}～{found['high']:+.1f})"


def write_board(path: Path, found: Mapping[str, Any], results: Results) -> None:
    """Write the page of one leaderboard, as `leaderboard.json` holds it, with every output of `results`."""
    months = found["months"]
    span = f"（{months['first']} – {months['last']}）" if months else ""
    lead = Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        "<h1>候補の比較<small>Leaderboard</small></h1>"
        '<p class="lead">試験 {} 件{}・候補 {}</p></header>'
    ).format(count(found["exam_n"]), span, _candidates(found))
    shown = [name for name in found["order"] if name != "draft"]  # the draft stands beside each output
    parts = [
        lead,
        _statement(found),
        _clean_statement(found),
        _table(found),
        _charts(found),
        panel_section(found["panel"], _words),
        *(_part(found, dimension) for dimension in _DIMENSIONS),
        discipline_section(results, _short),
        _comparisons(found),
        _outside(found),
        _failed(found),
        _reading(found),
        every_output(results, shown, _words),
    ]
    style = resources.files("tensaku.evaluate.report").joinpath("style.css").read_text(encoding="utf-8")
    path.write_text(
        page("添削 候補の比較 Tensaku leaderboard", parts, style + _NARROW + filter_rules(results, shown)),
        encoding="utf-8",
    )


def _statement(found: Mapping[str, Any]) -> Markup:
    """Who leads, and who cannot be told apart from the leader."""
    leaders = found["groups"][0]
    names = "、".join(map(_words, leaders))
    if len(leaders) == 1:
        japanese = Markup("<b>{}</b> が首位で、ほかのどれとも区別できる。").format(names)
        english = "leads, and is told apart from all others"
    else:
        japanese = Markup("首位の組は <b>{}</b>。この試験の大きさでは互いに区別できない。").format(names)
        english = "lead, and cannot be told apart on an exam of this size"
    return Markup('<p class="statement">{}<small>{} {}: {}.</small></p>').format(
        japanese, ", ".join(leaders), english, found["scorer"]
    )


def _candidates(found: Mapping[str, Any]) -> int:
    return sum(row["name"] not in MODELLESS for row in found["rows"]) + len(found["failed"])


def _clean_statement(found: Mapping[str, Any]) -> Markup:
    """Whether the order holds on the pairs that no lesson gives away."""
    n, caught, order = (found["clean"][key] for key in ("n", "caught", "order"))
    if not caught:
        japanese, english = "学習用の対と重なる試験の対はない。", "No pair of the exam overlaps a lesson."
    elif not n:
        japanese = "試験のどの対も学習用と重なる。重なりのない部分の得点は出せない。"
        english = "Every pair of the exam overlaps a lesson: there is no clean part to score."
    elif order == found["order"]:
        japanese = f"学習用と重なる {caught} 件を除いた {n} 件でも、順位は変わらない。"
        english = f"The order is the same on the {n} pairs that do not overlap a lesson ({caught} do)."
    else:
        japanese = f"学習用と重なる {caught} 件を除いた {n} 件では、順位が変わる: {'、'.join(map(_words, order))}。"
        english = f"On the {n} pairs that do not overlap a lesson the order is another: {', '.join(order)}."
    return Markup('<p class="statement">{}<small>{}</small></p>').format(japanese, english)


def _table(found: Mapping[str, Any]) -> Markup:
    heads = [Markup("{}<small>{}</small>").format(*head) for head in HEADS]
    rows = []
    for row in found["rows"]:
        cells: list[Any] = list(board_cells(row, found["scorer"]))
        cells[2] = _name(row)
        cells[3:7] = [_two_lines(cell) for cell in cells[3:7]]
        rows.append(cells)
    note = Markup(
        "<p>得点は {}（95 % 区間）。同じ組の文字を持つ候補は互いに区別できない"
        "（無作為化検定、全組合せを Holm の方法で補正、有意水準 {}）。"
        "<small>Candidates that share a letter cannot be told apart: approximate randomisation, all pairs corrected by "
        "Holm's rule.</small></p>"
    ).format(scorer_name(found["scorer"]), found["alpha"])
    return section("順位", "Side by side", grid(heads, rows, numbers_from=3) + note)


def _name(row: Mapping[str, Any]) -> Markup:
    if row["name"] in MODELLESS:
        return row_name(row["name"])
    return Markup("<b>{}</b><small>{}</small>").format(row["name"], row["about"])


def _two_lines(cell: str) -> Markup:
    """A figure with its interval beneath."""
    value, _, interval = cell.partition(" (")
    return Markup("<b>{}</b><small>{}</small>").format(value, interval.removesuffix(")"))


def _charts(found: Mapping[str, Any]) -> Markup:
    """One chart a scorer, the rows in the order of the table."""
    charts = []
    for label in found["signatures"]:
        bars = [_bar(row, label) for row in found["rows"]]
        title = scorer_name(label) + ("（低いほどよい）" if label in found["lower_is_better"] else "")
        charts.append(Markup('<div class="chart">{}</div>').format(bar_chart(title, bars, top=scale_end(bars))))
    signatures = Markup().join(
        Markup("<dt>{}</dt><dd><code>{}</code></dd>").format(scorer_name(label), signature)
        for label, signature in found["signatures"].items()
    )
    body = Markup('<div class="charts">{}</div><dl class="keys">{}</dl>').format(Markup().join(charts), signatures)
    return section("得点", "Scores, with 95 % intervals", body)


def _bar(row: Mapping[str, Any], label: str) -> Bar:
    score = row["scores"][label]
    return Bar(_short(row["name"]), _style(row["name"]), score["value"], score["low"], score["high"])


def _words(name: str) -> str:
    """What a row is called; a candidate as the task file calls it, be it `base` or `tuned`."""
    return row_words(name) if name in MODELLESS else name


def _short(name: str) -> str:
    shown = _words(name)
    return shown if len(shown) <= 13 else shown[:12] + "…"


def _style(name: str) -> str:
    return name if name in MODELLESS else "tuned"


def _part(found: Mapping[str, Any], dimension: str) -> Markup:
    """One table: the parts of the exam down, the rows across; the best of each part marked."""
    held: Sequence[Mapping[str, Any]] = found["by"][dimension]
    names = [row["name"] for row in found["rows"]]
    lower = found["scorer"] in found["lower_is_better"]
    rows = []
    for part in dict.fromkeys(one["part"] for one in held):
        figures = {one["row"]: one for one in held if one["part"] == part}
        values = [one["value"] for one in figures.values()]
        best = min(values) if lower else max(values)
        n = next(iter(figures.values()))["n"]
        cells: list[Any] = [SECTIONS["ja"].get(part, part) or DASH, f"{n}*" if n < _FEW else count(n)]
        for name in names:
            one = figures[name]
            value = _figure(one["value"], one["value"] == best)
            cells.append(Markup("{}<small>{:.1f} – {:.1f}</small>").format(value, one["low"], one["high"]))
        rows.append(cells)
    heads: list[Any] = ["", "件 n", *(_short(name) for name in names)]
    few = any(one["n"] < _FEW for one in held)
    note = (
        Markup("<p>* 5 件未満の値はほとんど何も語らない。<small>Fewer than five say little.</small></p>") if few else ""
    )
    return section(*_DIMENSIONS[dimension], grid(heads, rows) + note)


def _figure(value: float, best: bool) -> Markup:
    return Markup("<b>{:.1f}</b>").format(value) if best else Markup("{:.1f}").format(value)


def _comparisons(found: Mapping[str, Any]) -> Markup:
    """Every two rows: the p-value after correction."""
    heads = [Markup("よい方<small>better</small>"), Markup("悪い方<small>worse</small>"),
             Markup("p 値<small>by Holm's rule</small>"), Markup("区別<small>told apart</small>")]  # fmt: skip
    rows = [
        [
            _short(one["better"]),
            _short(one["worse"]),
            p_value(one["p"]),
            "できる" if one["p"] < found["alpha"] else DASH,
        ]
        for one in found["apart"]
    ]
    return section("すべての組合せ", "Every comparison", grid(heads, rows, numbers_from=2))


def _outside(found: Mapping[str, Any]) -> Markup:
    """Candidates that the drafts were sent to, and who allowed it."""
    sent = [(row["name"], row["about"], row["consent"]) for row in found["rows"] if row["consent"]]
    if not sent:
        return Markup()
    heads = [Markup("候補<small>candidate</small>"), Markup("送り先<small>sent to</small>"),
             Markup("承認<small>allowed by</small>")]  # fmt: skip
    return section("社外へ送った原稿", "Drafts that left the house", grid(heads, sent, numbers_from=3))


def _failed(found: Mapping[str, Any]) -> Markup:
    failed = [(one["name"], one["why"]) for one in found["failed"]]
    if found["judge_failed"]:
        failed.append(("判定モデル judge", found["judge_failed"]))
    if not failed:
        return Markup()
    items = Markup().join(Markup("<li><b>{}</b>: {}</li>").format(*one) for one in failed)
    return section("答えられなかったもの", "What failed", Markup("<ul>{}</ul>").format(items))


def _reading(found: Mapping[str, Any]) -> Markup:
    notes = [
        ("原稿のまま・規則だけ", "モデルを使わない二つの行。これを超えない候補は、使う理由がない。"),
        (
            "組",
            "差が偶然でも起こりうる候補は同じ文字を持つ。順位の幅（1–3 など）は、組の中で入れ替わりうる範囲。",
        ),
        (
            "p 値",
            f"二つの候補の出力を対ごとに無作為に入れ替え、同じ大きさの差が出る割合（{found['trials']:,} 回）。",
        ),
        ("区間", "試験の対を引き直して得た 95 % の幅。"),
        (
            "重なりを除く",
            "学習用と重なる対を試験から除いた得点。全体の得点から大きく下がる候補は、覚えた文に助けられた疑いがある。",
        ),
    ]
    listed = Markup().join(Markup("<dt>{}</dt><dd>{}</dd>").format(*note) for note in notes)
    return section("読み方", "How to read this", Markup('<dl class="notes">{}</dl>').format(listed))
