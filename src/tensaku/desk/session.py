"""One open page: what its writer does, and what the page shows in answer. Knows nothing of the web framework."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from tensaku.desk.asking import Asking, covered
from tensaku.desk.beside import Beside
from tensaku.desk.board import Filters, read_board
from tensaku.desk.candidates import Candidates
from tensaku.desk.comparison import Comparison, House, hold
from tensaku.desk.deciding import Deciding
from tensaku.desk.intake import Fault, decode, new_draft
from tensaku.desk.keeping import Keeping
from tensaku.desk.views import Views, timeline
from tensaku.desk.words import Language, counted
from tensaku.desk.words_faults import fault_words
from tensaku.engines.protocol import Engine
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.ledger import (
    DecisionRow,
    DraftRow,
    FinalRow,
    Ledger,
    PersonRow,
    RevisionRow,
    SavedMeanwhile,
    WorkRow,
    reason_key,
)
from tensaku.records import Change, Revision
from tensaku.revise import LONGEST_DRAFT, Job
from tensaku.text import StyleRule

__all__ = ["LONGEST_TEXT", "WRITING_EVENTS", "Desk", "NoModel", "Session"]

log = logging.getLogger("tensaku.desk")

LONGEST_TEXT = 2 * LONGEST_DRAFT
"""Most characters of a comment."""

WRITING_EVENTS = ("decide", "keep", "drop", "merge", "beside", "candidates", "choose")
"""Events of the parts of a session, beside its own."""

Send = Callable[[str, Any], None]

_COMPARING = ThreadPoolExecutor(max_workers=2, thread_name_prefix="comparing")
"""Where typed texts are compared: many threads that all compute would only keep the event loop from its turn."""


class NoModel(UsageError):
    """Every model that answers now is behind a barrier for who asks."""


def _everybody(person: str, release: str) -> bool:
    return True


@dataclass(slots=True)
class Desk:
    """What all pages share. `engine` and `job` are exchanged, together by `answer_with`, when another release answers.

    With `choose`, each question of a person asks it who answers; a challenger is tried so. `sees` says whether a person
    may use and know of a release. `task` is what it is asked for, which an approval may be bound to.
    """

    ledger: Ledger
    engine: Engine
    job: Job
    title: str = ""
    choose: Callable[[str], tuple[Engine, Job]] | None = None
    sees: Callable[[str, str], bool] = _everybody
    task: str = ""

    def answer_with(self, engine: Engine, job: Job) -> None:
        """From now on this release answers, and the pages show its name."""
        self.engine, self.job = engine, job

    def answering(self, person: str) -> tuple[Engine, Job]:
        """Who answers the next question of a person.

        Raises:
            NoModel: nobody whom the person may ask.
        """
        engine, job = self.choose(person) if self.choose is not None else (self.engine, self.job)
        if not self.sees(person, job.provenance.get("release", "")):
            raise NoModel("no model is open to you", fix="Ask whoever keeps the rights")
        return engine, job

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
    work: list[WorkRow]
    decisions: dict[str, DecisionRow]
    people: dict[str, PersonRow]

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
        self._desk, self.views, self.t, self.send = desk, Views(language), Views(language).words, send
        self._filters: Filters | None = None
        self.person: str | None = None
        self.opened: Opened | None = None
        self._opening: int | None = None
        self._askings: dict[int, Asking] = {}
        self._text = ""
        self._revision: int | None = None
        self._comparing: asyncio.Task[None] | None = None
        self._stale = False
        self._keeping, self._deciding, self._beside = Keeping(self), Deciding(self), Beside(self)
        self._candidates = Candidates(self)

    @property
    def ledger(self) -> Ledger:
        """What the page reads and writes."""
        return self._desk.ledger

    @property
    def where(self) -> str:
        """Which ledger that is."""
        return self._desk.ledger.where

    @property
    def longest(self) -> int:
        """Most characters of a comment."""
        return LONGEST_TEXT

    @property
    def style(self) -> Sequence[StyleRule]:
        """The house style."""
        return self._desk.job.style

    @property
    def task(self) -> str:
        """The task of this desk."""
        return self._desk.task

    def answering(self) -> tuple[Engine, Job]:
        """Who answers the next question of whoever is at the page."""
        return self._desk.answering(self.person or "")

    def change(self, id: str) -> Change | None:
        """A change that the page has listed."""
        return self._deciding.known.get(id)

    @property
    def people(self) -> Mapping[str, PersonRow]:
        """Everybody, by short name."""
        return self.opened.people if self.opened is not None else {}

    def base_of(self, draft: int, based_on: Any, revision: Any) -> str | None:
        """What a writer began with: the final they had seen, else the model's revision, else the draft. Blocks."""
        finals = {row.id: row.text for row in self.ledger.finals(draft)}
        revisions = {row.id: row.text for row in self.ledger.revisions(draft)}
        return finals.get(based_on) or revisions.get(revision) or self.ledger.draft(draft).text

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
            "decide": self._deciding.on_decide,
            "keep": self._keeping.on_keep,
            "drop": self._keeping.on_drop,
            "merge": self._keeping.on_merge,
            "beside": self._beside.on_beside,
            "candidates": self._candidates.on_candidates,
            "choose": self._candidates.on_choose,
        }
        try:
            await handlers[name](values)
        except NotFound as error:
            self._fail("error_not_found", error)
        except NoModel:
            self.notice("error_no_model")
        except UsageError as error:
            self._fail("error_other", error)
        except Exception as error:  # a writer must not lose the page to our mistake
            log.exception("the desk failed at %r", name)
            self._fail("error_other", error)

    def close(self) -> None:
        """The page is gone: end what was being written for it."""
        self._keeping.leave()
        for asking in self._askings.values():
            asking.stop()

    async def _on_hello(self, values: Mapping[str, Any]) -> None:
        people = await asyncio.to_thread(self._desk.ledger.people)
        name = self._signed or values.get("person")
        known = {p.name: p.display for p in people if p.active and ("writer" in p.roles or p.name == self._signed)}
        self.person = name if name in known else None
        self.send("person", {"name": self.person, "display": known.get(str(name))})
        if values.get("draft") is not None:
            await self._open(int(values["draft"]))

    async def _on_filter(self, values: Mapping[str, Any]) -> None:
        self._filters = Filters(*(values.get(key) or None for key in ("month", "fund", "manager")))
        await self._show_board()

    async def _on_open(self, values: Mapping[str, Any]) -> None:
        await self._open(int(values["draft"]))

    async def _on_text(self, values: Mapping[str, Any]) -> None:
        text = str(values["text"])
        if self.opened is None or values["draft"] != self.opened.draft.id:
            return
        if len(text) > LONGEST_TEXT:
            self.notice("error_long_text", n=f"{len(text):,}", limit=f"{LONGEST_TEXT:,}")
            return
        if text != self._text:
            self._keeping.wrote(self.opened.draft.id)
        self._text, self._revision = text, values.get("revision", self._revision)
        self._compare_soon()

    async def _on_ask(self, values: Mapping[str, Any]) -> None:
        opened = self.opened
        if self.person is None:
            self.send("who", None)
            self.notice("error_no_person")
        elif opened is None or values["draft"] != opened.draft.id:
            self.notice("error_no_draft")
        elif opened.draft.id not in self._askings:
            asking = Asking(opened.draft)
            self._askings[opened.draft.id] = asking
            self.send("asking", {"draft": opened.draft.id, "text": ""})
            asking.task = asyncio.create_task(self._write(asking, self.person))

    async def _on_stop(self, values: Mapping[str, Any]) -> None:
        asking = self._askings.get(int(values["draft"]))
        if asking is not None:
            asking.stop()

    async def _on_save(self, values: Mapping[str, Any]) -> None:
        opened, text = self.opened, str(values["text"])
        if self.person is None:
            self.send("who", None)
            self.notice("error_no_person")
        elif opened is None or values["draft"] != opened.draft.id:
            self.notice("error_no_draft")
        elif not text.strip():
            self.notice("error_empty")
        elif len(text) > LONGEST_TEXT:
            self.notice("error_long_text", n=f"{len(text):,}", limit=f"{LONGEST_TEXT:,}")
        else:
            await self._save(opened.draft, text, values)

    async def _on_new(self, values: Mapping[str, Any]) -> None:
        if self.person is None:
            self.send("who", None)
            return
        found = new_draft(values)
        if isinstance(found, Fault):
            self.send("newFault", {"field": found.where, "message": self.t[found.word].format(**found.values)})
            return
        by = self.person
        draft = await asyncio.to_thread(lambda: self._desk.ledger.add_draft(found, by=by))
        self._filters = Filters(month=draft.as_of)
        self.send("newDone", None)
        await self._open(draft.id)
        await self._show_board()
        self.notice("notice_added", kind="good")

    async def _on_file(self, values: Mapping[str, Any]) -> None:
        try:
            data = base64.b64decode(str(values["data"]), validate=True)
        except binascii.Error:
            data = b"\0"
        found = await asyncio.to_thread(decode, data)
        if isinstance(found, Fault):
            self.send("newFault", {"field": "text", "message": self.t[found.word].format(**found.values)})
        else:
            self.send("newText", {"text": found})

    # -- reading and showing ---------------------------------------------------------------------------------------

    def _read(self, draft: int) -> Opened:
        ledger = self._desk.ledger
        return Opened(
            ledger.draft(draft),
            ledger.revisions(draft),
            ledger.finals(draft),
            ledger.work(draft),
            {row.change: row for row in ledger.decisions(draft)},
            {person.name: person for person in ledger.people()},
        )

    def _hold(self, opened: Opened, text: str, writing: bool) -> Comparison:
        draft, job = opened.draft, self._desk.job
        revision = next((row.text for row in opened.revisions if row.id == self._revision), None)
        house = House(job.names, job.style, job.required)
        about = {"as_of": draft.as_of, "section": draft.section}
        return hold(draft.text, text, house, **about, revision=revision, writing=writing)

    async def _open(self, draft: int) -> None:
        self._opening = draft
        opened = await asyncio.to_thread(self._read, draft)
        regions = {"heading": self.views.heading(opened.draft), **await self._row_regions(opened)}
        if self._opening != draft:
            return  # another one was chosen meanwhile
        # From here to the sending nothing may wait: a piece written in between would reach neither text nor page.
        asking = self._askings.get(draft)
        work = self._keeping.mine(opened) if asking is None else None
        self.opened, self._text = opened, asking.text if asking else work.text if work else opened.text
        self._revision = work.revision_id if work else opened.revisions[0].id if opened.revisions else None
        self._keeping.enter(opened, self.person)
        self._deciding.enter(opened.decisions)
        regions["others"] = self.views.others(self._keeping.others(opened), opened.people)
        self.send(
            "open",
            {
                "draft": draft,
                "key": opened.key,
                "text": self._text,
                "known": opened.text,
                "based_on": opened.based_on,
                "revision": self._revision,
                "saved": opened.finals[0].text if opened.finals else None,
                "reasons": dict(work.reasons if work else opened.finals[0].reasons if opened.finals else {}),
                "work": work and {"version": work.version, "at": self.views.clock(work.at), "based_on": work.based_on},
                "asking": asking is not None,
                "draft_count": counted(self.t, "chars", len(opened.draft.text)),
                "regions": regions,
            },
        )
        self._compare_soon()

    async def _row_regions(self, opened: Opened) -> dict[str, str]:
        people = opened.people
        events = timeline(opened.draft, opened.revisions, opened.finals)
        if opened.finals:
            newest = opened.finals[0]
            who = people[newest.by].display if newest.by in people else newest.by
            state = self.t["saved_at"].format(at=self.views.when(newest.at), who=who)
        else:
            state = self.t["never_saved"]
        return {
            "made-by": self.views.made_by(opened.revisions[0] if opened.revisions else None),
            "history": self.views.history(events, people),
            "saved-state": state,
        }

    async def _show_board(self) -> None:
        board = await asyncio.to_thread(read_board, self._desk.ledger, self._filters)
        opened = self.opened.draft.id if self.opened else None
        self.send("regions", {"board": self.views.board(board, opened)})

    async def _refresh(self, draft: int) -> None:
        """Read the draft again, after something was added to it."""
        await self.read_again(draft)
        if self.opened is not None and self.opened.draft.id == draft:
            self.send("regions", await self._row_regions(self.opened))
        await self._show_board()

    async def read_again(self, draft: int) -> None:
        """Read the draft again, if the page still shows it."""
        before = self.opened
        if before is not None and before.draft.id == draft:
            read = await asyncio.to_thread(self._read, draft)
            if self.opened is before:
                self.opened = read

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
        opened, text = self.opened, self._text
        if opened is None:
            return
        writing = opened.draft.id in self._askings
        found = await asyncio.get_running_loop().run_in_executor(_COMPARING, self._hold, opened, text, writing)
        self._show(opened.draft.id, found)

    def _show(self, draft: int, found: Comparison) -> None:
        """Show a comparison, unless the page has gone on to another draft while it was made."""
        if self.opened is None or self.opened.draft.id != draft:
            return
        n, broken = len(found.changes), found.broken
        count = "" if not found.text.strip() else counted(self.t, "changes", n) if n else self.t["no_changes"]
        self.send(
            "compared",
            {
                "draft": draft,
                "draft_html": found.draft_html,
                "difference_html": found.difference_html,
                "difference_empty": self.t["difference_empty"],
                "facts_html": self.views.facts(broken, text=found.text, writing=found.writing, lacking=found.lacking),
                "style_html": self.views.style(found, rules=bool(self._desk.job.style)),
                "style": found.style_marks,
                "text": found.text,
                "marks": found.marks,
                "list": self._deciding.show(draft, found),
                "broken": len(broken) + len(found.lacking),
                "badge": counted(self.t, "facts_badge", len(broken) + len(found.lacking)),
                "counts": {
                    "final-count": counted(self.t, "chars", len(found.text)),
                    "change-count": "" if found.writing else count,
                },
            },
        )

    # -- doing -----------------------------------------------------------------------------------------------------

    async def _write(self, asking: Asking, by: str) -> None:
        draft = asking.draft.id
        done: dict[str, Any] = {"draft": draft, "revision": None}

        def wrote(piece: str) -> None:
            if self.opened is not None and self.opened.draft.id == draft:
                self.send("append", {"draft": draft, "text": piece})

        try:
            engine, job, counted = await self._answers(by)
            revision = await asking.run(engine, job, None if counted else wrote)
            if not asking.stopped and revision.finish != "cancelled":
                row = await self._kept(draft, revision, by)
                done["revision"] = row.id
                if counted:
                    asking.text = revision.text
                    wrote(revision.text)
                await self.read_again(draft)  # the list of changes needs the revision from the first comparison on
                if self.opened is not None and self.opened.draft.id == draft:
                    self._revision = row.id
            if asking.stopped:
                self.notice("notice_stopped")
            elif revision.finish == "length":
                self.notice("notice_length")
        except _Withheld as error:
            self.notice(error.word, kind="bad", detail=error.detail)
        except UsageError as error:
            self._fail("error_too_long", error)
        except EngineError as error:
            self._fail("error_engine", error)
        except Exception as error:  # nobody waits for this task: what it raised would vanish
            log.exception("writing a revision of draft %s failed", draft)
            self._fail("error_engine", error)
        finally:
            self._askings.pop(draft, None)
            self.send("asked", done)
            self._compare_soon()
        await self._refresh(draft)

    async def _answers(self, by: str) -> tuple[Engine, Job, bool]:
        """Who answers, and whether each answer is counted against an approval."""
        try:
            engine, job = await asyncio.to_thread(self._desk.answering, by)
        except NoModel:
            raise _Withheld("error_no_model") from None
        try:
            return engine, job, await asyncio.to_thread(covered, self._desk.ledger, job, self._desk.task)
        except UsageError as error:
            raise _Withheld("error_not_kept", fault_words(error, self.views.language)) from error

    async def _kept(self, draft: int, revision: Revision, by: str) -> RevisionRow:
        try:
            return await asyncio.to_thread(self._desk.ledger.add_revision, draft, revision, by)
        except UsageError as error:
            raise _Withheld("error_not_kept", fault_words(error, self.views.language)) from error

    async def _save(self, draft: DraftRow, text: str, values: Mapping[str, Any]) -> None:
        opened = self.opened
        assert opened is not None
        self._text, self._revision = text, values.get("revision")
        reasons = {str(k): str(v) for k, v in dict(values.get("reasons") or {}).items()}
        found = await asyncio.to_thread(self._hold, opened, text, False)
        lacking = [passage.name for passage in found.lacking]
        needed = [*(reason_key(b) for b in found.verdict.breaks), *lacking]
        without = [key for key in needed if not reasons.get(key, "").strip()]
        self._show(draft.id, replace(found, writing=draft.id in self._askings))
        if without:
            self.send("reasons", {"keys": without})
            self.notice("reason_needed")
            return
        based_on, person, revision = values.get("based_on"), str(self.person), values.get("revision")
        over = {"revision_id": revision, "based_on": based_on}
        own = [passage.text for passage in self._desk.job.required]
        try:
            final = await asyncio.to_thread(
                lambda: self._desk.ledger.save_final(
                    draft.id, text, person, reasons=reasons, lacking=lacking, passages=own, **over
                )
            )
        except SavedMeanwhile as error:
            await self._keeping.conflict(draft.id, error.newest, text, values)
            await self._refresh(draft.id)
            return
        self.send("saved", {"draft": draft.id, "based_on": final.id, "text": text})
        self.notice("notice_saved", kind="good")
        await self._refresh(draft.id)

    def notice(self, word: str, *, kind: str = "warn", detail: str = "", **values: str) -> None:
        """Show a message over the panes: `word` of the page's words, with its values."""
        self.send("notice", {"message": self.t[word].format(**values), "kind": kind, "detail": detail})

    def _fail(self, word: str, error: Exception) -> None:
        self.notice(word, kind="bad", detail=fault_words(error, self.views.language))


class _Withheld(Exception):
    """A revision that may not be asked for, or that the ledger did not take; `word` says so on the page."""

    def __init__(self, word: str, detail: str = "") -> None:
        self.word, self.detail = word, detail
        super().__init__(word)
