"""The desk in a FastAPI app: pages, style, scripts, and the socket between page and session."""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles

from tensaku.desk.board import read_board
from tensaku.desk.comparison import House, hold
from tensaku.desk.handing import add_handout
from tensaku.desk.session import WRITING_EVENTS, Desk, Session
from tensaku.desk.sizing import add_sizing
from tensaku.desk.views import HERE, Views
from tensaku.desk.words import Language
from tensaku.desk.words_writing import CLIENT_WRITING
from tensaku.engines.protocol import Engine
from tensaku.errors import UsageError
from tensaku.ledger import Ledger
from tensaku.revise import Job

__all__ = ["mount"]

CLIENT_WORDS = (
    "kept_here",
    "notice_restored",
    "notice_discard",
    "notice_replaced",
    "fault_file_large",
    "error_long_text",
    "fault_long",
    "who_nobody",
    "waiting",
    "writing",
    "detail",
    "close",
    *CLIENT_WRITING,
)
"""What the scripts say by themselves."""

EVENTS = ("hello", "filter", "open", "text", "ask", "stop", "save", "new", "file", *WRITING_EVENTS)

_mounted: list[FastAPI] = []


def mount(
    app: FastAPI,
    *,
    ledger: Ledger,
    engine: Engine,
    job: Job,
    title: str = "",
    choose: Callable[[], tuple[Engine, Job]] | None = None,
) -> Desk:
    """Add the desk to `app`: `/` and `/ja` in Japanese, `/en` in English; sizing at `/plan` and `/en/plan`.

    What is returned can change releases.

    Call it last: routes added to `app` afterwards are not found. One desk a process, since NiceGUI keeps its pages
    there; serve it with one worker.

    Args:
        app: the app that `tensaku.serve.build_app` made, or any other.
        ledger: drafts, revisions and finals; stays the caller's to close.
        engine: writes the revisions; stays the caller's to close.
        job: how it is asked. Its provenance says `release` and `trial` ("yes" for a release that nobody approved).
        title: shown beside the name, such as the task's.
        choose: who answers the next question, if that may change from one to the next.

    Raises:
        UsageError: this process has a desk already.
    """
    from nicegui import ui

    if _mounted:
        raise UsageError("this process has a desk already", fix="Start another process for another desk.")
    _mounted.append(app)
    # The Japanese dictionary takes a second to load; nobody should wait for it at the first letter.
    threading.Thread(target=hold, args=("市場は上昇した。", "市場は下落した。", House()), daemon=True).start()
    desk = Desk(ledger, engine, job, title, choose)
    sessions: weakref.WeakSet[Session] = weakref.WeakSet()

    def end_revisions() -> None:
        for session in list(sessions):
            session.close()

    app.state.closing = [*getattr(app.state, "closing", ()), end_revisions]
    app.mount("/desk/static", StaticFiles(directory=HERE / "static"), name="desk-static")
    _add_page(desk, "/", "ja", sessions.add)
    _add_page(desk, "/ja", "ja", sessions.add)
    _add_page(desk, "/en", "en", sessions.add)
    add_handout(app, lambda request: desk.ledger)
    add_sizing("/plan", "ja")
    add_sizing("/en/plan", "en")
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


def _add_page(desk: Desk, path: str, language: Language, opened: Callable[[Session], None]) -> None:
    from nicegui import ui

    views = Views(language)
    title = f"{views.words['product']} | {desk.title or views.words['subtitle']}"

    @ui.page(path, title=title, language="ja" if language == "ja" else "en-US", response_timeout=15)
    async def page(request: Request) -> None:
        ui.add_body_html(await asyncio.to_thread(_body, desk, views))
        opened(_connect(desk, language))


def _body(desk: Desk, views: Views) -> str:
    board = read_board(desk.ledger, None)
    people = [person for person in desk.ledger.people() if person.active and "writer" in person.roles]
    html = views.page(
        title=desk.title,
        trial=desk.trial,
        release=desk.release,
        text_language=desk.job.language,
        board=views.board(board, None),
        writers=people,
        managers=board.managers,
        funds=board.funds,
        this_month=board.months[0] if board.months else "",
        client_words={key: views.words[key] for key in CLIENT_WORDS},
    )
    return str(html)  # plain text: what the framework joins it with would be escaped otherwise


def _connect(desk: Desk, language: Language) -> Session:
    """Join the page that is being built to a session of its own."""
    from nicegui import ui

    client = ui.context.client

    def send(what: str, values: Any) -> None:
        client.run_javascript(f"desk.{what}({json.dumps(values, ensure_ascii=False)})")

    session = Session(desk, language, send)
    client.on_delete(session.close)

    def listen(name: str) -> None:
        async def heard(event: Any) -> None:
            values = event.args[0] if isinstance(event.args, list) and event.args else event.args
            await session.on_event(name, values if isinstance(values, dict) else {})

        ui.on(f"desk_{name}", heard)

    for name in EVENTS:
        listen(name)
    return session
