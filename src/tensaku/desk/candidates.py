"""Several revisions of one draft to choose from, in an order that tells nothing of who wrote which."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tensaku.desk.asking import covered
from tensaku.desk.markup import difference
from tensaku.errors import UsageError
from tensaku.ledger import DraftRow, RevisionRow
from tensaku.revise import DraftText, start
from tensaku.text import changes

if TYPE_CHECKING:
    from tensaku.desk.session import Session

__all__ = ["Candidates"]

MOST = 3
"""Candidates at once: more are not read."""
TEMPERATURE = 0.7
"""At which a release that has answered already is asked again."""
TRIES = 12
"""How often it is asked who answers, to find the challenger beside the champion."""


class Candidates:
    """Asks for several revisions of the draft that a session shows, and keeps which one its writer chose."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running: set[int] = set()

    async def on_candidates(self, values: Mapping[str, Any]) -> None:
        """Write up to three revisions and show them; each is kept as a revision, chosen or not."""
        session, opened = self._session, self._session.opened
        if session.person is None:
            session.send("who", None)
            return
        if opened is None or opened.draft.id != int(values["draft"]) or opened.draft.id in self._running:
            return
        draft, person = opened.draft, session.person
        n = min(MOST, max(2, int(values.get("n") or 2)))
        self._running.add(draft.id)
        try:
            session.send("candidates", {"draft": draft.id, "html": "", "shown": []})
            found = await asyncio.to_thread(self._write, draft, person, n)
        finally:
            self._running.discard(draft.id)
        await session.read_again(draft.id)
        if session.opened is None or session.opened.draft.id != draft.id:
            return
        if len(found) < 2:
            session.notice("candidates_same")
            session.send("candidates", {"draft": draft.id, "html": None, "shown": []})
            return
        shown = [(row, difference(draft.text, row.text, changes(draft.text, row.text))) for row in found]
        html = session.views.candidates(shown)
        session.send("candidates", {"draft": draft.id, "html": html, "shown": [row.id for row in found]})

    async def on_choose(self, values: Mapping[str, Any]) -> None:
        """Keep the choice; the page takes the text when it is on the disk."""
        session, draft = self._session, int(values["draft"])
        if session.person is None:
            session.send("who", None)
            return
        shown, chosen, person = [int(n) for n in values["shown"]], int(values["chosen"]), session.person
        await asyncio.to_thread(session.ledger.add_choice, draft, shown, chosen, person)
        rows = await asyncio.to_thread(session.ledger.revisions, draft)
        text = next(row.text for row in rows if row.id == chosen)
        session.send("chosen", {"draft": draft, "revision": chosen, "text": text})

    def _write(self, draft: DraftRow, person: str, n: int) -> list[RevisionRow]:
        """Different revisions in a drawn order: of each release that may answer, then of the first at a temperature.

        Blocks. A model that cannot sample is asked only once.
        """
        asked = DraftText(text=draft.text, fund=draft.fund, section=draft.section, as_of=draft.as_of)
        lineup = {id(job): (engine, job) for engine, job in (self._session.answering() for _ in range(TRIES))}
        for _, job in lineup.values():
            covered(self._session.ledger, job, self._session.task)
        running = [start(engine, job, asked) for engine, job in list(lineup.values())[:n]]
        engine, job = next(iter(lineup.values()))
        more = n - len(running)
        if "sampling" in getattr(engine, "can", ()):
            for seed in range(1, more + 1):
                about = {**job.provenance, "temperature": str(TEMPERATURE), "seed": str(seed)}
                again = replace(job, provenance=about)
                running.append(start(engine, again, asked, temperature=TEMPERATURE, seed=seed))
        found: dict[str, RevisionRow] = {}
        try:
            for revising in running:
                revision = revising.result()
                if revision.text and revision.text not in found:
                    found[revision.text] = self._session.ledger.add_revision(draft.id, revision, person)
        finally:
            for revising in running:
                revising.cancel()
        rows = list(found.values())
        secrets.SystemRandom().shuffle(rows)
        if not rows:
            raise UsageError("the model wrote nothing", fix="Ask again")
        return rows
