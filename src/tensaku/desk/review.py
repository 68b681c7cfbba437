"""The second pair of eyes: finals that wait for another person, that person's word on them, and what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import Response
from markupsafe import Markup

from tensaku.desk.access import Access
from tensaku.desk.board import state_of
from tensaku.desk.comparison import House, hold
from tensaku.desk.frame import Refused, language_of, own_form, redirect, render, shown
from tensaku.desk.gate import signed_of
from tensaku.desk.words import WORDS
from tensaku.ledger import DraftRow, FinalRow, Ledger, PersonRow, ReviewRow, Standing
from tensaku.ledger.rows import Verdicts

__all__ = ["Opened", "Queue", "add_review", "read_queue"]


@dataclass(frozen=True, slots=True)
class Opened:
    """One final with its draft, both marked as the desk marks them, and what was said of it so far."""

    draft: DraftRow
    final: FinalRow
    state: str
    draft_html: Markup
    difference_html: Markup
    reviews: Sequence[ReviewRow]
    writers: frozenset[str]

    @property
    def waits(self) -> bool:
        """Whether somebody has still to decide on it."""
        return self.state == "review"


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits, oldest first, then what was returned; and the one that is open."""

    waiting: Sequence[tuple[DraftRow, Standing]]
    returned: Sequence[tuple[DraftRow, Standing]]
    opened: Opened | None
    people: Mapping[str, PersonRow]


def read_queue(ledger: Ledger, draft_id: int | None, house: House) -> Queue:
    """Read the page. Blocks.

    Raises:
        NotFound: no such draft.
        NotAllowed: it is not theirs to see.
    """
    standings = ledger.standings()
    found: dict[str, list[tuple[DraftRow, Standing]]] = {"review": [], "returned": []}
    for draft in ledger.drafts():
        standing = standings.get(draft.id)
        state = state_of(draft, standing, review=ledger.review)
        if standing is not None and state in found:
            found[state].append((draft, standing))
    for rows in found.values():
        rows.sort(key=lambda row: row[1].final_id or 0)
    opened = _opened(ledger, draft_id, standings, house) if draft_id is not None else None
    people = {person.name: person for person in ledger.people()}
    return Queue(found["review"], found["returned"], opened, people)


def _opened(ledger: Ledger, draft_id: int, standings: Mapping[int, Standing], house: House) -> Opened | None:
    draft, finals = ledger.draft(draft_id), ledger.finals(draft_id)
    if not finals:
        return None
    compared = hold(draft.text, finals[0].text, house, as_of=draft.as_of, section=draft.section)
    return Opened(
        draft,
        finals[0],
        state_of(draft, standings.get(draft_id), review=ledger.review),
        Markup(compared.draft_html),  # noqa: S704  the comparison escapes the texts
        Markup(compared.difference_html),  # noqa: S704  as above
        ledger.reviews(draft_id),
        frozenset(final.by for final in finals),
    )


def add_review(app: FastAPI, access: Access, *, house: House, text_language: str) -> None:
    """Add `/review` in both languages."""
    page = _Page(access, house, text_language)
    for start in ("", "/en"):
        app.add_api_route(f"{start}/review", shown(page.show), methods=["GET"])
        app.add_api_route(f"{start}/review", shown(page.decide), methods=["POST"])


class _Page:
    def __init__(self, access: Access, house: House, text_language: str) -> None:
        self._access, self._house, self._text_language = access, house, text_language

    async def show(self, request: Request) -> Response:
        language, signed, asked = language_of(request), signed_of(request), request.query_params.get("draft", "")
        own = self._access.own(signed.person.name)
        number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
        queue = await asyncio.to_thread(read_queue, own, number, self._house)
        told = request.query_params.get("told", "")
        return render(
            "review.html",
            language,
            signed=signed,
            here="review",
            q=queue,
            asked=own.review,
            may="reviewer" in signed.person.roles,
            text_language=self._text_language,
            told=WORDS[language][f"review_done_{told}"] if told in get_args(Verdicts) else "",
        )

    async def decide(self, request: Request) -> Response:
        signed, form = await own_form(request)
        decision, final, draft = form.one("decision"), form.one("final"), form.one("draft")
        if decision not in get_args(Verdicts) or not (final + draft).isdigit() or len(final) > 9 or len(draft) > 9:
            raise Refused(400, "fault_form")
        own, note = self._access.own(signed.person.name), form.one("note").replace("\r\n", "\n")
        verdict: Verdicts = decision  # type: ignore[assignment]
        await asyncio.to_thread(lambda: own.add_review(int(final), verdict, signed.person.name, note=note))
        start = "/en" if language_of(request) == "en" else ""
        return redirect(f"{start}/review?" + urlencode({"draft": draft, "told": decision}))
