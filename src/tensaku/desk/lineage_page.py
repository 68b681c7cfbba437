"""The page Lineage: what made a sentence's model, which models saw a document or a person, what answered when."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from tensaku.desk.access import Access
from tensaku.desk.frame import Refused, language_of, render, shown
from tensaku.desk.gate import may_govern, signed_of
from tensaku.errors import UsageError
from tensaku.govern.traces import Made, Saw, what_made, what_stood, who_saw
from tensaku.ledger import Ledger, Stood

__all__ = ["add_lineage"]

SHOWN = 20
"""Pairs shown of a model, and models of a document; all of them: `tensaku lineage`."""
PLACES = 5
"""Places shown where a sentence stands."""
_LONGEST = 500


def add_lineage(app: FastAPI, access: Access) -> None:
    """Add `/lineage` in both languages, for those who govern."""

    async def show(request: Request) -> Response:
        language, signed = language_of(request), signed_of(request)
        if not may_govern(signed.person):
            raise Refused(403, "fault_right")
        asked = {name: request.query_params.get(name, "").strip()[:_LONGEST] for name in ("made", "saw", "at")}
        began = time.perf_counter()
        found = await asyncio.to_thread(answers, access.own(signed.person.name), asked)
        return render(
            "lineage.html",
            language,
            signed=signed,
            here="lineage",
            asked=asked,
            most=SHOWN,
            places=PLACES,
            took=f"{time.perf_counter() - began:.2f}",
            **found,
        )

    for start in ("", "/en"):
        app.add_api_route(f"{start}/lineage", shown(show), methods=["GET"])


def answers(ledger: Ledger, asked: dict[str, str]) -> dict[str, Any]:
    """What the page says to what was asked; a question that was not asked has no answer. Blocks."""
    made: list[Made] | None = None
    saw: Saw | None = None
    stood: Stood | None = None
    fault = ""
    if asked["made"]:
        try:
            made = what_made(ledger, asked["made"], SHOWN)
        except UsageError:  # no kept text holds it
            made = []
    if asked["saw"]:
        saw = who_saw(ledger, asked["saw"])
    if asked["at"]:
        try:
            stood = what_stood(ledger, datetime.fromisoformat(asked["at"]).astimezone())
        except ValueError:
            fault = "lineage_no_date"
    refs = [one.release for one in made or ()] + list(saw.releases[:SHOWN] if saw is not None else ())
    known = set(ledger.release_refs()) if refs else set[str]()
    rows = {ref: ledger.release(ref) for ref in refs if ref in known}
    return {"made": made, "saw": saw, "stood": stood, "fault": fault, "rows": rows}
