"""The page of what curation set aside: people look at it, and take back what was set aside wrongly."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import Response

from tensaku.curate.drops import Dropped, Drops
from tensaku.desk.access import Access
from tensaku.desk.frame import Refused, language_of, own_form, redirect, render, shown
from tensaku.desk.gate import signed_of
from tensaku.desk.rights import PersonalLedger
from tensaku.desk.words import WORDS
from tensaku.ledger import NewRuling, NotAllowed, PersonRow, RulingRow
from tensaku.records import Drop, Pair
from tensaku.store import Artifact

__all__ = ["MAY_RULE", "Shelf", "add_data", "check_sees"]

MAY_RULE = ("developer", "admin")
"""Those of them that decide it."""
_AT_ONCE = 30


class Opened(NamedTuple):
    """A drop that is looked at, the pair that stayed in its place, and what was decided of it."""

    dropped: Dropped
    drop: Drop
    partner: Pair | None
    ruling: RulingRow | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the page shows: drops of one reason or all, `page` of `pages`, and the one that is open."""

    pool: str
    reasons: Sequence[tuple[str, int]]
    total: int
    rows: Sequence[Dropped]
    page: int
    pages: int
    rulings: Mapping[tuple[str, str], RulingRow]
    opened: Opened | None
    people: Mapping[str, PersonRow]


class _Shelves:
    """The newest pool's drops, read once a pool."""

    def __init__(self, pool: Callable[[], Artifact | None]) -> None:
        self._pool = pool
        self._held: Drops | None = None

    def newest(self) -> Drops | None:
        pool = self._pool()
        if pool is None:
            return None
        if self._held is None or self._held.pool.ref != pool.ref:
            self._held = Drops(pool)
        return self._held


def read_shelf(drops: Drops, ledger: PersonalLedger, reason: str, page: int, number: int) -> Shelf:
    """What a person may see: drops of the funds that are theirs. Blocks."""
    theirs = {fund for fund in {dropped.fund for dropped in drops.all} if ledger.may(fund)}
    mine = [dropped for dropped in drops.all if dropped.fund in theirs]
    wanted = [dropped for dropped in mine if reason in ("", dropped.reason)]
    pages = max(1, -(-len(wanted) // _AT_ONCE))
    page = min(max(page, 1), pages)
    rulings = {(row.row, row.reason): row for row in ledger.rulings()}
    opened = None
    found = next((dropped for dropped in mine if dropped.number == number), None)
    if found is not None:
        drop = drops.read(number)
        partner = drops.partner(drop)
        if partner is not None and not ledger.may(partner.fund):
            partner = None
        opened = Opened(found, drop, partner, rulings.get((found.row, found.reason)))
    return Shelf(
        drops.pool.ref,
        Counter(dropped.reason for dropped in mine).most_common(),
        len(mine),
        wanted[(page - 1) * _AT_ONCE : page * _AT_ONCE],
        page,
        pages,
        rulings,
        opened,
        {person.name: person for person in ledger.people()},
    )


def add_data(app: FastAPI, access: Access, pool: Callable[[], Artifact | None]) -> None:
    """Add `/data` in both languages; `pool` gives the newest sealed pool, None before there is one."""
    page = _Page(access, _Shelves(pool))
    for start in ("", "/en"):
        app.add_api_route(f"{start}/data", shown(page.show), methods=["GET"])
        app.add_api_route(f"{start}/data", shown(page.rule), methods=["POST"])


def check_sees(person: PersonRow) -> None:
    """Refuse somebody who does not answer for what a model learns.

    Raises:
        NotAllowed: they only write or review.
    """
    if not person.answers:
        what = f"{person.name!r} is a writer or reviewer alone"
        raise NotAllowed(what, fix="Ask an administrator for another role")


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


class _Page:
    def __init__(self, access: Access, shelves: _Shelves) -> None:
        self._access, self._shelves = access, shelves

    async def show(self, request: Request) -> Response:
        language, signed, asked = language_of(request), signed_of(request), request.query_params
        check_sees(signed.person)
        own, reason = self._access.own(signed.person.name), asked.get("reason", "")
        page, number = _number(asked.get("page", ""), 1), _number(asked.get("drop", ""), -1)

        def read() -> Shelf | None:
            drops = self._shelves.newest()
            hidden = drops is None or not own.opens(drops.pool.ref)
            return None if drops is None or hidden else read_shelf(drops, own, reason, page, number)

        told = asked.get("told", "")
        return render(
            "data.html",
            language,
            signed=signed,
            here="data",
            s=await asyncio.to_thread(read),
            reason=reason,
            may=bool(set(MAY_RULE) & set(signed.person.roles)),
            told=WORDS[language][f"data_told_{told}"] if told in ("kept", "left") else "",
        )

    async def rule(self, request: Request) -> Response:
        signed, form = await own_form(request)
        decision, number = form.one("decision"), _number(form.one("drop"), -1)
        if decision not in ("kept", "left"):
            raise Refused(400, "fault_form")
        own, note = self._access.own(signed.person.name), form.one("note").replace("\r\n", "\n")

        def decide() -> None:
            drops = self._shelves.newest()
            if drops is None or drops.pool.ref != form.one("pool") or not 0 <= number < len(drops.all):
                raise Refused(409, "data_fault_pool")
            found = drops.all[number]
            if not (own.opens(drops.pool.ref) and own.may(found.fund)):
                raise Refused(403, "fault_right")
            if not found.back:
                raise Refused(400, "data_fault_final")
            new = NewRuling(found.row, found.reason, drops.pool.ref, found.fund or "-", decision == "kept", note)
            own.add_ruling(new, by=signed.person.name)

        await asyncio.to_thread(decide)
        start = "/en" if language_of(request) == "en" else ""
        back = {"drop": number, "told": decision, "reason": form.one("reason"), "page": form.one("page")}
        return redirect(f"{start}/data?" + urlencode({key: value for key, value in back.items() if value != ""}))
