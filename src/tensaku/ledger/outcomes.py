"""What became of the model's revisions: each with the final that was written over it and the changes decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from tensaku.ledger import tables
from tensaku.ledger.rows import Decision
from tensaku.ledger.transactions import Transactions

__all__ = ["OutcomeRow", "Outcomes"]


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """The newest final of a draft that was written over a revision.

    `asked` is when the revision was complete, `saved` when a final over it was first saved; `changes` are those the
    model proposed, as (old, new, decision).
    """

    draft_id: int
    manager: str
    fund: str
    as_of: str
    writer: str
    release: str
    revision: str
    final: str
    asked: datetime
    saved: datetime
    changes: tuple[tuple[str, str, Decision | None], ...]


class Outcomes(Transactions):
    """Reading outcomes."""

    def outcomes(self) -> list[OutcomeRow]:
        """Every outcome, by number of draft."""
        draft, final, revised, changed = tables.Draft, tables.Final, tables.Revised, tables.Changed
        newest = select(func.max(final.id)).group_by(final.draft_id)
        with self._read() as session:
            earliest = select(final.revision_id, func.min(final.at)).where(final.revision_id.is_not(None))
            first = {row[0]: row[1] for row in session.execute(earliest.group_by(final.revision_id))}
            changes: dict[int, list[tuple[str, str, Decision | None]]] = {}
            proposed = select(changed.final_id, changed.old, changed.new, changed.decision)
            proposed = proposed.where(changed.final_id.in_(newest), changed.between_texts == "draft-revision")
            for id, old, new, decision in session.execute(proposed.order_by(changed.id)):
                changes.setdefault(id, []).append((old, new, decision))  # type: ignore[arg-type]
            rows = session.execute(
                select(draft, final, revised)
                .join(final, final.draft_id == draft.id)
                .join(revised, revised.id == final.revision_id)
                .where(final.id.in_(newest))
                .order_by(draft.id)
            )
            return [
                OutcomeRow(
                    d.id,
                    d.manager,
                    d.fund,
                    d.as_of,
                    f.by,
                    r.release,
                    r.text,
                    f.text,
                    r.at,
                    first.get(r.id, f.at),
                    tuple(changes.get(f.id, ())),
                )
                for d, f, r in rows
            ]
