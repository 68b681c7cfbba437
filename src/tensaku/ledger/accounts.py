"""Passwords and sessions of people. Hashes are Argon2id; of a session's token only the SHA-256 is kept."""

from __future__ import annotations

import hashlib
import secrets
import threading
import unicodedata
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append
from tensaku.ledger.people import People, end_sessions, row_of
from tensaku.ledger.rows import SYSTEM, PersonRow, SessionRow

__all__ = ["FAILURES", "LOCKED_MINUTES", "SHORTEST_PASSWORD", "Accounts", "one_time_password"]

SHORTEST_PASSWORD = 10
"""Fewest characters of a password."""
LONGEST_PASSWORD = 200
FAILURES = 5
"""Wrong passwords after which none is looked at for a while."""
LOCKED_MINUTES = 15.0
_TOUCH = timedelta(seconds=60)
"""How old the note of the last visit may grow: not every click is a write."""
_FORGET = timedelta(days=30)
"""How long after its end a session's row is kept; that somebody signed in stays in the log."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"

# Each check takes 64 MiB; a flood of sign-ins must not take the machine.
_checking = threading.BoundedSemaphore(2)


def one_time_password() -> str:
    """A password to be handed over once, easy to copy by hand: three groups of five, 74 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(3))


def _same_letters(password: str) -> str:
    """The password however the keyboard composes it."""
    return unicodedata.normalize("NFKC", password)


def checked_password(name: str, password: str) -> str:
    """The password, if it may be one.

    Raises:
        UsageError: it is too short, too long or the person's own name.
    """
    password = _same_letters(password)
    if len(password.strip()) < SHORTEST_PASSWORD:
        raise UsageError("the password is too short", fix=f"Use {SHORTEST_PASSWORD} characters or more")
    if len(password) > LONGEST_PASSWORD:
        raise UsageError("the password is too long", fix=f"Use at most {LONGEST_PASSWORD} characters")
    if name.lower() in password.lower() and len(password) < len(name) + SHORTEST_PASSWORD:
        raise UsageError("the password holds the name", fix="Use another one")
    return password


def _token_id(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Accounts(People):
    """Local passwords, and who is signed in."""

    def set_password(self, name: str, password: str, *, once: bool = False, by: str = SYSTEM) -> PersonRow:
        """Give a person a password; every session of theirs ends, and a lock is lifted.

        Args:
            name: whose.
            password: 10 to 200 characters; letters that look alike to a keyboard are the same (NFKC).
            once: it has to be changed at the first sign-in.
            by: who sets it.

        Raises:
            NotFound: no such person.
            UsageError: the password is too short, too long or holds the name.
        """
        from argon2 import PasswordHasher

        hashed = PasswordHasher().hash(checked_password(name, password))
        with self._write() as session:
            person = self._human(session, name, by)
            person.password, person.once = hashed, once or None
            end_sessions(session, name)
            if (held := session.get(tables.Failures, name)) is not None:
                session.delete(held)
            return self._changed(session, person, by, "person.password", {"once": once})

    def check_password(
        self, name: str, password: str, *, failures: int = FAILURES, minutes: float = LOCKED_MINUTES
    ) -> PersonRow | None:
        """The active person of that name and password; None if either is wrong or the name is locked.

        An unknown name takes as long as a wrong password.

        Args:
            name: the short name.
            password: as it was typed.
            failures: wrong ones after which the name is locked.
            minutes: how long the lock holds.
        """
        with _checking:
            with self._read() as session:
                person = session.get(tables.Person, name) if len(name) <= 64 and "\0" not in name else None
                held = session.get(tables.Failures, name) if person is not None else None
            locked = held is not None and held.until is not None and held.until > datetime.now(UTC)
            usable = person is not None and person.active and person.password is not None and not locked
            right = _verified(str(person.password) if person is not None and usable else _decoy(), password)
            if person is None or not usable:
                return None
            if right:
                if held is not None:
                    self._forget(name)
                return row_of(person)
            self._count(name, failures, minutes)
            return None

    def _forget(self, name: str) -> None:
        with self._write() as session:
            if (held := session.get(tables.Failures, name)) is not None:
                session.delete(held)

    def _count(self, name: str, failures: int, minutes: float) -> None:
        with self._write() as session:
            held = session.get(tables.Failures, name)
            if held is None:
                held = tables.Failures(person=name, failures=0)
                session.add(held)
            held.failures += 1
            if held.failures >= failures:
                held.failures, held.until = 0, datetime.now(UTC) + timedelta(minutes=minutes)
                append(session, SYSTEM, "person.locked", f"person:{name}", {"failures": failures, "minutes": minutes})

    def begin_session(self, name: str, *, how: str, hours: float) -> str:
        """Sign a person in; returns the token that the browser keeps, which is kept nowhere else.

        Raises:
            NotFound: no such person.
            UsageError: the person is no longer active.
        """
        token, now = secrets.token_urlsafe(32), datetime.now(UTC)
        with self._write() as session:
            self._person(session, name)
            session.execute(delete(tables.SignedIn).where(tables.SignedIn.expires < now - _FORGET))
            expires = now + timedelta(hours=hours)
            session.add(tables.SignedIn(id=_token_id(token), person=name, how=how, at=now, seen=now, expires=expires))
            append(session, name, "person.signed-in", f"person:{name}", {"how": how})
        return token

    def session(self, token: str, *, idle_minutes: float, touch: bool = True) -> tuple[SessionRow, PersonRow] | None:
        """The living session of a token and its person; None if it ended, expired, idled or the person is disabled.

        `touch`: somebody does something with it, so that it is not idle.
        """
        now = datetime.now(UTC)
        with self._read() as session:
            found = session.get(tables.SignedIn, _token_id(token))
            person = session.get(tables.Person, found.person) if found is not None else None
        if found is None or person is None or not person.active or found.ended is not None or found.expires <= now:
            return None
        if found.seen + timedelta(minutes=idle_minutes) <= now:
            return None
        if touch and now - found.seen > min(_TOUCH, timedelta(minutes=idle_minutes) / 4):
            with self._write() as session:
                session.get_one(tables.SignedIn, found.id).seen = now
        return _row(found), row_of(person)

    def end_session(self, token: str) -> None:
        """Sign out; a token that is unknown or has ended already does nothing."""
        with self._write() as session:
            found = session.get(tables.SignedIn, _token_id(token))
            if found is not None and found.ended is None:
                found.ended = datetime.now(UTC)
                append(session, found.person, "person.signed-out", f"person:{found.person}")

    def end_sessions(self, name: str, *, by: str = SYSTEM) -> PersonRow:
        """End every session of a person, wherever they are signed in.

        Raises:
            NotFound: no such person.
        """
        with self._write() as session:
            person = self._human(session, name, by)
            end_sessions(session, name)
            append(session, by, "person.sessions-ended", f"person:{name}")
            return row_of(person)


def _row(found: tables.SignedIn) -> SessionRow:
    return SessionRow(found.id, found.person, found.how, found.at, found.seen, found.expires, found.ended)


_decoys: list[str] = []


def _decoy() -> str:
    """A hash that nothing matches, so that an unknown name takes as long as a known one."""
    from argon2 import PasswordHasher

    if not _decoys:
        _decoys.append(PasswordHasher().hash(secrets.token_urlsafe(16)))
    return _decoys[0]


def _verified(hashed: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    if len(password) > 4 * LONGEST_PASSWORD:
        return False
    try:
        return PasswordHasher().verify(hashed, _same_letters(password))
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
