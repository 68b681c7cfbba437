"""While a comment is written: decisions change by change, work in progress, choices between candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.rows import ChangeReason, ChoiceRow, DecisionRow, Said, WorkMeanwhile, WorkRow
from tensaku.ledger.transactions import Transactions, columns, storable
from tensaku.records import Change

__all__ = ["Writing"]

LONGEST_NOTE = 1000


def decision_of(row: tables.Decided) -> DecisionRow:
    """The decision as handed out."""
    return DecisionRow(**{c.key: getattr(row, c.key) for c in row.__table__.columns})


def work_of(row: tables.Work) -> WorkRow:
    """The work in progress as handed out."""
    return WorkRow(**{c.key: getattr(row, c.key) for c in row.__table__.columns})


def choice_of(row: tables.Choice) -> ChoiceRow:
    """The choice as handed out."""
    return ChoiceRow(row.id, row.draft_id, tuple(row.shown), row.chosen, row.by, row.at)


class Writing(Transactions):
    """What is kept before a final is saved. When a method returns, what it keeps is on the disk."""

    def add_decision(
        self,
        draft_id: int,
        change: Change,
        decision: Said,
        by: str,
        *,
        revision_id: int | None = None,
        reason: ChangeReason = "",
        note: str = "",
    ) -> DecisionRow:
        """Keep what a writer said of one change; the newest of a change counts, and those before it stay.

        Raises:
            NotFound: no such draft, revision or person.
            UsageError: the person may not write, the decision or its reason is none, the note is too long.
        """
        if decision not in get_args(Said) or reason not in get_args(ChangeReason):
            what = f"{decision!r} with the reason {reason!r} is no decision on a change"
            raise UsageError(
                what, where=self.where, fix=f"Reasons are {', '.join(filter(None, get_args(ChangeReason)))}"
            )
        if len(note) > LONGEST_NOTE:
            raise UsageError(f"the note has {len(note)} characters", fix=f"At most {LONGEST_NOTE} are kept")
        with self._write() as session:
            self._writer(session, by)
            self._revision_of(session, draft_id, revision_id)
            made = tables.Decided(
                draft_id=draft_id,
                revision_id=revision_id,
                change=change.id,
                old=storable(change.old, "change"),
                new=storable(change.new, "change"),
                decision=decision,
                reason=reason,
                note=storable(note.strip(), "note"),
                by=by,
                at=datetime.now(UTC),
            )
            session.add(made)
            session.flush()
            detail = {"draft": draft_id, "change": change.id, "decision": decision, "digest": digest(columns(made))}
            append(session, by, "change.decided", f"decision:{made.id}", detail)
            return decision_of(made)

    def decisions(self, draft_id: int, revision_id: int | None = None, *, newest: bool = True) -> list[DecisionRow]:
        """What was said of a draft's changes, oldest first; of each change the newest alone unless `newest` is false.

        Args:
            draft_id: the draft.
            revision_id: only decisions on this revision's changes and on the writers' own.
            newest: leave out what was said again later.

        Raises:
            NotFound: no such draft.
        """
        query = select(tables.Decided).filter_by(draft_id=draft_id).order_by(tables.Decided.id)
        with self._read() as session:
            self._one(session, tables.Draft, draft_id, "draft")
            rows = [decision_of(row) for row in session.scalars(query)]
        if revision_id is not None:
            rows = [row for row in rows if row.revision_id in (None, revision_id)]
        if newest:
            rows = list({row.change: row for row in rows}.values())
        return rows

    def keep_work(
        self,
        draft_id: int,
        text: str,
        by: str,
        *,
        version: int = 0,
        revision_id: int | None = None,
        based_on: int | None = None,
        reasons: Mapping[str, str] | None = None,
    ) -> WorkRow:
        """Keep what a person has written so far, in place of what they had kept before.

        Args:
            draft_id: the draft that is commented on.
            text: the text as it stands; may be empty.
            by: whose work it is; a writer.
            version: that of the work this one follows; 0 if there was none.
            revision_id: the model's revision it was written over, if any.
            based_on: the newest final that the writer has seen.
            reasons: as of `save_final`, written so far.

        Raises:
            NotFound: no such draft, revision, final or person.
            WorkMeanwhile: nothing was kept; the same person has gone on elsewhere.
            UsageError: the person may not write.
        """
        with self._write() as session:
            self._writer(session, by)
            self._revision_of(session, draft_id, revision_id)
            if based_on is not None and self._one(session, tables.Final, based_on, "final").draft_id != draft_id:
                raise UsageError(f"final {based_on} is of another draft", where=self.where, fix="Load the draft again")
            held = session.get(tables.Work, (draft_id, by))
            if (held.version if held else 0) != version:
                if held is None:  # it was saved or thrown away in another window: this text is the only one
                    version = 0
                elif held.text == text:
                    return work_of(held)
                else:
                    raise WorkMeanwhile(work_of(held), self.where)
            row = held or tables.Work(draft_id=draft_id, by=by)
            row.version, row.text = version + 1, storable(text, "text")
            row.revision_id, row.based_on, row.reasons = revision_id, based_on, dict(reasons or {})
            row.at = datetime.now(UTC)
            session.add(row)
            session.flush()
            return work_of(row)

    def drop_work(self, draft_id: int, by: str, *, version: int | None = None) -> None:
        """Throw away what a person has not saved; with `version`, only if it is still that one."""
        with self._write() as session:
            held = session.get(tables.Work, (draft_id, by))
            if held is not None and version in (None, held.version):
                session.delete(held)

    def work(self, draft_id: int) -> list[WorkRow]:
        """What people have written of a draft's comment and not saved, newest first.

        Raises:
            NotFound: no such draft.
        """
        query = select(tables.Work).filter_by(draft_id=draft_id).order_by(tables.Work.at.desc())
        with self._read() as session:
            self._one(session, tables.Draft, draft_id, "draft")
            return [work_of(row) for row in session.scalars(query)]

    def add_choice(self, draft_id: int, shown: Sequence[int], chosen: int, by: str) -> ChoiceRow:
        """Keep which of several revisions a writer chose.

        Raises:
            NotFound: no such draft, revision or person.
            UsageError: fewer than two were shown, the chosen one was not among them, or the person may not write.
        """
        if len(set(shown)) < 2 or chosen not in shown:
            raise UsageError("a choice is one of at least two revisions", where=self.where, fix="Ask for candidates")
        with self._write() as session:
            self._writer(session, by)
            for revision in shown:
                self._revision_of(session, draft_id, revision)
            now = datetime.now(UTC)
            made = tables.Choice(draft_id=draft_id, shown=list(shown), chosen=chosen, by=by, at=now)
            session.add(made)
            session.flush()
            detail = {"draft": draft_id, "chosen": chosen, "digest": digest(columns(made))}
            append(session, by, "revision.chosen", f"choice:{made.id}", detail)
            return choice_of(made)

    def choices(self, draft_id: int | None = None) -> list[ChoiceRow]:
        """Choices between revisions, of one draft or of all, oldest first."""
        query = select(tables.Choice).order_by(tables.Choice.id)
        if draft_id is not None:
            query = query.filter_by(draft_id=draft_id)
        with self._read() as session:
            return [choice_of(row) for row in session.scalars(query)]

    def _writer(self, session: Session, name: str) -> None:
        if "writer" not in self._person(session, name).roles:
            raise UsageError(f"{name!r} is not a writer", where=self.where, fix="Give the person the role 'writer'")

    def _revision_of(self, session: Session, draft_id: int, revision_id: int | None) -> None:
        self._one(session, tables.Draft, draft_id, "draft")
        if revision_id is not None:
            revision = self._one(session, tables.Revised, revision_id, "revision")
            if revision.draft_id != draft_id:
                what = f"revision {revision_id} was made of draft {revision.draft_id}, not of draft {draft_id}"
                raise UsageError(what, where=self.where, fix="Name a revision of this draft")
