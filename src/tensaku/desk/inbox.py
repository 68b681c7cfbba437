"""The page of reports: upload, what waits and why, and what each manager calls its sections."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tensaku.desk.inbox_words import INBOX_WORDS
from tensaku.desk.views import HERE, asset_version
from tensaku.desk.words import WORDS, Language, month_name
from tensaku.documents import Cleaner
from tensaku.errors import UsageError
from tensaku.intake import NONE, Arrival, Road, told
from tensaku.ledger import PersonRow, ReportRow
from tensaku.revise import SECTIONS

__all__ = ["add_inbox", "safe_name"]

OURS = "x-tensaku-desk"
"""A header that a form of another site cannot send: browsers ask first, and are refused."""
_SIGNED = "tensaku.signed"  # where a sign-in leaves the person, in a request's scope
_RECENT = 40
_SHOWN = 4000  # characters of a table or margin that the page shows
_COUNTED = {"line": "行目", "paragraph": "段落目", "column": "列目"}
_DOERS = {"writer", "admin"}


class _Refused(Exception):
    def __init__(self, status: int, word: str) -> None:
        self.status, self.word = status, word
        super().__init__(word)


def safe_name(name: str) -> str:
    """A file's name as a browser sends it, without folders or anything that a name should not hold."""
    last = PurePosixPath(Cleaner()(name).replace("\\", "/").replace("\n", " ")).name.strip(" .")
    return last[-120:] or "report"


def add_inbox(app: FastAPI, road: Road) -> None:
    """Add `/inbox` and `/en/inbox` with what they call; before the framework takes all other paths."""

    def page(language: Language) -> Callable[[Request], Any]:
        async def answered(request: Request) -> Response:
            chosen = request.query_params.get("report", "")
            html = await asyncio.to_thread(_page, road, language, int(chosen) if chosen.isdecimal() else None, request)
            return _html(html)

        return answered

    app.add_api_route("/inbox", page("ja"), methods=["GET"], include_in_schema=False)
    app.add_api_route("/en/inbox", page("en"), methods=["GET"], include_in_schema=False)
    doings: tuple[tuple[str, Callable[[Road, PersonRow, Request], Any]], ...] = (
        ("/desk/reports", _take),
        ("/desk/reports/{id}/file", _file),
        ("/desk/reports/{id}/aside", _aside),
        ("/desk/headings", _learn),
    )
    for path, work in doings:
        app.add_api_route(path, _answering(road, work), methods=["POST"], include_in_schema=False)


def _answering(road: Road, work: Callable[[Road, PersonRow, Request], Any]) -> Callable[[Request], Any]:
    """The handler, with every refusal as one sentence of JSON."""

    async def answered(request: Request) -> Response:
        words = INBOX_WORDS[_language(request)]
        try:
            person = await asyncio.to_thread(_doer, road, request)
            return JSONResponse(await work(road, person, request))
        except _Refused as refused:
            return JSONResponse({"error": words[refused.word]}, status_code=refused.status)
        except UsageError as error:
            return JSONResponse({"error": str(error)}, status_code=400)

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


def _may(person: Any, fund: str) -> bool:
    """Whether a person's rights reach a fund, where rights are kept by fund."""
    may = getattr(person, "may", None)
    return may is None or not fund or bool(may(fund=fund))


def _language(request: Request) -> Language:
    return "en" if request.query_params.get("language") == "en" else "ja"


async def _take(road: Road, person: PersonRow, request: Request) -> Any:
    """Bring in one uploaded file, as it comes, never more than the limit."""
    name, size = safe_name(request.query_params.get("name", "")), 0
    with tempfile.TemporaryDirectory(prefix="tensaku-upload-") as folder:
        path = Path(folder) / name
        with path.open("wb") as file:
            async for piece in request.stream():
                size += len(piece)
                if size > road.limits.file_bytes:
                    raise _Refused(413, "too_large")
                file.write(piece)
        arrivals = await asyncio.to_thread(lambda: list(road.bring([path], by=person.name)))
    return [_told(arrival, _language(request)) for arrival in arrivals]


def _told(arrival: Arrival, language: Language) -> dict[str, Any]:
    sections = [SECTIONS[language].get(section, section) for section in arrival.texts]
    report = arrival.report
    waits = report.state == "inbox"
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


async def _file(road: Road, person: PersonRow, request: Request) -> Any:
    values, id = await _json(request), _number(request)
    manager, fund, month = (" ".join(str(values.get(key, "")).split()) for key in ("manager", "fund", "as_of"))
    if not _may(person, fund):
        raise _Refused(403, "no_right")
    known = (*road.known_sections(), NONE)
    chosen = {str(k): str(v) for k, v in dict(values.get("sections") or {}).items() if v in known}
    filed = await asyncio.to_thread(
        lambda: road.file(id, manager=manager, fund=fund, as_of=month, sections=chosen, by=person.name)
    )
    return {"id": filed.id, "state": filed.state}


async def _aside(road: Road, person: PersonRow, request: Request) -> Any:
    note, id = str((await _json(request)).get("note", "")), _number(request)
    row = await asyncio.to_thread(lambda: road.ledger.set_report_aside(id, note, by=person.name))
    return {"id": row.id, "state": row.state}


async def _learn(road: Road, person: PersonRow, request: Request) -> Any:
    values = await _json(request)
    manager, heading, section = (str(values.get(key, "")) for key in ("manager", "heading", "section"))
    if section not in (*road.known_sections(), NONE):
        raise _Refused(400, "broken")
    folded = str(values.get("folded", ""))[:200]
    await asyncio.to_thread(lambda: road.correct(manager, heading, section, by=person.name, folded=folded))
    return {"message": INBOX_WORDS[_language(request)]["saved"]}


# -- the page ----------------------------------------------------------------------------------------------------------


@cache
def _templates() -> Environment:
    loader = FileSystemLoader(HERE / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _page(road: Road, language: Language, chosen: int | None, request: Request) -> str:
    signed = request.scope.get(_SIGNED)
    person = signed.person if signed is not None else None
    every = [row for row in road.ledger.reports() if _may(person, row.fund)]
    waiting = [row for row in every if row.state == "inbox"]
    report = next((row for row in every if row.id == chosen), None)
    if report is None and waiting and chosen is None:
        report = waiting[0]
    drafts = road.ledger.drafts()
    words = INBOX_WORDS[language]
    return (
        _templates()
        .get_template("inbox.html")
        .render(
            t=words,
            site=WORDS[language],
            here="inbox",
            signed=signed,
            language=language,
            asset_version=asset_version(),
            waiting=waiting,
            recent=[row for row in every if row.state != "inbox"][:_RECENT],
            report=report,
            reasons=[told(reason, language) for reason in report.reasons] if report else [],
            parts=_parts(report, language) if report else [],
            aside=_aside_of(report) if report else [],
            sections={id: SECTIONS[language].get(id, id) for id in road.known_sections()} | {NONE: words["none"]},
            managers=sorted({*road.cfg.managers, *(draft.manager for draft in drafts)}),
            funds=sorted({*road.cfg.funds, *(draft.fund for draft in drafts)}),
            headings=road.ledger.headings(),
            people={p.name: p.display for p in road.ledger.people()},
            person=person.name if person else "",
            month=lambda as_of: month_name(as_of, language) if as_of else "",
            told=lambda row: [told(reason, language) for reason in row.reasons],
            client={key: words[key] for key in ("reading", "failed", "nobody", "broken", "too_large", "aside_why")},
        )
    )


def _parts(report: ReportRow, language: Language) -> list[dict[str, Any]]:
    """The parts as the page shows them; text before the first heading stands last."""
    return [{"number": n, **part, "place": _place(part["place"], language)} for n, part in enumerate(report.parts)]


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
    headers = {"cache-control": "no-store", "content-security-policy": policy + "base-uri 'none'; form-action 'none'"}
    return HTMLResponse(html, headers=headers)
