"""Answers the page's requests for what stands beside the text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tensaku.desk import reference
from tensaku.text import violations

if TYPE_CHECKING:
    from tensaku.desk.session import Opened, Session

__all__ = ["Beside"]


class Beside:
    """Similar comments, last month's, and why a change was made, for the draft that a session shows."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def on_beside(self, values: Mapping[str, Any]) -> None:
        """Show one of them."""
        session, opened = self._session, self._session.opened
        if opened is None or opened.draft.id != int(values["draft"]):
            return
        html = await asyncio.to_thread(self._made, opened, values)
        if session.opened is not None and session.opened.draft.id == opened.draft.id:
            session.send("beside", {"draft": opened.draft.id, "html": html, "what": str(values["what"])})

    def _made(self, opened: Opened, values: Mapping[str, Any]) -> str:
        session, what = self._session, str(values["what"])
        if what != "why":
            find = reference.last_month if what == "last" else reference.similar
            shown = "last" if what == "last" else "similar"
            return session.views.beside(shown, found=find(session.ledger, opened.draft))
        change = session.change(str(values["change"]))
        old, new = (change.old, change.new) if change is not None else ("", "")
        rules = [rule for rule in session.style if violations(old, [rule]) and not violations(new, [rule])]
        because = reference.reasons_of(session.ledger, opened.draft, old, new)
        newest = next((r for r in opened.revisions if r.id == values.get("revision")), None)
        quoted = int(newest.provenance.get("examples", "0")) if newest is not None else 0
        return session.views.beside("why", old=old, new=new, rules=rules, because=because, quoted=quoted)
