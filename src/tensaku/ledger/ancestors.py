"""Lineage for fast questions: which pairs made a model, which models saw a text or a person, what answered when.

The sealed artifacts are the truth; these tables are a copy that can be made anew from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from tensaku.ledger import tables
from tensaku.ledger.rollouts import decisions, rollout_of
from tensaku.ledger.rows import ApprovalRow, RolloutRow
from tensaku.ledger.transactions import Transactions

__all__ = ["Ancestors", "Found", "SeenPair", "Stood"]


@dataclass(frozen=True, slots=True)
class SeenPair:
    """A pair among lessons: where it came from (`file#row`, or a final of the ledger) and who wrote it."""

    lessons: str
    pair: str
    document: str
    person: str


@dataclass(frozen=True, slots=True)
class Found:
    """Where a sentence stands: the row (`answer:7`, `revision:3`), the release that wrote it, and when."""

    subject: str
    release: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Stood:
    """What answered at a moment, and the approvals that it answered on, newest last."""

    rollout: RolloutRow
    approvals: tuple[ApprovalRow, ...]


class Ancestors(Transactions):
    """Questions of lineage, both ways."""

    def add_lineage(self, parents: Mapping[str, Iterable[str]], seen: Iterable[SeenPair] = ()) -> None:
        """Note what each child was made from, and the pairs that lessons hold; what is noted already stays."""
        with self._write() as session:
            _add(session, tables.Edge, [{"child": c, "parent": p} for c, held in parents.items() for p in held])
            keys = ("lessons", "pair", "document", "person")
            _add(session, tables.Seen, [{key: getattr(one, key) for key in keys} for one in seen])

    def clear_lineage(self) -> None:
        """Forget the copy, before it is made anew."""
        with self._write() as session:
            session.query(tables.Edge).delete()
            session.query(tables.Seen).delete()

    def ancestors(self, ref: str) -> list[str]:
        """Everything that `ref` was made from, the nearest first."""
        return self._walk(ref, tables.Edge.child, tables.Edge.parent)

    def descendants(self, ref: str) -> list[str]:
        """Everything that was made from `ref`, the nearest first."""
        return self._walk(ref, tables.Edge.parent, tables.Edge.child)

    def pairs_of(self, ref: str, limit: int | None = None) -> tuple[int, list[SeenPair]]:
        """How many pairs taught a release or another model, and the first of them."""
        below = [ref, *self.ancestors(ref)]
        table = tables.Seen
        with self._read() as session:
            n = session.scalar(select(func.count()).select_from(table).where(table.lessons.in_(below))) or 0
            query = select(table).where(table.lessons.in_(below)).order_by(table.lessons, table.pair).limit(limit)
            return n, [SeenPair(r.lessons, r.pair, r.document, r.person) for r in session.scalars(query)]

    def saw(self, what: str) -> tuple[list[SeenPair], list[str]]:
        """The pairs of a document, a pair's name or a person, and every release taught with one of them.

        `what` is the whole name of a document, its file alone, a pair's id, or a person.
        """
        table = tables.Seen
        end = what + "$"  # the sign after "#": all rows of the file stand between
        of_file = (table.document >= what + "#") & (table.document < end)
        held = (table.document == what) | of_file | (table.person == what) | (table.pair == what)
        query = select(table.lessons, table.pair, table.document, table.person).where(held)
        with self._read() as session:
            pairs = [SeenPair(*row) for row in session.execute(query.order_by(table.lessons, table.pair))]
            releases = self._releases_below(session, sorted({pair.lessons for pair in pairs}))
        return pairs, releases

    def final_writers(self) -> dict[int, str]:
        """Who saved each final, by its number."""
        with self._read() as session:
            rows = session.execute(select(tables.Final.id, tables.Final.by))
            return {row.id: row.by for row in rows}

    def release_refs(self) -> list[str]:
        """The references of all releases, newest first."""
        with self._read() as session:
            return list(session.scalars(select(tables.Release.ref).order_by(tables.Release.at.desc())))

    def find_sentence(self, sentence: str, limit: int = 20) -> list[Found]:
        """Where models wrote a sentence: in answers (whose texts are kept only under record = "full"), in revisions."""
        found: list[Found] = []
        with self._read() as session:
            for kind, table, column in (
                ("answer", tables.Answered, tables.Answered.answer),
                ("revision", tables.Revised, tables.Revised.text),
            ):
                held = func.instr(column, sentence) > 0
                if session.get_bind().dialect.name != "sqlite":
                    held = func.strpos(column, sentence) > 0
                query = select(table.id, table.release, table.at).where(held).order_by(table.id.desc()).limit(limit)
                found += [Found(f"{kind}:{id}", release, at) for id, release, at in session.execute(query)]
        return found

    def stood_at(self, at: datetime) -> Stood | None:
        """What answered at a moment, with the decisions on it up to then; None: nothing did.

        A champion whose approval did not stand at that moment gives way to the one before it, as it did then.
        """
        rollout, approval = tables.Rollout, tables.Approval
        with self._read() as session:
            rows = {row.id: row for row in session.scalars(select(rollout).where(rollout.at <= at))}
            decided = decisions(session, approval.at <= at)
            row = rows[max(rows)] if rows else None
            while row is not None:
                held = decided.get(row.champion, ())
                if held and held[-1].decision == "approved" and not held[-1].ended(at):
                    return Stood(rollout_of(row), tuple(held))
                row = rows.get(row.before) if row.before is not None else None
        return None

    def _releases_below(self, session: Session, lessons: Sequence[str]) -> list[str]:
        names: set[str] = set()
        edge, wanted = tables.Edge, set(lessons)
        while wanted:
            found: set[str] = set()
            chunk = sorted(wanted)
            for start in range(0, len(chunk), 500):  # below the most variables that a statement of SQLite has
                part = select(edge.child).where(edge.parent.in_(chunk[start : start + 500]))
                found |= set(session.scalars(part))
            wanted = found - names
            names |= found
        known = session.scalars(select(tables.Release.ref).order_by(tables.Release.at.desc()))
        return [ref for ref in known if ref in names]

    def _walk(self, ref: str, from_: object, to: object) -> list[str]:
        found: dict[str, None] = {}
        wanted = [ref]
        with self._read() as session:
            while wanted:
                rows = session.scalars(select(to).where(from_.in_(wanted[:500])))  # type: ignore[call-overload,attr-defined]
                rest = wanted[500:]
                fresh = [name for name in rows if name not in found]
                found |= dict.fromkeys(fresh)
                wanted = rest + fresh
        return list(found)


def _add(session: Session, table: type[tables.Row], rows: list[dict[str, str]]) -> None:
    if not rows:
        return
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(dialect.insert(table).on_conflict_do_nothing(), rows)
