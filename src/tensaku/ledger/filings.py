"""Acts of governance: inventory entries, ratings, findings, exceptions, delegations, gate and validation results.

Nothing filed is altered: the newest filing of a kind and a subject counts, and all of them stay. The log says of each
what stood before and what stands now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import canonical
from tensaku.ledger.lines import FIRST, LENT, SECOND, FilingRow, Lines, filing_of, newest
from tensaku.ledger.transactions import clean

__all__ = ["SEVERITIES", "Filings", "moment"]

SEVERITIES = ("low", "medium", "high")

_WHO: dict[str, tuple[int, ...]] = {
    "model": (FIRST, SECOND),
    "rating": (SECOND,),
    "retirement": (FIRST, SECOND),
    "gate": (FIRST, SECOND),
    "validation": (SECOND,),
    "finding": (SECOND,),
    "exception": (SECOND,),
    "delegation": (SECOND,),
    "monitoring": (FIRST, SECOND),
    "decision": (FIRST, SECOND),
    "text": (FIRST, SECOND),
    "evidence": (FIRST, SECOND),
}
"""Kind -> the lines of defence that may file it."""


def moment(text: str, what: str) -> datetime:
    """The moment that `text` says: ISO 8601; a day alone is the end of that day, a moment without zone is UTC.

    Raises:
        UsageError: it is no moment.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fix = "Write it as 2027-03-31 or 2027-03-31T15:00+09:00"
        raise UsageError(f"the {what} {text!r} is no date", fix=fix) from None
    if "T" not in text and " " not in text and found.hour == 0:
        found += timedelta(days=1) - timedelta(seconds=1)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


class Filings(Lines):
    """What the lines of defence write down about models."""

    def file(self, kind: str, subject: str, content: Mapping[str, Any], by: str, *, about: str = "") -> FilingRow:
        """Write down an act of governance; the newest of its kind and subject counts from now on.

        Args:
            kind: "model", "rating", "retirement", "gate", "validation", "finding", "exception", "delegation",
                "monitoring", "decision", "text" or "evidence".
            subject: what it is about, such as a model's reference; of a finding its own name.
            content: plain JSON values.
            by: who; must be of a line of defence that may.
            about: the release, where who built it may not do this.

        Raises:
            NotFound: no such kind or person.
            UsageError: the person may not, or the content is no plain JSON.
        """
        if kind not in _WHO:
            raise NotFound("kind of filing", kind, _WHO)
        clean(subject, "subject", limit=128)
        try:
            values: dict[str, Any] = json.loads(canonical(dict(content)))
        except (TypeError, ValueError) as bad:
            raise UsageError(f"the {kind} cannot be kept ({bad})", fix="Hand in plain JSON values") from bad
        with self._write() as session:
            what = f"file a {kind}" if not about else f"file a {kind} about {about}"
            lines = _WHO[kind]
            if kind == "retirement" and not values.get("retired"):  # what answers again is the second line's to say
                what, lines, about = f"take back that {subject} is retired", (SECOND,), subject
            self._acting(session, by, what, lines=lines, about=about)
            return self._file(session, kind, subject, values, by)

    def file_finding(self, content: Mapping[str, Any], by: str, *, about: str) -> FilingRow:
        """Write down a finding under the next free number, `F-0001` and on.

        The number is taken in the transaction that files it: a finding never takes another's place.

        Raises:
            NotFound: nobody of that name.
            UsageError: the person is not of the second line, or built `about`.
        """
        with self._write() as session:
            self._acting(session, by, f"file a finding about {about}", lines=_WHO["finding"], about=about)
            return self._file(session, "finding", f"F-{len(newest(session, 'finding')) + 1:04d}", dict(content), by)

    def check_validator(self, ref: str, by: str) -> None:
        """Refuse somebody who may not validate a release, before the work is done.

        Raises:
            NotFound: no such release or person.
            UsageError: the person is not of the second line, or built it.
        """
        with self._read() as session:
            self._one(session, tables.Release, ref, "release")
            self._acting(session, by, f"validate {ref}", lines=_WHO["validation"], about=ref)

    def filings(self, kind: str = "", subject: str = "", *, at: datetime | None = None) -> list[FilingRow]:
        """All filings in order, of one kind, about one subject, up to a moment."""
        query = select(tables.Filed).order_by(tables.Filed.id)
        if kind:
            query = query.filter_by(kind=kind)
        if subject:
            query = query.filter_by(subject=subject)
        if at is not None:
            query = query.where(tables.Filed.at <= at)
        with self._read() as session:
            return [filing_of(row) for row in session.scalars(query)]

    def standing(self, kind: str, *, at: datetime | None = None) -> dict[str, FilingRow]:
        """The filing that counts for each subject of a kind, now or at a moment."""
        return {row.subject: row for row in self.filings(kind, at=at)}

    def delegate(self, to: str, role: str, until: datetime, reason: str, by: str) -> FilingRow:
        """Lend one's own role of the second line to somebody else until a moment.

        Raises:
            NotFound: no such person.
            UsageError: the role cannot be lent, or is not one's own; the end has passed; no reason.
        """
        clean(reason, "reason")
        if role not in LENT:
            raise NotFound("role that can be lent", role, LENT)
        if until <= datetime.now(UTC):
            raise UsageError("the delegation would have ended already", fix="Name a moment that is still to come")
        with self._write() as session:
            receiver, lender = self._person(session, to), self._person(session, by)
            if role not in lender.roles:
                raise UsageError(f"{by!r} does not hold the role {role!r}", fix="Only who holds a role can lend it")
            if to == by or "auditor" in receiver.roles:
                raise UsageError(f"{to!r} cannot be lent a role", fix="Name somebody else who is no auditor")
            content = {"from": by, "to": to, "role": role, "until": until.isoformat(), "reason": reason}
            return self._file(session, "delegation", f"{by}:{to}:{role}"[:128], content, by)

    def end_filing(self, kind: str, subject: str, reason: str, by: str, *, about: str = "") -> FilingRow:
        """End what stands until some day: an exception, a delegation, an open finding.

        Raises:
            NotFound: nothing of that kind stands under that name.
            UsageError: the person may not; there is no reason; it has ended already.
        """
        clean(reason, "reason")
        with self._write() as session:
            held = newest(session, kind, subject)
            if not held:
                known = [row.subject for row in newest(session, kind)]
                raise NotFound(kind, subject, known, where=self.where)
            content = dict(held[0].content)
            if content.get("ended"):
                raise UsageError(f"the {kind} {subject!r} has ended already", where=self.where)
            about = about or str(content.get("about", ""))
            self._acting(session, by, f"end the {kind} {subject}", lines=_WHO[kind], about=about)
            content |= {"ended": datetime.now(UTC).isoformat(), "ended_why": reason}
            return self._file(session, kind, subject, content, by)
