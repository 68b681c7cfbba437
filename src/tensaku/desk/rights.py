"""The ledger as one person may use it: rights are looked at in the very transaction that reads or writes."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.govern.barred import BarredLedger, fund_of
from tensaku.govern.barriers import Barriers
from tensaku.ledger import (
    SYSTEM,
    BulkRow,
    DraftRow,
    Ledger,
    NewDraft,
    NewRuling,
    NewTopic,
    NotAllowed,
    PersonRow,
    ReportRow,
    ReportState,
    RevisionRow,
    RulingRow,
    Standing,
    TopicRow,
    funds_of,
    tables,
)
from tensaku.ledger.outcomes import OutcomeRow
from tensaku.ledger.people import row_of
from tensaku.ledger.topics import TopicVerdict
from tensaku.records import Revision

__all__ = ["PersonalLedger"]

R = TypeVar("R", bound=tables.Row)

READERS = {"auditor"}
"""Roles that change nothing; somebody who has no other only reads."""
GIVERS = ("writer", "reviewer", "approver", "admin")
"""Roles that hand drafts out."""


class PersonalLedger(BarredLedger):
    """`ledger`, bounded to what the person `name` may see and do at this moment.

    Whatever is written is written in that person's name; a draft of a fund that is not theirs is not theirs to see, and
    nor is what became of it, a report, a comparison or a bulk of that fund. What is behind a barrier is not there at
    all. Roles, funds and barriers are read anew each time, so a right that is taken away is gone at once, also for
    pages that are open.
    """

    def __init__(self, ledger: Ledger, name: str, barriers: Barriers | None = None) -> None:
        super().__init__(ledger, name, barriers)
        self._name = name

    def close(self) -> None:
        """The connection is the house's; nothing to let go."""

    def _person(self, session: Session, name: str) -> tables.Person:
        if name != self._name:
            raise NotAllowed(f"{self._name!r} cannot act as {name!r}", where=self.where, fix="Sign in as that person")
        person = super()._person(session, self._name)
        if set(person.roles) <= READERS:
            raise NotAllowed(f"{self._name!r} may read and change nothing", where=self.where, fix="Ask a writer")
        return person

    def _one(self, session: Session, table: type[R], key: int | str, kind: str) -> R:
        found = super()._one(session, table, key, kind)
        if isinstance(found, tables.Report):
            if not _sees(self._me(session), found):
                self._refuse(found.fund)
        elif isinstance(found, tables.Bulk):
            for fund in sorted(_funds_in(session, found.id)):
                self._check_fund(session, fund)
        else:
            self._check_fund(session, fund_of(session, found))
        return found

    def _me(self, session: Session) -> PersonRow:
        return row_of(session.get_one(tables.Person, self._name))

    def may(self, fund: str) -> bool:
        """Whether their rights reach a fund, and no barrier stands before it.

        A fund that is not told may be any: it is for those whose rights are bounded to none.
        """
        with self._read() as session:
            me = self._me(session)
        return (me.may(fund=fund) if fund else not me.bounded) and self.opens_fund(fund)

    def _check_fund(self, session: Session, fund: str) -> None:
        if not self._me(session).may(fund=fund):
            self._refuse(fund)

    def _refuse(self, fund: str) -> NoReturn:
        what = f"{self._name!r} has no right to the fund {fund!r}" if fund else f"{self._name!r} may not see this"
        raise NotAllowed(what, where=self.where, fix="Ask an administrator for it")

    def need(self, *roles: str) -> None:
        """Refuse somebody who holds none of these roles, or is no longer active.

        Raises:
            NotAllowed: so it is.
        """
        with self._read() as session:
            me = self._me(session)
        if not me.active or not set(roles) & set(me.roles):
            what = f"{self._name!r} is no {' or '.join(roles)}"
            raise NotAllowed(what, where=self.where, fix="Ask an administrator for the role")

    def drafts(self, **wanted: Any) -> list[DraftRow]:
        """The drafts of the funds that are theirs; as `Ledger.drafts`."""
        with self._read() as session:
            me = self._me(session)
        return [draft for draft in super().drafts(**wanted) if me.may(fund=draft.fund)]

    def standings(self) -> dict[int, Standing]:
        """As `Ledger.standings`, of the drafts that are theirs."""
        mine = {draft.id for draft in self.drafts()}
        return {id: standing for id, standing in super().standings().items() if id in mine}

    def outcomes(self) -> list[OutcomeRow]:
        """As `Ledger.outcomes`, of the funds that are theirs."""
        with self._read() as session:
            me = self._me(session)
        return [row for row in super().outcomes() if me.may(fund=row.fund)]

    def _shown(self, session: Session) -> list[tables.Comparison]:
        me = self._me(session)
        return [row for row in super()._shown(session) if me.may(fund=row.fund)]

    def add_draft(self, new: NewDraft, *, by: str = SYSTEM) -> DraftRow:
        """As `Ledger.add_draft`; needs a writer with a right to the fund."""
        self.need("writer")
        return super().add_draft(new, by=self._name)

    def _enter_draft(self, session: Session, new: NewDraft, by: str) -> DraftRow:
        self._check_fund(session, new.fund)
        if not self.opens_fund(new.fund):
            self._refuse(new.fund)
        return super()._enter_draft(session, new, by)

    def reports(self, state: ReportState | None = None, *, limit: int | None = None) -> list[ReportRow]:
        """As `Ledger.reports`, those that are theirs to see."""
        with self._read() as session:
            me = self._me(session)
        return [row for row in super().reports(state) if _sees(me, row)][:limit]

    def sees(self, report: ReportRow) -> bool:
        """Whether a report is theirs to see.

        One of a fund that is not told yet may be any fund's: it is for those whose rights are bounded to none, and for
        whoever brought it in.
        """
        with self._read() as session:
            return _sees(self._me(session), report) and self._opens_report(report)

    def add_revision(self, draft_id: int, revision: Revision, by: str) -> RevisionRow:
        """As `Ledger.add_revision`; needs a writer."""
        self.need("writer")
        return super().add_revision(draft_id, revision, by)

    def add_ruling(self, new: NewRuling, *, by: str) -> RulingRow:
        """As `Ledger.add_ruling`; needs a developer or an administrator with a right to the fund."""
        self.need("developer", "admin")
        if not self.may(new.fund):
            self._refuse(new.fund)
        return super().add_ruling(new, by=by)

    def may_propose(self) -> bool:
        """Whether they propose topics, and decide on others' ones."""
        with self._read() as session:
            return bool({"developer", "approver", "admin"} & set(self._me(session).roles))

    def add_topic(self, new: NewTopic, *, by: str) -> TopicRow:
        """As `Ledger.add_topic`; needs a developer, an approver or an administrator."""
        self.need("developer", "approver", "admin")
        return super().add_topic(new, by=by)

    def review_topic(self, topic: int, verdict: TopicVerdict, *, by: str, note: str = "") -> TopicRow:
        """As `Ledger.review_topic`; needs a developer, an approver or an administrator."""
        self.need("developer", "approver", "admin")
        return super().review_topic(topic, verdict, by=by, note=note)

    def assign(self, draft_ids: Any, person: str | None, due: str | None, *, by: str) -> int:
        """As `Ledger.assign`; needs a writer, a reviewer, an approver or an administrator."""
        self.need(*GIVERS)
        return super().assign(draft_ids, person, due, by=by)

    def add_bulk(self, draft_ids: Any, by: str) -> Any:
        """As `Ledger.add_bulk`; needs a writer."""
        self.need("writer")
        return super().add_bulk(draft_ids, by)

    def cancel_bulk(self, bulk_id: int, by: str) -> None:
        """As `Ledger.cancel_bulk`; needs a right to every fund in it, and one of the roles that hand drafts out."""
        self.need(*GIVERS)
        super().cancel_bulk(bulk_id, by)

    def bulks(self, limit: int = 1) -> list[BulkRow]:
        """As `Ledger.bulks`, those all of whose drafts are theirs."""
        found = super().bulks(limit)
        with self._read() as session:
            me = self._me(session)
            return [bulk for bulk in found if all(me.may(fund=fund) for fund in _funds_in(session, bulk.id))]


def _funds_in(session: Session, bulk_id: int) -> set[str]:
    item, draft = tables.BulkItem, tables.Draft
    query = select(draft.fund).join(item, item.draft_id == draft.id).where(item.bulk_id == bulk_id)
    return set(session.scalars(query))


def _sees(me: PersonRow, report: ReportRow | tables.Report) -> bool:
    own = report.by == me.name
    return all(me.may(fund=fund) if fund else own or not me.bounded for fund in funds_of(report))
