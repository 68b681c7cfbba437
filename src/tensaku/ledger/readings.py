"""Blind readings: two outputs for one draft, and what people said of them. A newer vote of a person replaces the older
one in what is counted; both stay.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.transactions import Transactions, clean, columns, storable

__all__ = ["ComparisonRow", "NewComparison", "Readings", "Seen", "VoteRow", "turned"]

Winner = Literal["left", "right", "tie"]
_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class NewComparison:
    """Two outputs to be laid out: `one` and `two` are the candidates' names, `item` the pair of the exam `exam`."""

    exam: str
    item: str
    fund: str
    section: str
    as_of: str
    draft: str
    one: str
    one_text: str
    two: str
    two_text: str


@dataclass(frozen=True, slots=True)
class ComparisonRow(NewComparison):
    """A comparison that is laid out, with who did so and when."""

    id: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VoteRow:
    """The newest vote of a person on a comparison: which candidate stood where, and which side was better."""

    id: int
    comparison_id: int
    exam: str
    item: str
    left: str
    left_text: str
    right: str
    right_text: str
    winner: Winner
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a person has come: the comparison that comes next (None at the end), those read, and all."""

    next: ComparisonRow | None
    turned: bool
    read: int
    total: int


def turned(person: str, place: int) -> bool:
    """Whether `two` stands left for `person` in the comparison at `place` among those of the same two candidates.

    Each person sees either order of the same two equally often, and the first order differs from person to person.
    """
    return (place + zlib.crc32(person.encode())) % 2 == 1


def comparison_of(row: tables.Comparison) -> ComparisonRow:
    """The comparison as handed out."""
    return ComparisonRow(
        row.exam, row.item, row.fund, row.section, row.as_of, row.draft,
        row.one, row.one_text, row.two, row.two_text, row.id, row.by, row.at,
    )  # fmt: skip


class Readings(Transactions):
    """Comparisons and votes."""

    def add_comparisons(self, new: Iterable[NewComparison], by: str) -> int:
        """Lay comparisons out, all or none; those that are there with the same texts stay as they are.

        Returns:
            How many are new.

        Raises:
            NotFound: no such person.
            UsageError: a text is empty or cannot be stored, or both candidates are the same.
        """
        rows = [self._comparison(one, by) for one in new]
        added = 0
        with self._write() as session:
            self._person(session, by)
            for row in rows:
                same = select(tables.Comparison.id).filter_by(
                    exam=row.exam, item=row.item, one=row.one, two=row.two, digest=row.digest
                )
                if session.scalar(same) is None:
                    session.add(row)
                    session.flush()
                    detail = {"one": row.one, "two": row.two, "digest": digest(columns(row))}
                    append(session, by, "comparison.laid-out", f"comparison:{row.id}", detail)
                    added += 1
        return added

    def _comparison(self, new: NewComparison, by: str) -> tables.Comparison:
        if new.one == new.two:
            raise UsageError(f"{new.one!r} cannot be compared with itself", fix="Name two candidates")
        for what, text in (("draft", new.draft), (new.one, new.one_text), (new.two, new.two_text)):
            clean(text, what)
        both = hashlib.sha256(f"{new.one_text}\0{new.two_text}".encode()).hexdigest()
        values = {name: getattr(new, name) for name in NewComparison.__slots__}
        return tables.Comparison(**values, digest=both, by=by, at=datetime.now(UTC))

    def comparisons(self) -> list[ComparisonRow]:
        """Every comparison, the oldest first."""
        with self._read() as session:
            return [comparison_of(row) for row in self._shown(session)]

    def reading(self, person: str) -> Seen:
        """What `person` reads next, in an order of its own for each person so that nobody tires at the same place.

        Raises:
            NotFound: no such person.
        """
        with self._read() as session:
            self._one(session, tables.Person, person, "person")
            rows, shown = self._all(session), self._shown(session)
            read = set(session.scalars(select(tables.Voted.comparison_id).filter_by(by=person)))
            left = [row for row in shown if row.id not in read]
            chosen = min(left, key=lambda row: zlib.crc32(f"{person}/{row.id}".encode()), default=None)
            total = len(shown)
            if chosen is None:
                return Seen(None, False, total, total)
            return Seen(comparison_of(chosen), self._turned(rows, chosen.id, person), total - len(left), total)

    def add_vote(self, comparison_id: int, winner: Winner, by: str, *, reason: str = "") -> VoteRow:
        """Keep what `by` says of a comparison. When this returns, it is on the disk.

        Which output stood left follows from person and comparison (`turned`), so a page cannot say it wrongly. The
        same vote again is the one that stands there.

        Args:
            winner: the side that is better as the person saw it, or `tie`.

        Raises:
            NotFound: no such comparison or person.
            UsageError: the person is not active, or `winner` or `reason` cannot be kept.
        """
        if winner not in ("left", "right", "tie"):
            raise UsageError(f"{winner!r} is no vote", where="vote", fix="Say left, right or tie")
        reason = storable(reason.strip(), "reason")
        if len(reason) > _LONGEST_REASON:
            what = f"the reason has {len(reason):,} characters"
            raise UsageError(what, fix=f"At most {_LONGEST_REASON:,} are kept")
        with self._write() as session:
            self._person(session, by)
            comparison = self._one(session, tables.Comparison, comparison_id, "comparison")
            side = "two" if self._turned(self._all(session), comparison.id, by) else "one"
            newest = select(tables.Voted).filter_by(comparison_id=comparison_id, by=by).order_by(tables.Voted.id.desc())
            held = session.scalars(newest.limit(1)).first()
            if held is None or (held.winner, held.reason) != (winner, reason):
                held = tables.Voted(
                    comparison_id=comparison_id, shown_left=side, winner=winner, reason=reason, by=by,
                    at=datetime.now(UTC),
                )  # fmt: skip
                session.add(held)
                session.flush()
                append(session, by, "comparison.judged", f"vote:{held.id}", {"digest": digest(columns(held))})
            return _vote_of(held, comparison)

    def votes(self) -> list[VoteRow]:
        """The newest vote of every person on every comparison, in the order in which they were cast."""
        with self._read() as session:
            held = {row.id: row for row in self._shown(session)}
            every = session.scalars(select(tables.Voted).order_by(tables.Voted.id))
            newest = {(v.comparison_id, v.by): v for v in every if v.comparison_id in held}
            return [_vote_of(v, held[v.comparison_id]) for v in sorted(newest.values(), key=lambda v: v.id)]

    def _shows(self, row: tables.Comparison) -> bool:
        """Whether who asks may see a comparison; here, where nobody in particular asks, every one."""
        return True

    def _all(self, session: Session) -> list[tables.Comparison]:
        return list(session.scalars(select(tables.Comparison).order_by(tables.Comparison.id)))

    def _shown(self, session: Session) -> list[tables.Comparison]:
        """Those that whoever reads may see: all, but for a ledger that is bounded to somebody's rights.

        Which side an output stands on is told by its place among all, so that it stays when rights change.
        """
        return [row for row in self._all(session) if self._shows(row)]

    def _turned(self, rows: list[tables.Comparison], chosen: int, person: str) -> bool:
        one = next(row for row in rows if row.id == chosen)
        alike = [row.id for row in rows if (row.one, row.two) == (one.one, one.two)]
        return turned(person, alike.index(chosen))


def _vote_of(row: tables.Voted, on: tables.Comparison) -> VoteRow:
    sides = [(on.one, on.one_text), (on.two, on.two_text)]
    (left, left_text), (right, right_text) = sides if row.shown_left == "one" else sides[::-1]
    return VoteRow(
        row.id, on.id, on.exam, on.item, left, left_text, right, right_text,
        cast(Winner, row.winner), row.reason, row.by, row.at,
    )  # fmt: skip
