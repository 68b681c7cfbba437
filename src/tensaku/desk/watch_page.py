"""The page Monitoring: a release's figures month by month as control charts, alerts, reports and decisions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from tensaku.desk.access import Access
from tensaku.desk.frame import Refused, language_of, render, shown
from tensaku.desk.gate import may_govern, signed_of
from tensaku.govern.monitor import FIGURES, figures_by_month
from tensaku.govern.watch_page import readings_of
from tensaku.ledger import FilingRow, Ledger
from tensaku.report import control_chart
from tensaku.text import StyleRule

__all__ = ["Months", "add_watch"]


class Months:
    """The figures, worked out anew only when something has happened. Safe to ask from many threads; blocks."""

    def __init__(self, ledger: Ledger, style: Sequence[StyleRule]) -> None:
        self._ledger, self._style = ledger, tuple(style)
        self._turn = threading.Lock()
        self._seen: tuple[tuple[int, str], str] | None = None
        self._lines: list[dict[str, Any]] = []

    def lines(self) -> list[dict[str, Any]]:
        """As `figures_by_month` gives them."""
        with self._turn:
            now = datetime.now(UTC)
            seen = (self._ledger.log_end(), f"{now:%Y-%m-%d}")
            if seen != self._seen:
                self._lines = figures_by_month(self._ledger, now, style=self._style)
                self._seen = seen
            return self._lines


def add_watch(app: FastAPI, access: Access, *, style: Sequence[StyleRule] = ()) -> None:
    """Add `/watch` in both languages, for those who govern."""
    months = Months(access.ledger, style)

    def read(person: str) -> tuple[list[dict[str, Any]], str, list[FilingRow]]:
        """The months of the releases that a person may see, the champion's name if they may see it, and the filings."""
        every, ledger = months.lines(), access.own(person)
        open_to = {ref for ref in {line["release"] for line in every} if access.sees(person, ref)}
        now = ledger.deployed()
        champion = now.champion if now is not None and ledger.opens(now.champion) else ""
        return [line for line in every if line["release"] in open_to], champion, ledger.filings()

    async def show(request: Request) -> Response:
        language, signed = language_of(request), signed_of(request)
        if not may_govern(signed.person):
            raise Refused(403, "fault_right")
        lines, champion, filed = await asyncio.to_thread(read, signed.person.name)
        releases = list(dict.fromkeys(line["release"] for line in reversed(lines)))
        wanted = request.query_params.get("release", "")
        chosen = wanted if wanted in releases else champion if champion in releases else next(iter(releases), "")
        own = [line for line in lines if line["release"] == chosen]
        record = [row for row in filed if row.kind in ("monitoring", "decision") and row.subject == chosen]
        place = 0 if language == "ja" else 1
        charts = [
            chart
            for name, words in FIGURES.items()
            if (chart := control_chart((words[place], ""), readings_of(own, name)))
        ]
        return render(
            "watch.html",
            language,
            signed=signed,
            here="watch",
            releases=releases,
            chosen=chosen,
            champion=champion,
            own=own,
            alerts=_alerts(own, language),
            charts=charts,
            record=list(reversed(record)),
        )

    for start in ("", "/en"):
        app.add_api_route(f"{start}/watch", shown(show), methods=["GET"])


def _alerts(lines: Sequence[Mapping[str, Any]], language: str) -> list[dict[str, Any]]:
    """Every alert of a release, the newest first."""
    return [
        {"month": line["month"], "name": alert[language], "value": f"{alert['value']:.4g}", "wanted": alert["wanted"]}
        for line in reversed(lines)
        for alert in line["alerts"]
    ]
