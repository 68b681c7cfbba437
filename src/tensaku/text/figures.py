"""Numbers and what they count: percent, money, periods, plain numbers, with sign and direction."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from tensaku.text.numerals import SCALES, kanji_number, kanji_numerals

__all__ = ["Figure", "direction_words", "figures", "plain", "quoted", "rises"]


class Figure(NamedTuple):
    """A figure in folded text. `value` is its normal form: sign, plain decimal number, unit."""

    kind: str
    value: str
    start: int
    end: int


# --- units: canonical form, then the pattern of its written forms ------------------------------------------------

_PERCENT = (
    (
        "ポイント",
        r"(?:%\s?)?ポイント|%\s?pt|パーセント・?ポイント|(?:percentage[ -])?points?(?![a-z])|p?pts?(?![A-Za-z])",
    ),
    ("%", r"%|パーセント|percent(?![a-z])|per cent(?![a-z])|pct(?![a-z])"),
    ("bp", r"ベーシス・?ポイント|basis[ -]points?|bps?(?![A-Za-z])"),
)
_UNITS = (
    ("豪ドル", r"豪ドル|AUD(?![A-Za-z])"),
    ("ドル", r"米ドル|ドル|USD(?![A-Za-z])|(?:U\.S\. )?dollars?(?![a-z])"),
    ("円", r"円|JPY(?![A-Za-z])|yen(?![a-z])"),
    ("ユーロ", r"ユーロ|EUR(?![A-Za-z])|euros?(?![a-z])"),
    ("ポンド", r"英?ポンド|GBP(?![A-Za-z])|pounds?(?![a-z])"),
    ("元", r"人民元|元(?!年|本|利)|CNY(?![A-Za-z])|yuan(?![a-z])"),
    ("ウォン", r"ウォン"),
    ("ルピー", r"ルピー"),
    ("レアル", r"レアル"),
    ("倍", r"倍|times(?![a-z])|x(?![A-Za-z0-9])"),
    ("割", r"割(?![引合安高])"),
    ("か月", r"[かカケヶヵ箇]月間?|-?months?(?![a-z])"),
    ("四半期", r"四半期|quarters?(?![a-z])"),
    ("週", r"週間?|-?weeks?(?![a-z])"),
    ("営業日", r"営業日|取引日|business days?(?![a-z])"),
    ("日", r"日間?(?!本)|-?days?(?![a-z])"),
    ("年", r"年間?|-?years?(?![a-z])|-?yrs?(?![a-z])|[yY](?![A-Za-z])"),
    ("分", r"分間?(?![のを析野散配岐]|担)|minutes?(?![a-z])"),
    ("時", r"時(?![間代点期価系限短給])"),
    ("か所", r"[かカケヶヵ箇][所処]|箇所"),
    ("種類", r"種類?(?!株)"),
    ("時間", r"時間|hours?(?![a-z])"),
    ("銘柄", r"銘柄"),
    ("業種", r"業種"),
    ("社", r"社(?!会|債|長)"),
    ("か国", r"[かカケヶヵ箇]国"),
    ("物件", r"物件"),
    ("名", r"名|人(?!民)"),
    ("件", r"件"),
    ("回", r"回(?!復|転|収|答|避|帰)"),
    ("位", r"位(?!置)"),
    ("株", r"株(?!式|価|主)"),
    ("口", r"口(?!座)"),
    ("バレル", r"バレル|barrels?(?![a-z])"),
    ("オンス", r"オンス|ounces?(?![a-z])"),
    ("トン", r"トン|tons?(?![a-z])|tonnes?(?![a-z])"),
    ("度", r"度(?!合)"),
    ("期", r"期(?!待|間|限)"),
    ("棟", r"棟"),
    ("戸", r"戸"),
    ("本", r"本(?!年|日|月|邦|来|格|部|社)"),
    ("点", r"点"),
    ("つ", r"つ"),
)
_PREFIX = {"$": "ドル", "US$": "ドル", "A$": "豪ドル", "€": "ユーロ", "£": "ポンド", "¥": "円", "\\": "円"}
_KINDS = {**{name: "percent" for name, _ in _PERCENT}, **{name: "unit" for name, _ in _UNITS}}
_FORMS = (*_PERCENT, *_UNITS)
_UNIT = re.compile("|".join(f"(?P<u{i}>{form})" for i, (_, form) in enumerate(_FORMS)))

# --- numerals -----------------------------------------------------------------------------------------------------

_WORDS = {
    "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "k": 10**3, "mn": 10**6, "m": 10**6, "bn": 10**9, "b": 10**9, "tn": 10**12, "trn": 10**12,
}  # fmt: skip
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_NUMBER = re.compile(
    rf"(?P<fraction>\d{{1,3}}[- ]\d/\d{{1,2}}(?=[ -]?(?:percent|per cent|%|point)))"
    rf"|(?P<scaled>{_DIGITS}(?:[千百十]?[万億兆]|[千百](?=[円ドルユポ万億兆]))(?:{_DIGITS}?[千百十]?[万億兆]|{_DIGITS}千)*(?:{_DIGITS})?)"
    rf"|(?P<plain>{_DIGITS})(?:\s?(?P<word>thousand|million|billion|trillion)(?![a-z])"
    rf"|(?P<short>k|mn|m|bn|b|tn|trn)(?![A-Za-z0-9]))?"
)
_CLOCK = re.compile(
    r"(?<![\d:/.,])(?P<hour>[01]?\d|2[0-4])(?::(?P<minute>[0-5]\d)(?![\d:])|時(?P<minute_ja>[0-5]?\d)分(?!間))"
)
_RATIO = re.compile(
    r"(?<![\d/.,])(?P<top>[1-9]\d?)/(?P<bottom>[1-9]\d?)(?![\d/]|\.\d|[ -]?(?:percent|per cent|%|point))"
    r"|(?P<bottom_ja>[1-9]\d?|[二三四五六七八九十])分の(?P<top_ja>[1-9]\d?|[一二三四五六七八九十])"
)
_PART = re.compile(rf"({_DIGITS})?([千百十])?([万億兆])?")

# --- signs and directions -----------------------------------------------------------------------------------------

_SIGN = re.compile(r"(?:(?P<minus>[-▲]|マイナス|minus |negative )|(?P<plus>[+＋]|プラス|plus ))\s?$")
_HEDGE = r"(?:程度|ほど|あまり|余り|弱|強|超|近く|前後|幅|分|台)?"
_DOWN_WORDS = (
    r"下落|低下|下げ|下がり|下がっ|下がる|減少|減益|減収|減(?![ら税])|安(?![定心全])|下回|下振れ|縮小|悪化|続落|反落|急落|暴落|落ち込|引き下げ|引下げ|利下げ|"
    r"値下がり|割り込|アンダーパフォーム|マイナス(?!\s?\d)|劣後|目減り|負け|劣位"
)
_UP_WORDS = (
    r"上昇|上げ|上がり|上がっ|上がる|増加|増益|増収|増(?!税)|高(?![値い水])|上回|上振れ|拡大|改善|続伸|反発|急騰|急伸|引き上げ|引上げ|利上げ|"
    r"値上がり|アウトパフォーム|プラス(?!\s?\d)|伸び|勝ち|優位|凌"
)
_LINK = r"\s?(?:の|ほどの|と|も|、)?(?:大幅な|大幅に|小幅な|小幅に|大きく|小幅|大幅|急速な|急|続)?"
_AFTER_DOWN = re.compile(rf"{_HEDGE}{_LINK}(?:{_DOWN_WORDS})|\s(?:lower|decline|decrease|drop|fall|loss)")
_AFTER_UP = re.compile(rf"{_HEDGE}{_LINK}(?:{_UP_WORDS})|\s(?:higher|increase|rise|gain)")
_DOWN, _UP = re.compile(_DOWN_WORDS), re.compile(_UP_WORDS)
_BEFORE_DOWN = re.compile(
    r"(?:(?:下落|低下|減少|下げ|マイナス|悪化|縮小)(?:率|幅|額)(?:は|が|も|:|、)?"
    r"|(?:fell|declined|dropped|lost|decreased)(?: by)?\s)"
    r"(?:前月末?比|月間)?(?:約|およそ)?\s?$"
)

_TIGHT_RANGE = re.compile(r"\s?(?:~|-|から|ないし|乃至)\s?")
_LETTER_DASH = re.compile(r"[A-Z]-$")  # COVID-19
_QUOTE = re.compile(
    r"(?<!\d)1\s?(?:米ドル|豪ドル|ドル|ユーロ|ポンド|人民元|元|USD|EUR)\s?(?:=|あたり|当たり|につき|は|が|、)?\s?(?:約)?(?=\d)"
)
_LABEL = re.compile(r"(?:^|\n)[ \t]*(?:[((]\d{1,2}[))]|\d{1,2}[.)、](?=\s|[^\d\s]))")


def plain(number: Decimal) -> str:
    """A decimal without exponent and without needless zeros: 3.20 is 3.2, 38500.0 is 38500."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(text: str) -> Decimal:
    total = section = Decimal(0)
    for found in _PART.finditer(text):
        digits, small, large = found.groups()
        if not found.group():
            continue
        section += Decimal((digits or "1").replace(",", "")) * (SCALES[small] if small else 1)
        if large:
            total += section * SCALES[large]
            section = Decimal(0)
    return total + section


def _amount(found: re.Match[str]) -> Decimal:
    if found.group("fraction"):
        whole, top, bottom = re.split(r"[- /]", found.group("fraction"))
        return Decimal(whole) + Decimal(top) / Decimal(bottom) if int(bottom) else Decimal(whole)
    if found.group("scaled"):
        return _scaled(found.group("scaled"))
    number = Decimal(found.group("plain").replace(",", ""))
    scale = found.group("word") or found.group("short")
    return number * _WORDS[scale] if scale else number


class _Raw(NamedTuple):
    """A numeral with what stands tightly around it; `unit` is canonical or empty."""

    amount: Decimal
    unit: str
    start: int
    end: int
    number_end: int
    signed: int
    shown: str = ""


def _sign(text: str, start: int, floor: int) -> tuple[int, int]:
    """The sign written before `start` (-1, +1, 0) and where it begins."""
    found = _SIGN.search(text, max(floor, start - 10), start)
    if not found:
        return 0, start
    at = found.start()
    if found.group("minus") == "-" and at > 0 and re.match(r"[A-Za-z0-9%)円月日]", text[at - 1]):
        return 0, start  # 4.2%-4.5% and A-5: a dash, not a minus
    return (-1 if found.group("minus") else 1), at


def _unit_at(text: str, at: int) -> tuple[str, int]:
    skip = 1 if text[at : at + 1] in (" ", "-") else 0
    found = _UNIT.match(text, at + skip)
    if not found or (skip and text[at] == "-" and not text[at + 1 : at + 2].isascii()):
        return "", at
    return _FORMS[int((found.lastgroup or "u0")[1:])][0], found.end()


def _prefix_at(text: str, at: int) -> tuple[str, int]:
    for width in (3, 2, 1):
        sign = text[max(0, at - width) : at]
        if len(sign) == width and sign in _PREFIX:
            return _PREFIX[sign], at - width
    return "", at


def _free(taken: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    return all(end <= left or start >= right for left, right in taken)


def _read(text: str, taken: Sequence[tuple[int, int]]) -> list[_Raw]:
    """Every numeral outside `taken`, in order."""
    skipped = [*taken, *(m.span() for m in _QUOTE.finditer(text)), *(m.span() for m in _LABEL.finditer(text))]
    raws: list[_Raw] = []
    floor = 0
    for start, number_end, amount, shown, own_unit in sorted(_candidates(text), key=lambda c: (c.start, -c.end)):
        if start < floor or not _free(skipped, start, number_end):
            continue
        before = text[start - 1 : start]
        if (
            (before.isascii() and before.isalpha())
            or before in ("数", "&", "第")
            or _LETTER_DASH.search(text, max(0, start - 2), start)
        ):
            floor = number_end
            continue
        unit, end = (own_unit, number_end) if own_unit else _unit_at(text, number_end)
        prefix, first = _prefix_at(text, start)
        if prefix and first >= floor:
            unit = unit or prefix
        else:
            first = start
        signed, first = _sign(text, first, floor)
        raws.append(_Raw(amount, unit, first, end, number_end, signed, shown))
        floor = end
    return raws


class _Candidate(NamedTuple):
    """A numeral; `shown` is the normal form of what has two parts (1/3, 11時30分), `unit` what it says itself (割)."""

    start: int
    end: int
    amount: Decimal
    shown: str = ""
    unit: str = ""


def _candidates(text: str) -> Iterator[_Candidate]:
    """Every numeral, also those that are parts of others."""
    for found in _CLOCK.finditer(text):
        hour, minute = int(found.group("hour")), int(found.group("minute") or found.group("minute_ja"))
        yield _Candidate(*found.span(), Decimal(hour * 60 + minute), f"{hour}時{minute}分")
    for found in _RATIO.finditer(text):
        top, bottom = (found.group(name) or found.group(f"{name}_ja") for name in ("top", "bottom"))
        one, two = (int(side) if side.isdigit() else kanji_number(side) or 1 for side in (top, bottom))
        yield _Candidate(*found.span(), Decimal(one) / two, f"{one}/{two}")
    for found in _NUMBER.finditer(text):
        if found.group("short") and _unit_at(text, found.start("short"))[0]:  # 5bp is not five billion p
            digits = Decimal(found.group("plain").replace(",", ""))
            yield _Candidate(found.start(), found.end("plain"), digits)
        else:
            yield _Candidate(*found.span(), _amount(found))
    for numeral in kanji_numerals(text):
        yield _Candidate(numeral.start, numeral.end, numeral.amount, unit=numeral.unit)


def _shared_units(text: str, raws: list[_Raw]) -> list[_Raw]:
    """In 4.2〜4.5% and 3〜5万円 the first figure has the unit, and the scale, of the second."""
    out = list(raws)
    for i in range(len(out) - 2, -1, -1):
        one, two = out[i], out[i + 1]
        if one.unit or not two.unit or not _TIGHT_RANGE.fullmatch(text, one.end, two.start):
            continue
        amount = one.amount
        scale = SCALES.get(text[two.number_end - 1], 1)
        if scale >= 10**4 and amount < 10**4 and text[one.number_end - 1].isdigit():
            amount *= scale
        out[i] = one._replace(unit=two.unit, amount=amount)
    return out


def _direction(text: str, raw: _Raw) -> int:
    """-1 if the figure is a fall: by its sign, or by the word tied to it (3.2%下落, 下落率は3.2%)."""
    if raw.signed:
        return raw.signed
    if raw.unit in ("年", "か月", "週", "日", "期", "") and raw.unit:
        return 0
    if _AFTER_DOWN.match(text, raw.end) or _BEFORE_DOWN.search(text, max(0, raw.start - 24), raw.start):
        return -1
    return 0


def direction_words(text: str) -> tuple[bool, bool]:
    """Whether folded `text` speaks of a fall and of a rise anywhere."""
    return bool(_DOWN.search(text)), bool(_UP.search(text))


def quoted(text: str) -> set[str]:
    """The currencies that folded `text` gives a rate for: in 1ドル=150円 the dollar, whose 1 is no figure."""
    return {_unit_at(text, found.start() + 1)[0] for found in _QUOTE.finditer(text)}


def rises(text: str) -> bool:
    """Whether folded `text`, which follows a figure, says that it is a rise (の上昇, 上回った)."""
    return bool(_AFTER_UP.match(text))


def figures(text: str, taken: Sequence[tuple[int, int]] = ()) -> list[Figure]:
    """The figures of folded `text`, in order, outside the spans `taken` (dates and names)."""
    found: list[Figure] = []
    raws = _shared_units(text, _read(text, taken))
    i = 0
    while i < len(raws):
        raw = raws[i]
        amount, end = raw.amount, raw.end
        cents = re.compile(r"(\d{1,2})銭").match(text, end) if raw.unit == "円" else None
        if cents:
            amount, end = amount + Decimal(cents.group(1)) / 100, cents.end()
            while i + 1 < len(raws) and raws[i + 1].start < end:
                i += 1
        sign = "-" if _direction(text, raw._replace(end=end)) < 0 and amount else ""
        # An index stands at 2,712 points, which is a level; a change of 0.25 points belongs with the percentages.
        kind = "unit" if raw.unit == "ポイント" and amount >= 100 else _KINDS.get(raw.unit, "number")
        kind = "unit" if raw.shown.endswith("分") else kind
        found.append(Figure(kind, f"{sign}{raw.shown or plain(amount)}{raw.unit}", raw.start, end))
        i += 1
    return found
