"""What happened at work, row by row, for monitoring: answers of the API, revisions at the desk, what became of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from tensaku.ledger import tables
from tensaku.ledger.transactions import Transactions

__all__ = ["Observed", "Watching"]


@dataclass(frozen=True, slots=True)
class Observed:
    """One answer. What only the API or only the desk knows is None on the other's rows.

    `seconds` it took; `breaks` are facts that the guard found altered; `revised` and `final` are the texts before and
    after the writer (None: not saved, or erased); `accepted` of `decided` changes were kept as proposed; `answer` is
    what the model wrote, whether saved or not (None: erased).
    """

    at: datetime
    release: str
    tokens: int
    finish: str
    seconds: float | None = None
    manager: str | None = None
    section: str | None = None
    draft: str | None = None
    breaks: int | None = None
    revised: str | None = None
    final: str | None = None
    accepted: int = 0
    decided: int = 0
    answer: str | None = None


class Watching(Transactions):
    """The ledger's side of monitoring."""

    def observed(self, after: datetime, until: datetime) -> list[Observed]:
        """Every answer of a release after one moment and up to another, oldest first."""
        answer, revision, draft = tables.Answered, tables.Revised, tables.Draft
        with self._read() as session:
            query = select(answer.at, answer.release, answer.completion_tokens, answer.finish, answer.seconds)
            held = query.where(answer.release != "", answer.at > after, answer.at <= until)
            found = [Observed(*row) for row in session.execute(held)]
            saved = {
                row.revision_id: row
                for row in session.execute(
                    select(tables.Final.id, tables.Final.revision_id, tables.Final.text, tables.Final.salt)
                    .where(tables.Final.revision_id.is_not(None), tables.Final.at <= until)
                    .order_by(tables.Final.id)
                )
            }
            changed = select(tables.Changed.final_id, tables.Changed.decision)
            decided: dict[int, Counter[str]] = {}
            for number, decision in session.execute(changed.where(tables.Changed.decision.is_not(None))):
                decided.setdefault(number, Counter())[str(decision)] += 1
            rows = select(revision, draft.manager, draft.section, draft.text).join(draft, draft.id == revision.draft_id)
            for row, manager, section, text in session.execute(
                rows.where(revision.release != "", revision.at > after, revision.at <= until)
            ):
                final = saved.get(row.id)
                counts = decided.get(final.id, Counter()) if final else Counter[str]()
                whole = final is not None and final.salt is not None and row.salt is not None
                found.append(
                    Observed(
                        at=row.at,
                        release=row.release,
                        tokens=row.completion_tokens,
                        finish=row.finish,
                        manager=manager,
                        section=section,
                        draft=text,
                        breaks=len(row.verdict),
                        revised=row.text if whole else None,
                        final=final.text if final is not None and whole else None,
                        accepted=counts["accepted"],
                        decided=counts.total(),
                        answer=row.text if row.salt is not None else None,
                    )
                )
        return sorted(found, key=lambda one: one.at)
