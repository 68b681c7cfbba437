"""What people and the judge say of the candidates, as a section of the leaderboard's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from tensaku.evaluate.report.pieces import DASH, row_words
from tensaku.report import grid, percent, section

__all__ = ["panel_section"]

_ANSWERS = {
    "choice": (
        "判定モデルには、理由を書かせず、決められた答えの一つだけを書かせた。",
        "The judge may write nothing but one of the given answers.",
    ),
    "likelihood": (
        "判定モデルには何も書かせていない。基盤モデルが 1 文字あたりでよりもっともらしいとする出力を、よい方とした。",
        "The judge writes nothing: the better output is the one that the base model holds likelier, per character.",
    ),
}
_WHO = {"people": ("人の読み比べ", "Blind reading by people"), "judge": ("判定モデル", "The judge")}


def panel_section(found: Mapping[str, Any], called: Callable[[str], str] = str) -> Markup:
    """Strengths by people's and by the judge's votes, bias and agreement; nothing if nobody voted.

    Args:
        called: what a row is called; `draft` and `reference` have their own words.
    """
    if not found:
        return Markup()
    names = _Names(called)
    parts = [_votes(who, found[who], names) for who in _WHO if who in found]
    parts.append(_bias(found, names))
    if "judge" in found:
        parts.append(_grades(found["judge"]["sealed"], names))
    parts.append(_agreement(found))
    return section("読み比べと判定", "Read blind, and judged by a model", Markup().join(parts))


class _Names(NamedTuple):
    called: Callable[[str], str]

    def __call__(self, name: str) -> str:
        return {"draft": row_words("draft"), "reference": "公表文"}.get(name) or self.called(name)


def _votes(who: str, held: Mapping[str, Any], names: _Names) -> Markup:
    title = Markup('<h3 class="within">{}<small>{}</small></h3>').format(*_WHO[who])
    ranking = held["ranking"]
    if ranking is None:
        return title + Markup("<p>順位はまだ出せない。<small>{}</small></p>").format(held["why_not"])
    heads = [
        "", Markup("候補<small>candidate</small>"), Markup("強さ<small>strength (log), 95 %</small>"),
        Markup("勝率<small>win rate, a tie is half</small>"), Markup("票<small>votes</small>"),
        Markup("次より強い確からしさ<small>ahead of the next</small>"),
    ]  # fmt: skip
    rows = [
        [
            place,
            names(one["name"]),
            Markup("<b>{:+.2f}</b><small>{:+.2f} – {:+.2f}</small>").format(one["strength"], one["low"], one["high"]),
            f"{100 * one['win_rate']:.1f} %",
            f"{one['votes']:g}",
            DASH if one["ahead"] is None else percent(one["ahead"]),
        ]
        for place, one in enumerate(ranking["candidates"], 1)
    ]
    note = Markup(
        "<p>Bradley-Terry（引き分けは {}）。{:g} 票、うち引き分け {:g}。区間は{}から。{}"
        "<small>Bradley-Terry, ties by {}; {:g} votes, {:g} of them ties; intervals: {}.</small></p>"
    ).format(
        ranking["tie_rule"], ranking["votes"], ranking["ties"],
        "原稿ごとの引き直し" if "resamples" in ranking["intervals"] else "尤度の曲がり",
        "全勝か全敗の候補があるため、すべての組に半勝ずつを足した。" if ranking["bounded"] else "",
        ranking["tie_rule"], ranking["votes"], ranking["ties"], ranking["intervals"],
    )  # fmt: skip
    return title + grid(heads, rows, numbers_from=2) + note


def _share(held: Mapping[str, Any]) -> Markup:
    if held["share"] is None:
        return escape(DASH)
    return Markup("<b>{}</b><small>{:.0f} – {:.0f} %, {}/{}</small>").format(
        percent(held["share"]), 100 * held["low"], 100 * held["high"], held["k"], held["n"]
    )


def _bias(found: Mapping[str, Any], names: _Names) -> Markup:
    """Side, ties and self-preference, who by who."""
    heads = [
        "", Markup("左（先）の勝ち<small>left wins; 50 % is without bias</small>"),
        Markup("順を替えても同じ<small>same in both orders</small>"),
        Markup("位置だけで決定<small>the side alone decided</small>"), Markup("引き分け<small>ties</small>"),
    ]  # fmt: skip
    rows = []
    for who, (japanese, english) in _WHO.items():
        if who in found:
            bias = found[who]["bias"]
            cells = [_share(bias[key]) for key in ("left", "consistent", "by_side", "ties")]
            rows.append([Markup("{}<small>{}</small>").format(japanese, english), *cells])
    shown = Markup('<h3 class="within">偏り<small>Bias</small></h3>') + grid(heads, rows)
    if "judge" not in found:
        return shown
    sealed = found["judge"]["sealed"]
    if sealed["answers"] in _ANSWERS:
        shown += Markup("<p>{}<small>{}</small></p>").format(*_ANSWERS[sealed["answers"]])
    lost = sum(sealed["unusable"].values())
    shown += Markup(
        "<p>判定モデルの答えのうち、判定を読み取れないもの {} / {}（推測せず、数えるだけ）。"
        "<small>Answers of the judge without one plain verdict: {} of {}; counted, never guessed.</small></p>"
    ).format(lost, lost + sealed["verdicts"], lost, lost + sealed["verdicts"])
    for own in sealed["itself"]:
        if own["preference"] is not None:
            shown += Markup(
                "<p>自己選好: 判定モデル自身の出力 {} を選ぶ割合 {}、公表文に近い方を選べば {}"
                "（差 {:+.1f} ポイント）。"
                "<small>Self-preference, beside the share by nearness to the reference.</small></p>"
            ).format(
                names(own["name"]), percent(own["judge"]["share"]), percent(own["yardstick"]["share"]),
                100 * own["preference"],
            )  # fmt: skip
    return shown


def _grades(sealed: Mapping[str, Any], names: _Names) -> Markup:
    if not sealed["grades"]:
        return Markup()
    heads = ["", Markup("平均<small>mean of 1 to 5</small>"), "1", "2", "3", "4", "5"]
    rows = []
    for name, held in sealed["grades"].items():
        mean = DASH if held["mean"] is None else f"{held['mean']:.2f}"
        if held["low"] is not None:
            mean = Markup("<b>{}</b><small>{:.2f} – {:.2f}</small>").format(mean, held["low"], held["high"])
        rows.append([names(name), mean, *held["given"]])
    note = Markup("<p>読み取れない評価 {} 件。<small>Without one plain grade.</small></p>").format(
        sum(sealed["ungraded"].values())
    )
    return Markup('<h3 class="within">5 段階評価<small>Grades by the judge</small></h3>') + grid(heads, rows) + note


def _agreement(found: Mapping[str, Any]) -> Markup:
    """Among people, of the judge with most people, of the judge with nearness to the reference."""
    sources = [
        ("人どうし", "people among themselves", found.get("agreement")),
        ("判定モデルと多数意見", "judge and most people", found.get("judge_people")),
        ("判定モデルと公表文への近さ", "judge and nearness to the reference",
         found["judge"]["sealed"]["nearer"] if "judge" in found else None),
    ]  # fmt: skip
    rows = []
    for japanese, english, held in sources:
        if held is not None:
            kappas = [k for *_, k in held["kappas"] if k is not None]
            shown = (
                ""
                if not kappas
                else f"{min(kappas):.2f} – {max(kappas):.2f}"
                if len(kappas) > 1
                else f"{kappas[0]:.2f}"
            )
            rows.append(
                [
                    Markup("{}<small>{}</small>").format(japanese, english), held["comparisons"],
                    DASH if held["same"] is None else percent(held["same"]), shown,
                    DASH if held["alpha"] is None else f"{held['alpha']:.2f}",
                ]
            )  # fmt: skip
    heads = [
        "", Markup("共通の組<small>comparisons</small>"), Markup("一致<small>same answer</small>"),
        Markup("κ<small>Cohen</small>"), Markup("α<small>Krippendorff</small>"),
    ]  # fmt: skip
    return Markup('<h3 class="within">一致度<small>Agreement</small></h3>') + grid(heads, rows)
