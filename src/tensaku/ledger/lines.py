"""Who may do what by the three lines of defence, and whose hands are tied because they built the model themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.rows import SYSTEM
from tensaku.ledger.transactions import Transactions, columns

__all__ = [
    "FIRST",
    "LENT",
    "SECOND",
    "THIRD",
    "FilingRow",
    "Lines",
    "builders",
    "filing_of",
    "line_of",
    "newest",
    "running",
]

FIRST, SECOND, THIRD = 1, 2, 3

_LINES = {
    **dict.fromkeys(("writer", "reviewer", "developer", "engineer"), FIRST),
    **dict.fromkeys(("validator", "approver"), SECOND),
    "auditor": THIRD,
}
"""Role -> line of defence. Whoever keeps the machines and the people stands in none."""

LENT = ("validator", "approver")
"""Roles that their holders may lend."""


@dataclass(frozen=True, slots=True)
class FilingRow:
    """One act of governance about `subject`, with its content as plain JSON values."""

    id: int
    kind: str
    subject: str
    content: Mapping[str, Any] = field(hash=False)
    by: str
    at: datetime


def filing_of(row: tables.Filed) -> FilingRow:
    """The filing as handed out."""
    return FilingRow(row.id, row.kind, row.subject, dict(row.content), row.by, row.at)


def line_of(role: str) -> int:
    """The line of defence (1 to 3) of a role; 0 for one that stands in none."""
    return _LINES.get(role, 0)


class Lines(Transactions):
    """The rules that bind people, checked in the transaction that they bind."""

    def _acting(self, session: Session, by: str, what: str, *, lines: Collection[int], about: str = "") -> set[str]:
        """The roles in which an active person does something that only some lines of defence do.

        Args:
            session: the running transaction.
            by: who does it; Tensaku itself may do everything but decide.
            what: the deed, for the message.
            lines: who may.
            about: the release that it is about; where the second line acts, nobody may who built it.

        Raises:
            NotFound: nobody of that name.
            UsageError: the person is of another line, is an auditor, or built it.
        """
        person = self._person(session, by)
        if by == SYSTEM:
            return set()
        if "auditor" in person.roles:
            fix = "The third line reads everything and changes nothing; somebody else has to do it"
            raise UsageError(f"{by!r} is an auditor and may not {what}", where=self.where, fix=fix)
        roles, lenders = self._roles(session, person)
        if not {line_of(role) for role in roles} & set(lines):
            wanted = " or ".join(role for role, line in _LINES.items() if line in lines)
            raise UsageError(f"{by!r} may not {what}", where=self.where, fix=f"It takes one of the roles {wanted}")
        if about and set(lines) == {SECOND}:
            for name in sorted({by, *lenders} & builders(session, about)):
                fix = "Somebody of the second line who had no part in building it has to do it"
                raise UsageError(f"{name!r} built {about} and may not {what}", where=self.where, fix=fix)
        return roles

    def _file(self, session: Session, kind: str, subject: str, values: dict[str, Any], by: str) -> FilingRow:
        """Write down an act of governance in the running transaction; who may is the caller's to check."""
        held = newest(session, kind, subject)
        made = tables.Filed(kind=kind, subject=subject, content=values, by=by, at=datetime.now(UTC))
        session.add(made)
        session.flush()
        before = dict(held[0].content) if held else None
        detail = {"about": subject, "before": before, "after": values, "digest": digest(columns(made))}
        append(session, by, f"{kind}.filed", f"filing:{made.id}", detail)
        return filing_of(made)

    def _roles(self, session: Session, person: tables.Person) -> tuple[set[str], set[str]]:
        """A person's roles with those that others have lent and still hold themselves, and who lent them."""
        roles, lenders = set(person.roles), set()
        for filed in newest(session, "delegation"):
            content = filed.content
            if content["to"] != person.name or not running(content):
                continue
            lender = session.get(tables.Person, content["from"])
            if lender is not None and lender.active and content["role"] in lender.roles:
                roles.add(content["role"])
                lenders.add(lender.name)
        return roles, lenders


def builders(session: Session, ref: str) -> set[str]:
    """Everybody who tuned the release, or another one made from the same tuned model or from the same lessons."""
    release = session.get(tables.Release, ref)
    if release is None:
        return set()
    made_from = release.summary.get("made_from", {})
    found = {release.tuned_by}
    shared = [made_from.get("adapter"), made_from.get("lessons")]
    parents = [part for part in shared if part]
    if parents:
        kin = select(tables.Edge.child).where(tables.Edge.parent.in_(parents))
        others = select(tables.Release.tuned_by).where(tables.Release.ref.in_(kin))
        found |= set(session.scalars(others))
    return found


def newest(session: Session, kind: str, subject: str | None = None) -> list[tables.Filed]:
    """The newest filing of each subject of a kind (or of one subject), in the order of their numbers."""
    query = select(tables.Filed).filter_by(kind=kind).order_by(tables.Filed.id)
    if subject is not None:
        query = query.filter_by(subject=subject)
    found = {row.subject: row for row in session.scalars(query)}
    return sorted(found.values(), key=lambda row: row.id)


def running(content: dict[str, Any]) -> bool:
    """Whether what ends at `until` (ISO 8601) has not ended, nor was ended before."""
    return not content.get("ended") and datetime.fromisoformat(content["until"]) > datetime.now(UTC)
