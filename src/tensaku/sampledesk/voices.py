"""The managers' wording of the same statements: everything here breaks a rule of house-style.md on purpose.

The rule that mends it stands in brackets. Several wordings lead to one final, never one wording to two finals.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensaku.sampledesk import surface
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
    table,
)
from tensaku.sampledesk.japanese import past, polite, polite_past, stem, te

__all__ = ["Voice", "draft", "voices"]


@dataclass(frozen=True, slots=True)
class Voice:
    """A manager's persistent way of writing.

    Attributes:
        near: this manager nearly follows the house style already.
        polite: ですます (1, 2). digits, percent, minus: (5 to 8). date: (9). now: (10).
        result: shape of the result sentence (3, 29). rise, fall: (22). order: result first or last (26 to 28).
        because, although: links (31, 32), `split` for two sentences. reject, help: verbs of the contribution (37).
        view, policy, risk: endings (39, 41, 42). we: first person (21). sector, trade: openings (33, 38).
        buy, sell: (38). greet: (46). jargon: (12 to 18, 21). slips: share of drafts with a slip (24, 25).
    """

    id: str
    name: str
    funds: tuple[str, ...]
    polite: bool
    digits: str
    percent: str
    minus: str
    date: str
    now: tuple[str, ...]
    result: str
    rise: str
    fall: str
    order: str
    because: tuple[str, ...]
    although: tuple[str, ...]
    reject: str
    help: str
    view: tuple[str, ...]
    policy: tuple[str, ...]
    risk: tuple[str, ...]
    we: tuple[str, ...]
    sector: str
    trade: str
    buy: str
    sell: str
    greet: tuple[str, ...]
    near: bool = False
    slips: float = 0.0
    jargon: Mapping[str, str] = field(default_factory=dict)

    def end(self, verb: str) -> str:
        """`verb` in the past, as this manager ends a sentence."""
        return (polite_past(verb) if self.polite else past(verb)) + "。"

    def be(self, noun: str) -> str:
        """`noun` with the past copula."""
        return f"{noun}{'でした' if self.polite else 'だった'}。"


def voices() -> list[Voice]:
    """The ten managers, in the order of `voices.toml`."""
    rows = table("voices.toml")["voice"]
    return [Voice(**_frozen(row)) for row in rows]


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def draft(statements: Sequence[Statement], voice: Voice, fund: Fund, as_of: str, rng: random.Random) -> str:
    """One draft of `statements` in `voice`: worded, ordered, padded, and put on paper."""
    parts = [_word(s, voice, fund, as_of, rng) for s in statements]
    if voice.order == "last" and rng.random() < 0.85:
        parts = _turned(statements, parts, voice, rng)
    if not voice.near and rng.random() < 0.1:
        parts.append(rng.choice(_BOASTS)[0 if voice.polite else 1])
    text = "".join(_opened(parts, voice, rng))
    text = surface.jargon(text, voice.jargon, rng)
    text = surface.figures(text, digits=voice.digits, percent=voice.percent, minus=voice.minus)
    if rng.random() < voice.slips:
        text = surface.slip(text, rng)
    return _greeted(text, voice, rng)


def _turned(statements: Sequence[Statement], parts: list[str], voice: Voice, rng: random.Random) -> list[str]:
    """Rules 26 to 28: the result at the end, often led in by その結果、; in an outlook the policy first."""
    first = statements[0]
    if isinstance(first, View):
        return [parts[-1], *parts[:-1]] if isinstance(statements[-1], Policy) else parts
    lead = rng.choice(("その結果、", "以上の結果、", "結果として、", ""))
    if isinstance(first, Performance) and voice.result == "one":
        lead = ""
    return [*parts[1:], lead + parts[0]]


_FIRST_OPENINGS = ("さて、", "ご案内のとおり、")
_LATER_OPENINGS = ("なお、", "また、", "ちなみに、")
_BOASTS = (
    ("元本は安全です。", "元本は安全である。"),
    ("高い収益をお約束します。", "高い収益を約束する。"),
    ("安心してお任せください。", "安心して任せてほしい。"),
)
"""Rule 44: what may not be said at all, polite and plain."""


def _opened(parts: Sequence[str], voice: Voice, rng: random.Random) -> list[str]:
    """Rule 47: now and then one sentence opens with words that say nothing."""
    out = list(parts)
    if voice.near or rng.random() > 0.35:
        return out
    at = rng.randrange(len(out))
    if not out[at].startswith(("その結果", "以上の", "結果として", "ただ", "もっとも", "元本", "高い収益", "安心")):
        openings = _FIRST_OPENINGS[: 2 if voice.polite else 1] if at == 0 else _LATER_OPENINGS
        out[at] = rng.choice(openings) + out[at]
    return out


def _greeted(text: str, voice: Voice, rng: random.Random) -> str:
    """Rule 46: greetings and thanks before or after the comment."""
    if not voice.greet or rng.random() > 0.4:
        return text
    greeting = rng.choice(voice.greet)
    last = any(word in greeting for word in ("以上", "これから", "引き続き"))
    return text + greeting if last else greeting + text


def _word(  # noqa: C901  one case for each kind
    s: Statement, voice: Voice, fund: Fund, as_of: str, rng: random.Random
) -> str:
    match s:
        case Result():
            return _result(s, voice, fund, as_of, rng)
        case RateDecision():
            return _rate_decision(s, voice)
        case Cause():
            return _cause(s, voice, rng)
        case Breakdown():
            return _breakdown(s, voice)
        case Maturity():
            return _maturity(s, voice)
        case Currency():
            return _currency(s, voice)
        case Performance():
            return _performance(s, voice, as_of, rng)
        case Contribution():
            return _contribution(s, voice)
        case Trade():
            return _trade(s, voice)
        case View():
            return _view(s, voice, fund, rng)
        case Risk():
            return _risk(s, voice, rng)
        case Policy():
            return _policy(s, voice, rng)


def _when(dated: bool, voice: Voice, as_of: str, rng: random.Random) -> str:
    return surface.month_name(as_of, voice.date) if dated else rng.choice(voice.now)


def _subject(voice: Voice, fund: Fund, rng: random.Random) -> str:
    """Rule 19: the market's full name, a vague one, or none."""
    if voice.near:
        return fund.label if rng.random() < 0.7 else "市場"
    return rng.choice((fund.label, "市場", "マーケット", "相場", ""))


def _result(s: Result, voice: Voice, fund: Fund, as_of: str, rng: random.Random) -> str:
    subject = _subject(voice, fund, rng)
    when = _when(s.dated, voice, as_of, rng)
    head = f"{when}の{subject}は" if subject else f"{when}は"
    verb = voice.rise if s.up else voice.fall
    if voice.result == "noun":
        body = f"{head}{s.percent}%の{'プラス' if s.up else 'マイナス'}。"
    elif voice.result == "split":
        body = f"{head}{voice.end(verb)}" + voice.be(f"{'上昇' if s.up else '下落'}率は{s.percent}%")
    elif voice.near and s.index:
        body = f"{head}{s.percent}%{stem(verb)}、"
    else:
        body = f"{head}{s.percent}%{voice.end(verb)}"
    return body + _level(s, voice)


def _level(s: Result, voice: Voice) -> str:
    """Rule 30: the closing level stands in a sentence of its own."""
    if not s.index:
        return ""
    if voice.result == "noun":
        return f"{s.index}は{s.level}。"
    if s.yield_up is None:
        return f"{s.index}は{s.level}で{voice.end('終わる')}"
    return f"{s.index}は{s.level}へ{voice.end('上がる' if s.yield_up else '下がる')}"


def _rate_decision(s: RateDecision, voice: Voice) -> str:
    verb = {"up": "引き上げる", "down": "引き下げる", "none": "据え置く"}[s.move]
    if voice.near:
        return f"{s.bank}は{s.meeting}で政策金利を{s.rate}%に{voice.end(verb)}"
    return f"{s.meeting}では、{s.bank}が政策金利を{s.rate}%に{voice.end(verb)}"


def _cause(s: Cause, voice: Voice, rng: random.Random) -> str:
    link = rng.choice(voice.although if s.although else voice.because)
    then = s.then.subject + voice.end(s.then.verb)
    if link == "split":
        words = ("しかし、", "とはいえ、") if s.although else ("そのため、", "このため、")
        return s.first.subject + voice.end(s.first.verb) + rng.choice(words) + then
    if link == "を受け、":
        return f"{s.first.subject}{past(s.first.verb)}ことを受け、{then}"
    courteous = voice.polite and link != "ため、"
    return s.first.subject + (polite_past if courteous else past)(s.first.verb) + link + then


def _split_by(by: str, voice: Voice) -> str:
    """Rule 33: the manager's own opening, or 国ごとに見ると、 and the like."""
    if voice.sector and (by == "業種別" or "セクター" not in voice.sector):
        return voice.sector
    return f"{by.removesuffix('別').split('・')[0]}ごとに見{'ますと' if voice.polite else 'ると'}、"


def _breakdown(s: Breakdown, voice: Voice) -> str:
    if voice.near:
        return f"{s.by}では、{'や'.join(s.up)}が上昇した一方、{'や'.join(s.down)}が下落した。"
    head, up, down = _split_by(s.by, voice), "、".join(s.up), "、".join(s.down)
    if voice.result == "noun":
        terse = voice.rise.endswith("げる")
        rose, fell = (voice.rise[:-1], voice.fall[:-1]) if terse else ("プラス", "マイナス")
        return f"{head}{up}が{rose}、{down}が{fell}。"
    return f"{head}{up}が{voice.end(voice.rise)}{down}は{voice.end(voice.fall)}"


def _maturity(s: Maturity, voice: Voice) -> str:
    if voice.near:
        return f"年限別では、{s.segment}の利回り{'上昇' if s.yield_up else '低下'}が目立った。"
    return f"{_split_by('年限別', voice)}{s.segment}の利回りが大きく{voice.end('上がる' if s.yield_up else '下がる')}"


def _currency(s: Currency, voice: Voice) -> str:
    if voice.near:
        return f"為替市場では{'円安' if s.weak else '円高'}が進み、1ドル={s.rate}円となった。"
    return f"為替は{'円安' if s.weak else '円高'}に{voice.end('振れる')}1ドル={s.rate}円で{voice.end('終わる')}"


def _performance(s: Performance, voice: Voice, as_of: str, rng: random.Random) -> str:
    when = _when(s.dated, voice, as_of, rng)
    ahead = "上回る" if s.ahead else "下回る"
    if voice.near:
        return (
            f"{when}の当ファンドの騰落率は{s.fund}%、ベンチマークは{s.benchmark}%となり、{s.gap}ポイント{past(ahead)}。"
        )
    who = rng.choice(("当ファンド", "")) if voice.result != "noun" else "当ファンド"
    head = f"{when}の{who}の" if who else f"{when}の"
    if voice.result == "noun":
        verdict = "優位" if s.ahead else "劣後"
        return f"{head}リターンは{s.fund}%。ベンチマークは{s.benchmark}%で、{s.gap}ポイントの{verdict}。"
    foreign = "アウトパフォームする" if s.ahead else "アンダーパフォームする"
    if voice.result == "split":
        return (
            f"{head}リターンは{voice.be(s.fund + '%')}"
            f"ベンチマークの騰落率は{voice.be(s.benchmark + '%')}{s.gap}ポイント{voice.end(foreign)}"
        )
    return (
        f"{when}のベンチマークの騰落率は{voice.be(s.benchmark + '%')}"
        f"当ファンドの騰落率は{s.fund}%となり、{s.gap}ポイント{voice.end(foreign)}"
    )


def _contribution(s: Contribution, voice: Voice) -> str:
    if voice.near and s.plus and s.minus:
        return f"{s.plus}がプラスに寄与し、{s.minus}がマイナスに影響した。"
    plus = f"{s.plus}が{voice.end(voice.help)}" if s.plus else ""
    minus = f"{s.minus}が{voice.end(voice.reject)}" if s.minus else ""
    return minus + plus if voice.order == "last" else plus + minus


def _trade(s: Trade, voice: Voice) -> str:
    if not s.bought:
        tail = "行いませんでした。" if voice.polite else "行わなかった。"
        return f"{voice.trade}組入比率の大きな変更は{tail}"
    return f"{voice.trade}{s.bought}{stem(voice.buy)}、{s.sold}{voice.end(voice.sell)}"


def _view(s: View, voice: Voice, fund: Fund, rng: random.Random) -> str:
    subject = _subject(voice, fund, rng)
    head = f"{subject}は、" if subject else "今後は、"
    grounds = "や".join(s.grounds)
    if s.promised:
        path = rng.choice(("必ず", "確実に", "絶対に")) + s.path
        return f"{head}{grounds}から{polite(path) if voice.polite else path}。"
    end = rng.choice(voice.view) + "。"
    if not s.against:
        return f"{head}{grounds}を背景に{s.path}{end}" if voice.near else f"{head}{grounds}から{s.path}{end}"
    turn = "重し" if s.up else "支え"
    link = "が、" if not voice.near else "ものの、"
    mid = f"{s.against}が{turn}と{'なります' if voice.polite else 'なる'}{link}"
    return f"{head}{mid}{grounds}を背景に{s.path}{end}"


def _risk(s: Risk, voice: Voice, rng: random.Random) -> str:
    head = "ただし、" if voice.near else rng.choice(("もっとも、", "ただ、", ""))
    return f"{head}{'や'.join(s.what)}{rng.choice(voice.risk)}。"


def _policy(s: Policy, voice: Voice, rng: random.Random) -> str:
    tail = rng.choice(voice.policy)
    head = rng.choice((voice.we[0], voice.we[0], "今後も", "")) if not voice.near else voice.we[0]
    body = s.act.subject
    if tail.startswith("て"):
        return f"{head}{body}{te(s.act.verb)}{tail[1:]}。"
    return f"{head}{body}{s.act.verb}{tail}。"
