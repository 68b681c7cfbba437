"""The ledger as one person may use it: rights are looked at in the very transaction that reads or writes."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy.orm import Session

from tensaku.ledger import (
    SYSTEM,
    DraftRow,
    Ledger,
    NewDraft,
    NewRuling,
    NewTopic,
    NotAllowed,
    RevisionRow,
    RulingRow,
    Standing,
    TopicRow,
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


class PersonalLedger(Ledger):
    """`ledger`, bounded to what the person `name` may see and do at this moment.

    Whatever is written is written in that person's name; a draft of a fund that is not theirs is not theirs to see, and
    nor are its revisions and finals. Roles and funds are read anew each time, so a right that is taken away is gone at
    once, also for pages that are open.
    """

    def __init__(self, ledger: Ledger, name: str) -> None:
        super().__init__(ledger._engine, ledger.where, ledger.names)
        self.review, self._turn, self._name = (
            ledger.review,
            ledger._turn,
            name,
        )  # threads of one process still queue in one line

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
        if isinstance(found, tables.Draft):
            self._check_fund(session, found.fund)
        elif isinstance(found, tables.Final | tables.Revised):
            self._check_fund(session, session.get_one(tables.Draft, found.draft_id).fund)
        return found

    def _check_fund(self, session: Session, fund: str) -> None:
        if not row_of(session.get_one(tables.Person, self._name)).may(fund=fund):
            what = f"{self._name!r} has no right to the fund {fund!r}"
            raise NotAllowed(what, where=self.where, fix="Ask an administrator for it")

    def _need(self, *roles: str) -> None:
        with self._read() as session:
            held = row_of(session.get_one(tables.Person, self._name)).roles
        if not set(roles) & set(held):
            what = f"{self._name!r} is no {' or '.join(roles)}"
            raise NotAllowed(what, where=self.where, fix="Ask an administrator for the role")

    def drafts(self, **wanted: Any) -> list[DraftRow]:
        """The drafts of the funds that are theirs; as `Ledger.drafts`."""
        with self._read() as session:
            me = row_of(session.get_one(tables.Person, self._name))
        return [draft for draft in super().drafts(**wanted) if me.may(fund=draft.fund)]

    def standings(self) -> dict[int, Standing]:
        """As `Ledger.standings`, of the drafts that are theirs."""
        mine = {draft.id for draft in self.drafts()}
        return {id: standing for id, standing in super().standings().items() if id in mine}

    def outcomes(self) -> list[OutcomeRow]:
        """As `Ledger.outcomes`, of the funds that are theirs."""
        with self._read() as session:
            me = row_of(session.get_one(tables.Person, self._name))
        return [row for row in super().outcomes() if me.may(fund=row.fund)]

    def add_draft(self, new: NewDraft, *, by: str = SYSTEM) -> DraftRow:
        """As `Ledger.add_draft`; needs a writer with a right to the fund."""
        self._need("writer")
        with self._read() as session:
            self._check_fund(session, new.fund)
        return super().add_draft(new, by=self._name)

    def add_revision(self, draft_id: int, revision: Revision, by: str) -> RevisionRow:
        """As `Ledger.add_revision`; needs a writer."""
        self._need("writer")
        return super().add_revision(draft_id, revision, by)

    def add_ruling(self, new: NewRuling, *, by: str) -> RulingRow:
        """As `Ledger.add_ruling`; needs a developer or an administrator with a right to the fund."""
        self._need("developer", "admin")
        with self._read() as session:
            self._check_fund(session, new.fund)
        return super().add_ruling(new, by=by)

    def may_propose(self) -> bool:
        """Whether they propose topics, and decide on others' ones."""
        with self._read() as session:
            return bool(
                {"developer", "approver", "admin"} & set(row_of(session.get_one(tables.Person, self._name)).roles)
            )

    def add_topic(self, new: NewTopic, *, by: str) -> TopicRow:
        """As `Ledger.add_topic`; needs a developer, an approver or an administrator."""
        self._need("developer", "approver", "admin")
        return super().add_topic(new, by=by)

    def review_topic(self, topic: int, verdict: TopicVerdict, *, by: str, note: str = "") -> TopicRow:
        """As `Ledger.review_topic`; needs a developer, an approver or an administrator."""
        self._need("developer", "approver", "admin")
        return super().review_topic(topic, verdict, by=by, note=note)

    def assign(self, draft_ids: Any, person: str | None, due: str | None, *, by: str) -> int:
        """As `Ledger.assign`; needs a writer, a reviewer, an approver or an administrator."""
        self._need(*GIVERS)
        return super().assign(draft_ids, person, due, by=by)

    def add_bulk(self, draft_ids: Any, by: str) -> Any:
        """As `Ledger.add_bulk`; needs a writer."""
        self._need("writer")
        return super().add_bulk(draft_ids, by)
