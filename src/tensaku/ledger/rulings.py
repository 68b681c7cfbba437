"""What people said of pairs that curation had set aside: taken back, or left out after all. A newer word replaces an
older one in what counts; both stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.transactions import Transactions, clean, columns

__all__ = ["NewRuling", "RulingRow", "Rulings"]

_LONGEST_NOTE = 2000


@dataclass(frozen=True, slots=True)
class NewRuling:
    """`row` names the pair and `reason` why it was set aside, as curation knows them; `pool` is where it was read,
    `kept` whether the next pool keeps it."""

    row: str
    reason: str
    pool: str
    fund: str
    kept: bool
    note: str


@dataclass(frozen=True, slots=True)
class RulingRow:
    """A ruling as it was recorded."""

    id: int
    row: str
    reason: str
    pool: str
    fund: str
    kept: bool
    note: str
    by: str
    at: datetime


class Rulings(Transactions):
    """Rulings on drops."""

    def add_ruling(self, new: NewRuling, *, by: str) -> RulingRow:
        """Record what somebody decided of a pair that was set aside.

        Raises:
            NotFound: no such person.
            UsageError: the note is empty or too long, or a text cannot be stored.
        """
        made = tables.DropRuling(
            row=clean(new.row, "row", limit=500),
            reason=clean(new.reason, "reason", limit=64),
            pool=clean(new.pool, "pool", limit=128),
            fund=clean(new.fund, "fund", limit=200),
            kept=new.kept,
            note=clean(new.note, "note", limit=_LONGEST_NOTE),
            by=by,
            at=datetime.now(UTC),
        )
        with self._write() as session:
            self._person(session, by)
            session.add(made)
            session.flush()
            detail = {"kept": new.kept, "digest": digest(columns(made))}
            append(session, by, "drop.ruled", f"ruling:{made.id}", detail)
            return _ruling(made)

    def rulings(self) -> list[RulingRow]:
        """The newest ruling of each drop that somebody ruled on, in the order in which they were made."""
        table = tables.DropRuling
        newest = select(func.max(table.id)).group_by(table.row, table.reason)
        with self._read() as session:
            return [
                _ruling(row) for row in session.scalars(select(table).where(table.id.in_(newest)).order_by(table.id))
            ]


def _ruling(row: tables.DropRuling) -> RulingRow:
    return RulingRow(row.id, row.row, row.reason, row.pool, row.fund, row.kept, row.note, row.by, row.at)
