"""The pieces that sections are made of: headings, tables, figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

__all__ = ["Figure", "cards", "count", "duration", "grid", "percent", "section", "strip"]


class Figure(NamedTuple):
    """A figure that stands out: what it is called, its value, and what it says, in Japanese and in English."""

    label: str
    value: str
    meaning: str
    english: str


def cards(figures: Iterable[Figure]) -> Markup:
    """A row of figures that stand out; four fit."""
    card = Markup('<div class="card"><span class="label">{}</span><b>{}</b><span>{}</span><small>{}</small></div>')
    return Markup('<div class="cards">{}</div>').format(Markup().join(card.format(*figure) for figure in figures))


def strip(facts: Iterable[tuple[str, str]]) -> Markup:
    """Small figures in one line: name, value."""
    held = Markup().join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in facts)
    return Markup('<dl class="strip">{}</dl>').format(held)


def section(title: str, english: str, body: Markup) -> Markup:
    """A section with its heading in both languages."""
    return Markup('<section class="part"><h2>{}<small>{}</small></h2>{}</section>').format(title, english, body)


def grid(heads: Sequence[Any], rows: Sequence[Sequence[Any]], numbers_from: int = 1) -> Markup:
    """A table; columns from `numbers_from` on are set as figures, flush right."""

    def style(place: int) -> str:
        return "n" if place >= numbers_from else "w"

    cell = Markup('<td class="{}">{}</td>')
    head = Markup().join(Markup('<th class="{}">{}</th>').format(style(i), value) for i, value in enumerate(heads))
    body = Markup().join(
        Markup("<tr>{}</tr>").format(Markup().join(cell.format(style(i), value) for i, value in enumerate(row)))
        for row in rows
    )
    return Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        head, body
    )


def count(n: float) -> str:
    """A whole number with its thousands set apart."""
    return f"{n:,.0f}"


def percent(share: float) -> str:
    """A share of 0 to 1 in percent with one decimal; 100 only if it is all."""
    shown = f"{100 * share:.1f}"
    return f"{'99.9' if shown == '100.0' and share < 1 else shown} %"


def duration(seconds: float) -> str:
    """Seconds as people say them: 4.2 s, 13 min 25 s, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
