"""Lawful deletion: a text leaves the database, and the log still holds.

The log keeps of each row a digest over its columns and a random salt of its own. Erasing empties the texts, throws the
salt away and appends an entry with the digest of what is left. The old digest stays in the chain, so the chain is not
broken; without the salt nobody can tell from it what the text was, not even by trying out guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.transactions import Transactions, clean, columns

__all__ = ["ERASABLE", "ERASERS", "Erasing"]

ERASED = "［消去済み erased］"

ERASERS = ("admin", "administrator")

ERASABLE: dict[str, tuple[type[tables.Row], dict[str, Any]]] = {
    "draft": (tables.Draft, {"text": ERASED, "reference": "", "origin": ERASED}),
    "revision": (tables.Revised, {"text": ERASED, "verdict": []}),
    "final": (tables.Final, {"text": ERASED, "verdict": [], "reasons": {}}),
    "answer": (tables.Answered, {"prompt": None, "answer": None, "prompt_sha256": None, "answer_sha256": None}),
    "decision": (tables.Decided, {"old": "", "new": "", "note": ""}),
    "report": (tables.Report, {"parts": [], "reasons": [], "content": None}),
    "question": (tables.Question, {"question": ERASED, "answer": ""}),
    "opinion": (tables.Opinion, {"correction": ""}),
}
"""Kind of row -> its table, and what its texts are set to."""


class Erasing(Transactions):
    """Deletion of texts by right or by the end of their time."""

    def erase(self, subjects: Sequence[str], by: str, reason: str) -> list[str]:
        """Erase the texts of rows for good, with those made from them and the report that they came in.

        Of a draft, these are its revisions, finals and decisions too, and what somebody is writing over it; of a
        question, the opinions on its answer.

        Args:
            subjects: such as "draft:12" or "answer:7".
            by: an administrator.
            reason: on what ground, such as a person's request; stands in the log.

        Returns:
            Every row erased now; what was erased before is not named again.

        Raises:
            NotFound: no such row or person.
            UsageError: the person is no administrator, there is no reason, or that kind holds no text.
        """
        clean(reason, "reason")
        with self._write() as session:
            self._administrator(session, by)
            if session.get_bind().dialect.name == "sqlite":
                session.execute(text("PRAGMA secure_delete = ON"))
            rows = [row for subject in subjects for row in self._with_descendants(session, subject)]
            done = [
                self._erase(session, kind, row, by, reason)
                for kind, row in dict.fromkeys(rows)
                if getattr(row, "salt", None) or not _empty(kind, row)
            ]
        if done and self._engine.dialect.name == "sqlite":
            with self._engine.connect() as connection:  # or the old pages would stand in the journal beside the file
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return list(dict.fromkeys(done))

    def older(self, kind: str, before: datetime) -> list[str]:
        """The rows of a kind that were written before a moment and still hold texts.

        Raises:
            NotFound: that kind holds no text.
        """
        if kind not in ERASABLE:
            raise NotFound("kind of text", kind, ERASABLE)
        table: Any = ERASABLE[kind][0]
        with self._read() as session:
            found = session.scalars(select(table).where(table.at < before).order_by(table.id))
            return [f"{kind}:{row.id}" for row in found if not _empty(kind, row)]

    def _administrator(self, session: Session, by: str) -> None:
        person = self._person(session, by)
        if not set(person.roles) & set(ERASERS):
            raise UsageError(f"{by!r} may not erase texts", where=self.where, fix="An administrator has to do it")

    def _with_descendants(self, session: Session, subject: str) -> list[tuple[str, Any]]:
        kind, _, number = subject.partition(":")
        if kind not in ERASABLE or not number.isdigit():
            raise NotFound("row with a text", subject, [f"{name}:1" for name in ERASABLE])
        table = ERASABLE[kind][0]
        rows: list[tuple[str, Any]] = [(kind, self._one(session, table, int(number), kind))]
        made: list[tuple[str, type[tables.Row], dict[str, Any]]] = []
        if kind == "draft":
            made = [(name, ERASABLE[name][0], {"draft_id": int(number)}) for name in ("revision", "final", "decision")]
            session.execute(delete(tables.Work).where(tables.Work.draft_id == int(number)))
        elif kind == "question":
            made = [("opinion", tables.Opinion, {"question_id": int(number)})]
        for name, below, whose in made:
            rows += [(name, row) for row in session.scalars(select(below).filter_by(**whose))]
        if kind == "draft" and (start := _report_of(rows[0][1])):
            query = select(tables.Report).where(tables.Report.sha256.startswith(start, autoescape=True))
            rows += [("report", row) for row in session.scalars(query)]
        return rows

    @staticmethod
    def _erase(session: Session, kind: str, row: Any, by: str, reason: str) -> str:
        for name, value in ERASABLE[kind][1].items():
            setattr(row, name, value)
        if hasattr(row, "salt"):
            row.salt = None
        session.flush()
        detail: dict[str, Any] = {"reason": reason, "digest": digest(columns(row))}
        if kind == "final":
            changes = list(
                session.scalars(select(tables.Changed).filter_by(final_id=row.id).order_by(tables.Changed.id))
            )
            for change in changes:
                change.old, change.new, change.salt = "", "", None
            session.flush()
            detail["changes"] = digest([columns(change) for change in changes])
        append(session, by, f"{kind}.erased", f"{kind}:{row.id}", detail)
        return f"{kind}:{row.id}"


def _report_of(draft: tables.Draft) -> str:
    """The beginning of the hash of the report that a draft came in; empty if it came otherwise."""
    kind, _, rest = draft.reference.partition(":")
    return rest.partition("#")[0] if kind == "report" else ""


def _empty(kind: str, row: Any) -> bool:
    return all(getattr(row, name) == value for name, value in ERASABLE[kind][1].items())
