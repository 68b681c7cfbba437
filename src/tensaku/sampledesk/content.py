"""What there is to say: statements about a month, before anybody words them.

A comment is a list of statements in the order of the house style. Drafts (`voices`) and finals (`house`) word the same
statements, so a final says nothing that its draft does not say.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

from tensaku.sampledesk.market import Month

__all__ = [
    "Breakdown",
    "Cause",
    "Clause",
    "Contribution",
    "Currency",
    "Fund",
    "Maturity",
    "Performance",
    "Policy",
    "RateDecision",
    "Result",
    "Risk",
    "Statement",
    "Trade",
    "View",
    "compose",
    "funds",
    "table",
]


@dataclass(frozen=True, slots=True)
class Fund:
    """An invented fund: `label` is what the house calls its market, `by` how that market is split into segments."""

    id: str
    name: str
    label: str
    by: str
    suffix: str
    topics: tuple[str, ...]
    reaction: str
    grounds: str
    policy: str
    bank: str
    segments: tuple[str, ...]
    index: tuple[str, str, str] | None = None
    fx: bool = False


class Clause(NamedTuple):
    """A subject with its particle, and a verb in its dictionary form."""

    subject: str
    verb: str


@dataclass(frozen=True, slots=True)
class Result:
    """The market rose or fell by `percent`; `index` closed at `level`; `yield_up`: which way a yield went."""

    dated: bool
    percent: str
    up: bool
    index: str = ""
    level: str = ""
    yield_up: bool | None = None


@dataclass(frozen=True, slots=True)
class RateDecision:
    """A central bank's decision at its meeting: `move` is up, down or none."""

    bank: str
    meeting: str
    rate: str
    move: str


@dataclass(frozen=True, slots=True)
class Cause:
    """`first` led to `then` (because) or was outweighed by it (although)."""

    although: bool
    first: Clause
    then: Clause


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Which segments rose and which fell."""

    by: str
    up: tuple[str, ...]
    down: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Maturity:
    """Which maturity's yield moved most, and whether it rose."""

    segment: str
    yield_up: bool


@dataclass(frozen=True, slots=True)
class Currency:
    """Which way the yen went against the dollar, and where it closed."""

    weak: bool
    rate: str


@dataclass(frozen=True, slots=True)
class Performance:
    """Signed percent of fund and benchmark; `gap` in points, without sign."""

    dated: bool
    fund: str
    benchmark: str
    gap: str
    ahead: bool


@dataclass(frozen=True, slots=True)
class Contribution:
    """What helped and what hurt; either may be empty, not both."""

    plus: str
    minus: str


@dataclass(frozen=True, slots=True)
class Trade:
    """What was bought and sold; both empty: nothing to speak of."""

    bought: str
    sold: str


@dataclass(frozen=True, slots=True)
class View:
    """Where the market goes and why. `against` speaks against it; `promised`: the draft promises it."""

    path: str
    up: bool
    grounds: tuple[str, ...]
    against: str
    promised: bool


@dataclass(frozen=True, slots=True)
class Risk:
    """What may come in between."""

    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the fund will do."""

    act: Clause


Statement = (
    Result
    | RateDecision
    | Cause
    | Breakdown
    | Maturity
    | Currency
    | Performance
    | Contribution
    | Trade
    | View
    | Risk
    | Policy
)


def table(name: str) -> dict[str, Any]:
    """One of the data tables that lie beside this module."""
    return tomllib.loads((files("tensaku.sampledesk") / name).read_text(encoding="utf-8"))


def funds() -> list[Fund]:
    """The twelve funds, in the order of `cast.toml`."""
    rows = table("cast.toml")["fund"]
    return [Fund(**_frozen(row)) for row in rows]


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


_TALK = table("content.toml")


def _choose(text: str, rng: random.Random) -> str:
    """`text` with each {a|b} replaced by one of its alternatives."""
    return re.sub(r"\{([^{}]*\|[^{}]*)\}", lambda m: rng.choice(m[1].split("|")), text)


def _named(fund: Fund, segment: str) -> str:
    return segment + fund.suffix


def compose(fund: Fund, section: str, month: Month, rng: random.Random) -> list[Statement]:
    """The statements of one comment, in the order of the house style."""
    return {"market": _market, "performance": _performance, "outlook": _outlook}[section](fund, month, rng)


def _market(fund: Fund, month: Month, rng: random.Random) -> list[Statement]:
    change = month.returns[fund.id]
    result = _result(fund, month, rng)
    cause = _cause(fund, month, change > 0, rng)
    extra: list[Statement] = []
    both = bool(month.up[fund.id] and month.down[fund.id])
    if both and rng.random() < 0.45:
        extra.append(_maturity(fund, month, rng) if fund.reaction == "bond" else _breakdown(fund, month, rng))
    if fund.bank and "meeting:yes" in month.flags and rng.random() < 0.25:
        extra.append(_decision(fund.bank, month))
    if fund.fx and rng.random() < 0.3:
        extra.append(Currency("yen:weak" in month.flags, f"{month.levels['usdjpy']:.0f}"))
    if len(extra) == 0 and rng.random() < 0.35:
        second = _cause(fund, month, change > 0, rng, avoid=cause)
        if second is not None:
            extra.append(second)
    body: list[Statement] = [result, cause, *rng.sample(extra, min(1, len(extra)))]
    order = [Result, RateDecision, Cause, Breakdown, Maturity, Currency]
    return sorted(body, key=lambda s: order.index(type(s)))


def _result(fund: Fund, month: Month, rng: random.Random) -> Result:
    change = month.returns[fund.id]
    dated, percent = rng.random() < 0.6, f"{abs(change):.1f}"
    if fund.index is None or rng.random() < 0.12:
        return Result(dated, percent, change > 0)
    name, level, unit = fund.index
    value = month.levels[level]
    shown = f"{value:.2f}" if unit == "%" else f"{value:,.0f}"
    yield_up = change < 0 if unit == "%" else None
    return Result(dated, percent, change > 0, name, shown + unit, yield_up)


def _decision(bank: str, month: Month) -> RateDecision:
    names = {
        "boj": ("日本銀行", "金融政策決定会合"),
        "fed": ("米連邦準備制度理事会（FRB）", "連邦公開市場委員会（FOMC）"),
    }
    move = next(f.split(":")[1] for f in month.flags if f.startswith(f"{bank}move:"))
    return RateDecision(*names[bank], f"{month.levels[bank]:.2f}", move)


def _rows(fund: Fund, month: Month, effect: str) -> list[list[str]]:
    rows = [row for topic in fund.topics for row in _TALK["drivers"][topic]]
    rows += _TALK["drivers"]["any-bonds" if fund.reaction == "bond" else "any"]
    rose = "self:up" if month.returns[fund.id] > 0 else "self:down"
    if "bojmove:none" not in month.flags or "fedmove:none" not in month.flags:
        rows = [row for row in rows if "早期" not in row[2]]  # a bank that has just moved is not waited for
    return [row for row in rows if (row[0] in month.flags or row[0] == rose) and row[1] == effect]


def _cause(fund: Fund, month: Month, up: bool, rng: random.Random, avoid: Cause | None = None) -> Any:
    """A cause that fits the month's direction; None if there is nothing new to say beside `avoid`."""
    with_it, against = _rows(fund, month, "+" if up else "-"), _rows(fund, month, "-" if up else "+")
    if avoid is not None:
        said = avoid.first.subject + avoid.then.subject
        flags = {row[0] for row in with_it + against if _stem(row[2]) in said}
        with_it = [row for row in with_it if row[0] not in flags and _stem(row[2]) not in said]
        against = []
    if not with_it:
        return None
    main = rng.choice(with_it)
    main_clause = Clause(_choose(main[2], rng), main[3])
    other = [row for row in against if row[0] != main[0] and _theme(row[2]) != _theme(main[2])]
    if other and rng.random() < 0.45:
        row = rng.choice(other)
        return Cause(True, Clause(_choose(row[2], rng), row[3]), main_clause)
    then = _reaction(fund, month, up, main, main_clause.subject, rng)
    if avoid is not None and then.subject == avoid.then.subject:
        return None
    return Cause(False, main_clause, then)


def _stem(subject: str) -> str:
    return re.sub(r"\{.*?\}.*", "", subject)[:8] or re.sub(r"[{}|].*", "", subject[1:])


def _theme(subject: str) -> str:
    for theme in ("利下げ", "利上げ", "長期金利", "インフレ", "地政学", "通商", "関税", "業績", "物価"):
        if theme in subject:
            return theme
    return subject[:6]


def _reaction(fund: Fund, month: Month, up: bool, driver: Sequence[str], said: str, rng: random.Random) -> Clause:
    moved = (month.up if up else month.down)[fund.id]
    helped = [s for s in driver[4].split(",") if s]
    named = [s for s in helped if s in said]  # 都心オフィスの稼働率が… moves オフィス, not ホテル
    hit = [s for s in named or helped if s in moved]
    choices = _TALK["reactions"][fund.reaction]
    side = "up" if up else "down"
    if driver[4] == "!" or driver[2].startswith(("海外投資家", "個人投資家")):
        sentiment = fund.reaction not in ("bond", "goods")
        return Clause("投資家心理が" if sentiment else "需給環境が", "改善する" if up else "悪化する")
    loose = fund.reaction == "bond"
    if (hit or loose) and rng.random() < (0.75 if loose else 0.55):
        segment = rng.choice(hit or list(fund.segments))
        subject, verb = rng.choice(choices[side + "-seg"])
        return Clause(subject.replace("{seg}", _named(fund, segment) if fund.reaction != "equity" else segment), verb)
    subject, verb = rng.choice(choices[side])
    if "リスク" in said and "リスク" in subject:
        subject, verb = choices[side][0]
    return Clause(subject, verb)


def _breakdown(fund: Fund, month: Month, rng: random.Random) -> Breakdown:
    up, down = list(month.up[fund.id]), list(month.down[fund.id])
    ups = rng.sample(up, min(len(up), rng.choice((1, 2))))
    downs = rng.sample(down, min(len(down), rng.choice((1, 1, 2))))
    return Breakdown(fund.by, tuple(ups), tuple(downs))


def _maturity(fund: Fund, month: Month, rng: random.Random) -> Maturity:
    return Maturity(rng.choice(fund.segments), month.returns[fund.id] < 0)


def _performance(fund: Fund, month: Month, rng: random.Random) -> list[Statement]:
    benchmark = month.returns[fund.id]
    gaps = (0.1, 0.1, 0.2, 0.2, 0.3) if fund.reaction == "bond" else (0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.5, 0.6, 0.8, 1.1)
    gap = rng.choice((-1, 1)) * rng.choice(gaps)
    result = round(benchmark + gap, 1) + 0.0
    ahead = gap > 0
    body: list[Statement] = [
        Performance(rng.random() < 0.6, f"{result:.1f}", f"{benchmark:.1f}", f"{abs(gap):.1f}", ahead)
    ]
    both = rng.random() < 0.55
    plus = _factor(fund, month, True, rng) if ahead or both else ""
    minus = _factor(fund, month, False, rng, plus) if not ahead or both else ""
    body.append(Contribution(plus, minus))
    if rng.random() < 0.5:
        body.append(_trade(fund, rng))
    return body


def _factor(fund: Fund, month: Month, good: bool, rng: random.Random, other: str = "") -> str:
    """Something that helped (or hurt) the fund against its benchmark, true of the month."""
    yields_fell = month.returns[fund.id] > 0
    for _ in range(50):
        if fund.reaction == "bond":
            text = _bond_factor(month, good, yields_fell, rng)
        elif fund.suffix and rng.random() < 0.4:
            text = f"{_named(fund, rng.choice(fund.segments))}の銘柄選択"
        else:
            rose = rng.random() < 0.6
            rose = rose if (month.up if rose else month.down)[fund.id] else not rose
            pool = (month.up if rose else month.down)[fund.id]
            high = rose == good
            text = f"{_named(fund, rng.choice(pool))}の組入比率を{'高め' if high else '低め'}としていたこと"
        if not other or text.split("を")[0].split("の")[0] != other.split("を")[0].split("の")[0]:
            return text
    return text


def _bond_factor(month: Month, good: bool, yields_fell: bool, rng: random.Random) -> str:
    """Long bonds help when yields fall, short ones when they rise."""
    draw = rng.random()
    if draw < 0.4:
        return f"デュレーション（金利感応度）を{'長め' if yields_fell == good else '短め'}としていたこと"
    if draw < 0.65:
        high = ("credit:good" in month.flags) == good
        return f"社債の組入比率を{'高め' if high else '低め'}としていたこと"
    segment = rng.choice(("短期債", "長期債", "超長期債"))
    high = (segment == "短期債") != (yields_fell == good)
    return f"{segment}の組入比率を{'高め' if high else '低め'}としていたこと"


def _trade(fund: Fund, rng: random.Random) -> Trade:
    if rng.random() < 0.35:
        return Trade("", "")
    bought, sold = rng.sample(list(fund.segments), 2)
    eye = _eye(fund, rng) if rng.random() < 0.6 else ""
    return Trade(eye + _named(fund, bought), _named(fund, sold))


def _eye(fund: Fund, rng: random.Random) -> str:
    table_name = f"{fund.policy}-eye"
    return str(rng.choice(_TALK["policy"][table_name])) if table_name in _TALK["policy"] else ""


def _outlook(fund: Fund, month: Month, rng: random.Random) -> list[Statement]:
    up = rng.random() < 0.68
    talk = _TALK["grounds"][fund.grounds]
    support, drag = talk["+"], talk["-"]
    promised = up and rng.random() < 0.27
    path = rng.choice(_TALK["paths"]["promised" if promised else "+" if up else "-"])
    main, other = (support, drag) if up else (drag, support)
    if not promised and rng.random() < 0.45:
        view = View(path, up, (_choose(rng.choice(main), rng),), _choose(rng.choice(other), rng), False)
    else:
        picked = rng.sample(main, 2 if rng.random() < 0.5 else 1)
        view = View(path, up, tuple(_choose(p, rng) for p in picked), "", promised)
    body: list[Statement] = [view]
    if rng.random() < 0.5:
        pool = _TALK["risks"]["any"] + (_TALK["risks"]["japan"] if fund.bank == "boj" else [])
        body.append(_risk(view, pool, rng))
    if len(body) == 1 or rng.random() < 0.75:
        body.append(_policy(fund, up, rng))
    return body


_TOPICS = (
    "関税|通商|米中",
    "景気",
    "原油|資源",
    "情勢|地政学",
    "金融|利下げ|利上げ|金利",
    "物価|インフレ|賃金",
    "資金|投資家",
    "円高|円安|為替",
)


def _topics(text: str) -> set[str]:
    return {topic for topic in _TOPICS if re.search(topic, text)}


def _risk(view: View, pool: Sequence[str], rng: random.Random) -> Risk:
    """One or two risks, each of another matter than the view and than each other."""
    wanted = 1 if rng.random() < 0.7 else 2
    said = _topics("".join(view.grounds) + view.against)
    picked: list[str] = []
    for row in rng.sample(list(pool), len(pool)):
        what = _choose(row, rng)
        if len(picked) < wanted and not _topics(what) & said:
            picked.append(what)
            said |= _topics(what)
    return Risk(tuple(picked) or (_choose("{主要国|各国}の政治動向", rng),))


def _policy(fund: Fund, up: bool, rng: random.Random) -> Policy:
    acts = _TALK["policy"][
        "bond-act" if fund.policy == "bond" else "equity-act" if fund.suffix == "株" else "other-act"
    ]
    act = rng.choice(acts)
    if "デュレーション" in act:
        act = act.replace("短め|長め", "長め" if up else "短め")
    act = _choose(act, rng)
    segment = rng.choice(fund.segments)
    shown = segment if fund.suffix == "株" else _named(fund, segment)
    eye = _eye(fund, rng) if "{seg}" in act and rng.random() < 0.8 else ""
    act = act.replace("{seg}", eye + shown)
    particle = act.rindex("を" if "を" in act else "に")
    for mark in ("に維持する", "を", "て組み入れる"):
        if mark in act:
            particle = act.rindex(mark)
            break
    return Policy(Clause(act[: particle + 1], act[particle + 1 :]))
