"""Who has which draft until when, and what a second person said of a final."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.people import row_of
from tensaku.ledger.rows import NotAllowed, ReviewRow, Standing, Verdicts
from tensaku.ledger.transactions import Transactions, columns, storable

__all__ = ["Reviews"]

LONGEST_NOTE = 2000
"""Most characters of a reviewer's note."""


def checked_due(due: str | None) -> str | None:
    """The day as it is kept.

    Raises:
        UsageError: it is no day.
    """
    if not due:
        return None
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", due):
            raise ValueError
        return date.fromisoformat(due).isoformat()
    except ValueError:
        raise UsageError(f"{due!r} is no day", fix="Write it as 2026-11-10") from None


def _review_of(row: tables.Review) -> ReviewRow:
    return ReviewRow(row.id, row.final_id, row.decision, row.note, row.by, row.at)  # type: ignore[arg-type]


class Reviews(Transactions):
    """Assignments and reviews."""

    def assign(self, draft_ids: Sequence[int], person: str | None, due: str | None, *, by: str) -> int:
        """Give drafts to a person until a day; returns how many of them changed hands or days.

        Args:
            draft_ids: the drafts.
            person: a writer, or None: nobody's.
            due: the last day, `YYYY-MM-DD`; None: the task's usual one.
            by: who gives.

        Raises:
            NotFound: no such draft or person.
            UsageError: the day is none, or the person is not active, no writer, or has no right to a draft's fund.
        """
        day, changed = checked_due(due), 0
        with self._write() as session:
            self._person(session, by)
            if person is not None:
                held = self._one(session, tables.Person, person, "person")
                if not held.active or "writer" not in held.roles:
                    fix = "Choose a writer who is active"
                    raise UsageError(f"{person!r} cannot be given drafts", where=self.where, fix=fix)
            for draft_id in dict.fromkeys(draft_ids):
                draft = self._one(session, tables.Draft, draft_id, "draft")
                if person is not None and not row_of(held).may(fund=draft.fund):
                    fix = "Choose somebody whose rights reach it"
                    raise UsageError(f"{person!r} has no right to the fund {draft.fund!r}", where=self.where, fix=fix)
                table = tables.Assignment
                newest = session.scalars(
                    select(table).filter_by(draft_id=draft_id).order_by(table.id.desc()).limit(1)
                ).first()
                if (newest.person if newest else None, newest.due if newest else None) == (person, day):
                    continue
                made = table(draft_id=draft_id, person=person, due=day, by=by, at=datetime.now(UTC))
                session.add(made)
                session.flush()
                detail = {"draft": draft_id, "person": person, "due": day, "digest": digest(columns(made))}
                append(session, by, "draft.assigned", f"assignment:{made.id}", detail)
                changed += 1
        return changed

    def add_review(self, final_id: int, decision: Verdicts, by: str, *, note: str = "") -> ReviewRow:
        """Say something of a final as the second pair of eyes. The same decision again is returned as it stands.

        Raises:
            NotFound: no such final or person.
            NotAllowed: the person is no reviewer, or wrote this final.
            UsageError: a final was saved after this one, it is decided already, or a note is wanted and missing.
        """
        note = storable(note.strip(), "note")
        if len(note) > LONGEST_NOTE:
            raise UsageError(f"the note has {len(note)} characters", fix=f"At most {LONGEST_NOTE} are kept")
        if decision != "approved" and not note:
            raise UsageError("a returned final and a comment need a note", fix="Say what is to be done")
        with self._write() as session:
            person = self._person(session, by)
            if "reviewer" not in person.roles:
                fix = "Give the person the role 'reviewer'"
                raise NotAllowed(f"{by!r} is not a reviewer", where=self.where, fix=fix)
            final = self._one(session, tables.Final, final_id, "final")
            if decision != "comment":
                self._check_unreviewed(session, final, by)
            stands = session.scalars(
                select(tables.Review).where(tables.Review.final_id == final_id, tables.Review.decision != "comment")
            ).first()
            if stands is not None and decision != "comment":
                if (stands.by, stands.decision, stands.note) == (by, decision, note):
                    return _review_of(stands)
                what = f"{stands.by} has {stands.decision} final {final_id} already"
                raise UsageError(
                    what, where=self.where, fix="The writer has to save a new text before another decision"
                )
            made = tables.Review(final_id=final_id, decision=decision, note=note, by=by, at=datetime.now(UTC))
            session.add(made)
            session.flush()
            detail = {"final": final_id, "decision": decision, "digest": digest(columns(made))}
            append(session, by, "final.reviewed", f"review:{made.id}", detail)
            return _review_of(made)

    def _check_unreviewed(self, session: Session, final: tables.Final, by: str) -> None:
        writers = select(tables.Final.by).where(tables.Final.draft_id == final.draft_id, tables.Final.id <= final.id)
        if by in set(session.scalars(writers)):
            raise NotAllowed(
                f"{by!r} wrote on this comment", where=self.where, fix="Another person has to review it (four eyes)"
            )
        newest = session.scalar(select(func.max(tables.Final.id)).where(tables.Final.draft_id == final.draft_id))
        if newest != final.id:
            raise UsageError(
                f"final {newest} was saved after this one", where=self.where, fix="Load the page again and read that"
            )

    def reviews(self, draft_id: int) -> list[ReviewRow]:
        """What was said of a draft's finals, oldest first.

        Raises:
            NotFound: no such draft.
        """
        with self._read() as session:
            self._one(session, tables.Draft, draft_id, "draft")
            query = select(tables.Review).join(tables.Final, tables.Final.id == tables.Review.final_id)
            query = query.where(tables.Final.draft_id == draft_id).order_by(tables.Review.id)
            return [_review_of(row) for row in session.scalars(query)]

    def standings(self) -> dict[int, Standing]:
        """Where every draft stands that was saved, reviewed or given to somebody, by number of draft."""
        with self._read() as session:
            newest = select(func.max(tables.Final.id)).group_by(tables.Final.draft_id)
            final, review = tables.Final, tables.Review
            finals: dict[int, tuple[int | None, str | None, datetime | None]] = {
                draft: (id, by, at)
                for draft, id, by, at in session.execute(
                    select(final.draft_id, final.id, final.by, final.at).where(final.id.in_(newest))
                )
            }
            decided: dict[int | None, tuple[Any, str | None]] = {
                id: (decision, by)
                for id, decision, by in session.execute(
                    select(review.final_id, review.decision, review.by).where(review.decision != "comment")
                )
            }
            last = select(func.max(tables.Assignment.id)).group_by(tables.Assignment.draft_id)
            given = {
                row.draft_id: (row.person, row.due)
                for row in session.scalars(select(tables.Assignment).where(tables.Assignment.id.in_(last)))
            }
        found = {}
        for draft in {*finals, *given}:
            id, by, at = finals.get(draft, (None, None, None))
            decision, judge = decided.get(id, (None, None))
            person, due = given.get(draft, (None, None))
            found[draft] = Standing(draft, id, by, at, decision, judge, person, due)
        return found

    def approved_finals(self) -> set[int]:
        """The finals that a second person has approved, by number; older ones of a draft too."""
        with self._read() as session:
            return set(session.scalars(select(tables.Review.final_id).where(tables.Review.decision == "approved")))
