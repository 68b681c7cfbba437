"""Months as people write them: 2026-09, 2026/9, 2026年9月, 令和8年9月, R8.9, Sep 2026, an Excel date."""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata

__all__ = ["parse_month", "shift"]

_ERAS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925}
_ENGLISH = dict(
    zip(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), range(1, 13), strict=True)
)
_DAY = r"(?:[-/.]\d{1,2}(?:[T ]\d{1,2}:\d{2}.*)?)?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}}){_DAY}",
        r"(?P<year>\d{4})(?P<month>\d{2})(?:\d{2})?",
        r"(?P<year>\d{4})年度?(?P<month>\d{1,2})月(?:度|分|末|号|\d{1,2}日)?(?:現在)?",
        r"(?P<era>令和|平成|昭和|[RHS])(?P<year>\d{1,2}|元)年(?P<month>\d{1,2})月(?:度|分|末|号|\d{1,2}日)?(?:現在)?",
        r"(?P<era>[RHS])(?P<year>\d{1,2})[-/.](?P<month>\d{1,2})(?:[-/.]\d{1,2})?",
        r"(?P<name>[A-Za-z]{3,9})\.?[ ,-]+(?P<year>\d{4})",
        r"(?P<year>\d{4})[ ,-]+(?P<name>[A-Za-z]{3,9})\.?",
    )
)
_EXCEL_EPOCH = dt.date(1899, 12, 30)


def parse_month(value: object) -> str | None:
    """`value` as `YYYY-MM`, or None if it names no month between 1926 and 2199.

    Dates and times are taken as they are; a whole number from 20,000 to 109,999 is a day as Excel counts them.
    """
    if isinstance(value, dt.date):
        return f"{value.year:04d}-{value.month:02d}"
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        if 20_000 <= value < 110_000:
            return parse_month(_EXCEL_EPOCH + dt.timedelta(days=int(value)))
        value = str(int(value)) if value == int(value) else str(value)
    if not isinstance(value, str):
        return None
    text = unicodedata.normalize("NFKC", value).strip().replace(" 年", "年").replace("年 ", "年").replace(" 月", "月")
    for form in _FORMS:
        if (match := form.fullmatch(text)) is not None:
            return _month(match.groupdict())
    return None


def _month(parts: dict[str, str | None]) -> str | None:
    written = parts["year"] or ""
    year = 1 if written == "元" else int(written)
    if era := parts.get("era"):
        year += _ERAS[era]
    name = parts.get("name")
    month = _ENGLISH.get(name[:3].lower(), 0) if name else int(parts.get("month") or 0)
    return f"{year:04d}-{month:02d}" if 1 <= month <= 12 and 1926 <= year <= 2199 else None


def shift(month: str, by: int) -> str:
    """The month `by` months after `month` (before it if negative), both `YYYY-MM`."""
    count = int(month[:4]) * 12 + int(month[5:]) - 1 + by
    return f"{count // 12:04d}-{count % 12 + 1:02d}"
