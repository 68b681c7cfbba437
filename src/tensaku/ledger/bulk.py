"""Asking the model about many drafts in the background: what is still to ask outlives the server."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tensaku.ledger import tables
from tensaku.ledger.chain import append
from tensaku.ledger.drafts import Drafts
from tensaku.ledger.rows import BulkRow
from tensaku.records import Revision

__all__ = ["Bulks"]

_OPEN = tables.Bulk.ended.is_(None)


class Bulks(Drafts):
    """Bulks and their drafts."""

    def add_bulk(self, draft_ids: Sequence[int], by: str) -> BulkRow | None:
        """Ask for drafts in the background; those already waiting in another bulk are left out. None if none is left.

        Raises:
            NotFound: no such draft or person.
        """
        with self._write() as session:
            self._person(session, by)
            item = tables.BulkItem
            waiting = set(session.scalars(select(item.draft_id).where(item.state == "waiting")))
            wanted = [id for id in dict.fromkeys(draft_ids) if id not in waiting]
            for draft_id in wanted:
                self._one(session, tables.Draft, draft_id, "draft")
            if not wanted:
                return None
            made = tables.Bulk(by=by, at=datetime.now(UTC))
            session.add(made)
            session.flush()
            session.add_all(item(bulk_id=made.id, draft_id=id, state="waiting", fault="") for id in wanted)
            append(session, by, "bulk.asked", f"bulk:{made.id}", {"drafts": wanted})
            return BulkRow(made.id, by, made.at, None, waiting=len(wanted))

    def next_in_bulk(self, without: Collection[int] = ()) -> tuple[int, int, str] | None:
        """Number of the oldest waiting item but `without`, its draft, and who asked; None if nothing waits."""
        item = tables.BulkItem
        query = select(item.id, item.draft_id, tables.Bulk.by).join(tables.Bulk, tables.Bulk.id == item.bulk_id)
        with self._read() as session:
            found = session.execute(
                query.where(item.state == "waiting", item.id.not_in(without)).order_by(item.id).limit(1)
            ).first()
            return (found[0], found[1], found[2]) if found else None

    def bulk_done(self, item_id: int, revision: Revision, by: str) -> bool:
        """Keep the revision and strike the item off, both or neither; False if it was struck off meanwhile."""
        with self._write() as session:
            item = session.get_one(tables.BulkItem, item_id)
            if item.state != "waiting":
                return False
            item.revision_id = self._keep_revision(session, item.draft_id, revision, by).id
            item.state = "done"
            self._end_if_done(session, item.bulk_id)
            return True

    def bulk_failed(self, item_id: int, fault: str) -> None:
        """Strike an item off that could not be answered, with why."""
        with self._write() as session:
            item = session.get_one(tables.BulkItem, item_id)
            if item.state == "waiting":
                item.state, item.fault = "failed", fault[:500].replace("\0", "")
                self._end_if_done(session, item.bulk_id)

    def bulk_skipped(self, item_id: int) -> None:
        """Strike an item off whose draft needs no question any more."""
        with self._write() as session:
            item = session.get_one(tables.BulkItem, item_id)
            if item.state == "waiting":
                item.state = "cancelled"
                self._end_if_done(session, item.bulk_id)

    def cancel_bulk(self, bulk_id: int, by: str) -> None:
        """Ask for no more of a bulk; what was answered stays.

        Raises:
            NotFound: no such bulk or person.
        """
        with self._write() as session:
            self._person(session, by)
            self._one(session, tables.Bulk, bulk_id, "bulk")
            item = tables.BulkItem
            waiting = update(item).where(item.bulk_id == bulk_id, item.state == "waiting")
            session.execute(waiting.values(state="cancelled"))
            append(session, by, "bulk.cancelled", f"bulk:{bulk_id}")
            self._end_if_done(session, bulk_id)

    @staticmethod
    def _end_if_done(session: Session, bulk_id: int) -> None:
        session.flush()
        item = tables.BulkItem
        if not session.scalar(select(func.count()).where(item.bulk_id == bulk_id, item.state == "waiting")):
            session.get_one(tables.Bulk, bulk_id).ended = datetime.now(UTC)

    def bulks(self, limit: int = 1) -> list[BulkRow]:
        """The bulks that run, and of the ended ones the `limit` newest; newest first."""
        item = tables.BulkItem
        with self._read() as session:
            rows = [
                *session.scalars(select(tables.Bulk).where(_OPEN)),
                *session.scalars(select(tables.Bulk).where(~_OPEN).order_by(tables.Bulk.id.desc()).limit(limit)),
            ]
            found = []
            for row in sorted(filter(self._shows_bulk, rows), key=lambda row: -row.id):
                query = select(item.state, func.count()).where(item.bulk_id == row.id).group_by(item.state)
                counts: dict[str, int] = {row[0]: row[1] for row in session.execute(query)}
                faults = select(item.fault).where(item.bulk_id == row.id, item.fault != "").limit(1)
                fault = session.scalar(faults) or ""
                found.append(BulkRow(row.id, row.by, row.at, row.ended, **counts, fault=fault))
            return found

    def _shows_bulk(self, row: tables.Bulk) -> bool:
        """Whether who asks may see a bulk; here, where nobody in particular asks, every one."""
        return True

    def waiting_in_bulk(self) -> set[int]:
        """The drafts that the model is still to be asked about, by number."""
        with self._read() as session:
            query = select(tables.BulkItem.draft_id).where(tables.BulkItem.state == "waiting")
            return set(session.scalars(query))
