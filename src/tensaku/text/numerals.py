"""Numerals written in kanji: 百二十三, 二〇二六, 三・五, 三割五分二厘; as they are read and as they may be spelled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

__all__ = ["RUN", "SCALES", "Numeral", "kanji_number", "kanji_numerals", "spelled"]

SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "億": 10**8, "兆": 10**12, "京": 10**16}
"""What multiplies, also behind Arabic digits."""
_SCALES = SCALES | {"拾": 10, "萬": 10**4}
_PLAIN = "〇一二三四五六七八九"
_DIGITS = {c: i for i, c in enumerate(_PLAIN)} | {"零": 0, "壱": 1, "弐": 2, "参": 3}

_ONE = f"[{''.join(_DIGITS)}]"
_BEGIN = f"[{''.join(_DIGITS)}十百千拾]"
RUN = re.compile(f"{_BEGIN}(?:[{''.join(_DIGITS)}{''.join(_SCALES)}]|・(?={_ONE}))*")
"""A run of kanji that may be a numeral, and is one where its surroundings say so."""

# A single sign is a numeral before these alone: 一時, 一部, 十分, 一人 are words.
_UNIT = re.compile(
    r"円|ドル|ユーロ|ポンド|%|パーセント|ポイント|ベーシス|割(?![引合安高])|厘|倍|[かカヶ]月|年(?![々前])|週間|銘柄|社(?![会債長])"
    r"|業種|[かカ]国|[かカ]所|営業日|回(?![復転収答避帰])|件"
)
# Two signs, as 十五 or 二〇, are one before anything that is counted.
_ANY_UNIT = re.compile(
    _UNIT.pattern + r"|元(?!年|本|利)|ウォン|週|日(?!本)|分(?![のを析野散配岐]|担)|時間|種類|物件|[名人](?!民)"
    r"|位(?!置)|株(?!式|価|主)|口(?!座)|バレル|オンス|トン|度(?!合)|期(?!待|間|限)|棟|戸|本(?![年日月邦来格部社])|点|世紀"
)
_KANJI = re.compile(r"[一-鿿々]")
_MAY_STAND_BEFORE = "約率比額利計全各毎幅前年月日間"
"""Kanji that may end a word before a short numeral: 約三割, 下落率三%, 年利五厘; but 同一, 唯一, 第一."""
_SHARE = re.compile(
    rf"(?<![\d.])(?:(?P<tenths>\d+|{_BEGIN}+)割(?P<hundredths>\d|{_ONE})分(?:(?P<thousandths>\d|{_ONE})厘)?"
    rf"|(?P<tenths_only>\d+|{_BEGIN}+)割(?P<t3>\d|{_ONE})厘|(?P<h2>\d|{_ONE})分(?P<t2>\d|{_ONE})厘|(?P<t1>\d|{_ONE})厘)"
)


class Numeral(NamedTuple):
    """A numeral in folded text; `unit` is set where the numeral itself says what it counts (割)."""

    start: int
    end: int
    amount: Decimal
    unit: str = ""


def kanji_number(text: str) -> int | None:
    """The value of a kanji numeral: 二十三, 三万八千五百, 二〇二六. None if it is not one."""
    if not text or any(c not in _DIGITS and c not in _SCALES for c in text):
        return None
    if all(c in _DIGITS for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    total = section = digit = 0
    for char in text:
        if char in _DIGITS:
            digit = digit * 10 + _DIGITS[char]
        elif _SCALES[char] < 10**4:
            section += (digit or 1) * _SCALES[char]
            digit = 0
        else:
            total += ((section + digit) or 1) * _SCALES[char]
            section = digit = 0
    return total + section + digit


def kanji_numerals(text: str) -> Iterator[Numeral]:
    """The kanji numerals of folded `text`: before a unit, or of three signs and more anywhere. Shares too: 割, 分, 厘.

    分 alone is minutes, which is left to whoever reads units.
    """
    for found in _SHARE.finditer(text):
        yield from _share(found)
    for found in RUN.finditer(text):
        run, start, end = found[0], found.start(), found.end()
        whole, _, part = run.partition("・")
        value = kanji_number(whole)
        if value is None or "・" in part or (part and not (part := _positional(part))):
            continue
        signs = len(run)
        short = signs < 3
        before = text[start - 1 : start]
        if (short or before == "第") and _KANJI.match(before) and before not in _MAY_STAND_BEFORE:
            continue
        if (_UNIT if signs == 1 else _ANY_UNIT).match(text, end) or (not short and not part):
            yield Numeral(start, end, Decimal(f"{value}.{part}") if part else Decimal(value))


def _share(found: re.Match[str]) -> Iterator[Numeral]:
    """3割5分2厘 as 3.52割: tenths, hundredths, thousandths of the whole."""
    groups = found.groupdict()
    before = found.string[found.start() - 1 : found.start()]
    if before and _KANJI.match(before) and before not in _MAY_STAND_BEFORE:
        return
    parts = (
        groups["tenths"] or groups["tenths_only"],
        groups["hundredths"] or groups["h2"],
        groups["thousandths"] or groups["t3"] or groups["t2"] or groups["t1"],
    )
    amount = Decimal(0)
    for part, share in zip(parts, (Decimal(1), Decimal("0.1"), Decimal("0.01")), strict=True):
        value = 0 if part is None else int(part) if part.isdigit() else kanji_number(part)
        if value is None:
            return
        amount += value * share
    yield Numeral(found.start(), found.end(), amount, "割")


def _positional(text: str) -> str:
    """Digits behind the point: 二五 is 25; empty if there is a sign that multiplies."""
    return "".join(str(_DIGITS[c]) for c in text) if all(c in _DIGITS for c in text) else ""


def spelled(amount: Decimal) -> set[str]:
    """How a number, 0 or more, may be written in kanji: 123 as 百二十三, 一百二十三 and 一二三; 2.5 as 二・五."""
    whole, _, part = f"{amount:f}".partition(".")
    part = part.rstrip("0")
    point = "・" + "".join(_PLAIN[int(c)] for c in part) if part else ""
    row = "".join(_PLAIN[int(c)] for c in whole)
    found = {row + point, row.replace("〇", "零") + point}
    if int(whole) < 10**16:
        found |= {_by_scale(int(whole), one) + point for one in ("", "一")} - {point}
    sign, scale = next(((s, SCALES[s]) for s in "兆億万" if int(whole) >= SCALES[s]), ("", 1))
    if scale > 1 and not part:  # 二五〇〇億, 三・五兆
        found |= {text + sign for text in spelled(amount / scale) if len(text) <= 8}
    return found


def _by_scale(number: int, one: str) -> str:
    """三万八千五百; `one` is what is written before a lone 十, 百 and 千."""
    out = ""
    for sign in ("兆", "億", "万", ""):
        scale = SCALES.get(sign, 1)
        section, number = divmod(number, scale)
        if not section:
            continue
        for small, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
            digit, section = divmod(section, small)
            if digit:
                out += (one if digit == 1 and name else _PLAIN[digit]) + name
        out += sign
    return out
