"""People of the ledger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.rows import ROLES, SYSTEM, PersonRow
from tensaku.ledger.transactions import Transactions, clean, columns

__all__ = ["People"]


def row_of(person: tables.Person) -> PersonRow:
    """The person as handed out."""
    return PersonRow(person.name, person.display, tuple(person.roles), person.active, person.at)


def checked_roles(roles: Sequence[str]) -> list[str]:
    """The roles, each once, in the order of `ROLES`.

    Raises:
        NotFound: there is no such role.
    """
    for role in roles:
        if role not in ROLES:
            raise NotFound("role", role, ROLES)
    return [role for role in ROLES if role in roles]


class People(Transactions):
    """Who may sign what."""

    def add_person(self, name: str, display: str, roles: Sequence[str] = ("writer",), *, by: str = SYSTEM) -> PersonRow:
        """Add a person, or return the one who stands there with the same display name and roles.

        Args:
            name: the short name that signs, for ever (letters, digits, `.`, `_`, `-`, `@`; at most 64 characters).
            display: the name shown on screens.
            roles: any of `ROLES`.
            by: who adds.

        Raises:
            UsageError: the name is not well formed, or is another person's.
            NotFound: no such role.
        """
        if not re.fullmatch(r"[\w.@-]{1,64}", name) or name == SYSTEM:
            fix = "Use letters, digits, . _ - @ (at most 64); 'system' is Tensaku itself"
            raise UsageError(f"{name!r} cannot be a person's name", fix=fix)
        display = clean(display, "display name", limit=200)
        wanted = checked_roles(roles)
        with self._write() as session:
            self._person(session, by)
            found = session.get(tables.Person, name)
            if found is not None:
                if (found.display, list(found.roles)) == (display, wanted):
                    return row_of(found)
                what = f"{name!r} is already {found.display} ({', '.join(found.roles)})"
                raise UsageError(what, where=self.where, fix="Choose another name, or change that person's roles")
            made = tables.Person(name=name, display=display, roles=wanted, active=True, at=datetime.now(UTC))
            session.add(made)
            session.flush()
            detail = {"display": display, "roles": wanted, "digest": digest(columns(made))}
            append(session, by, "person.added", f"person:{name}", detail)
            return row_of(made)

    def set_roles(self, name: str, roles: Sequence[str], *, by: str = SYSTEM) -> PersonRow:
        """Give a person these roles and no others.

        Raises:
            NotFound: no such person or role.
        """
        wanted = checked_roles(roles)
        with self._write() as session:
            person = self._human(session, name, by)
            before, person.roles = list(person.roles), wanted
            return self._changed(session, person, by, "person.roles", {"before": before, "after": wanted})

    def set_active(self, name: str, active: bool, *, by: str = SYSTEM) -> PersonRow:
        """Let a person sign, or no longer; what they signed stays.

        Raises:
            NotFound: no such person.
        """
        with self._write() as session:
            person = self._human(session, name, by)
            person.active = active
            return self._changed(session, person, by, "person.active", {"active": active})

    def _human(self, session: Session, name: str, by: str) -> tables.Person:
        self._person(session, by)
        if name == SYSTEM:
            raise UsageError("'system' is Tensaku itself and stays as it is", where=self.where)
        return self._one(session, tables.Person, name, "person")

    @staticmethod
    def _changed(session: Session, person: tables.Person, by: str, what: str, detail: dict[str, Any]) -> PersonRow:
        session.flush()
        append(session, by, what, f"person:{person.name}", {**detail, "digest": digest(columns(person))})
        return row_of(person)

    def person(self, name: str) -> PersonRow:
        """The person of that name.

        Raises:
            NotFound: nobody of that name.
        """
        with self._read() as session:
            return row_of(self._one(session, tables.Person, name, "person"))

    def people(self) -> list[PersonRow]:
        """Everybody, by name; Tensaku itself is not among them."""
        with self._read() as session:
            found = session.scalars(
                select(tables.Person).where(tables.Person.name != SYSTEM).order_by(tables.Person.name)
            )
            return [row_of(person) for person in found]
