"""The month's end at a glance: every draft by where it stands, who has it, what is late, and handing it out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from tensaku.desk.access import Access
from tensaku.desk.board import STATES, Board, Filters, State, read_board, usual_due
from tensaku.desk.bulk import BulkWorker
from tensaku.desk.frame import Form, language_of, own_form, redirect, render, shown
from tensaku.desk.gate import signed_of
from tensaku.desk.rights import GIVERS, PersonalLedger
from tensaku.desk.words import WORDS, Language, counted
from tensaku.desk.words_faults import kept_words
from tensaku.ledger import BulkRow, DraftRow, Ledger, PersonRow, Standing

__all__ = ["Line", "Month", "Wanted", "add_month", "read_month"]

NOBODY = "-"
"""The filter for drafts that nobody has; no person's name is one sign alone that is no letter."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page shows; an empty text is all. `person` may be `-`: nobody."""

    month: str = ""
    fund: str = ""
    manager: str = ""
    state: str = ""
    person: str = ""
    late: str = ""

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Wanted:
        """From an address or a form; what is not ours is left out."""
        return cls(**{name: values.get(name, "")[:200] for name in cls.__slots__})

    def query(self, **other: str) -> str:
        """The address's query for this, with some of it changed."""
        held = {name: getattr(self, name) for name in self.__slots__} | other
        return urlencode({name: value for name, value in held.items() if value})


@dataclass(frozen=True, slots=True)
class Line:
    """One draft: where it stands, whose it is, when it is due and how many days late (0: not)."""

    draft: DraftRow
    state: State
    standing: Standing
    due: date | None
    late: int
    queued: bool

    @property
    def changed(self) -> datetime:
        """When something last happened to it, as far as the list knows."""
        return self.standing.final_at or self.draft.at


@dataclass(frozen=True, slots=True)
class Month:
    """The page's content. `everything` is the month as a whole, `lines` what the filters leave of it."""

    wanted: Wanted
    board: Board
    everything: tuple[Line, ...]
    lines: tuple[Line, ...]
    people: Mapping[str, PersonRow]
    bulks: tuple[BulkRow, ...]
    today: date
    due: date | None

    @property
    def counts(self) -> dict[State, int]:
        """Drafts of the whole month by state."""
        return {state: sum(line.state == state for line in self.everything) for state in STATES}

    @property
    def late(self) -> int:
        """How many of the whole month are late."""
        return sum(line.late > 0 for line in self.everything)

    def funds(self) -> Iterator[tuple[str, list[Line]]]:
        """The lines by fund."""
        for fund, lines in groupby(self.lines, key=lambda line: line.draft.fund):
            yield fund, list(lines)

    @property
    def askable(self) -> int:
        """How many shown drafts nobody has asked the model about."""
        return sum(line.state == "todo" and not line.queued for line in self.lines)

    @property
    def bulk(self) -> BulkRow | None:
        """The bulk to show: the oldest that runs, else the newest that ended."""
        running = [bulk for bulk in self.bulks if bulk.ended is None]
        return running[-1] if running else next(iter(self.bulks), None)


def read_month(ledger: Ledger, wanted: Wanted, *, due_day: int, today: date) -> Month:
    """Read the page; without a month, the newest. Blocks."""
    every = wanted.month == "all"
    newest = max((draft.as_of for draft in ledger.drafts()), default=None)
    month = None if every else wanted.month or newest
    board = read_board(ledger, Filters(month=month))
    standings, queued = ledger.standings(), ledger.waiting_in_bulk()
    lines = tuple(_line(board, draft, standings, queued, due_day, today) for draft in board.drafts)
    return Month(
        wanted,
        board,
        lines,
        tuple(line for line in lines if _wanted(line, wanted)),
        {person.name: person for person in ledger.people()},
        tuple(ledger.bulks()),
        today,
        usual_due(month, due_day) if month else None,
    )


def _line(
    board: Board, draft: DraftRow, standings: Mapping[int, Standing], queued: set[int], due_day: int, today: date
) -> Line:
    standing = standings.get(draft.id, Standing(draft.id))
    state = board.state(draft)
    due = date.fromisoformat(standing.due) if standing.due else usual_due(draft.as_of, due_day)
    late = max(0, (today - due).days) if due is not None and state != "saved" else 0
    return Line(draft, state, standing, due, late, draft.id in queued)


def _wanted(line: Line, wanted: Wanted) -> bool:
    person = line.standing.person
    return (
        wanted.fund in ("", line.draft.fund)
        and wanted.manager in ("", line.draft.manager)
        and wanted.state in ("", line.state)
        and (not wanted.person or person == wanted.person or (wanted.person == NOBODY and person is None))
        and (not wanted.late or line.late > 0)
    )


def add_month(app: FastAPI, access: Access, worker: BulkWorker, *, due_day: int) -> None:
    """Add `/month` in both languages, and what its buttons do."""
    page = _Page(access, worker, due_day)
    for start in ("", "/en"):
        app.add_api_route(f"{start}/month", shown(page.show), methods=["GET"])
        app.add_api_route(f"{start}/month/assign", shown(page.assign), methods=["POST"])
        app.add_api_route(f"{start}/month/ask", shown(page.ask), methods=["POST"])
        app.add_api_route(f"{start}/month/cancel", shown(page.cancel), methods=["POST"])
        app.add_api_route(f"{start}/month/progress", shown(page.progress), methods=["GET"])


class _Page:
    def __init__(self, access: Access, worker: BulkWorker, due_day: int) -> None:
        self._access, self._worker, self._due_day = access, worker, due_day

    def _own(self, request: Request) -> PersonalLedger:
        return self._access.own(signed_of(request).person.name)

    async def show(self, request: Request) -> Response:
        language, wanted = language_of(request), Wanted.of(request.query_params)
        own, today = self._own(request), datetime.now().astimezone().date()
        month = await asyncio.to_thread(read_month, own, wanted, due_day=self._due_day, today=today)
        signed, roles = signed_of(request), signed_of(request).person.roles
        return render(
            "month.html",
            language,
            signed=signed,
            here="month",
            m=month,
            gives=bool(set(roles) & set(GIVERS)),
            writes="writer" in roles,
            told=_told(language, request.query_params.get("told", "")),
            fault=lambda what: kept_words(what, language),
        )

    async def assign(self, request: Request) -> Response:
        signed, form = await own_form(request)
        wanted, ids = Wanted.of(dict(form.fields)), _numbers(form)
        if not ids:
            return self._back(request, wanted, "none_selected")
        own = self._own(request)
        to, due = form.one("to"), form.one("due")
        changed = await asyncio.to_thread(_hand_out, own, ids, to, due, signed.person.name)
        return self._back(request, wanted, f"assign_done:{changed}")

    async def ask(self, request: Request) -> Response:
        signed, form = await own_form(request)
        wanted, own = Wanted.of(dict(form.fields)), self._own(request)
        today = datetime.now().astimezone().date()
        month = await asyncio.to_thread(read_month, own, wanted, due_day=self._due_day, today=today)
        chosen = set(_numbers(form)) if form.one("which") == "selected" else None
        ids = [
            line.draft.id
            for line in month.lines
            if line.state == "todo" and not line.queued and (chosen is None or line.draft.id in chosen)
        ]
        made = await asyncio.to_thread(own.add_bulk, ids, signed.person.name) if ids else None
        self._worker.call()
        return self._back(request, wanted, f"bulk_asked:{made.total}" if made is not None else "bulk_none")

    async def cancel(self, request: Request) -> Response:
        signed, form = await own_form(request)
        numbers = _numbers(form, "bulk")
        own = self._own(request)
        for number in numbers[:1]:
            await asyncio.to_thread(own.cancel_bulk, number, signed.person.name)
        return self._back(request, Wanted.of(dict(form.fields)), "")

    async def progress(self, request: Request) -> Response:
        bulks = await asyncio.to_thread(self._own(request).bulks)
        running = [bulk for bulk in bulks if bulk.ended is None]
        bulk = running[-1] if running else next(iter(bulks), None)
        t = WORDS[language_of(request)]
        if bulk is None:
            return JSONResponse({"total": 0, "ended": True}, headers={"cache-control": "no-store"})
        done = bulk.total - bulk.waiting
        values = {"id": bulk.id, "total": bulk.total, "done": done, "failed": bulk.failed, "ended": bool(bulk.ended)}
        words = t["bulk_counts"].format(done=bulk.done, total=bulk.total)
        return JSONResponse({**values, "words": words}, headers={"cache-control": "no-store"})

    @staticmethod
    def _back(request: Request, wanted: Wanted, told: str) -> Response:
        start = "/en" if language_of(request) == "en" else ""
        query = urlencode({"told": told}) if told else ""
        return redirect(f"{start}/month?" + "&".join(part for part in (wanted.query(), query) if part))


def _numbers(form: Form, name: str = "draft") -> list[int]:
    return [int(value) for value in form.many(name) if value.isascii() and value.isdigit() and len(value) < 10]


KEEP = "="
"""Of the hand-out form: leave the person as it is."""


def _hand_out(ledger: Ledger, ids: list[int], to: str, due: str, by: str) -> int:
    """Give drafts to a person and set the day; what is not named stays as it is with each draft."""
    standings = ledger.standings()
    changed = 0
    groups: dict[tuple[str | None, str | None], list[int]] = {}
    for id in ids:
        held = standings.get(id, Standing(id))
        person = held.person if to == KEEP else to or None
        groups.setdefault((person, due or held.due), []).append(id)
    for (person, day), some in groups.items():
        changed += ledger.assign(some, person, day, by=by)
    return changed


def _told(language: Language, text: str) -> tuple[str, str]:
    """What the page says of the deed just done, and whether it is good news."""
    key, _, n = text.partition(":")
    if key in ("assign_done", "bulk_asked") and n.isascii() and n.isdigit() and len(n) < 7:
        return counted(WORDS[language], key, int(n)), "good"
    return (WORDS[language][key], "warn") if key in ("none_selected", "bulk_none") else ("", "")
