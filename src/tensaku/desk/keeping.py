"""Work in progress of one page: kept in the ledger as it is written, brought together where two have gone on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tensaku.desk import merge
from tensaku.desk.presence import Present, presence
from tensaku.desk.words_faults import fault_words
from tensaku.errors import UsageError
from tensaku.ledger import FinalRow, WorkMeanwhile, WorkRow

if TYPE_CHECKING:
    from tensaku.desk.session import Opened, Session

__all__ = ["Keeping"]


class Keeping:
    """Keeps what a session's writer types, and knows who else is at it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._page = Present("", self.show_others)

    # -- who else ----------------------------------------------------------------------------------------------------

    def enter(self, opened: Opened, person: str | None) -> None:
        """The page shows another draft."""
        presence.leave(self._page)
        self._page.person, self._page.wrote = person or "", None
        presence.enter(self._session.where, opened.draft.id, self._page)

    def leave(self) -> None:
        """The page is gone."""
        presence.leave(self._page)

    def wrote(self, draft: int) -> None:
        """Something was typed."""
        presence.wrote(self._session.where, draft, self._page)

    def others(self, opened: Opened) -> list[dict[str, Any]]:
        """Whom the page names: who writes or reads now, and whose unsaved work stands there."""
        session = self._session
        found = presence.others(session.where, opened.draft.id, self._page)
        lines: list[dict[str, Any]] = [
            {"who": name, "kind": "writing" if writes else "reading", "at": None}
            for name, writes in sorted(found.items())
            if name != session.person
        ]
        there = {line["who"] for line in lines if line["kind"] == "writing"}
        lines += [
            {"who": row.by, "kind": "work", "at": row.at}
            for row in opened.work
            if row.by != session.person and row.by not in there
        ]
        return lines

    def show_others(self) -> None:
        """Tell the page who else is there."""
        session = self._session
        if session.opened is not None:
            session.send(
                "regions", {"others": session.views.others(self.others(session.opened), session.opened.people)}
            )

    # -- keeping -----------------------------------------------------------------------------------------------------

    def mine(self, opened: Opened) -> WorkRow | None:
        """The unsaved work of the page's writer."""
        return next((row for row in opened.work if row.by == self._session.person), None)

    async def on_keep(self, values: Mapping[str, Any]) -> None:
        """Keep the text; `kept` is sent when it is on the disk and not before."""
        session, draft, text = self._session, int(values["draft"]), str(values["text"])
        if session.person is None or len(text) > session.longest:
            return
        person, reasons = session.person, {str(k): str(v) for k, v in dict(values.get("reasons") or {}).items()}
        numbers = {key: values.get(key) for key in ("revision", "based_on")}
        try:
            row = await asyncio.to_thread(
                lambda: session.ledger.keep_work(
                    draft,
                    text,
                    person,
                    version=int(values.get("version") or 0),
                    revision_id=numbers["revision"],
                    based_on=numbers["based_on"],
                    reasons=reasons,
                )
            )
        except WorkMeanwhile as error:
            newest = error.newest
            message = session.t["notice_elsewhere"].format(at=session.views.clock(newest.at))
            base = await asyncio.to_thread(session.base_of, draft, numbers["based_on"], numbers["revision"])
            found = await asyncio.to_thread(merge.hunks, base, text, newest.text)
            told = {"draft": draft, "message": message, "version": newest.version, "text": newest.text}
            session.send("conflict", {**told, "based_on": newest.based_on, "hunks": merge.told(found), "kind": "work"})
            return
        except UsageError as error:
            session.send("keepFailed", {"draft": draft, "detail": fault_words(error, session.views.language)})
            return
        session.send("kept", {"draft": draft, "version": row.version, "at": session.views.clock(row.at)})

    async def on_drop(self, values: Mapping[str, Any]) -> None:
        """The writer has gone back to what is saved: nothing is kept."""
        session, version = self._session, int(values.get("version") or 0)
        if session.person is not None:
            await asyncio.to_thread(session.ledger.drop_work, int(values["draft"]), session.person, version=version)
            session.send("kept", {"draft": int(values["draft"]), "version": 0, "at": None})

    async def on_merge(self, values: Mapping[str, Any]) -> None:
        """The page holds a text that follows an older final than the newest: show both."""
        session, draft = self._session, int(values["draft"])
        newest = (await asyncio.to_thread(session.ledger.finals, draft))[:1]
        if newest:
            await self.conflict(draft, newest[0], str(values["text"]), values)

    async def conflict(self, draft: int, newest: FinalRow, mine: str, values: Mapping[str, Any]) -> None:
        """Show a writer's text beside the final that another has saved meanwhile."""
        session = self._session
        person = await asyncio.to_thread(session.ledger.person, newest.by)
        message = session.t["notice_conflict"].format(who=person.display, at=session.views.when(newest.at))
        base = await asyncio.to_thread(session.base_of, draft, values.get("based_on"), values.get("revision"))
        found = await asyncio.to_thread(merge.hunks, base, mine, newest.text)
        told = {"draft": draft, "message": message, "based_on": newest.id, "text": newest.text, "kind": "final"}
        session.send("conflict", {**told, "hunks": merge.told(found)})
