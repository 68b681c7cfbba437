"""Whose report it is, of which fund and month: looked for where such things stand, never in the comment itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tensaku.text.months import parse_month

__all__ = ["Label", "find_month", "find_name"]


class Label(NamedTuple):
    """What was found: `value` if it is certain; else `guesses`, and why (`missing`, `new` or `several`)."""

    value: str
    why: str = ""
    guesses: tuple[str, ...] = ()


_NAMED = {
    "manager": re.compile(
        r"(?:運用会社|運用受託者|投資顧問会社|委託会社|会社名|Manager)[\s　]*[:：\t][\s　]*([^\n\t]{2,60})", re.I
    ),
    "fund": re.compile(
        r"(?:ファンド名|ファンド名称|ファンド|対象ファンド|Fund)[\s　]*[:：\t][\s　]*([^\n\t]{2,60})", re.I
    ),
}
_MONTHS = re.compile(
    r"(?:\d{4}年度?\s?\d{1,2}月|(?:令和|平成|R|H)\s?(?:\d{1,2}|元)年\s?\d{1,2}月|\d{4}[/.-]\d{1,2}(?:[/.-]\d{1,2})?(?!\d)"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?,? \d{4})",
    re.I,
)
_BARE = re.compile(r"(?<!\d)(20\d{2})(0[1-9]|1[0-2])(?!\d)")
_OF = re.compile(
    r"(?:対象月|基準月|基準日|作成基準日|月末|末現在|現在|月次|月報|月度|月号|マンスリー|Monthly|as of)", re.I
)
_MADE = re.compile(r"(?:作成日|発行日|印刷|設定日|償還|更新日|送付)")


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def find_name(kind: str, known: Iterable[str], places: Sequence[Sequence[str]]) -> Label:
    """The manager or fund, one of `known`, in the first of `places` where any is named.

    Args:
        kind: `manager` or `fund`.
        known: the names.
        places: lists of texts, the most telling first.
    """
    folded = {_folded(name): name for name in known if name.strip()}
    for texts in places:
        found: list[str] = []
        for text in map(_folded, texts):
            for name in sorted(folded, key=len, reverse=True):
                if name in text:
                    found.append(folded[name])
                    text = text.replace(name, "\x00")
        different = list(dict.fromkeys(found))
        if len(different) == 1:
            return Label(different[0])
        if different:
            return Label("", "several", tuple(different))
    for texts in places:
        for text in texts:
            if (named := _NAMED[kind].search(text)) is not None:
                return Label("", "new", (named[1].strip(),))
    return Label("", "missing")


def find_month(places: Sequence[Sequence[str]]) -> Label:
    """The month, `YYYY-MM`: the one beside words that say so, else the only one that is named."""
    for texts in places:
        told: list[str] = []
        named: list[str] = []
        for text in texts:
            plain = unicodedata.normalize("NFKC", text)
            for match in (*_MONTHS.finditer(plain), *_BARE.finditer(plain)):
                month = parse_month("".join(match[0].split()) if "年" in match[0] else match[0])
                around = plain[max(0, match.start() - 12) : match.end() + 12]
                if month is None or _MADE.search(plain[max(0, match.start() - 8) : match.start()]):
                    continue
                (told if _OF.search(around) else named).append(month)
        for found in (told, named):
            different = tuple(dict.fromkeys(found))
            if len(different) == 1:
                return Label(different[0])
            if different:
                return Label("", "several", different)
    return Label("", "missing")
