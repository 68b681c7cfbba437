"""People of the ledger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.rows import OTHER_NAMES, ROLES, SYSTEM, PersonRow
from tensaku.ledger.transactions import Transactions, clean, columns, storable

__all__ = ["People", "end_sessions", "row_of"]


def end_sessions(session: Session, name: str) -> None:
    """End every session of a person in the running transaction."""
    table = tables.SignedIn
    open_ones = update(table).where(table.person == name, table.ended.is_(None))
    session.execute(open_ones.values(ended=datetime.now(UTC)))


def row_of(person: tables.Person) -> PersonRow:
    """The person as handed out."""
    credential: Literal["none", "once", "set"] = "none"
    if person.password is not None:
        credential = "once" if person.once else "set"
    roles = tuple(OTHER_NAMES.get(role, role) for role in person.roles)
    return PersonRow(
        person.name, person.display, roles, person.active, person.at, tuple(person.scopes or ()), credential
    )


def checked_roles(roles: Sequence[str]) -> list[str]:
    """The roles, each once, in the order of `ROLES`.

    Raises:
        NotFound: there is no such role.
    """
    roles = [OTHER_NAMES.get(role, role) for role in roles]
    for role in roles:
        if role not in ROLES:
            raise NotFound("role", role, ROLES)
    return [role for role in ROLES if role in roles]


def checked_scopes(scopes: Sequence[str]) -> list[str] | None:
    """The scopes in order, each once; None without any.

    Raises:
        UsageError: one is neither `task:NAME` nor `fund:NAME`.
    """
    for scope in scopes:
        kind, _, name = scope.partition(":")
        if kind not in ("task", "fund") or not name.strip() or len(scope) > 205:
            raise UsageError(f"{scope!r} bounds no right", fix="Write task:NAME or fund:NAME")
    return sorted({storable(scope, "scope") for scope in scopes}) or None


class People(Transactions):
    """Who may sign what."""

    def add_person(
        self,
        name: str,
        display: str,
        roles: Sequence[str] = ("writer",),
        *,
        scopes: Sequence[str] = (),
        by: str = SYSTEM,
    ) -> PersonRow:
        """Add a person, or return the one who stands there with the same display name and roles.

        Args:
            name: the short name that signs, for ever (letters, digits, `.`, `_`, `-`, `@`; at most 64 characters).
            display: the name shown on screens.
            roles: any of `ROLES`.
            scopes: what the rights are bounded to; see `set_scopes`.
            by: who adds.

        Raises:
            UsageError: the name is not well formed, or is another person's.
            NotFound: no such role.
        """
        if not re.fullmatch(r"[\w.@-]{1,64}", name) or name == SYSTEM:
            fix = "Use letters, digits, . _ - @ (at most 64); 'system' is Tensaku itself"
            raise UsageError(f"{name!r} cannot be a person's name", fix=fix)
        display = clean(display, "display name", limit=200)
        wanted, bounds = checked_roles(roles), checked_scopes(scopes)
        with self._write() as session:
            self._person(session, by)
            found = session.get(tables.Person, name)
            if found is not None:
                if (found.display, list(row_of(found).roles), found.scopes) == (display, wanted, bounds):
                    return row_of(found)
                what = f"{name!r} is already {found.display} ({', '.join(found.roles)})"
                raise UsageError(what, where=self.where, fix="Choose another name, or change that person's roles")
            made = tables.Person(
                name=name, display=display, roles=wanted, scopes=bounds, active=True, at=datetime.now(UTC)
            )
            session.add(made)
            session.flush()
            detail: dict[str, Any] = {"display": display, "roles": wanted, "digest": digest(columns(made))}
            if bounds:
                detail["scopes"] = bounds
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
            if before == wanted:
                return row_of(person)
            return self._changed(session, person, by, "person.roles", {"before": before, "after": wanted})

    def set_active(self, name: str, active: bool, *, by: str = SYSTEM) -> PersonRow:
        """Let a person sign, or no longer; what they signed stays.

        Raises:
            NotFound: no such person.
        """
        with self._write() as session:
            person = self._human(session, name, by)
            person.active = active
            if not active:
                end_sessions(session, name)
            return self._changed(session, person, by, "person.active", {"active": active})

    def set_scopes(self, name: str, scopes: Sequence[str], *, by: str = SYSTEM) -> PersonRow:
        """Bound a person's rights to these tasks (`task:NAME`) and funds (`fund:NAME`); none of a kind is all of it.

        Raises:
            NotFound: no such person.
            UsageError: a scope is not well formed.
        """
        wanted = checked_scopes(scopes)
        with self._write() as session:
            person = self._human(session, name, by)
            before, person.scopes = person.scopes, wanted
            return self._changed(session, person, by, "person.scopes", {"before": before or [], "after": wanted or []})

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
