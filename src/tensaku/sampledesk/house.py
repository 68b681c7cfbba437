"""The house's wording: each statement has exactly one, by the numbered rules of house-style.md.

Nothing here is random: the final follows from the statements and from the fund and month that the draft is filed under.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensaku.sampledesk.content import (
    Breakdown,
    Cause,
    Contribution,
    Currency,
    Fund,
    Maturity,
    Performance,
    Policy,
    RateDecision,
    Result,
    Risk,
    Statement,
    Trade,
    View,
)
from tensaku.sampledesk.japanese import past, stem

__all__ = ["final"]


def final(statements: Sequence[Statement], fund: Fund, as_of: str) -> str:
    """The published comment. `statements` stand in the house's order (rules 26, 27, 28) and each fills one sentence."""
    return "".join(_sentence(statement, fund, as_of) for statement in statements)


def _sentence(statement: Statement, fund: Fund, as_of: str) -> str:  # noqa: C901  one case for each kind
    match statement:
        case Result():
            return _result(statement, fund, as_of)
        case RateDecision():
            return _rate_decision(statement)
        case Cause():
            return _cause(statement)
        case Breakdown():
            return _breakdown(statement)
        case Maturity():
            return _maturity(statement)
        case Currency():
            return _currency(statement)
        case Performance():
            return _performance(statement, as_of)
        case Contribution():
            return _contribution(statement)
        case Trade():
            return _trade(statement)
        case View():
            return _view(statement, fund)
        case Risk():
            return _risk(statement)
        case Policy():
            return _policy(statement)


def _when(dated: bool, as_of: str) -> str:
    """Rules 9 and 10: the Western year with 年 and 月, or 当月."""
    year, month = as_of.split("-")
    return f"{year}年{int(month)}月" if dated else "当月"


def _result(s: Result, fund: Fund, as_of: str) -> str:
    """Rules 19 (the market is named), 22 (上昇, 下落), 29 (rate of change inside the sentence), 30 (closing level)."""
    head = f"{_when(s.dated, as_of)}の{fund.label}は{s.percent}%"
    verb = "上昇する" if s.up else "下落する"
    if not s.index:
        return f"{head}{past(verb)}。"
    if s.yield_up is None:
        return f"{head}{stem(verb)}、{s.index}は{s.level}で月末を迎えた。"
    return f"{head}{stem(verb)}、{s.index}は{s.level}に{'上昇' if s.yield_up else '低下'}した。"


def _rate_decision(s: RateDecision) -> str:
    """Rule 34: bank, meeting, rate, in this order."""
    verb = {"up": "に引き上げた", "down": "に引き下げた", "none": "に据え置いた"}[s.move]
    return f"{s.bank}は{s.meeting}で政策金利を{s.rate}%{verb}。"


def _cause(s: Cause) -> str:
    """Rules 31 (ことから) and 32 (ものの): cause and effect stand in one sentence."""
    link = "ものの" if s.although else "ことから"
    return f"{s.first.subject}{past(s.first.verb)}{link}、{s.then.subject}{past(s.then.verb)}。"


def _breakdown(s: Breakdown) -> str:
    """Rule 33: risers, then fallers, joined by 一方."""
    return f"{s.by}では、{'や'.join(s.up)}が上昇した一方、{'や'.join(s.down)}が下落した。"


def _maturity(s: Maturity) -> str:
    """Rule 33: the maturity whose yield moved most."""
    return f"年限別では、{s.segment}の利回り{'上昇' if s.yield_up else '低下'}が目立った。"


def _currency(s: Currency) -> str:
    """Rule 35: direction of the yen, then the rate as 1ドル=148円."""
    return f"為替市場では{'円安' if s.weak else '円高'}が進み、1ドル={s.rate}円となった。"


def _performance(s: Performance, as_of: str) -> str:
    """Rule 36: fund, benchmark and gap in one sentence."""
    verb = "上回った" if s.ahead else "下回った"
    return (
        f"{_when(s.dated, as_of)}の当ファンドの騰落率は{s.fund}%となり、"
        f"ベンチマークの{s.benchmark}%を{s.gap}ポイント{verb}。"
    )


def _contribution(s: Contribution) -> str:
    """Rule 37: what helped, then what hurt."""
    if s.plus and s.minus:
        return f"{s.plus}がプラスに寄与した一方、{s.minus}がマイナスに影響した。"
    return f"{s.plus}がプラスに寄与した。" if s.plus else f"{s.minus}がマイナスに影響した。"


def _trade(s: Trade) -> str:
    """Rule 38: 売買では、; what was raised, then what was lowered."""
    if not s.bought:
        return "売買では、組入比率の大きな変更は行わなかった。"
    return f"売買では、{s.bought}の組入比率を引き上げ、{s.sold}の組入比率を引き下げた。"


def _view(s: View, fund: Fund) -> str:
    """Rules 20 (the market is named), 39 (とみている), 40 (背景に), 43 (a promise becomes と考えられる)."""
    end = "と考えられる" if s.promised else "とみている"
    grounds = "や".join(s.grounds)
    if not s.against:
        return f"{fund.label}は、{grounds}を背景に{s.path}{end}。"
    turn = "が重しとなる" if s.up else "が支えとなる"
    return f"{fund.label}は、{s.against}{turn}ものの、{grounds}を背景に{s.path}{end}。"


def _risk(s: Risk) -> str:
    """Rule 41: ただし、 ... には留意が必要である。"""
    return f"ただし、{'や'.join(s.what)}には留意が必要である。"


def _policy(s: Policy) -> str:
    """Rules 21 (当ファンドでは、) and 42 (方針である)."""
    return f"当ファンドでは、{s.act.subject}{s.act.verb}方針である。"
