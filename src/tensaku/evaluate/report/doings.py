"""The sections of the report that speak of what outputs do to their drafts, of the house style, and of costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tensaku.evaluate.edits import CHANGE_KINDS
from tensaku.evaluate.report.pieces import CHANGE_NAMES, DASH, row_name, row_words, scorer_name
from tensaku.evaluate.results import Results
from tensaku.evaluate.rewriting import Rule
from tensaku.report import count, grid, percent, section

__all__ = ["cost_section", "edit_section", "rule_section", "style_section"]


def edit_section(results: Results) -> Markup:
    """Needed changes made, missed, needless, wrong; by kind for the tuned model; sentences lost, repeated, moved."""
    heads = [
        "",
        Markup("直すべき箇所<small>wanted</small>"),
        Markup("正しい<small>right</small>"),
        Markup("誤り<small>wrong</small>"),
        Markup("直し漏れ<small>missed</small>"),
        Markup("余計<small>needless</small>"),
        Markup("適合率<small>precision</small>"),
        Markup("再現率<small>recall</small>"),
        Markup("F0.5<small>&nbsp;</small>"),
        Markup("直しすぎ<small>over-editing</small>"),
    ]
    rows = []
    for name, row in results.rows.items():
        held = row.summary["edits"]
        counts = [count(held[key]) for key in ("wanted", "right", "wrong", "missed", "needless")]
        rows.append([row_name(name), *counts, *_shares(held), percent(row.summary["over_editing"])])
    body = grid(heads, rows)
    alone = results.rows["draft"].summary["needs_nothing"]
    if alone:
        body += Markup(
            "<p>直す必要のない原稿は {} 件。そのまま残した割合: {}。"
            "<small>Drafts that need nothing, and the share left alone.</small></p>"
        ).format(count(alone), _left_alone(results))
    sentences = _headed("文の欠落・重複・順", "Sentences", _sentences(results))
    return section(
        "直し", "Changes to the draft", body + _headed("種類ごと", "By kind of change", _kinds(results)) + sentences
    )


def _shares(held: Mapping[str, Any]) -> list[str]:
    """Precision, recall and F0.5; a dash where nothing was made or wanted that it could be a share of."""
    return [
        percent(held["precision"]) if held["made"] else DASH,
        percent(held["recall"]) if held["wanted"] else DASH,
        f"{100 * held['f0.5']:.1f}" if held["made"] or held["wanted"] else DASH,
    ]


def _left_alone(results: Results) -> str:
    told = [
        f"{row_words(name)} {percent(row.summary['left_alone'])}"
        for name, row in results.rows.items()
        if row.summary["left_alone"] is not None
    ]
    return "、".join(told)


def _headed(title: str, english: str, body: Markup) -> Markup:
    return Markup('<h3 class="within">{}<small>{}</small></h3>{}').format(title, english, body)


def _kinds(results: Results) -> Markup:
    """The rules and the tuned model side by side, by kind of change; how places are cut depends on the output too."""
    shown = [name for name in ("rules", "tuned") if name in results.rows]
    heads: list[Any] = [Markup("直しの種類<small>kind of change</small>")]
    for name in shown:
        told = ("箇所 wanted", "適合率 precision", "再現率 recall", "F0.5")
        heads += [Markup("{}<small>{}</small>").format(_short(name), what) for what in told]
    rows = []
    for kind in CHANGE_KINDS:
        held = [results.rows[name].summary["edits_by_kind"][kind] for name in shown]
        if any(one["wanted"] or one["made"] for one in held):
            cells: list[Any] = [Markup("{}<small>{}</small>").format(*CHANGE_NAMES[kind])]
            rows.append([*cells, *(cell for one in held for cell in (count(one["wanted"]), *_shares(one)))])
    return grid(heads, rows)


def _short(name: str) -> str:
    return {"rules": "規則だけ", "tuned": "調整済み"}.get(name, name)


def _sentences(results: Results) -> Markup:
    heads = [
        Markup("文<small>sentences (outputs)</small>"),
        Markup("欠落した文<small>dropped</small>"),
        Markup("重複した文<small>doubled</small>"),
        Markup("順の違う文<small>reordered</small>"),
        Markup("打ち切り<small>cut off</small>"),
    ]
    rows = []
    for name, row in results.rows.items():
        held = row.summary
        rows.append([
            row_name(name),
            f"{held['dropped_sentences']} ({held['outputs_with_dropped']})",
            f"{held['doubled_sentences']} ({held['outputs_with_doubled']})",
            held["reordered_sentences"],
            row.cut_off,
        ])  # fmt: skip
    return grid(heads, rows)


def style_section(results: Results) -> Markup:
    """House-style violations, rule by rule: in the drafts, in every row, in the house's own finals."""
    if not results.style:
        return Markup()
    names = list(results.rows)
    heads: list[Any] = [Markup("文体の規則<small>rule of the house style</small>"), *map(row_name, names)]
    heads.append(Markup("公表文<small>the house's finals</small>"))
    held = [results.rows[name].summary["style"] for name in names] + [results.reference_style]
    rows = [
        [rule, *(_broken(one.get(rule, 0)) for one in held)]
        for rule in results.style
        if any(rule in one for one in held)
    ]
    rows.append([Markup("<b>計</b><small>all</small>"), *(_broken(sum(one.values())) for one in held)])
    note = Markup(
        "<p>直す前（原稿のまま）と後。公表文の列が 0 でない規則は、規則のほうが粗い。"
        "<small>Before and after. A rule that the house's own finals break is too coarse.</small></p>"
    )
    return section("文体基準の違反", "Violations of the house style", grid(heads, rows) + note)


def _broken(n: int) -> Markup:
    return Markup('<span class="{}">{}</span>').format("bad" if n else "good", count(n))


def cost_section(results: Results) -> Markup:
    """Speed, wait, memory, energy and money of every row that a model answered, beside its first score."""
    heads = [
        "",
        Markup("{}<small>score</small>").format(scorer_name(results.first)),
        Markup("生成速度<small>tokens/s</small>"),
        Markup("1 件の時間<small>s a comment</small>"),
        Markup("最初の語まで<small>first token, s</small>"),
        Markup("メモリー<small>MB</small>"),
        Markup("電力量<small>J a comment</small>"),
        Markup("千件の費用<small>yen / 1,000</small>"),
    ]
    rows = []
    for name, row in results.rows.items():
        costs = row.costs
        told = [_told(row.tokens_per_second or None, 1), _told(costs.seconds, 2), _told(costs.first_token, 2)]
        told += [_told(costs.memory_mb, 0), _told(costs.joules, 1), _told(costs.yen_per_thousand, 0)]
        rows.append([row_name(name), f"{row.scores[results.first].value:.1f}", *told])
    note = Markup(
        "<p>— は、この機械では測れないか、設定がないもの。費用は evaluate.yen_per_hour から。"
        "<small>A dash: the machine does not tell, or nothing was set. Memory is that of the whole process, after "
        "answering.</small></p>"
    )
    return section("費用", "Costs", grid(heads, rows) + note)


def _told(value: float | None, decimals: int) -> str:
    return DASH if value is None else f"{value:,.{decimals}f}"


def rule_section(rules: Sequence[Rule], most: int = 20) -> Markup:
    """The replacements behind the row `rules`, the most saving first."""
    if not rules:
        return Markup()
    heads = [Markup("原稿の語<small>in the draft</small>"), Markup("書き換え<small>becomes</small>"),
             Markup("減らした文字編集<small>character edits saved in the lessons</small>")]  # fmt: skip
    rows = [[rule.old, rule.new or "（削る）", count(rule.saves)] for rule in rules[:most]]
    lead = Markup(
        "<p>学習用の対から掘り出した {} の置き換え。うち効き目の大きい {} を示す。"
        "<small>Replacements mined from the lessons; how many to keep was settled on lessons held out.</small></p>"
    ).format(len(rules), len(rows))
    return section("規則だけの行の中身", "What the row of rules does", lead + grid(heads, rows, numbers_from=2))
