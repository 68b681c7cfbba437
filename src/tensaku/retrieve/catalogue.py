"""What was read so far: files, the versions of each document, their passages with terms and vectors.

A SQLite file in WAL mode. Everything that one file leads to is one transaction: a process that is killed leaves the
whole of it or nothing. What is removed is overwritten on disk (`secure_delete`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import UsageError

__all__ = ["Catalogue", "Entry", "Kept", "Known"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL, sha256 TEXT NOT NULL,
    fault TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS versions (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, document TEXT NOT NULL, as_of TEXT NOT NULL, sha256 TEXT NOT NULL,
    about TEXT NOT NULL, UNIQUE (path, as_of));
CREATE TABLE IF NOT EXISTS passages (
    version INTEGER NOT NULL REFERENCES versions(id) ON DELETE CASCADE, number INTEGER NOT NULL, record TEXT NOT NULL,
    terms BLOB NOT NULL, counts BLOB NOT NULL, vectors BLOB NOT NULL, PRIMARY KEY (version, number)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A file as it was read last: size in bytes, time of change in nanoseconds, SHA-256, and what was wrong with it."""

    size: int
    changed: int
    sha256: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One passage with its terms: 64-bit numbers in order, how often each stands there, vectors of its sentences."""

    record: dict[str, Any]
    terms: NDArray[np.uint64]
    counts: NDArray[np.uint8]
    vectors: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Kept:
    """One version of a document: the file it stood in, the day from which it counts (empty: always), its source."""

    id: int
    path: str
    document: str
    as_of: str
    sha256: str
    about: dict[str, Any]


class Catalogue:
    """The catalogue in the file `path`, made if it is not there.

    Raises:
        UsageError: it is damaged or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._rows = sqlite3.connect(path, isolation_level=None, timeout=30)
            for line in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
                self._rows.execute(f"PRAGMA {line}")
            self._rows.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            fix = "Move it away and index again: it is made anew from the documents"
            raise UsageError(f"the catalogue cannot be used ({error})", where=path, fix=fix) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.close()

    def set_settings(self, told: str) -> bool:
        """Remember by which settings passages are made; under others than before everything is forgotten: True."""
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            row = self._rows.execute("SELECT value FROM about WHERE name = 'settings'").fetchone()
            if row is not None and row[0] == told:
                return False
            for table in ("passages", "versions", "files"):
                self._rows.execute(f"DELETE FROM {table}")  # noqa: S608  a name of ours
            self._rows.execute("INSERT OR REPLACE INTO about VALUES ('settings', ?)", (told,))
            return row is not None

    def files(self) -> dict[str, Known]:
        """Every file known, by path."""
        found = self._rows.execute("SELECT path, size, changed, sha256, fault FROM files")
        return {path: Known(*rest) for path, *rest in found}

    def touch(self, path: str, known: Known) -> None:
        """Note that a file was looked at; its versions stay."""
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            self._note(path, known)

    def put(
        self, path: str, known: Known, document: str, as_of: str, about: dict[str, Any], entries: Sequence[Entry]
    ) -> None:
        """Enter a version of a document, all of it or nothing."""
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            self._rows.execute("DELETE FROM versions WHERE path = ? AND as_of = ?", (path, as_of))
            row = (path, document, as_of, known.sha256, json.dumps(about, ensure_ascii=False, sort_keys=True))
            insert = "INSERT INTO versions (path, document, as_of, sha256, about) VALUES (?, ?, ?, ?, ?)"
            version = self._rows.execute(insert, row).lastrowid
            self._rows.executemany(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (version, n, _json(e.record), e.terms.tobytes(), e.counts.tobytes(), e.vectors.tobytes())
                    for n, e in enumerate(entries)
                ),
            )
            self._note(path, known)

    def _note(self, path: str, known: Known) -> None:
        row = (path, known.size, known.changed, known.sha256, known.fault)
        self._rows.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", row)

    def forget(self, path: str) -> None:
        """Take away a file with every version read from it."""
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            self._rows.execute("DELETE FROM versions WHERE path = ?", (path,))
            self._rows.execute("DELETE FROM files WHERE path = ?", (path,))

    def dates(self, path: str) -> list[str]:
        """The days of the versions read from a file, the oldest first."""
        found = self._rows.execute("SELECT as_of FROM versions WHERE path = ? ORDER BY as_of", (path,))
        return [day for (day,) in found]

    def versions(self) -> list[Kept]:
        """Every version of every document, by document, day and path."""
        found = self._rows.execute(
            "SELECT id, path, document, as_of, sha256, about FROM versions ORDER BY document, as_of, path"
        )
        return [
            Kept(number, path, document, as_of, sha256, json.loads(about))
            for number, path, document, as_of, sha256, about in found
        ]

    def entries(self, version: int) -> Iterator[Entry]:
        """The passages of a version in order."""
        query = "SELECT record, terms, counts, vectors FROM passages WHERE version = ? ORDER BY number"
        for record, terms, counts, vectors in self._rows.execute(query, (version,)):
            yield Entry(
                json.loads(record),
                np.frombuffer(terms, np.uint64),
                np.frombuffer(counts, np.uint8),
                np.frombuffer(vectors, np.int8),
            )

    def clean(self) -> None:
        """Bring what was taken away off the disk."""
        self._rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, sort_keys=True)
