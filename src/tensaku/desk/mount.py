"""The desk in a FastAPI app: pages, style, scripts, and the socket between page and session."""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware

from tensaku.desk.access import Access, AccessRules, Signed
from tensaku.desk.approvals import Artifacts
from tensaku.desk.approvals_page import add_approvals
from tensaku.desk.board import read_board
from tensaku.desk.bulk import BulkWorker
from tensaku.desk.chat import add_chat
from tensaku.desk.comparison import House, hold
from tensaku.desk.data import add_data
from tensaku.desk.gate import Gate, signed_of
from tensaku.desk.handing import add_handout
from tensaku.desk.inbox import add_inbox
from tensaku.desk.lineage_page import add_lineage
from tensaku.desk.model_page import add_model_page
from tensaku.desk.month import add_month
from tensaku.desk.pulse import Pulse
from tensaku.desk.reading import add_reading
from tensaku.desk.review import add_review
from tensaku.desk.session import WRITING_EVENTS, Desk, Session
from tensaku.desk.signin import add_signin
from tensaku.desk.sizing import Errors, add_sizing
from tensaku.desk.topics import add_topics
from tensaku.desk.views import HERE, Views, offer_questions
from tensaku.desk.watch_page import add_watch
from tensaku.desk.words import WORDS, Language
from tensaku.desk.words_writing import CLIENT_WRITING
from tensaku.engines.protocol import Engine
from tensaku.errors import UsageError
from tensaku.govern.barriers import Barriers
from tensaku.intake import Road
from tensaku.ledger import Ledger
from tensaku.retrieve.answer import Answerer
from tensaku.revise import Job
from tensaku.store import Artifact

__all__ = ["mount"]

CLIENT_WORDS = (
    "kept_here",
    "notice_restored",
    "notice_discard",
    "notice_replaced",
    "fault_file_large",
    "error_long_text",
    "fault_long",
    "waiting",
    "writing",
    "detail",
    "close",
    *CLIENT_WRITING,
)
"""What the scripts say by themselves."""

EVENTS = ("hello", "filter", "open", "text", "ask", "stop", "save", "new", "file", *WRITING_EVENTS)

PATHS: tuple[tuple[str, Language], ...] = (("/", "ja"), ("/ja", "ja"), ("/en", "en"))

ASKING: dict[Language, str] = {"ja": "/ask", "en": "/en/ask"}
"""Where the house's documents are asked."""

READS = ("hello", "filter", "open", "text", "stop", "beside")
"""Events that anybody may send who has signed in; the others are a writer's."""

_mounted: list[FastAPI] = []


def mount(  # noqa: PLR0913  what a desk is made of
    app: FastAPI,
    *,
    ledger: Ledger,
    engine: Engine,
    job: Job,
    title: str = "",
    choose: Callable[[str], tuple[Engine, Job]] | None = None,
    access: AccessRules | None = None,
    due_day: int = 10,
    retrain: tuple[int, float] = (100, 0.05),
    road: Road | None = None,
    documents: Answerer | None = None,
    barriers: Barriers | None = None,
    template: Path | None = None,
    pool: Callable[[], Artifact | None] | None = None,
    artifacts: Artifacts | None = None,
    material: float = 0.1,
    errors: Errors | None = None,
) -> Desk:
    """Add the desk to `app`: `/` and `/ja` in Japanese, `/en` in English; reports at `/inbox`, sizing at `/plan`.

    What is returned can change releases.

    Call it last: routes added to `app` afterwards are not found. One desk a process, since NiceGUI keeps its pages
    there; serve it with one worker.

    Args:
        app: the app that `tensaku.serve.build_app` made, or any other.
        ledger: drafts, revisions and finals; stays the caller's to close.
        engine: writes the revisions; stays the caller's to close.
        job: how it is asked. Its provenance says `release` and `trial` ("yes" for a release that nobody approved).
        title: shown beside the name, such as the task's.
        choose: who answers a person's next question, if that may change from one to the next.
        access: how people sign in; by default everybody on this machine says who they are.
        due_day: comments of a month are due on this day of the next one; 0: no such day.
        retrain: new finals, and rise of the share of rewritten characters, from which retraining is suggested.
        road: how reports come in; by default into `ledger`, with no manager or fund known but from its drafts.
        template: the house's own Word file, in which finals go out.
        documents: answers questions at `/ask` and `/en/ask`; None: there are no such pages.
        barriers: who may use and see which release, and what speaks of which fund; None: everybody all.
        pool: gives the newest sealed pool, whose drops are shown at `/data`; None: none is known.
        artifacts: gives sealed artifacts by name, such as the result of a gate; None: `/approvals` shows its verdict.
        material: from which share of new and gone pairs on a change of data is material.
        errors: gives the plan's errors so far, which stand at the foot of `/plan`; None: none are shown.

    Raises:
        UsageError: this process has a desk already.
    """
    from nicegui import ui

    if _mounted:
        raise UsageError("this process has a desk already", fix="Start another process for another desk.")
    _mounted.append(app)
    # The Japanese dictionary takes a second to load; nobody should wait for it at the first letter.
    threading.Thread(target=hold, args=("市場は上昇した。", "市場は下落した。", House()), daemon=True).start()
    rules = access or AccessRules()
    entry = Access(ledger, rules, barriers)
    desk = Desk(ledger, engine, job, title, choose, entry.sees, rules.task)
    sessions: weakref.WeakSet[Session] = weakref.WeakSet()

    worker = BulkWorker(ledger, desk.answering, entry.own, rules.task)

    def end_revisions() -> None:
        worker.close()
        for session in list(sessions):
            session.close()

    app.state.closing = [*getattr(app.state, "closing", ()), end_revisions]
    # Innermost, so that a request of another site's page never comes as far as the question of who sends it.
    app.user_middleware.append(Middleware(Gate, access=entry))
    add_signin(app, entry, title)
    add_month(app, entry, worker, due_day=due_day)
    add_review(app, entry, house=House(job.names, job.style, job.required), text_language=job.language)
    add_model_page(app, entry, retrain_after=retrain[0], retrain_drift=retrain[1])
    add_approvals(app, entry, artifacts=artifacts, material=material, task=rules.task)
    add_lineage(app, entry)
    add_watch(app, entry, style=job.style)
    add_data(app, entry, pool or (lambda: None))
    add_topics(app, entry)
    worker.begin()
    add_inbox(app, road or Road(ledger), entry.own)
    app.mount("/desk/static", StaticFiles(directory=HERE / "static"), name="desk-static")
    offer_questions(documents is not None)
    for path, language in PATHS:
        _add_page(desk, entry, path, language, sessions.add)
    add_handout(app, lambda request: entry.own(signed_of(request).person.name), template)
    add_sizing("/plan", "ja", errors)
    add_sizing("/en/plan", "en", errors)
    if documents is not None:
        for asked_in, path in ASKING.items():
            add_chat(path, asked_in, documents, entry)
    add_reading(app, entry)
    # As the server starts, NiceGUI looks at every object in memory for it, and torch warns when its own are looked at.
    warnings.filterwarnings("ignore", category=FutureWarning, message=".*torch.distributed.*")
    ui.run_with(
        app,
        title="Tensaku",
        favicon=HERE / "static" / "seal.svg",
        tailwind=False,
        reconnect_timeout=6.0,
        show_welcome_message=False,
    )
    return desk


def _add_page(desk: Desk, access: Access, path: str, language: Language, opened: Callable[[Session], None]) -> None:
    from nicegui import ui

    views = Views(language)
    title = f"{views.words['product']} | {desk.title or views.words['subtitle']}"

    @ui.page(path, title=title, language="ja" if language == "ja" else "en-US", response_timeout=15)
    async def page(request: Request) -> None:
        signed = signed_of(request)
        own = replace(desk, ledger=access.own(signed.person.name), choose=desk.answering)
        ui.add_body_html(await asyncio.to_thread(_body, desk, own, views, signed))
        opened(_connect(own, language, access, signed))


def _body(desk: Desk, own: Desk, views: Views, signed: Signed) -> str:
    board = read_board(own.ledger, None)
    sees = desk.sees(signed.person.name, desk.release)
    html = views.page(
        title=desk.title,
        trial=desk.trial and sees,
        release=desk.release if sees else "",
        text_language=desk.job.language,
        board=views.board(board, None),
        signed=signed,
        managers=board.managers,
        funds=board.funds,
        this_month=board.months[0] if board.months else "",
        client_words={key: views.words[key] for key in CLIENT_WORDS},
    )
    return str(html)  # plain text: what the framework joins it with would be escaped otherwise


def _connect(desk: Desk, language: Language, access: Access, signed: Signed) -> Session:
    """Join the page that is being built to a session of its own."""
    from nicegui import ui

    client = ui.context.client

    def send(what: str, values: Any) -> None:
        if not pulse.over:
            client.run_javascript(f"desk.{what}({json.dumps(values, ensure_ascii=False)})")

    session = Session(desk, language, send, signed.person.name)

    def gone() -> None:
        session.close()  # what is being written for this page ends as well
        send("who", None)

    pulse = Pulse(access, signed, gone)
    client.on_delete(session.close)
    client.on_delete(pulse.close)

    def listen(name: str) -> None:
        async def heard(event: Any) -> None:
            values = event.args[0] if isinstance(event.args, list) and event.args else event.args
            person = await pulse.person(anew=name not in ("text", "stop"))
            if person is None:
                return
            if "writer" in person.roles or name in READS:
                await session.on_event(name, values if isinstance(values, dict) else {})
            else:
                send("notice", {"message": WORDS[language]["fault_right"], "kind": "bad", "detail": ""})

        ui.on(f"desk_{name}", heard)

    for name in EVENTS:
        listen(name)
    return session
