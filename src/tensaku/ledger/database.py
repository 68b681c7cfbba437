"""Reaching the database: where it is, how a connection is set up, and what its errors mean to whoever meets them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tensaku.errors import UsageError
from tensaku.ledger.chain import canonical

__all__ = ["BUSY_SECONDS", "connect", "copy_database", "plain_errors", "url_of"]

BUSY_SECONDS = 30.0
"""How long a writer waits for another one before it gives up."""

SERVER = {"connect_timeout": 10, "application_name": "tensaku", "client_encoding": "utf8"}
"""How a server is connected to; the timeout is in seconds."""

APPLICATION_ID = 0x54534B55  # "TSKU" in the file's header, shown by file(1)

SHORTEST = 512  # bytes: the smallest page that a SQLite file can have

MEANINGS = {
    "SQLITE_FULL": ("the disk is full", "Make room and do it again; what was saved before is kept"),
    "SQLITE_READONLY": (
        "the ledger cannot be written to",
        "Give the account that runs Tensaku write access to the file and its folder",
    ),
    "SQLITE_BUSY": (
        "another program holds the ledger",
        "Try again; if it lasts, find the program that has the file open",
    ),
    "SQLITE_LOCKED": (
        "another program holds the ledger",
        "Try again; if it lasts, find the program that has the file open",
    ),
    "SQLITE_CORRUPT": ("the ledger's file is damaged", "Keep the file as it is and restore a backup"),
    "SQLITE_NOTADB": ("this file is not a ledger", "Name another path, or move the file away"),
    "SQLITE_CANTOPEN": (
        "the ledger cannot be opened",
        "Check that the folder exists and that this account may read and write it",
    ),
    "SQLITE_IOERR": ("reading or writing the ledger's file failed", "Check the disk; what was saved before is kept"),
    "SQLITE_PERM": ("the ledger may not be opened", "Give the account that runs Tensaku access to the file"),
}


def url_of(where: str | Path | URL) -> URL:
    """The address of a database: a SQLAlchemy URL as it is, anything else is the path of a SQLite file.

    Raises:
        UsageError: the text looks like a URL and is none.
    """
    if isinstance(where, URL):
        return where
    if isinstance(where, str) and "://" in where:
        try:
            return make_url(where)
        except ArgumentError as bad:
            raise UsageError(
                "this is no database address", where=where, fix="Write it as postgresql://user@host/name"
            ) from bad
    return URL.create("sqlite", database=str(Path(where).absolute()))


def _set_up(dbapi: sqlite3.Connection, record: Any) -> None:
    # The driver's own idea of when a transaction starts is switched off: `_begin` says it.
    dbapi.isolation_level = None
    cursor = dbapi.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # FULL makes a commit wait for the disk: what is acknowledged survives a loss of power.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        cursor.close()


def _set_up_server(dbapi: Any, record: Any) -> None:
    """See that a commit waits for the server's disk, whatever the server's own setting is."""
    with dbapi.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        if cursor.fetchone()[0] in ("off", "local"):
            cursor.execute("SET synchronous_commit TO on")
    dbapi.commit()


def _begin(connection: Connection) -> None:
    # A writer takes the write lock at once: a reader that turns writer half-way could only be refused.
    writes = connection.get_execution_options().get("tensaku_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_file(path: Path) -> None:
    """Make an empty file that only its owner reads (SQLite gives its side files the same rights), if there is none.

    A file that is there is not opened: closing it would let go of the locks that SQLite holds on it in this process.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            # SQLite takes a file too short for a header for an empty one and would write over it.
            if path.is_file() and 0 < path.stat().st_size < SHORTEST:
                what, fix = MEANINGS["SQLITE_NOTADB"]
                raise UsageError(what, where=path, fix=fix)
            return
        with contextlib.suppress(FileExistsError):  # another process was quicker
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as failed:
        fix = "Check that the folder exists and that this account may write to it"
        raise UsageError(f"the ledger cannot be made ({failed.strerror})", where=path, fix=fix) from failed


def _only_read(path: Path) -> bool:
    """Whether a file stands where nothing can be written, so that nobody can be changing it either.

    SQLite must then be told so: it would make a file beside it. Whoever left changes in such a file is waited for.
    """
    side = path.with_name(path.name + "-wal")
    waiting = side.exists() and side.stat().st_size > 0
    return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY) and not waiting


def connect(url: URL) -> Engine:
    """An engine for the address; a SQLite file is made if it is not there, and only read where nothing can be written.

    Raises:
        UsageError: the file cannot be made, or the database's driver is not installed.
    """
    sqlite = url.get_backend_name() == "sqlite"
    if server := url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    server = server or url.drivername == "postgresql+psycopg"
    if sqlite and url.database in (None, "", ":memory:"):
        raise UsageError("a ledger in memory would keep nothing", where=str(url), fix="Name a file")
    if sqlite:
        path = Path(str(url.database))
        _prepare_file(path)
        if _only_read(path):
            url = url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "immutable": "1", "uri": "true"})
    try:
        # A web server's threads outnumber SQLAlchemy's usual fifteen connections.
        more: dict[str, Any] = {"pool_size": 16, "max_overflow": 48}
        if server:  # a connection that the server has ended meanwhile is noticed before it is used
            more = {"pool_size": 8, "max_overflow": 24, "pool_pre_ping": True, "connect_args": SERVER}
        engine = create_engine(url, json_serializer=canonical, **more)
    except (NoSuchModuleError, ModuleNotFoundError) as missing:
        shown = url.render_as_string(hide_password=True)
        raise UsageError(
            f"no driver for this database ({missing})", where=shown, fix="Install it with pip"
        ) from missing
    if server:
        event.listen(engine, "connect", _set_up_server)
    if sqlite:
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
    return engine


def copy_database(engine: Engine, target: Path) -> None:
    """Copy the SQLite database of `engine` into the new file `target`, at one moment of its life.

    Raises:
        UsageError: the file is there already, or cannot be written.
    """
    if target.exists():
        raise UsageError("there is such a file already", where=target, fix="Name a new file")
    part = target.with_name(target.name + ".part")
    with contextlib.suppress(OSError):
        part.unlink()  # left by a copy that was killed
    _prepare_file(part)
    with plain_errors(str(target)), engine.connect() as connection, contextlib.closing(sqlite3.connect(part)) as copy:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without side files
    part.rename(target)


def _of_server(failed: DBAPIError) -> tuple[str, str] | None:
    """What a server's error means and what to do, told by SQLSTATE (PostgreSQL's appendix A) or by its lack."""
    state = str(getattr(failed.orig, "sqlstate", None) or "")
    if failed.connection_invalidated or state.startswith(("08", "57P")):
        return "the database server has gone away", "What was acknowledged is kept; do it again when it is back"
    if state.startswith("28"):
        return "the database does not let this account in", "Check the account and the password in the environment"
    if state == "3D000":
        return "there is no such database", "Make it with: createdb"
    if state == "42501":
        return f"this account has no right to do that ({failed.orig})", "Make it the owner of the database"
    if state in ("53100", "53200", "53300"):
        return f"the database server is out of room ({failed.orig})", "Make room and do it again"
    if not state and isinstance(failed, OperationalError):
        said = str(failed.orig)
        if "password authentication failed" in said or "no password supplied" in said:
            return "the database does not let this account in", "Check the account and the password in the environment"
        if "does not exist" in said:
            return f"the database cannot be opened ({said.strip()})", "Make it with createdb, or correct the address"
        return "the database server cannot be reached", "See that it runs, and check host and port of the address"
    return None


@contextmanager
def plain_errors(where: str) -> Iterator[None]:
    """Turn the database's errors into one message that says what to do.

    Raises:
        UsageError: the disk is full, the file is read-only, locked, damaged or no ledger, the server cannot be reached.
    """
    try:
        yield
    except PoolTimeout as failed:
        raise UsageError("too many are using the ledger at once", where=where, fix="Try again") from failed
    except (DBAPIError, sqlite3.Error) as failed:
        original = failed.orig if isinstance(failed, DBAPIError) else failed
        name = str(getattr(original, "sqlite_errorname", ""))
        for start, (what, fix) in MEANINGS.items():
            if name.startswith(start):
                raise UsageError(f"{what} ({original})", where=where, fix=fix) from failed
        if isinstance(failed, DBAPIError) and not isinstance(original, sqlite3.Error):
            fix = "Check the address, the network and the account"
            what, fix = _of_server(failed) or (f"the database refused ({original})", fix)
            raise UsageError(what, where=where, fix=fix) from failed
        raise
