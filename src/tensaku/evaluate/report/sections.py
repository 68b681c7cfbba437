"""The sections of the report that speak of figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tensaku.evaluate.findings import KINDS
from tensaku.evaluate.report.pieces import KIND_NAMES, row_name, row_words, scale_end, scorer_name
from tensaku.evaluate.results import Results, Row
from tensaku.evaluate.scoring import Gain, lower_is_better
from tensaku.report import Bar, Figure, bar_chart, cards, count, grid, percent, section, strip

__all__ = ["fact_section", "opening", "p_value", "reading_section", "score_section", "training_facts"]


def _gain(results: Results, label: str, row: str, over: str = "draft") -> Gain | None:
    return next((gain for gain in results.gains if (gain.scorer, gain.row, gain.over) == (label, row, over)), None)


def opening(results: Results, exam: Mapping[str, Any]) -> Markup:
    """The head of the report: what was examined, and the few figures that matter most."""
    tuned, draft, first = results.rows["tuned"], results.rows["draft"], results.first
    months = exam.get("months", {})
    span = f"{months.get('first', '')} – {months.get('last', '')}" if months else ""
    equal = Figure(
        "完全一致", percent(tuned.summary["exact"]), "公表文と一字も違わない出力", "outputs equal to the reference"
    )
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
        equal,
    ]
    if (majority := results.rows.get("majority")) is not None:  # of a label, facts and sentences say nothing
        figures = [
            Figure(
                scorer_name(first),
                f"{tuned.scores[first].value:.1f}",
                f"最頻の答えだけ {majority.scores[first].value:.1f} から",
                "from the most frequent answer alone",
            ),
            Figure(
                "正答",
                percent(tuned.summary["exact"]),
                f"最頻の答えだけなら {percent(majority.summary['exact'])}",
                "right answers, beside the most frequent answer alone",
            ),
        ]
    return Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        "<h1>評価報告書<small>Evaluation report</small></h1>"
        '<p class="lead">試験 {} 件{}</p></header>{}{}'
    ).format(count(len(results.pairs)), f"（{span}）" if span else "", cards(figures), _statement(results))


def _statement(results: Results) -> Markup:
    """The outcome, with its certainty: against the draft and what rules alone do, or the most frequent label."""
    overs = [(("原稿のまま", "the untouched draft"), "draft"), (("規則だけ", "rules alone"), "rules")]
    if "majority" in results.rows:
        overs = [(("最頻の答えだけ", "the most frequent answer alone"), "majority")]
    told = [
        _sentence(results, gain, *names)
        for names, over in overs
        if (gain := _gain(results, results.first, "tuned", over)) is not None
    ]
    return Markup().join(told)


def _sentence(results: Results, gain: Gain, over: str, english_over: str) -> Markup:
    better, worse = (gain.high < 0, gain.low > 0) if _lower(results, gain.scorer) else (gain.low > 0, gain.high < 0)
    japanese = "よりよい" if better else "より悪い" if worse else "と区別できない"
    english = "better than" if better else "worse than" if worse else "not told apart from"
    return Markup(
        '<p class="statement">調整済みモデルの {} は{}{}。差は <b>{:+.1f}</b>'
        "（95 % 区間 {:+.1f} から {:+.1f}、無作為化検定の p 値 {}）。"
        "<small>The tuned model is {} {}: {:+.1f} points; 95 % interval by paired bootstrap, p by approximate "
        "randomisation.</small></p>"
    ).format(
        scorer_name(gain.scorer), over, japanese, gain.value, gain.low, gain.high, p_value(gain.p_random), english,
        english_over, gain.value,
    )  # fmt: skip


def p_value(p: float) -> str:
    """A p-value as it is read."""
    return f"{p:.3f}" if p >= 0.001 else "0.001 未満"


def _lower(results: Results, label: str) -> bool:
    return lower_is_better(results.measured[label].scorer)


def _chart_title(results: Results, label: str) -> str:
    return scorer_name(label) + ("（低いほどよい）" if _lower(results, label) else "")


def score_section(results: Results) -> Markup:
    """Bars and table of every scorer, with intervals, gains and signatures."""
    labels = list(results.rows["tuned"].scores)
    charts = Markup().join(
        Markup('<div class="chart">{}</div>').format(bar_chart(_chart_title(results, label), bars, top=scale_end(bars)))
        for label in labels
        for bars in ([_bar(row, label) for row in results.rows.values()],)
    )
    rows = []
    for name, row in results.rows.items():
        cells = [row_name(name), count(len(row.answers))]
        cells += [_score_cell(results, row, label) for label in labels]
        rows.append(cells)
    heads = ["", "件 n", *(_head(results, label) for label in labels)]
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


def _head(results: Results, label: str) -> Markup:
    better = "低いほどよい" if _lower(results, label) else ""
    return Markup("{}<small>{}</small>").format(scorer_name(label), better)


def _bar(row: Row, label: str) -> Bar:
    score = row.scores[label]
    return Bar(row_words(row.name), row.name, score.value, score.low or 0.0, score.high or 0.0)


def _score_cell(results: Results, row: Row, label: str) -> Markup:
    score, gain = row.scores[label], _gain(results, label, row.name)
    beside = (
        Markup(' <i class="{}">{:+.1f}</i>').format(
            "bad" if (gain.value > 0) == _lower(results, label) and gain.value else "gain", gain.value
        )
        if gain
        else Markup()
    )
    return Markup("<b>{:.1f}</b>{}<small>{:.1f} – {:.1f}</small>").format(
        score.value, beside, score.low or 0.0, score.high or 0.0
    )


def fact_section(results: Results) -> Markup:
    """Facts by kind: how many the drafts hold, how many were lost, changed, added."""
    answered = [name for name in ("rules", "base", "tuned") if name in results.rows]
    heads: list[Any] = ["事実の種類 kind", "原稿にある数"]
    heads += [Markup("{}<small>消失・変化・追加</small>").format(row_words(name)) for name in answered]
    heads.append(Markup("公表文そのもの<small>消失・変化・追加</small>"))
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
        "<small>Lost / changed / added, counted before the guard marks anything. The last column measures the house's "
        "own finals by the same rule. Each place is in outputs.jsonl.</small></p>"
    )
    return section("事実", "Facts: lost / changed / added against the draft", grid(heads, rows) + note)


def _broken(kind: Mapping[str, int]) -> Markup:
    found = [kind.get(what, 0) for what in ("lost", "changed", "added")]
    return Markup('<span class="{}">{} / {} / {}</span>').format("bad" if any(found) else "good", *found)


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
            "試験の対を族ごとに引き直して得た幅。同じような原稿で測り直せば、値はこの程度動く。月が変わればさらに動きうる。",
        ),
        ("事実の保持", "原稿の数値・割合・日付・単位・名称・否定が、出力に一つ残らずあり、増えてもいない出力の割合。"),
        ("欠落・重複", "公表文にあるのに出力にない文と、出力に二度現れる文。BLEU では見えにくい。"),
        (
            "直しの F0.5",
            "直すべき箇所を公表文どおりに直したか（三つの文を語で並べて数える）。適合率を再現率の 2 倍重く見る。",
        ),
        (
            "打鍵",
            "出力を公表文にするまでの打鍵数の見積もり。消す文字は 1 打、打つ文字はローマ字読みと変換。",
        ),
        (
            "規則だけ",
            "学習用の対から掘り出した置き換えだけで原稿を書き直した行。モデルが要るかどうかは、この行との差でわかる。",
        ),
    ]
    listed = Markup().join(Markup("<dt>{}</dt><dd>{}</dd>").format(*note) for note in notes)
    return section("読み方", "How to read this", Markup('<dl class="notes">{}</dl>').format(listed))
