"""One short transaction a call: the ground that the parts of the ledger stand on."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Engine, inspect, select
from sqlalchemy.orm import Session

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import lock_head
from tensaku.ledger.database import plain_errors

__all__ = ["Transactions", "clean", "columns"]

R = TypeVar("R", bound=tables.Row)


def clean(text: str, what: str, *, limit: int | None = None) -> str:
    """The text itself, if every database can keep it.

    Raises:
        UsageError: it is blank, too long, or holds a NUL or half a surrogate pair.
    """
    if not text.strip():
        raise UsageError(f"the {what} is empty", fix="Write something")
    if limit is not None and len(text) > limit:
        raise UsageError(f"the {what} has {len(text)} characters", fix=f"At most {limit} are kept")
    storable(text, what)
    return text


def storable(text: str, what: str) -> str:
    """The text itself, which may be empty, if every database can keep it.

    Raises:
        UsageError: it holds a NUL or half a surrogate pair.
    """
    if found := re.search("[\x00\ud800-\udfff]", text):
        what = f"the {what} holds the character U+{ord(found[0]):04X}, which cannot be stored"
        raise UsageError(what, fix=f"Remove it (character {found.start() + 1})")
    return text


def columns(row: tables.Row) -> dict[str, Any]:
    """The columns of a row by name, for the digest that the log keeps; moments as ISO 8601, empty ones left out."""
    found = {c.key: getattr(row, c.key) for c in row.__table__.columns}
    return {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in found.items() if v is not None}


class Transactions:
    """Sessions over one engine. Safe to use from many threads: each call has its own session and its own connection."""

    def __init__(self, engine: Engine, where: str) -> None:
        self.where = where
        self._engine = engine
        self._writing = engine.execution_options(tensaku_writes=True)
        # SQLite's waiting is a lottery of naps; threads of one process queue here instead and go in turn.
        self._turn = threading.Lock()

    @contextmanager
    def _read(self, *, at_once: bool = False) -> Iterator[Session]:
        """A reading transaction; `at_once`: all of it sees the ledger as it stands at one moment, on every database."""
        with plain_errors(self.where), Session(self._engine, expire_on_commit=False) as session:
            if at_once and self._engine.dialect.name != "sqlite":  # a file's readers always do
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        """A writing transaction: committed and on the disk when the block ends, undone as a whole if it raises."""
        with self._turn, plain_errors(self.where), Session(self._writing, expire_on_commit=False) as session:
            lock_head(session)
            yield session
            session.commit()

    def _one(self, session: Session, table: type[R], key: int | str, kind: str) -> R:
        # No id is that large; a database would refuse the number itself.
        found = None if isinstance(key, int) and not 0 <= key < 2**31 else session.get(table, key)
        if found is None:
            known = session.scalars(select(inspect(table).primary_key[0]).limit(1000)).all()
            raise NotFound(kind, str(key), [str(k) for k in known if k != "system"], where=self.where)
        return found

    def _person(self, session: Session, name: str) -> tables.Person:
        """The active person who does something.

        Raises:
            NotFound: nobody of that name.
            UsageError: the person is no longer active.
        """
        person = self._one(session, tables.Person, name, "person")
        if not person.active:
            raise UsageError(f"{name!r} is no longer active", where=self.where, fix="Somebody else has to do it")
        return person
