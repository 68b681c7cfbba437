"""API keys: shown once when they are made, found again by their beginning, known afterwards by a slow hash alone."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.rows import SYSTEM, KeyRow, Limits
from tensaku.ledger.transactions import Transactions, clean, columns

__all__ = ["KEY_START", "Keys"]

KEY_START = "tsk-"
"""What every key begins with, so that a scanner of files finds one that was left lying about."""

_KEY = re.compile(re.escape(KEY_START) + r"([a-z2-7]{10})-[A-Za-z0-9_-]{43}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_SCOPE = re.compile(r"(task|adapter):\S{1,200}|metrics")


def key_of(row: tables.ApiKey, person: tables.Person) -> KeyRow:
    """The key of a person as handed out."""
    limits = Limits(**(row.limits or {}))
    scopes, about = tuple(row.scopes), (row.at, row.expires, row.revoked)
    tasks = tuple(scope[5:] for scope in person.scopes or () if scope.startswith("task:"))
    return KeyRow(row.id, row.person, row.label, row.prefix, scopes, limits, *about, tasks)


def checked_scopes(scopes: Sequence[str]) -> list[str]:
    """The scopes, each once and sorted.

    Raises:
        UsageError: one is not well formed.
    """
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise UsageError(f"{scope!r} is no scope", fix="Write task:NAME, adapter:NAME or metrics")
    return sorted(set(scopes))


def checked_limits(limits: Limits) -> dict[str, int] | None:
    """The limits that are set.

    Raises:
        UsageError: one is below 1.
    """
    found = {name: value for name, value in asdict(limits).items() if value is not None}
    for name, value in found.items():
        if value < 1:
            raise UsageError(f"{name} is {value}", fix="Set it to at least 1, or leave it out")
    return found or None


class Keys(Transactions):
    """Who may call the API, and how much."""

    def __init__(self, engine: Engine, where: str) -> None:
        super().__init__(engine, where)
        # What was found right once need not be hashed slowly again; held in memory under a secret of this process.
        self._secret = secrets.token_bytes(32)
        self._known: dict[int, tuple[str, bytes]] = {}

    def add_key(
        self,
        person: str,
        label: str,
        *,
        scopes: Sequence[str] = (),
        limits: Limits | None = None,
        expires: datetime | None = None,
        by: str = SYSTEM,
    ) -> tuple[KeyRow, str]:
        """Make a key for a person; the row, and the key itself, which is nowhere kept and cannot be shown again.

        Args:
            person: whose key it is; answers are recorded under this name.
            label: what it is for.
            scopes: see `KeyRow`.
            limits: how much it may ask for.
            expires: when it ends by itself.
            by: who makes it.

        Raises:
            NotFound: no such person.
            UsageError: a scope or limit is wrong, `expires` is past, or the person is no longer active.
        """
        from argon2 import PasswordHasher

        now = datetime.now(UTC)
        if expires is not None and expires <= now:
            raise UsageError(f"the key would have ended at {expires:%Y-%m-%d %H:%M}", fix="Name a later day")
        wanted, most = checked_scopes(scopes), checked_limits(limits or Limits())
        label = clean(label, "label", limit=200)
        prefix = "".join(secrets.choice(_LETTERS) for _ in range(10))
        whole = f"{KEY_START}{prefix}-{secrets.token_urlsafe(32)}"
        hashed = PasswordHasher().hash(whole)
        with self._write() as session:
            self._person(session, by)
            holder = self._person(session, person)
            made = tables.ApiKey(
                person=person, label=label, prefix=prefix, hash=hashed, scopes=wanted, limits=most, at=now
            )
            made.expires = expires
            session.add(made)
            session.flush()
            detail = {"person": person, "label": label, "scopes": wanted, "digest": digest(columns(made))}
            append(session, by, "key.added", f"key:{made.id}", detail)
            return key_of(made, holder), whole

    def revoke_key(self, which: int | str, *, by: str = SYSTEM) -> KeyRow:
        """End a key, by its number or its prefix; the next request with it is refused. Done twice it stays done.

        Raises:
            NotFound: no such key.
        """
        with self._write() as session:
            self._person(session, by)
            row = self._key(session, which)
            if row.revoked is None:
                row.revoked = datetime.now(UTC)
                session.flush()
                append(session, by, "key.revoked", f"key:{row.id}", {"digest": digest(columns(row))})
            return key_of(row, session.get_one(tables.Person, row.person))

    def keys(self) -> list[KeyRow]:
        """All keys, newest first, the ended ones too."""
        with self._read() as session:
            query = select(tables.ApiKey, tables.Person).join(tables.Person, tables.Person.name == tables.ApiKey.person)
            return [key_of(row, person) for row, person in session.execute(query.order_by(tables.ApiKey.id.desc()))]

    def check_key(self, text: str) -> KeyRow | None:
        """The key that `text` is, if it is one and may be used now; else None.

        Reads the ledger each time, so that a key revoked by another process is refused at once. The first time a key
        is met, its hash takes about 50 ms of one processor.
        """
        found = _KEY.fullmatch(text)
        if found is None:
            return None
        with self._read() as session:
            row = session.scalars(select(tables.ApiKey).filter_by(prefix=found[1])).one_or_none()
            if row is None or row.revoked is not None or (row.expires is not None and row.expires <= datetime.now(UTC)):
                return None
            person = session.get(tables.Person, row.person)
            if person is None or not person.active or not self._is_key(row, text):
                return None
            return key_of(row, person)

    def _is_key(self, row: tables.ApiKey, text: str) -> bool:
        from argon2 import PasswordHasher
        from argon2.exceptions import InvalidHashError, VerificationError

        quick = hmac.digest(self._secret, text.encode(), hashlib.sha256)
        known = self._known.get(row.id)
        if known is not None and known[0] == row.hash and hmac.compare_digest(known[1], quick):
            return True
        try:
            PasswordHasher().verify(row.hash, text)
        except (VerificationError, InvalidHashError):
            return False
        self._known[row.id] = (row.hash, quick)
        return True

    def _key(self, session: Session, which: int | str) -> tables.ApiKey:
        key: Any = which
        if isinstance(which, str):
            named = which.removeprefix(KEY_START).partition("-")[0]
            row = session.scalars(select(tables.ApiKey).filter_by(prefix=named)).one_or_none()
            if row is not None:
                return row
            if not named.isdigit():
                known = session.scalars(select(tables.ApiKey.prefix).limit(1000)).all()
                raise NotFound("key", named, known, where=self.where)
            key = int(named)
        return self._one(session, tables.ApiKey, key, "key")
