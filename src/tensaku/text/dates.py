"""Dates: Japanese eras, 年月日, slashes, quarters, fiscal years and English months, all to one form."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tensaku.text.numerals import kanji_number

__all__ = ["Date", "Dated", "dates", "parse_date"]

_ERAS = {
    "明治": 1867,
    "大正": 1911,
    "昭和": 1925,
    "平成": 1988,
    "令和": 2018,
    "M": 1867,
    "T": 1911,
    "S": 1925,
    "H": 1988,
    "R": 2018,
}
_MONTH_NAMES = (
    ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",), ("june", "jun"),
    ("july", "jul"), ("august", "aug"), ("september", "sept", "sep"), ("october", "oct"), ("november", "nov"),
    ("december", "dec"),
)  # fmt: skip
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names}
_PARTS = {
    "初旬": "上旬", "上旬": "上旬", "中旬": "中旬", "下旬": "下旬", "月末": "末", "末": "末", "月初": "初",
    "初め": "初", "初": "初",
    "上半期": "上期", "上期": "上期", "下半期": "下期", "下期": "下期", "前半": "前半", "後半": "後半",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Date:
    """A date, as far as it is given: None where the text does not say. `month_end` closes a range of months.

    `fiscal` marks a fiscal year or a period ending in that month (2026年度, 2026年3月期); `part` is 末, 上旬, 上期, ...
    """

    year: int | None = None
    month: int | None = None
    day: int | None = None
    quarter: int | None = None
    month_end: int | None = None
    fiscal: bool = False
    part: str = ""

    def __str__(self) -> str:
        out = "" if self.year is None else f"{self.year}年"
        if self.fiscal and self.month is None:
            out += "度"
        if self.quarter is not None:
            out += f"第{self.quarter}四半期"
        if self.month is not None:
            out += f"{self.month}~{self.month_end}月" if self.month_end is not None else f"{self.month}月"
        if self.day is not None:
            out += f"{self.day}日"
        if self.fiscal and self.month is not None:
            out += "期"
        return out + self.part

    @property
    def finest(self) -> str:
        """The name of the smallest unit that is given."""
        for unit in ("day", "month", "quarter"):
            if getattr(self, unit) is not None:
                return unit
        return "year"

    def conflicts(self, other: Date) -> bool:
        """True if both cannot be the same date: some unit that both give differs."""
        for unit in ("year", "month", "day", "quarter", "month_end"):
            mine, theirs = getattr(self, unit), getattr(other, unit)
            if mine is not None and theirs is not None and mine != theirs:
                return True
        return bool(self.part and other.part and self.part != other.part) or self.fiscal != other.fiscal

    def within(self, other: Date) -> bool:
        """True if `other` says at least what this says in its smallest unit, and nothing against it."""
        if self.conflicts(other):
            return False
        return getattr(other, self.finest) is not None and self.month_end == other.month_end


@dataclass(frozen=True, slots=True)
class Dated:
    """A date and where it stands in folded text."""

    date: Date
    start: int
    end: int


_N = r"(?:\d{1,2}|[一二三四五六七八九十]{1,3})"
_PART = r"(?P<part>初旬|上旬|中旬|下旬|上半期|上期|下半期|下期|前半|後半|初め|(?<=[月年度])初|末)?"
_YEAR = (
    r"(?:(?P<era>明治|大正|昭和|平成|令和|(?<![A-Za-z0-9])[MTSHR]\.?)\s?(?P<eyear>元|\d{1,2}|[一二三四五六七八九十]{1,3})"
    r"|(?<![\d.,])(?P<year>(?:19|20)\d\d|二〇[〇一二三四五六七八九]{2}|一九[〇一二三四五六七八九]{2})"
    r"|(?<![\d.,])'?(?P<short>\d\d))"
)
_KANJI_DATE = re.compile(
    rf"{_YEAR}\s?年(?P<fy>度)?\s?"
    rf"(?:の?(?P<quarter>(?:第[1-4一二三四]四半期|[1-4]Q(?![A-Za-z])))"
    rf"|の?(?P<month>{_N})(?:\s?月?\s?[~-]\s?(?P<month_end>{_N}))?\s?月(?P<fm>期)?(?:\s?(?P<day>{_N})日)?)?{_PART}"
)
_MONTH = re.compile(
    rf"(?<![\d./,か々十]) ?(?P<month>\d{{1,2}}|(?<![一-鿿])[一二三四五六七八九十]{{1,2}})"
    rf"(?:\s?月?\s?[~-]\s?(?P<month_end>{_N}))?\s?月(?!間|々)"
    rf"(?P<fm>期)?(?:\s?(?P<day>{_N})日(?!間))?{_PART}"
)
_DAY = re.compile(
    r"(?<![\d.,/第])(?P<day>\d{1,2}|(?<![一-鿿々])(?:[二三]?十[一二三四五六七八九]|[二三]十))日(?![間目本ぶ連続平足線移]|営業|立会)"
)
_SLASHES = re.compile(
    r"(?:(?P<era>令和|平成|昭和|(?<![A-Za-z0-9])[SHR])\.?(?P<eyear>\d{1,2}|元)|(?<![\d.,/\-])(?P<year>(?:19|20)\d\d))"
    r"(?P<sep>[/.-])(?P<month>1[0-2]|0?[1-9])(?:(?P=sep)(?P<day>3[01]|[12]\d|0?[1-9]))?(?![\d,]|\.\d|[/-]\d|\s?(?:%|円|ドル|ポイント|倍))"
    + _PART
)
_SHORT = re.compile(
    r"(?<![\d.,/\-A-Za-z])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0[1-9]|[1-9](?=日?(?:\(|付|時点|現在|末|終)))(?![\d,/%]|\.\d|\s?(?:percent|points?|倍))"
)
_QUARTER = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:FY)?\s?(?P<y1>(?:19|20)\d\d)\s?)?(?:第(?P<q1>[1-4一二三四])四半期|(?P<q2>[1-4])Q(?![A-Za-z0-9])|Q(?P<q3>[1-4])(?![0-9])"
    r"|(?P<q4>first|second|third|fourth) quarter)(?:\s?(?:of\s)?(?P<y2>(?:19|20)\d\d))?",
    re.IGNORECASE,
)
_FISCAL = re.compile(
    r"(?<![A-Za-z])(?:FY|fiscal(?: year)? )\s?(?P<year>(?:19|20)\d\d|\d\d)(?!\d)|(?<!\d)(?P<short>\d\d)年度",
    re.IGNORECASE,
)
_NAME = "|".join(sorted(_MONTHS, key=len, reverse=True))
_ENGLISH = re.compile(
    rf"(?<![A-Za-z])(?:(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? )?(?P<month>{_NAME})(?![a-z])\.?"
    r"(?:\s(?P<d2>\d{1,2})(?:st|nd|rd|th)?(?![\d%]|\.\d))?(?:,?\s(?P<year>(?:19|20)\d\d)(?!\d))?",
    re.IGNORECASE,
)
_ENGLISH_YEAR = re.compile(
    r"(?<![A-Za-z])(?:in|since|by|during|until|through|from|of|late|early|mid) (?P<year>(?:19|20)\d\d)(?!\d|[.,]\d)",
    re.IGNORECASE,
)
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    return int(text) if text.isdigit() else kanji_number(text)


def _year(found: re.Match[str]) -> int | None:
    groups = found.groupdict()
    if groups.get("era"):
        years = 1 if groups["eyear"] == "元" else _number(groups["eyear"])
        return _ERAS[groups["era"].rstrip(".")] + (years or 0)
    if groups.get("year"):
        value = _number(groups["year"]) or 0
        return value + 2000 if value < 100 else value
    return 2000 + int(groups["short"]) if groups.get("short") else None


def _checked(date: Date) -> Date | None:
    for month in (date.month, date.month_end):
        if month is not None and not 1 <= month <= 12:
            return None
    if date.day is not None and not 1 <= date.day <= 31:
        return None
    return date


def _from_kanji(found: re.Match[str]) -> Date | None:
    group = found.groupdict()
    if group.get("short") and not group.get("month") and not group.get("fy"):
        return None  # 10年 is a span of time; 26年3月 and 26年度 are dates
    quarter = (
        _number(re.sub(r"[^1-4一二三四]", "", group["quarter"].replace("四半期", ""))) if group.get("quarter") else None
    )
    return _checked(
        Date(
            year=_year(found),
            month=_number(group.get("month")),
            day=_number(group.get("day")),
            quarter=quarter,
            month_end=_number(group.get("month_end")),
            fiscal=bool(group.get("fy") or group.get("fm")) and not (group.get("fm") and group.get("month_end")),
            part=_PARTS.get(group.get("part") or "", ""),
        )
    )


def _from_quarter(found: re.Match[str]) -> Date | None:
    word = found.group("q1") or found.group("q2") or found.group("q3") or found.group("q4")
    year = found.group("y1") or found.group("y2")
    fiscal = bool(year and "FY" in found.group().upper())
    return Date(year=int(year) if year else None, quarter=_ORDINALS.get(word.lower()) or _number(word), fiscal=fiscal)


def _from_english(found: re.Match[str]) -> Date | None:
    day, year = found.group("d1") or found.group("d2"), found.group("year")
    name = found.group("month")
    if (
        not day
        and not year
        and (not name[0].isupper() or name.lower() in ("may", "march", "sep", "dec", "mar", "jan", "jun"))
    ):
        before = found.string[max(0, found.start() - 8) : found.start()].lower()
        if not name[0].isupper() or not re.search(
            r"\b(?:in|since|of|by|until|from|early|mid|late|during|and|to) $", before
        ):
            return None
    return _checked(Date(int(year) if year else None, _MONTHS[name.lower()], int(day) if day else None))


def _from_parts(found: re.Match[str]) -> Date | None:
    group = found.groupdict()
    if "short" in group or found.re is _FISCAL:
        return Date(year=_year(found), fiscal=True)
    return _checked(
        Date(
            _year(found),
            _number(group.get("month")),
            _number(group.get("day")),
            part=_PARTS.get(group.get("part") or "", ""),
        )
    )


_READERS = (
    (_KANJI_DATE, _from_kanji),
    (_SLASHES, _from_parts),
    (_QUARTER, _from_quarter),
    (_FISCAL, _from_parts),
    (_MONTH, _from_kanji),
    (_SHORT, _from_parts),
    (_ENGLISH, _from_english),
    (_ENGLISH_YEAR, _from_parts),
    (_DAY, _from_parts),
)


def dates(text: str) -> list[Dated]:
    """The dates of folded `text`, in order and without overlap; the fuller reading wins."""
    found: list[Dated] = []
    for pattern, read in _READERS:
        for match in pattern.finditer(text):
            start, end = match.span("year") if pattern is _ENGLISH_YEAR else match.span()
            while start < end and text[start] == " ":
                start += 1
            if any(start < other.end and other.start < end for other in found):
                continue
            date = read(match)
            if date is not None:
                found.append(Dated(date, start, end))
    found.sort(key=lambda dated: dated.start)
    return _share_months(text, found)


def _share_months(text: str, found: list[Dated]) -> list[Dated]:
    """In 4月10日~12日 the second day is of the first one's month."""
    out: list[Dated] = []
    for dated in found:
        date = dated.date
        if out and date.day is not None and date.month is None and out[-1].date.day is not None:
            gap = text[out[-1].end : dated.start]
            if re.fullmatch(r"\s?(?:~|-|から|・|、|と)\s?", gap):
                date = replace(date, month=out[-1].date.month)
        out.append(replace(dated, date=date))
    return out


def parse_date(value: str) -> Date | None:
    """The date behind a fact's value (`2026年3月`), or None."""
    found = dates(value)
    return found[0].date if len(found) == 1 and found[0].end == len(value) else None
