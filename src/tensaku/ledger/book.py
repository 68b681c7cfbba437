"""The ledger as one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, func, select

from tensaku.errors import UsageError
from tensaku.ledger import chain, tables
from tensaku.ledger.accounts import Accounts
from tensaku.ledger.ancestors import Ancestors
from tensaku.ledger.answers import Answers
from tensaku.ledger.audit import mismatches
from tensaku.ledger.bulk import Bulks
from tensaku.ledger.database import connect, copy_database, plain_errors, url_of
from tensaku.ledger.erasing import Erasing
from tensaku.ledger.filings import Filings
from tensaku.ledger.finals import Finals
from tensaku.ledger.keys import Keys
from tensaku.ledger.migrate import upgrade
from tensaku.ledger.observed import Watching
from tensaku.ledger.outcomes import Outcomes
from tensaku.ledger.questions import Questions
from tensaku.ledger.readings import Readings
from tensaku.ledger.releases import Releases
from tensaku.ledger.reports import Reports
from tensaku.ledger.reviews import Reviews
from tensaku.ledger.rows import Broken, LogEntry, Mismatch, Needs
from tensaku.ledger.rulings import Rulings
from tensaku.ledger.topics import Topics
from tensaku.ledger.writing import Writing

__all__ = ["Ledger"]


class Ledger(
    Accounts,
    Bulks,
    Reports,
    Finals,
    Reviews,
    Outcomes,
    Releases,
    Keys,
    Answers,
    Readings,
    Writing,
    Filings,
    Erasing,
    Ancestors,
    Watching,
    Questions,
    Rulings,
    Topics,
):
    """All parts of the ledger and its log; safe to use from many threads and processes at once."""

    @classmethod
    def open(
        cls,
        where: str | Path | URL,
        *,
        names: Mapping[str, Sequence[str]] | None = None,
        review: bool = False,
        needs: Callable[[Ledger, str], Needs] | None = None,
    ) -> Self:
        """Open a ledger; make it if it is not there, bring it to the newest schema if it is older.

        Args:
            where: a file's path (SQLite), or a SQLAlchemy URL.
            names: the house's names and how they may be written; the facts guard reads with them.
            review: a final is one only after a second person has approved it.
            needs: what must be on record before a release may be approved; by default nothing but a second person.

        Raises:
            UsageError: the file is no ledger, was written by a newer Tensaku, or cannot be read or written.
        """
        url = url_of(where)
        shown = str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
        engine = connect(url)
        try:
            with plain_errors(shown):
                upgrade(engine, shown)
        except BaseException:
            engine.dispose()
            raise
        made = cls(engine, shown, names or {})
        made.review, made.needs = review, needs
        return made

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def backup(self, target: Path) -> None:
        """Copy the ledger as it stands into a new file, while others go on reading and writing.

        Raises:
            UsageError: `target` is there already or cannot be written, or the ledger is not a SQLite file.
        """
        if self._engine.dialect.name != "sqlite":
            fix = "Use the database's own tool, such as pg_dump"
            raise UsageError("only a ledger in a SQLite file is copied so", where=self.where, fix=fix)
        copy_database(self._engine, target)

    def log(self, *, after: int = 0, limit: int | None = None) -> list[LogEntry]:
        """The log's entries in order, from the one after number `after`, at most `limit`."""
        query = select(tables.Log).where(tables.Log.seq > after).order_by(tables.Log.seq).limit(limit)
        with self._read() as session:
            return [chain.entry_of(row) for row in session.scalars(query)]

    def log_end(self) -> tuple[int, str]:
        """Number and hash of the newest entry: noted outside the database, they show a log cut short."""
        with self._read() as session:
            head = session.get_one(tables.Head, 1)
            return head.seq, head.hash

    def verify_log(self, *anchors: tuple[int, str], since: tuple[int, str] | None = None) -> Broken | None:
        """The first place where an entry was altered, removed or moved, or None if the log holds.

        Args:
            anchors: what `log_end` returned at other times, kept outside the database.
            since: one of these from which on alone the log is read, where it was held against all of them before.
        """
        with self._read(at_once=True) as session:
            return chain.verify(session, *anchors, since=since)

    def log_hours(self) -> list[str]:
        """The hours (UTC, as in 2026-10-31T07) in which anything was entered into the log, in order."""
        hour = func.substr(tables.Log.at, 1, 13)
        with self._read() as session:
            return list(session.scalars(select(hour).distinct().order_by(hour)))

    def verify_records(self) -> list[Mismatch]:
        """Every row that is not as the log says it was written: altered, removed, or put in past the log.

        The log itself is not looked at; `verify_log` does that.
        """
        with self._read(at_once=True) as session:
            return mismatches(session)
