"""One open page: what its writer does, and what the page shows in answer. Knows nothing of the web framework."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tensaku.desk.asking import Asking
from tensaku.desk.board import Filters, read_board
from tensaku.desk.comparison import Comparison, hold
from tensaku.desk.intake import Fault, decode, new_draft
from tensaku.desk.views import Views, timeline
from tensaku.desk.words import Language, counted
from tensaku.engines.protocol import Engine
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.ledger import DraftRow, FinalRow, Ledger, RevisionRow, reason_key
from tensaku.revise import LONGEST_DRAFT, Job

__all__ = ["LONGEST_TEXT", "Desk", "Session"]

log = logging.getLogger("tensaku.desk")

LONGEST_TEXT = 2 * LONGEST_DRAFT
"""Most characters of a comment."""

Send = Callable[[str, Any], None]


@dataclass(slots=True)
class Desk:
    """What all pages share. `engine` and `job` are exchanged, together by `answer_with`, when another release answers.

    With `choose`, each question asks it who answers; a challenger is tried so.
    """

    ledger: Ledger
    engine: Engine
    job: Job
    title: str = ""
    choose: Callable[[], tuple[Engine, Job]] | None = None

    def answer_with(self, engine: Engine, job: Job) -> None:
        """From now on this release answers, and the pages show its name."""
        self.engine, self.job = engine, job

    def answering(self) -> tuple[Engine, Job]:
        """Who answers the next question."""
        return self.choose() if self.choose is not None else (self.engine, self.job)

    @property
    def trial(self) -> bool:
        """True if nobody has approved the release that answers."""
        return self.job.provenance.get("trial") == "yes"

    @property
    def release(self) -> str:
        """The release's ref, or empty."""
        return self.job.provenance.get("release", "")


@dataclass(frozen=True, slots=True)
class Opened:
    """The draft on the page, read from the ledger at one moment."""

    draft: DraftRow
    revisions: list[RevisionRow]
    finals: list[FinalRow]

    @property
    def text(self) -> str:
        """What stands in the editor: the newest of final and revision by time, or nothing."""
        final, revision = next(iter(self.finals), None), next(iter(self.revisions), None)
        if final is None or (revision is not None and revision.at > final.at):
            return revision.text if revision is not None else ""
        return final.text

    @property
    def key(self) -> str:
        """The draft's number with a hash of its text: what a browser keeps its unsaved text under.

        Numbers of two ledgers behind one address would be taken for each other; their texts will not.
        """
        return f"{self.draft.id}.{hashlib.sha256(self.draft.text.encode()).hexdigest()[:12]}"

    @property
    def based_on(self) -> int | None:
        """The newest final's number."""
        return self.finals[0].id if self.finals else None


class Session:
    """The server's side of one page.

    Each method named `on_...` answers one event of the page. `send(what, values)` calls a function of the page; it must
    not block. What blocks (ledger, comparing, the engine) runs in threads. `signed` is who has signed in; whatever the
    page says of who it is counts only where nobody has.
    """

    def __init__(self, desk: Desk, language: Language, send: Send, signed: str | None = None) -> None:
        self._signed = signed
        self._desk, self._views, self._t, self._send = desk, Views(language), Views(language).words, send
        self._filters: Filters | None = None
        self._person: str | None = None
        self._opened: Opened | None = None
        self._opening: int | None = None
        self._askings: dict[int, Asking] = {}
        self._text = ""
        self._comparing: asyncio.Task[None] | None = None
        self._stale = False

    async def on_event(self, name: str, values: Mapping[str, Any]) -> None:
        """Answer one event; a failure becomes a message on the page, which stays usable."""
        handlers: dict[str, Callable[[Mapping[str, Any]], Awaitable[None]]] = {
            "hello": self._on_hello,
            "filter": self._on_filter,
            "open": self._on_open,
            "text": self._on_text,
            "ask": self._on_ask,
            "stop": self._on_stop,
            "save": self._on_save,
            "new": self._on_new,
            "file": self._on_file,
        }
        try:
            await handlers[name](values)
        except NotFound as error:
            self._fail("error_not_found", error)
        except UsageError as error:
            self._fail("error_other", error)
        except Exception as error:  # a writer must not lose the page to our mistake
            log.exception("the desk failed at %r", name)
            self._fail("error_other", error)

    def close(self) -> None:
        """The page is gone: end what was being written for it."""
        for asking in self._askings.values():
            asking.stop()

    async def _on_hello(self, values: Mapping[str, Any]) -> None:
        people = await asyncio.to_thread(self._desk.ledger.people)
        name = self._signed or values.get("person")
        known = {p.name: p.display for p in people if p.active and ("writer" in p.roles or p.name == self._signed)}
        self._person = name if name in known else None
        self._send("person", {"name": self._person, "display": known.get(str(name))})
        if values.get("draft") is not None:
            await self._open(int(values["draft"]))

    async def _on_filter(self, values: Mapping[str, Any]) -> None:
        self._filters = Filters(*(values.get(key) or None for key in ("month", "fund", "manager")))
        await self._show_board()

    async def _on_open(self, values: Mapping[str, Any]) -> None:
        await self._open(int(values["draft"]))

    async def _on_text(self, values: Mapping[str, Any]) -> None:
        text = str(values["text"])
        if self._opened is None or values["draft"] != self._opened.draft.id:
            return
        if len(text) > LONGEST_TEXT:
            self._notice("error_long_text", n=f"{len(text):,}", limit=f"{LONGEST_TEXT:,}")
            return
        self._text = text
        self._compare_soon()

    async def _on_ask(self, values: Mapping[str, Any]) -> None:
        opened = self._opened
        if self._person is None:
            self._send("who", None)
            self._notice("error_no_person")
        elif opened is None or values["draft"] != opened.draft.id:
            self._notice("error_no_draft")
        elif opened.draft.id not in self._askings:
            asking = Asking(opened.draft)
            self._askings[opened.draft.id] = asking
            self._send("asking", {"draft": opened.draft.id, "text": ""})
            asking.task = asyncio.create_task(self._write(asking, self._person))

    async def _on_stop(self, values: Mapping[str, Any]) -> None:
        asking = self._askings.get(int(values["draft"]))
        if asking is not None:
            asking.stop()

    async def _on_save(self, values: Mapping[str, Any]) -> None:
        opened, text = self._opened, str(values["text"])
        if self._person is None:
            self._send("who", None)
            self._notice("error_no_person")
        elif opened is None or values["draft"] != opened.draft.id:
            self._notice("error_no_draft")
        elif not text.strip():
            self._notice("error_empty")
        elif len(text) > LONGEST_TEXT:
            self._notice("error_long_text", n=f"{len(text):,}", limit=f"{LONGEST_TEXT:,}")
        else:
            await self._save(opened.draft, text, values)

    async def _on_new(self, values: Mapping[str, Any]) -> None:
        if self._person is None:
            self._send("who", None)
            return
        found = new_draft(values)
        if isinstance(found, Fault):
            self._send("newFault", {"field": found.where, "message": self._t[found.word].format(**found.values)})
            return
        by = self._person
        draft = await asyncio.to_thread(lambda: self._desk.ledger.add_draft(found, by=by))
        self._filters = Filters(month=draft.as_of)
        self._send("newDone", None)
        await self._open(draft.id)
        await self._show_board()
        self._notice("notice_added", kind="good")

    async def _on_file(self, values: Mapping[str, Any]) -> None:
        try:
            data = base64.b64decode(str(values["data"]), validate=True)
        except binascii.Error:
            data = b"\0"
        found = await asyncio.to_thread(decode, data)
        if isinstance(found, Fault):
            self._send("newFault", {"field": "text", "message": self._t[found.word].format(**found.values)})
        else:
            self._send("newText", {"text": found})

    # -- reading and showing ---------------------------------------------------------------------------------------

    def _read(self, draft: int) -> Opened:
        ledger = self._desk.ledger
        return Opened(ledger.draft(draft), ledger.revisions(draft), ledger.finals(draft))

    def _hold(self, draft: DraftRow, text: str, writing: bool) -> Comparison:
        return hold(draft.text, text, self._desk.job.names, as_of=draft.as_of, writing=writing)

    async def _open(self, draft: int) -> None:
        self._opening = draft
        opened = await asyncio.to_thread(self._read, draft)
        regions = {"heading": self._views.heading(opened.draft), **await self._row_regions(opened)}
        if self._opening != draft:
            return  # another one was chosen meanwhile
        # From here to the sending nothing may wait: a piece written in between would reach neither text nor page.
        asking = self._askings.get(draft)
        self._opened, self._text = opened, asking.text if asking else opened.text
        self._send(
            "open",
            {
                "draft": draft,
                "key": opened.key,
                "text": self._text,
                "based_on": opened.based_on,
                "revision": opened.revisions[0].id if opened.revisions else None,
                "saved": opened.finals[0].text if opened.finals else None,
                "reasons": dict(opened.finals[0].reasons) if opened.finals else {},
                "asking": asking is not None,
                "draft_count": counted(self._t, "chars", len(opened.draft.text)),
                "regions": regions,
            },
        )
        self._compare_soon()

    async def _row_regions(self, opened: Opened) -> dict[str, str]:
        people = {p.name: p for p in await asyncio.to_thread(self._desk.ledger.people)}
        events = timeline(opened.draft, opened.revisions, opened.finals)
        if opened.finals:
            newest = opened.finals[0]
            who = people[newest.by].display if newest.by in people else newest.by
            state = self._t["saved_at"].format(at=self._views.when(newest.at), who=who)
        else:
            state = self._t["never_saved"]
        return {
            "made-by": self._views.made_by(opened.revisions[0] if opened.revisions else None),
            "history": self._views.history(events, people),
            "saved-state": state,
        }

    async def _show_board(self) -> None:
        board = await asyncio.to_thread(read_board, self._desk.ledger, self._filters)
        opened = self._opened.draft.id if self._opened else None
        self._send("regions", {"board": self._views.board(board, opened)})

    async def _refresh(self, draft: int) -> None:
        """Read the draft again, after something was added to it."""
        if self._opened is not None and self._opened.draft.id == draft:
            self._opened = await asyncio.to_thread(self._read, draft)
            self._send("regions", await self._row_regions(self._opened))
        await self._show_board()

    def _compare_soon(self) -> None:
        """Compare with the newest text; while one comparison runs, only the last of the texts behind it counts."""
        self._stale = True
        if self._comparing is None or self._comparing.done():
            self._comparing = asyncio.create_task(self._compare_until_fresh())

    async def _compare_until_fresh(self) -> None:
        try:
            while self._stale:
                self._stale = False
                await self._compare()
        except Exception as error:  # nobody waits for this task: what it raised would vanish
            log.exception("comparing failed")
            self._fail("error_other", error)

    async def _compare(self) -> None:
        opened, text = self._opened, self._text
        if opened is None:
            return
        writing = opened.draft.id in self._askings
        found = await asyncio.to_thread(self._hold, opened.draft, text, writing)
        if self._opened is not None and self._opened.draft.id == opened.draft.id:
            self._show(opened.draft.id, found)

    def _show(self, draft: int, found: Comparison) -> None:
        n, broken = len(found.changes), found.broken
        count = "" if not found.text.strip() else counted(self._t, "changes", n) if n else self._t["no_changes"]
        self._send(
            "compared",
            {
                "draft": draft,
                "draft_html": found.draft_html,
                "difference_html": found.difference_html,
                "difference_empty": self._t["difference_empty"],
                "facts_html": self._views.facts(broken, text=found.text, writing=found.writing),
                "marks": found.marks,
                "broken": len(broken),
                "badge": counted(self._t, "facts_badge", len(broken)),
                "counts": {
                    "final-count": counted(self._t, "chars", len(found.text)),
                    "change-count": "" if found.writing else count,
                },
            },
        )

    # -- doing -----------------------------------------------------------------------------------------------------

    async def _write(self, asking: Asking, by: str) -> None:
        draft, desk = asking.draft.id, self._desk
        done: dict[str, Any] = {"draft": draft, "revision": None}

        def wrote(piece: str) -> None:
            if self._opened is not None and self._opened.draft.id == draft:
                self._send("append", {"draft": draft, "text": piece})

        try:
            revision = await asking.run(*desk.answering(), wrote)
            if not asking.stopped and revision.finish != "cancelled":
                row = await asyncio.to_thread(desk.ledger.add_revision, draft, revision, by)
                done["revision"] = row.id
            if asking.stopped:
                self._notice("notice_stopped")
            elif revision.finish == "length":
                self._notice("notice_length")
        except UsageError as error:
            self._fail("error_too_long", error)
        except EngineError as error:
            self._fail("error_engine", error)
        except Exception as error:  # nobody waits for this task: what it raised would vanish
            log.exception("writing a revision of draft %s failed", draft)
            self._fail("error_engine", error)
        finally:
            self._askings.pop(draft, None)
            self._send("asked", done)
            self._compare_soon()
        await self._refresh(draft)

    async def _save(self, draft: DraftRow, text: str, values: Mapping[str, Any]) -> None:
        self._text = text
        reasons = {str(k): str(v) for k, v in dict(values.get("reasons") or {}).items()}
        found = await asyncio.to_thread(self._hold, draft, text, False)
        without = [b for b in found.verdict.breaks if not reasons.get(reason_key(b), "").strip()]
        self._show(draft.id, replace(found, writing=draft.id in self._askings))
        if without:
            self._send("reasons", {"keys": [reason_key(b) for b in without]})
            self._notice("reason_needed")
            return
        based_on, person, revision = values.get("based_on"), str(self._person), values.get("revision")
        try:
            final = await asyncio.to_thread(
                lambda: self._desk.ledger.save_final(
                    draft.id, text, person, revision_id=revision, reasons=reasons, based_on=based_on
                )
            )
        except UsageError:
            newest = (await asyncio.to_thread(self._desk.ledger.finals, draft.id))[:1]
            if not newest or newest[0].id == based_on:
                raise
            await self._conflict(draft.id, newest[0])
            return
        self._send("saved", {"draft": draft.id, "based_on": final.id, "text": text})
        self._notice("notice_saved", kind="good")
        await self._refresh(draft.id)

    async def _conflict(self, draft: int, newest: FinalRow) -> None:
        person = await asyncio.to_thread(self._desk.ledger.person, newest.by)
        message = self._t["notice_conflict"].format(who=person.display, at=self._views.when(newest.at))
        self._send("conflict", {"draft": draft, "message": message, "based_on": newest.id, "text": newest.text})
        await self._refresh(draft)

    def _notice(self, word: str, *, kind: str = "warn", detail: str = "", **values: str) -> None:
        self._send("notice", {"message": self._t[word].format(**values), "kind": kind, "detail": detail})

    def _fail(self, word: str, error: Exception) -> None:
        self._notice(word, kind="bad", detail=str(error))
