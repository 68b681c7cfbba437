"""The page of reports: upload, what waits and why, and what each manager calls its sections."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from tensaku.desk.inbox_words import INBOX_WORDS
from tensaku.desk.rights import PersonalLedger
from tensaku.desk.views import Views
from tensaku.desk.words import WORDS, Language
from tensaku.desk.words_faults import fault_words
from tensaku.documents import Cleaner
from tensaku.errors import UsageError
from tensaku.intake import NONE, Arrival, Road, told
from tensaku.ledger import EVERY, NotAllowed, PersonRow, ReportRow
from tensaku.revise import SECTIONS
from tensaku.scratch import scratch

__all__ = ["add_inbox", "safe_name"]

OURS = "x-tensaku-desk"
"""A header that a form of another site cannot send: browsers ask first, and are refused."""
_SIGNED = "tensaku.signed"  # where a sign-in leaves the person, in a request's scope
_RECENT = 40
_SHOWN = 4000  # characters of a table or margin that the page shows
_COUNTED = {"line": "行目", "paragraph": "段落目", "column": "列目"}
_DOERS = {"writer", "admin"}


class _Refused(Exception):
    def __init__(self, status: int, word: str, **values: str) -> None:
        self.status, self.word, self.values = status, word, values
        super().__init__(word)


def safe_name(name: str) -> str:
    """A file's name as a browser sends it, without folders or anything that a name should not hold."""
    last = PurePosixPath(Cleaner()(name).replace("\\", "/").replace("\n", " ")).name.strip(" .")
    return last[-120:] or "report"


def add_inbox(app: FastAPI, road: Road, own: Callable[[str], PersonalLedger] | None = None) -> None:
    """Add `/inbox` and `/en/inbox` with what they call; before the framework takes all other paths.

    `own` is the ledger as a person may see it; None: without barriers.
    """
    house = own or (lambda name: PersonalLedger(road.ledger, name))

    def page(language: Language) -> Callable[[Request], Any]:
        async def answered(request: Request) -> Response:
            chosen, signed = request.query_params.get("report", ""), request.scope.get(_SIGNED)
            seen = house(signed.person.name) if signed is not None else None
            number = int(chosen) if chosen.isdecimal() else None
            return _html(await asyncio.to_thread(_page, road, seen, language, number, request))

        return answered

    app.add_api_route("/inbox", page("ja"), methods=["GET"], include_in_schema=False)
    app.add_api_route("/en/inbox", page("en"), methods=["GET"], include_in_schema=False)
    doings: tuple[tuple[str, Callable[[Road, _Doer, Request], Any]], ...] = (
        ("/desk/reports", _take),
        ("/desk/reports/{id}/file", _file),
        ("/desk/reports/{id}/aside", _aside),
        ("/desk/headings", _learn),
    )
    for path, work in doings:
        app.add_api_route(path, _answering(road, house, work), methods=["POST"], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Doer:
    """Who does something, and the ledger as that person may see and use it."""

    name: str
    own: PersonalLedger


def _answering(
    road: Road, house: Callable[[str], PersonalLedger], work: Callable[[Road, _Doer, Request], Any]
) -> Callable[[Request], Any]:
    """The handler, with every refusal as one sentence of JSON."""

    async def answered(request: Request) -> Response:
        words = INBOX_WORDS[_language(request)]
        try:
            name = (await asyncio.to_thread(_doer, road, request)).name
            return JSONResponse(await work(road, _Doer(name, house(name)), request))
        except _Refused as refused:
            values = {name: value or words["no_heading"] for name, value in refused.values.items()}
            return JSONResponse({"error": words[refused.word].format(**values)}, status_code=refused.status)
        except NotAllowed:
            return JSONResponse({"error": WORDS[_language(request)]["fault_right"]}, status_code=403)
        except UsageError as error:
            return JSONResponse({"error": fault_words(error, _language(request))}, status_code=400)

    return answered


def _doer(road: Road, request: Request) -> PersonRow:
    """Who does this: whoever has signed in, else the person whom the page names."""
    if request.headers.get(OURS) != "1":
        raise _Refused(403, "no_right")
    signed = request.scope.get(_SIGNED)
    name = signed.person.name if signed is not None else unquote(request.headers.get("x-tensaku-person", ""))
    person = next((p for p in road.ledger.people() if p.name == name and p.active), None)
    if person is None:
        raise _Refused(403, "nobody")
    if not _DOERS & set(person.roles):
        raise _Refused(403, "no_right")
    return person


def _language(request: Request) -> Language:
    return "en" if request.query_params.get("language") == "en" else "ja"


async def _take(road: Road, doer: _Doer, request: Request) -> Any:
    """Bring in one uploaded file, as it comes, never more than the limit."""
    name, size = safe_name(request.query_params.get("name", "")), 0
    with scratch("upload") as folder:
        path = folder / name
        with path.open("wb") as file:
            async for piece in request.stream():
                size += len(piece)
                if size > road.limits.file_bytes:
                    raise _Refused(413, "too_large")
                file.write(piece)
        # Known are all funds of the house, or a report would be taken for one of a fund of like name.
        arrivals = await asyncio.to_thread(lambda: list(road.bring([path], by=doer.name, may=doer.own.may)))
    return await asyncio.to_thread(lambda: [_told(one, doer.own, _language(request)) for one in arrivals])


def _told(arrival: Arrival, own: PersonalLedger, language: Language) -> dict[str, Any]:
    funds = {fund for fund, _ in arrival.texts}
    sections = [SECTIONS[language].get(section, section) for _, section in arrival.texts]
    if len(funds) > 1:
        sections = [f"{fund} {name}" for (fund, _), name in zip(arrival.texts, sections, strict=True)]
    report = arrival.report
    waits = report.state == "inbox"
    if not own.sees(report):  # brought in before by somebody else, or handed on to others
        return {"name": arrival.name, "what": "known", "state": INBOX_WORDS[language]["handed_on"], "detail": []}
    return {
        "name": arrival.name,
        "what": arrival.what,
        "state": INBOX_WORDS[language][arrival.what],
        "id": report.id,
        "detail": [told(reason, language) for reason in report.reasons] if waits else sections,
    }


async def _json(request: Request) -> dict[str, Any]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > 100_000:
            raise _Refused(413, "broken")
    try:
        values = json.loads(body)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise _Refused(400, "broken")
    return values


def _number(request: Request) -> int:
    text = request.path_params["id"]
    if not text.isdecimal() or len(text) > 9:
        raise _Refused(404, "broken")
    return int(text)


async def _file(road: Road, doer: _Doer, request: Request) -> Any:
    values, id = await _json(request), _number(request)
    manager, fund, month = (" ".join(str(values.get(key, "")).split()) for key in ("manager", "fund", "as_of"))
    known = (*road.known_sections(), NONE)
    chosen = {str(k): str(v) for k, v in dict(values.get("sections") or {}).items() if v in known}
    within = replace(road, ledger=doer.own)
    report = await asyncio.to_thread(doer.own.report, id)
    theirs = {*(part["fund"] for part in report.parts if part.get("fund")), EVERY}  # of a part, one of this very file
    funds = {str(k): str(v) for k, v in dict(values.get("funds") or {}).items() if v in theirs and _is_part(k, report)}
    _check_told(report, (manager, fund, month), chosen, funds)
    filed = await asyncio.to_thread(
        lambda: within.file(id, manager=manager, fund=fund, as_of=month, sections=chosen, by=doer.name, funds=funds)
    )
    return {"id": filed.id, "state": filed.state}


def _check_told(
    report: ReportRow, labels: tuple[str, str, str], sections: dict[str, str], funds: dict[str, str]
) -> None:
    """Say in the page's language what is still to be said; the road refuses the same.

    Raises:
        _Refused: something is.
    """
    if report.state != "inbox":
        raise _Refused(409, "decided")
    several = any("fund" in part for part in report.parts)
    if not all((labels[0], labels[1] or several, labels[2])):
        raise _Refused(400, "label_open")
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", labels[2]):
        raise _Refused(400, "month_open")
    for n, part in enumerate(report.parts):
        section = sections.get(str(n), part["section"])
        if not section:
            raise _Refused(400, "section_open", heading=part["heading"])
        if several and section != NONE and not funds.get(str(n), part.get("fund", "")):
            raise _Refused(400, "fund_open", heading=part["heading"])


def _is_part(number: str, report: ReportRow) -> bool:
    return number.isascii() and number.isdecimal() and len(number) < 6 and int(number) < len(report.parts)


async def _aside(road: Road, doer: _Doer, request: Request) -> Any:
    note, id = str((await _json(request)).get("note", "")).strip(), _number(request)
    if not note:
        raise _Refused(400, "reason_open")
    if (await asyncio.to_thread(doer.own.report, id)).state != "inbox":
        raise _Refused(409, "decided")
    row = await asyncio.to_thread(lambda: doer.own.set_report_aside(id, note, by=doer.name))
    return {"id": row.id, "state": row.state}


async def _learn(road: Road, doer: _Doer, request: Request) -> Any:
    values = await _json(request)
    manager, heading, section = (str(values.get(key, "")) for key in ("manager", "heading", "section"))
    if section not in (*road.known_sections(), NONE):
        raise _Refused(400, "broken")
    folded = str(values.get("folded", ""))[:200]
    await asyncio.to_thread(lambda: road.correct(manager, heading, section, by=doer.name, folded=folded))
    return {"message": INBOX_WORDS[_language(request)]["saved"]}


# -- the page ----------------------------------------------------------------------------------------------------------


def _page(road: Road, own: PersonalLedger | None, language: Language, chosen: int | None, request: Request) -> str:
    signed = request.scope.get(_SIGNED)
    person = signed.person if signed is not None else None
    road = road if own is None else replace(road, ledger=own)
    every = road.ledger.reports()
    waiting = [row for row in every if row.state == "inbox"]
    report = next((row for row in every if row.id == chosen), None)
    if report is None and waiting and chosen is None:
        report = waiting[0]
    drafts = road.ledger.drafts()
    words = INBOX_WORDS[language]
    return str(
        Views(language).part(
            "inbox.html",
            t=words,
            signed=signed,
            here="inbox",
            other_path="/en/inbox" if language == "ja" else "/inbox",
            waiting=waiting,
            recent=[row for row in every if row.state != "inbox"][:_RECENT],
            report=report,
            reasons=[told(reason, language) for reason in report.reasons] if report else [],
            parts=_parts(report, language) if report else [],
            several=sorted({part["fund"] for part in report.parts if part.get("fund")} - {EVERY}) if report else [],
            every=EVERY,
            aside=_aside_of(report) if report else [],
            sections={id: SECTIONS[language].get(id, id) for id in road.known_sections()} | {NONE: words["none"]},
            managers=sorted({*road.cfg.managers, *(draft.manager for draft in drafts)}),
            funds=sorted({*filter(own.may if own else None, road.cfg.funds), *(draft.fund for draft in drafts)}),
            headings=road.ledger.headings(),
            people={p.name: p.display for p in road.ledger.people()},
            person=person.name if person else "",
            told=lambda row: [told(reason, language) for reason in row.reasons],
            client={key: words[key] for key in ("reading", "failed", "nobody", "broken", "too_large", "aside_why")},
        )
    )


def _parts(report: ReportRow, language: Language) -> list[dict[str, Any]]:
    """The parts as the page shows them; text before the first heading stands last."""
    return [
        {"number": n, "fund": "", **part, "place": _place(part["place"], language)}
        for n, part in enumerate(report.parts)
    ]


def _place(place: str, language: Language) -> str:
    """Where a part stands, as the page says it: a cell by its name, else page and line."""
    found = re.fullmatch(r"(\d+): ([a-z]+) (\d+)", place)
    if found is None:
        return place
    page, kind, number = found.groups()
    if language == "en":
        return f"Page {page}, {kind} {number}"
    return f"{page}ページ {number}{_COUNTED.get(kind, '番目')}"


def _aside_of(report: ReportRow) -> list[dict[str, Any]]:
    """Tables and margins of the document, so that nothing that was read is out of sight."""
    found = []
    for page in (report.content or {}).get("pages", ()):
        for block in page["blocks"]:
            if block["kind"] in ("table", "furniture"):
                where = f"{page['name'] or page['number']} {block['place']}"
                found.append({"where": where, "rows": block["rows"][:200], "text": block["text"][:_SHOWN]})
    return found[:60]


def _html(html: str) -> HTMLResponse:
    policy = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; "
    headers = {"cache-control": "no-store", "content-security-policy": policy + "base-uri 'none'; form-action 'self'"}
    return HTMLResponse(html, headers=headers)
