"""What figures and dates of one text another may say: the facts measure's own equality, asked of one fact at a time.

`guard.compare` judges a finished text by it, and a model that writes is held to it while it writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from tensaku.records import Fact
from tensaku.text.dates import Date, parse_date
from tensaku.text.extract import quantities
from tensaku.text.figures import plain, quoted
from tensaku.text.fold import fold
from tensaku.text.numerals import RUN, spelled

__all__ = ["Standing", "alike", "plausible"]

_VALUE = re.compile(r"-?(?P<amount>\d+(?:\.\d+)?)(?P<unit>.*)")
_WRITTEN = re.compile(r"\d(?:[\d,]*\d)?(?:\.\d+)?")
_ALIKE = (("bp", ("ポイント", "%"), Decimal("0.01")), ("割", ("%",), Decimal(10)))
_SCALES = tuple(Decimal(10) ** power for power in (3, 4, 6, 8, 12))
_REIWA = 2018


def alike(value: str) -> set[str]:
    """The values that a figure may also be written as: 25bp as 0.25ポイント or 0.25%, 3割 as 30%."""
    found = {value}
    for unit, others, factor in _ALIKE:
        if value.endswith(unit):
            amount = plain(Decimal(value.removesuffix(unit)) * factor)
            found |= {amount + other for other in others}
    return found


def plausible(date: Date, source: Date, given: Sequence[Date]) -> bool:
    """May `date` have its year where `source` has none? Only within eleven months of a date given in full."""
    if date.year is None or source.year is not None or not given:
        return True
    month = date.month or 6
    return any(abs((date.year - (other.year or 0)) * 12 + month - (other.month or month)) <= 11 for other in given)


class Standing:
    """The figures and dates that stand in `source`, whatever their sign: whether something fell is said in many ways.

    `digits` and `kanji` are the numerals that another text may be written with, `rests` those of them that stand
    behind a 万 or 億 alone (8500 of 4万8500). A numeral of them may still say something else with its unit, which
    `holds` tells.
    """

    def __init__(self, source: str) -> None:
        text = fold(source).text
        found = quantities(text)
        figures = [f for f in found if f.kind in ("number", "percent", "unit")]
        self._values = {value for f in figures for value in alike(f.value.lstrip("-"))}
        self._values |= {f"1{unit}" for unit in quoted(text)}
        parts = [(Decimal(m["amount"]), m["unit"]) for value in self._values if (m := _VALUE.fullmatch(value))]
        self._amounts: dict[str, set[Decimal]] = {}
        for amount, unit in parts:
            self._amounts.setdefault(unit, set()).add(amount)
        dates = [date for f in found if f.kind == "date" and (date := parse_date(f.value))]
        ends = [replace(d, month=d.month_end, month_end=None) for d in dates if d.month_end is not None]
        begins = [replace(d, month_end=None) for d in dates if d.month_end is not None]
        self._dates = [*dates, *begins, *ends]
        self._given = [d for d in dates if d.year is not None]
        written = [(m.span(), m[0].replace(",", "")) for m in _WRITTEN.finditer(text)]
        spans = [(f.start, f.end) for f in found]
        # 500 of S&P500: a numeral that is no fact, and may be written again
        self._bare = {number for (at, _), number in written if not any(start <= at < end for start, end in spans)}
        self._written = {number for _, number in written}
        self.rests = frozenset(plain(rest) for rest in self._rests())
        self.digits = frozenset(self._all_digits(found))
        self.kanji = frozenset(self._all_kanji()) | set(RUN.findall(text))

    def holds(self, fact: Fact) -> bool:
        """Whether this figure or date, as the facts measure reads it, stands in the source."""
        if fact.kind == "date":
            date = parse_date(fact.value)
            return date is None or any(date.within(d) and plausible(date, d, self._given) for d in self._dates)
        value = fact.value.lstrip("-")
        if alike(value) & self._values:
            return True
        return fact.kind == "number" and value in self._bare

    def may_become(self, fact: Fact) -> bool:
        """The same of a fact at the end of a text that goes on: 3% may become 3%ポイント, 26年 26年3月."""
        if fact.kind == "number" or self.holds(fact):
            return True
        if fact.kind == "date":
            return self._date_may_become(parse_date(fact.value))
        found = _VALUE.fullmatch(fact.value)
        if found is None:
            return True
        amount, unit = Decimal(found["amount"]), found["unit"]
        if unit == "%":
            return amount in self._amounts.get("ポイント", ())
        if unit in ("円", "割"):  # 150円20銭, 3割5分
            return any(int(known) == amount for known in self._amounts.get(unit, ()))
        if unit == "年":
            return any(d.year is not None and amount in (d.year % 100, d.year - _REIWA) for d in self._dates)
        if unit == "時":
            return any(value.startswith(f"{amount}時") for value in self._values)
        if unit == "分":  # 3分の1, 7分5厘
            return bool(self._amounts.get("割")) or any(value.endswith(f"/{amount}") for value in self._values)
        return False

    def _date_may_become(self, date: Date | None) -> bool:
        if date is None:
            return True
        if date.finest == "day" and date.month is None and Decimal(date.day or 0) in self._amounts.get("日", ()):
            return True  # 3日間
        bare = replace(date, fiscal=False, part="")
        return any(bare.within(replace(d, fiscal=False, part="")) for d in self._dates)

    def _numbers(self) -> Iterator[Decimal]:
        for unit, amounts in self._amounts.items():
            for amount in amounts:
                yield amount
                if unit in ("%", "ポイント"):
                    yield amount * 100  # in basis points
                    yield amount / 10  # in 割
                for scale in _SCALES:
                    if amount >= scale:
                        yield amount / scale
                        yield Decimal(int(amount / scale))
        for date in self._dates:
            for part in (date.year, date.month, date.month_end, date.day, date.quarter):
                if part is not None:
                    yield Decimal(part)
            if date.year is not None:
                yield Decimal(date.year % 100)
                if date.year > _REIWA:
                    yield Decimal(date.year - _REIWA)

    def _rests(self) -> Iterator[Decimal]:
        for amounts in self._amounts.values():
            for amount in amounts:
                yield from (amount % scale for scale in _SCALES if amount >= scale)

    def _all_digits(self, found: Sequence[Fact]) -> Iterator[str]:
        for number in self._numbers():
            yield plain(number)
        yield from self._written
        for fact in found:
            yield from _WRITTEN.findall(fact.value)

    def _all_kanji(self) -> Iterator[str]:
        for number in self._numbers():
            if number == number.quantize(Decimal("0.0001")):
                yield from spelled(number)
