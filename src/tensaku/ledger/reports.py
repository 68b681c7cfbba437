"""Reports of outside managers: each set of bytes once, with the drafts it became in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.drafts import Drafts, checked
from tensaku.ledger.rows import SYSTEM, HeadingRow, NewDraft, NewReport, ReportRow, ReportState
from tensaku.ledger.transactions import clean, columns, storable

__all__ = ["EVERY", "Reports", "funds_of"]

EVERY = "*"
"""Of a part of a report: it speaks of every fund of the file."""


def funds_of(report: ReportRow | tables.Report) -> set[str]:
    """The funds that a report speaks of; an empty one among them is not told yet."""
    return {part["fund"] for part in report.parts if part.get("fund", EVERY) != EVERY} or {report.fund}


class Reports(Drafts):
    """Reports and their headings."""

    def report_of(self, sha256: str) -> ReportRow | None:
        """The report with these bytes, if it came in before."""
        with self._read() as session:
            found = session.scalars(select(tables.Report).filter_by(sha256=sha256)).first()
            return _row(found) if found is not None else None

    def report(self, id: int) -> ReportRow:
        """The report of that number.

        Raises:
            NotFound: no such report.
        """
        with self._read() as session:
            return _row(self._one(session, tables.Report, id, "report"))

    def reports(self, state: ReportState | None = None, *, limit: int | None = None) -> list[ReportRow]:
        """The reports, of one state or of all, newest first."""
        query = select(tables.Report).order_by(tables.Report.id.desc()).limit(limit)
        if state is not None:
            query = query.filter_by(state=state)
        with self._read() as session:
            return [_row(row) for row in session.scalars(query)]

    def add_report(
        self,
        new: NewReport,
        drafts: Sequence[NewDraft] = (),
        *,
        headings: Mapping[str, tuple[str, str]] | None = None,
        by: str = SYSTEM,
    ) -> tuple[ReportRow, bool]:
        """Keep a report, with its drafts and headings, all or nothing; and whether it is new.

        With drafts it is filed, without it waits in the inbox. Bytes that are there already change nothing.

        Args:
            new: the report.
            drafts: what it becomes.
            headings: folded heading -> the heading as written and its section, learnt for this manager.
            by: who brought it in.

        Raises:
            UsageError: a draft cannot be kept.
            NotFound: `by` is nobody.
        """
        for draft in drafts:
            checked(draft)
        storable(new.name, "report's name")
        with self._write() as session:
            self._person(session, by)
            found = session.scalars(select(tables.Report).filter_by(sha256=new.sha256)).first()
            if found is not None:
                return _row(found), False
            values = {**asdict(new), "reasons": list(new.reasons), "parts": list(new.parts)}
            state = "filed" if drafts else "inbox"
            made = tables.Report(**values, state=state, note="", by=by, at=datetime.now(UTC))
            session.add(made)
            self._file_report(session, made, drafts, headings or {}, by, "report.added")
            return _row(made), True

    def file_report(
        self,
        id: int,
        drafts: Sequence[NewDraft],
        *,
        headings: Mapping[str, tuple[str, str]] | None = None,
        by: str,
    ) -> ReportRow:
        """Make drafts of a report that waits in the inbox, as a person has told what is what.

        Raises:
            UsageError: it no longer waits there, a draft cannot be kept, or there is none.
            NotFound: no such report or person.
        """
        if not drafts:
            raise UsageError("no section has a text", fix="Say for one heading at least which section it is")
        for draft in drafts:
            checked(draft)
        with self._write() as session:
            self._person(session, by)
            row = self._waiting_report(session, id)
            row.state, row.manager, row.as_of = "filed", drafts[0].manager, drafts[0].as_of
            if len({draft.fund for draft in drafts}) == 1:  # of several funds, it names them all already
                row.fund = drafts[0].fund
            self._file_report(session, row, drafts, headings or {}, by, "report.filed")
            return _row(row)

    def set_report_aside(self, id: int, note: str, *, by: str) -> ReportRow:
        """Put away a report that waits in the inbox, with the reason.

        Raises:
            UsageError: it no longer waits there, or no reason is given.
            NotFound: no such report or person.
        """
        clean(note, "reason for setting it aside", limit=400)
        with self._write() as session:
            self._person(session, by)
            row = self._waiting_report(session, id)
            row.state, row.note = "set-aside", note
            session.flush()
            append(session, by, "report.set-aside", f"report:{id}", {"note": note, "digest": digest(columns(row))})
            return _row(row)

    def headings(self, manager: str | None = None) -> list[HeadingRow]:
        """What the managers, or one of them, call the sections; by manager, section and heading."""
        table = tables.HeadingWord
        query = select(table).order_by(table.manager, table.section, table.folded)
        if manager is not None:
            query = query.filter_by(manager=manager)
        with self._read() as session:
            return [_heading(row) for row in session.scalars(query)]

    def set_heading(self, manager: str, folded: str, heading: str, section: str, *, by: str) -> HeadingRow:
        """Say which section a manager means by a heading, from the next report on; "-" is none.

        Raises:
            UsageError: something is empty or too long.
            NotFound: `by` is nobody.
        """
        with self._write() as session:
            self._person(session, by)
            return _heading(self._learn_heading(session, manager, folded, heading, section, by))

    def _waiting_report(self, session: Session, id: int) -> tables.Report:
        row = self._one(session, tables.Report, id, "report")
        if row.state != "inbox":
            what = f"report {id} no longer waits in the inbox: it is {row.state}"
            raise UsageError(what, where=self.where, fix="Look at it again; somebody else has decided")
        return row

    def _file_report(
        self,
        session: Session,
        row: tables.Report,
        drafts: Sequence[NewDraft],
        headings: Mapping[str, tuple[str, str]],
        by: str,
        what: str,
    ) -> None:
        session.flush()
        made = [self._enter_draft(session, draft, by).id for draft in drafts]
        if drafts:
            for folded, (heading, section) in headings.items():
                self._learn_heading(session, drafts[0].manager, folded, heading, section, by)
        detail = {"sha256": row.sha256, "state": row.state, "drafts": made, "digest": digest(columns(row))}
        append(session, by, what, f"report:{row.id}", detail)

    def _learn_heading(
        self, session: Session, manager: str, folded: str, heading: str, section: str, by: str
    ) -> tables.HeadingWord:
        for value, name in ((manager, "manager"), (folded, "heading"), (heading, "heading")):
            clean(value, name, limit=200)
        clean(section, "section", limit=64)
        row = session.scalars(select(tables.HeadingWord).filter_by(manager=manager, folded=folded)).first()
        if row is not None and row.section == section:
            return row
        if row is None:
            row = tables.HeadingWord(manager=manager, folded=folded)
            session.add(row)
        row.heading, row.section, row.by, row.at = heading, section, by, datetime.now(UTC)
        session.flush()
        detail = {"manager": manager, "heading": heading, "section": section, "digest": digest(columns(row))}
        append(session, by, "heading.learnt", f"heading:{row.id}", detail)
        return row


def _row(row: tables.Report) -> ReportRow:
    values = {c.key: getattr(row, c.key) for c in row.__table__.columns}
    return ReportRow(**{**values, "reasons": tuple(row.reasons), "parts": tuple(row.parts)})


def _heading(row: tables.HeadingWord) -> HeadingRow:
    return HeadingRow(**{c.key: getattr(row, c.key) for c in row.__table__.columns})
