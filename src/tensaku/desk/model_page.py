"""The page Model: what writers made of its revisions, drawn, and whether it is time to retrain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.responses import Response
from markupsafe import Markup

from tensaku.desk.access import Access
from tensaku.desk.frame import language_of, render, shown
from tensaku.desk.gate import signed_of
from tensaku.desk.scores import Group, advise, scores
from tensaku.desk.words import WORDS, Language, month_name
from tensaku.report.drawing import line, svg, tick_text, ticks, words

__all__ = ["add_model_page", "columns"]

MOST_MONTHS = 12
"""Months drawn; older ones are in the ledger still."""


def columns(title: str, values: Sequence[tuple[str, float, int]], *, unit: str = "") -> Markup:
    """Standing bars from 0 up: name, value and how many comments it stands for."""
    left, right, top, foot, width, height = 46, 8, 20, 42, 560, 218
    # A little room above the highest; nothing at all still has a scale.
    high = max((value for _, value, _ in values), default=0.0) * 1.15 or 1.0
    bottom, room = height - foot, width - left - right
    parts = []
    marks = ticks(0, high)
    for mark in marks:
        y = bottom - (bottom - top) * mark / high
        parts += [line("grid", left, y, width - right, y)]
        parts += [words("tick", left - 7, y + 4, tick_text(mark, marks) + unit, "end")]
    step = room / max(len(values), 4)
    for number, (name, value, n) in enumerate(values):
        x, size = left + step * (number + 0.5), (bottom - top) * value / high
        thick = min(38.0, step * 0.6)
        body = Markup('<rect class="bar-body" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>')
        parts.append(body.format(x - thick / 2, bottom - max(size, 1), thick, max(size, 1)))
        parts.append(words("value", x, bottom - size - 6, f"{value:.1f}", "middle"))
        parts.append(words("tick", x, bottom + 17, name, "middle"))
        parts.append(words("tick", x, bottom + 33, f"n={n}", "middle"))
    label = f"{title}: " + ", ".join(f"{name} {value:.1f}{unit}" for name, value, _ in values)
    return svg(width, height, label, parts)


def _month(name: str, language: Language) -> str:
    """A month short enough to stand under a column."""
    return f"{name[2:4]}/{int(name[5:])}" if language == "ja" else month_name(name, "en").replace(" 20", " ’")


def add_model_page(app: FastAPI, access: Access, *, retrain_after: int, retrain_drift: float) -> None:
    """Add `/model` in both languages."""

    async def show(request: Request) -> Response:
        language, signed = language_of(request), signed_of(request)
        own = access.own(signed.person.name)
        rows = await asyncio.to_thread(own.outcomes)
        releases = {row.ref: row.at for row in await asyncio.to_thread(own.releases)}
        people = {person.name: person.display for person in await asyncio.to_thread(own.people)}
        found = await asyncio.to_thread(scores, rows)
        months: list[Group] = list(found.months[-MOST_MONTHS:]) if found else []
        edited = [(_month(group.name, language), 100 * group.edited, group.n) for group in months]
        timed = [(_month(g.name, language), g.minutes, g.n) for g in months if g.minutes is not None]
        return render(
            "model.html",
            language,
            signed=signed,
            here="model",
            s=found,
            advice=advise(rows, releases, wanted=retrain_after, drift=retrain_drift),
            people=people,
            by_month=columns(WORDS[language]["model_by_month"], edited, unit="%"),
            minutes=columns(WORDS[language]["model_minutes_by_month"], timed) if timed else "",
        )

    for start in ("", "/en"):
        app.add_api_route(f"{start}/model", shown(show), methods=["GET"])
