"""Which comments the sample desk holds: 48 months, 800 pairs, and the drafts of the month that follows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tensaku.records import Pair
from tensaku.sampledesk import house
from tensaku.sampledesk.content import Fund, Performance, Result, Statement, View, compose, funds
from tensaku.sampledesk.market import Month, months_between, simulate
from tensaku.sampledesk.voices import Voice, draft, voices

__all__ = ["FIRST", "LAST", "PAIRS", "SEED", "THIS_MONTH", "Desk", "build"]

SEED = 20260930
FIRST, LAST, THIS_MONTH = "2022-10", "2026-09", "2026-10"
PAIRS = 800
SECTIONS = ("market", "performance", "outlook")

# Months in which a draft comes in again, corrected, one or two months after its first: some cross the exam's border.
_AGAIN = {
    "2023-02": 1,
    "2023-07": 2,
    "2023-11": 1,
    "2024-03": 1,
    "2024-08": 2,
    "2025-01": 1,
    "2025-06": 1,
    "2025-10": 2,
    "2026-02": 2,
    "2026-03": 1,
    "2026-04": 2,
    "2026-06": 1,
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What is written: the pairs, this month's drafts (their `final` is empty), and the market behind them."""

    pairs: tuple[Pair, ...]
    drafts: tuple[Pair, ...]
    market: dict[str, Month]


@dataclass(frozen=True, slots=True)
class _Cell:
    """One comment to be written: several managers may send a draft of it."""

    fund: Fund
    section: str
    as_of: str
    statements: tuple[Statement, ...]

    @property
    def family(self) -> str:
        return f"{self.fund.id}-{self.section}-{self.as_of}"


class _Writers:
    """Hands each draft to the manager of the fund who has written least so far."""

    def __init__(self, people: Sequence[Voice]) -> None:
        self._people = people
        self._count: Counter[str] = Counter()

    def next(self, fund: Fund, rng: random.Random, but: Voice | None = None) -> Voice:
        able = [v for v in self._people if fund.id in v.funds and v is not but]
        voice = min(able, key=lambda v: self._count[v.id] + rng.random())
        self._count[voice.id] += 1
        return voice


def build(seed: int = SEED) -> Desk:
    """The whole desk; the same seed gives the same desk, character for character."""
    all_funds = funds()
    months = months_between(FIRST, THIS_MONTH)
    market = simulate(months, {f.id: list(f.segments) for f in all_funds}, seed)
    rng = random.Random(seed + 1)
    writers = _Writers(voices())
    cells = _endless(all_funds, rng)
    pairs: list[Pair] = []
    kept: dict[str, tuple[_Cell, Voice]] = {}
    for number, as_of in enumerate(months):
        quota = PAIRS * (number + 1) // 48 - PAIRS * number // 48 if as_of != THIS_MONTH else 17
        rows = _month(as_of, quota, market, cells, writers, kept, rng)
        pairs.extend(rows)
    this = [replace(p, final="") for p in pairs if p.as_of == THIS_MONTH]
    return Desk(tuple(p for p in pairs if p.as_of != THIS_MONTH), tuple(this), market)


def _endless(all_funds: Sequence[Fund], rng: random.Random) -> Iterator[tuple[Fund, str]]:
    """Every fund and section in turn, each round in a new order."""
    while True:
        yield from rng.sample([(f, s) for f in all_funds for s in SECTIONS], len(all_funds) * len(SECTIONS))


def _month(
    as_of: str,
    quota: int,
    market: dict[str, Month],
    cells: Iterator[tuple[Fund, str]],
    writers: _Writers,
    kept: dict[str, tuple[_Cell, Voice]],
    rng: random.Random,
) -> list[Pair]:
    rows: list[Pair] = []
    for origin, later in _AGAIN.items():
        if origin in kept and _later(origin, later) == as_of:
            cell, voice = kept[origin]
            rows.append(_pair(_corrected(cell, market[origin], rng), voice, as_of, rng))
    seen: set[str] = set()
    promised = False
    twins = 1 if rng.random() < 0.75 else 0
    while len(rows) < quota:
        fund, section = next(cells)
        cell = _Cell(fund, section, as_of, tuple(compose(fund, section, market[as_of], rng)))
        if cell.family in seen:
            continue
        seen.add(cell.family)
        if as_of in _AGAIN and as_of not in kept and section != "outlook":
            cell = _dated(cell)
        if as_of == THIS_MONTH and section == "outlook" and not promised:
            cell, promised = _promising(cell), True
        voice = writers.next(fund, rng)
        rows.append(_pair(cell, voice, as_of, rng))
        if as_of in _AGAIN and as_of not in kept and section != "outlook":
            kept[as_of] = (cell, voice)
        elif twins and len(rows) < quota and section != "outlook":
            twins -= 1
            rows.append(_pair(cell, writers.next(fund, rng, but=voice), as_of, rng))
    return rows


def _later(as_of: str, months: int) -> str:
    year, month = (int(part) for part in as_of.split("-"))
    month += months
    return f"{year + (month - 1) // 12}-{(month - 1) % 12 + 1:02d}"


def _dated(cell: _Cell) -> _Cell:
    first = cell.statements[0]
    assert isinstance(first, Result | Performance)
    return replace(cell, statements=(replace(first, dated=True), *cell.statements[1:]))


def _promising(cell: _Cell) -> _Cell:
    """The same outlook with a promise in it: this month's drafts always hold one."""
    view = cell.statements[0]
    assert isinstance(view, View)
    view = replace(view, up=True, path="上昇する", grounds=view.grounds[:1], against="", promised=True)
    return replace(cell, statements=(view, *cell.statements[1:]))


def _corrected(cell: _Cell, month: Month, rng: random.Random) -> _Cell:
    """The same figures, with the reasons given anew."""
    while True:
        fresh = compose(cell.fund, cell.section, month, rng)
        if tuple(fresh[1:]) != cell.statements[1:]:
            return replace(cell, statements=(cell.statements[0], *fresh[1:]))


def _pair(cell: _Cell, voice: Voice, filed: str, rng: random.Random) -> Pair:
    """The pair of one cell and one manager, filed under the month `filed`; its two sides always differ."""
    final = house.final(cell.statements, cell.fund, cell.as_of)
    text = draft(cell.statements, voice, cell.fund, cell.as_of, rng)
    while text == final:
        text = draft(cell.statements, voice, cell.fund, cell.as_of, rng)
    name = f"{filed}-{cell.fund.id}-{cell.section}-{voice.id}"
    if filed != cell.as_of:
        name += "-again"
    return Pair(name, text, final, voice.name, cell.fund.name, cell.section, filed, cell.family)
