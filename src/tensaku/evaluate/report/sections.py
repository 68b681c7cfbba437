"""The sections of the report that speak of figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tensaku.evaluate.findings import KINDS
from tensaku.evaluate.report.pieces import KIND_NAMES, ROW_NAMES, row_name, scorer_name
from tensaku.evaluate.results import Results, Row
from tensaku.evaluate.scoring import Gain
from tensaku.report import Bar, Figure, bar_chart, cards, count, grid, percent, section, strip

__all__ = ["edit_section", "fact_section", "opening", "reading_section", "score_section", "training_facts"]


def _gain(results: Results, label: str, row: str) -> Gain | None:
    return next((gain for gain in results.gains if (gain.scorer, gain.row) == (label, row)), None)


def opening(results: Results, exam: Mapping[str, Any]) -> Markup:
    """The head of the report: what was examined, and the four figures that matter most."""
    tuned, draft, first = results.rows["tuned"], results.rows["draft"], results.first
    months = exam.get("months", {})
    span = f"{months.get('first', '')} – {months.get('last', '')}" if months else ""
    figures = [
        Figure(
            scorer_name(first),
            f"{tuned.scores[first].value:.1f}",
            f"原稿のまま {draft.scores[first].value:.1f} から",
            "from the untouched draft",
        ),
        Figure(
            "事実の保持",
            percent(tuned.summary["facts_kept"]),
            "数値・日付・名称・否定がすべて残った出力",
            "outputs that keep every fact",
        ),
        Figure(
            "欠落と重複",
            f"{tuned.summary['dropped_sentences']} + {tuned.summary['doubled_sentences']}",
            f"試験 {count(len(results.pairs))} 件の中の文の数",
            "sentences dropped + doubled",
        ),
        Figure(
            "完全一致", percent(tuned.summary["exact"]), "公表文と一字も違わない出力", "outputs equal to the reference"
        ),
    ]
    return Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        "<h1>評価報告書<small>Evaluation report</small></h1>"
        '<p class="lead">試験 {} 件{}</p></header>{}{}'
    ).format(count(len(results.pairs)), f"（{span}）" if span else "", cards(figures), _statement(results))


def _statement(results: Results) -> Markup:
    """The outcome in one sentence, with its certainty."""
    gain = _gain(results, results.first, "tuned")
    if gain is None:
        return Markup()
    sure = gain.low > 0
    japanese = "原稿のままより高い" if sure else "原稿のままと区別できない" if gain.high > 0 else "原稿のままより低い"
    english = "better than" if sure else "not told apart from" if gain.high > 0 else "worse than"
    return Markup(
        '<p class="statement">調整済みモデルの {}は{}。差は <b>{:+.1f}</b>（95 % 区間 {:+.1f} から {:+.1f}）。'
        "<small>The tuned model is {} the untouched draft: {:+.1f} points, 95 % interval {:+.1f} to {:+.1f}, paired "
        "bootstrap.</small></p>"
    ).format(
        scorer_name(results.first), japanese, gain.value, gain.low, gain.high, english, gain.value, gain.low, gain.high
    )


def score_section(results: Results) -> Markup:
    """Bars and table of every scorer, with intervals, gains and signatures."""
    labels = list(results.rows["tuned"].scores)
    charts = Markup().join(
        Markup('<div class="chart">{}</div>').format(
            bar_chart(scorer_name(label), [_bar(row, label) for row in results.rows.values()])
        )
        for label in labels
    )
    rows = []
    for name, row in results.rows.items():
        cells = [row_name(name), count(len(row.answers))]
        cells += [_score_cell(results, row, label) for label in labels]
        rows.append([*cells, f"{row.tokens_per_second:.1f}" if row.tokens_per_second else "—"])
    heads = ["", "件 n", *map(scorer_name, labels), Markup("生成速度<small>tokens/s</small>")]
    signatures = Markup().join(
        Markup("<dt>{}</dt><dd><code>{}</code></dd>").format(scorer_name(label), score.signature)
        for label, score in results.rows["tuned"].scores.items()
    )
    notes = Markup('<dl class="keys">{}</dl>').format(signatures)
    sampled = len(results.rows["base"].answers) < len(results.pairs)
    if sampled:
        notes += Markup(
            "<p>基盤モデルは試験から等間隔に選んだ {} 件だけに答えた。"
            "<small>The base model answered an even sample only.</small></p>"
        ).format(len(results.rows["base"].answers))
    return section(
        "得点",
        "Scores, with 95 % intervals",
        Markup('<div class="charts">{}</div>').format(charts) + grid(heads, rows) + notes,
    )


def _bar(row: Row, label: str) -> Bar:
    score = row.scores[label]
    return Bar(ROW_NAMES.get(row.name, (row.name, ""))[0], row.name, score.value, score.low or 0.0, score.high or 0.0)


def _score_cell(results: Results, row: Row, label: str) -> Markup:
    score, gain = row.scores[label], _gain(results, label, row.name)
    beside = (
        Markup(' <i class="{}">{:+.1f}</i>').format("bad" if gain.value < 0 else "gain", gain.value)
        if gain
        else Markup()
    )
    return Markup("<b>{:.1f}</b>{}<small>{:.1f} – {:.1f}</small>").format(
        score.value, beside, score.low or 0.0, score.high or 0.0
    )


def fact_section(results: Results) -> Markup:
    """Facts by kind: how many the drafts hold, how many went missing, how many were added."""
    answered = [name for name in ("base", "tuned") if name in results.rows]
    heads: list[Any] = ["事実の種類 kind", "原稿にある数"]
    for name in answered:
        heads.append(Markup("{}<small>消えた / 現れた</small>").format(ROW_NAMES[name][0]))
    heads.append(Markup("公表文そのもの<small>消えた / 現れた</small>"))
    rows = []
    for kind in KINDS:
        held = results.reference_kinds.get(kind, {})
        cells: list[Any] = [Markup("{}<small>{}</small>").format(*KIND_NAMES[kind]), count(held.get("facts", 0))]
        cells += [_broken(results.rows[name].kinds[kind]) for name in answered]
        rows.append([*cells, _broken(held)])
    shares = [percent(results.rows[name].summary["facts_kept"]) for name in answered] + [
        percent(results.reference_kept)
    ]
    rows.append(
        [
            Markup("<b>すべて残った出力</b><small>outputs that keep all</small>"),
            "",
            *(Markup("<b>{}</b>").format(s) for s in shares),
        ]
    )
    note = Markup(
        "<p>番人（事実の照合）が手を入れる前の数。右端は、人の書いた公表文を同じ物差しで測ったもの。"
        "<small>Counted before the guard marks anything. The last column measures the house's own finals by the same "
        "rule.</small></p>"
    )
    return section("事実", "Facts: missing / added against the draft", grid(heads, rows) + note)


def _broken(kind: Mapping[str, int]) -> Markup:
    missing, added = kind.get("missing", 0), kind.get("added", 0)
    style = "bad" if missing or added else "good"
    return Markup('<span class="{}">{} / {}</span>').format(style, missing, added)


def edit_section(results: Results) -> Markup:
    """Sentences lost and repeated, edits needless and missed."""
    heads = [
        "",
        Markup("欠落した文<small>dropped (outputs)</small>"),
        Markup("重複した文<small>doubled (outputs)</small>"),
        Markup("打ち切り<small>cut off</small>"),
        Markup("直すべき箇所<small>edits wanted</small>"),
        Markup("公表文どおり<small>right</small>"),
        Markup("直し漏れ<small>missed</small>"),
        Markup("余計な直し<small>needless</small>"),
    ]
    rows = []
    for name, row in results.rows.items():
        held, edits = row.summary, row.summary["edits"]
        rows.append([
            row_name(name),
            f"{held['dropped_sentences']} ({held['outputs_with_dropped']})",
            f"{held['doubled_sentences']} ({held['outputs_with_doubled']})",
            row.cut_off,
            *(count(edits[key]) for key in ("wanted", "right", "missed", "needless")),
        ])  # fmt: skip
    return section("文と直し", "Sentences and edits", grid(heads, rows))


def training_facts(facts: Mapping[str, Any]) -> Markup:
    """What the adapter's maker says of the training."""
    named = [
        ("steps", "ステップ", "{:,.0f}"),
        ("tune_seconds", "秒", "{:,.0f}"),
        ("tokens_per_second", "tokens/s", "{:,.0f}"),
        ("first_loss", "最初の損失", "{:.3f}"),
        ("last_loss", "最後の損失", "{:.3f}"),
        ("peak_memory_mb", "最大メモリ MB", "{:,.0f}"),
    ]
    held = [(label, form.format(facts[key])) for key, label, form in named if isinstance(facts.get(key), int | float)]
    return strip(held)


def reading_section(results: Results) -> Markup:
    """How to read the figures."""
    notes = [
        (
            "BLEU",
            "出力と公表文が、語（または文字）の連なりでどれだけ重なるか。0 から 100。原稿のままの値と比べて読む。",
        ),
        (
            "95 % 区間",
            f"試験の対を {len(results.pairs):,} 件ずつ引き直して得た幅。別の月で測れば値はこの程度動く。",
        ),
        ("事実の保持", "原稿の数値・割合・日付・単位・名称・否定が、出力に一つ残らずあり、増えてもいない出力の割合。"),
        ("欠落・重複", "公表文にあるのに出力にない文と、出力に二度現れる文。BLEU では見えにくい。"),
        (
            "直し漏れ・余計な直し",
            "公表文が原稿を変えた箇所で出力が何もしなかったもの、公表文が残した箇所を出力が変えたもの。",
        ),
    ]
    listed = Markup().join(Markup("<dt>{}</dt><dd>{}</dd>").format(*note) for note in notes)
    return section("読み方", "How to read this", Markup('<dl class="notes">{}</dl>').format(listed))
