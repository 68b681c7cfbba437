"""Decisions on one page: each is in the ledger before the page says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from tensaku.desk.changelist import told
from tensaku.desk.comparison import Comparison
from tensaku.ledger import CHANGE_REASONS, ChangeReason, DecisionRow
from tensaku.ledger.rows import Said
from tensaku.records import Change

if TYPE_CHECKING:
    from tensaku.desk.session import Session

__all__ = ["Deciding"]

_SAID = ("accepted", "rejected", "altered", "marked", "open")


class Deciding:
    """What was decided on the draft that a session shows, and the list that shows it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.known: dict[str, Change] = {}
        self.said: dict[str, DecisionRow] = {}
        self._shown: Comparison | None = None
        self._sent: dict[tuple[str, bool], str] = {}

    def enter(self, said: Mapping[str, DecisionRow]) -> None:
        """The page shows another draft."""
        self.known, self.said, self._shown, self._sent = {}, dict(said), None, {}

    def show(self, draft: int, found: Comparison) -> dict[str, Any]:
        """What the page is told of the list; it must be sent. A line that the page has already comes without `html`."""
        self._shown = found
        # A change that was turned down is in the list no more, and its decision may still be taken back.
        self.known.update({row.change.id: row.change for row in found.listed})
        rows, said = found.listed, self.said
        decided = sum(r.change.id in said and said[r.change.id].decision == r.decision for r in rows)
        views, people = self._session.views, self._session.people
        lines, sent = told(rows, found.text, said), self._sent
        self._sent = {}
        for row, line in zip(rows, lines, strict=True):
            key = (row.change.id, row.own)
            self._sent[key] = views.change(row, said.get(row.change.id), people)
            if sent.get(key) != self._sent[key]:
                line["html"] = self._sent[key]
        state = self._session.t["decided_of"].format(n=decided, of=len(rows)) if rows else ""
        empty = "" if rows else views.no_changes(found)
        return {"changes": lines, "empty": empty, "decided": state, "draft": draft}

    async def on_decide(self, values: Mapping[str, Any]) -> None:
        """Keep one decision; `decided` is sent when it is on the disk and not before."""
        session, draft, change = self._session, int(values["draft"]), self.known.get(str(values["change"]))
        if session.person is None:
            session.send("who", None)
            return
        if session.opened is None or session.opened.draft.id != draft:
            return
        if change is None:
            session.notice("change_gone")
            return
        decision, reason = str(values.get("decision")), str(values.get("reason") or "")
        if decision not in _SAID or reason not in ("", *CHANGE_REASONS):
            decision, reason = "open", ""
        person, revision, note = session.person, values.get("revision"), str(values.get("note") or "")[:400]
        row = await asyncio.to_thread(
            lambda: session.ledger.add_decision(
                draft,
                change,
                cast("Said", decision),
                person,
                revision_id=revision,
                reason=cast("ChangeReason", reason),
                note=note,
            )
        )
        if self.known.get(change.id) is not change:
            return  # another draft was opened meanwhile
        self.said[change.id] = row
        session.send("decided", {"draft": draft, "change": change.id, "decision": row.decision})
        if self._shown is not None:
            session.send("listed", self.show(draft, self._shown))
