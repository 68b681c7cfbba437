"""Bringing a database to the newest schema, in one transaction, whatever version it has."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, column, func, inspect, select, table
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger.chain import append
from tensaku.ledger.database import APPLICATION_ID
from tensaku.ledger.rows import SYSTEM

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["HEAD", "VERSION_TABLE", "downgrade", "upgrade"]

HEAD = "0010"
"""The newest schema. A constant, so that opening an up-to-date ledger need not load Alembic; a test compares them."""

VERSION_TABLE = "tensaku_schema"


@functools.cache
def config() -> Config:
    """Alembic's settings: the migrations stand beside this file."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return made


def current(connection: Connection, where: str) -> str | None:
    """The schema's number, or None in an empty database.

    Raises:
        UsageError: there are tables, but not a ledger's.
    """
    names = inspect(connection).get_table_names()
    if VERSION_TABLE not in names:
        if names:
            fix = "Name another path, or an empty database"
            raise UsageError("this database is not a Tensaku ledger", where=where, fix=fix)
        return None
    return connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar_one_or_none()


def check_known(version: str | None, where: str) -> None:
    """Refuse a schema that this version does not know.

    Raises:
        UsageError: the ledger was written by a newer Tensaku.
    """
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if version is not None and version not in known:
        what = f"this ledger was written by a newer Tensaku (schema {version}, this one knows up to {HEAD})"
        raise UsageError(what, where=where, fix="Install the newer version; the ledger was not touched")


def upgrade(engine: Engine, where: str, to: str = "head") -> None:
    """Bring the database to schema `to`; one that is there already is only looked at.

    Raises:
        UsageError: not a ledger, or a newer one.
    """
    with engine.connect() as connection:
        before = current(connection, where)
    if before == HEAD:
        return
    check_known(before, where)
    with _migrating(engine) as connection:
        _migrate(connection, where, to)


def downgrade(engine: Engine, where: str, to: str) -> None:
    """Bring the database back to schema `to`, for an older Tensaku; the newer tables go, with what is in them.

    Raises:
        UsageError: not a ledger, a newer one, or a migration on the way goes one way only.
    """
    from alembic import command

    with engine.connect() as connection:
        check_known(current(connection, where), where)
    settings = config()
    with _migrating(engine) as connection:
        before = current(connection, where)
        with Session(connection) as session:
            append(session, SYSTEM, "ledger.downgraded", f"schema:{to}", {"before": before or "", "after": to})
            session.flush()
        settings.attributes["connection"] = connection
        try:
            command.downgrade(settings, to)
        except AttributeError as one_way:
            fix = "Restore a backup of that time; nothing was changed"
            raise UsageError("a migration on the way goes one way only", where=where, fix=fix) from one_way
        finally:
            del settings.attributes["connection"]


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """A connection with a transaction in which tables may be rebuilt."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Rebuilding a table drops the old one; its keys must not be enforced meanwhile. The setting has no effect
            # inside a transaction, and SQLAlchemy would begin one, so the driver's connection is asked directly.
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.execution_options(tensaku_writes=True).begin():
                yield connection
        finally:
            connection.invalidate()  # its settings are not those of the others


def _migrate(connection: Connection, where: str, to: str) -> None:
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(APPLICATION_ID)))
    before = current(connection, where)  # again, under the lock: another process may have done it
    if before == HEAD:
        return
    settings = config()
    settings.attributes["connection"] = connection
    try:
        command.upgrade(settings, to)
    finally:
        del settings.attributes["connection"]
    if connection.dialect.name == "sqlite":
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise UsageError(
                "the ledger holds rows that point nowhere", where=where, fix="Restore a backup; nothing was changed"
            )
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    after = current(connection, where)
    if to == "head":
        with Session(connection) as session:
            what = "ledger.created" if before is None else "ledger.migrated"
            append(session, SYSTEM, what, f"schema:{after}", {"before": before or "", "after": after})
            session.flush()
