"""Drafts of the ledger, and what models made of them."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.rollouts import check_limits
from tensaku.ledger.rows import SYSTEM, DraftRow, NewDraft, RevisionRow
from tensaku.ledger.transactions import Transactions, clean, columns, storable
from tensaku.records import Fact, FactBreak, Revision, Usage, Verdict

__all__ = ["Drafts", "verdict_from", "verdict_to"]


def verdict_to(verdict: Verdict) -> list[dict[str, Any]]:
    """A verdict as plain values."""
    return [{"what": b.what, **b.fact._asdict()} for b in verdict.breaks]


def verdict_from(values: list[dict[str, Any]]) -> Verdict:
    """A verdict from plain values."""
    return Verdict(
        tuple(FactBreak(v["what"], Fact(v["kind"], v["value"], v["text"], v["start"], v["end"])) for v in values)
    )


def revision_of(row: tables.Revised) -> RevisionRow:
    """The revision as handed out."""
    return RevisionRow(
        id=row.id,
        draft_id=row.draft_id,
        text=row.text,
        verdict=verdict_from(row.verdict),
        finish=row.finish,
        usage=Usage(row.prompt_tokens, row.completion_tokens),
        provenance=dict(row.provenance),
        by=row.by,
        at=row.at,
    )


def checked(new: NewDraft) -> NewDraft:
    """The draft, if it can be kept.

    Raises:
        UsageError: a field is empty, too long or not well formed.
    """
    clean(new.text, "draft")
    for name in ("manager", "fund"):
        clean(getattr(new, name), f"draft's {name}", limit=200)
    clean(new.section, "draft's section", limit=64)
    clean(new.origin, "draft's origin")
    storable(new.reference, "draft's reference")
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", new.as_of):
        raise UsageError(f"the draft's month is {new.as_of!r}", fix="Write it as 2026-10")
    return new


class Drafts(Transactions):
    """Drafts and revisions."""

    def add_draft(self, new: NewDraft, *, by: str = SYSTEM) -> DraftRow:
        """Add a draft. One that stands there already, equal in every field and with a reference, is returned as it is.

        Raises:
            UsageError: a field is empty, too long or not well formed.
            NotFound: `by` is nobody.
        """
        checked(new)
        with self._write() as session:
            self._person(session, by)
            return self._enter_draft(session, new, by)

    def _enter_draft(self, session: Session, new: NewDraft, by: str) -> DraftRow:
        """Add a checked draft in the running transaction."""
        values = asdict(new)
        if new.reference:
            same = select(tables.Draft).filter_by(**values).order_by(tables.Draft.id).limit(1)
            if (found := session.scalars(same).first()) is not None:
                return self._draft_row(session, found)
        made = tables.Draft(**values, by=by, at=datetime.now(UTC))
        session.add(made)
        session.flush()
        detail = {"fund": new.fund, "as_of": new.as_of, "origin": new.origin, "digest": digest(columns(made))}
        append(session, by, "draft.added", f"draft:{made.id}", detail)
        return self._draft_row(session, made)

    def drafts(
        self, *, as_of: str | None = None, fund: str | None = None, manager: str | None = None
    ) -> list[DraftRow]:
        """The drafts that match all that is given, newest month first, then by fund, manager and number."""
        wanted = {k: v for k, v in {"as_of": as_of, "fund": fund, "manager": manager}.items() if v is not None}
        table = tables.Draft
        revisions = select(func.count()).where(tables.Revised.draft_id == table.id).scalar_subquery()
        finals = select(func.count()).where(tables.Final.draft_id == table.id).scalar_subquery()
        query = select(table, revisions, finals).filter_by(**wanted)
        with self._read() as session:
            found = session.execute(query.order_by(table.as_of.desc(), table.fund, table.manager, table.id))
            return [self._row(draft, n, m) for draft, n, m in found]

    def draft(self, id: int) -> DraftRow:
        """The draft of that number.

        Raises:
            NotFound: no such draft.
        """
        with self._read() as session:
            return self._draft_row(session, self._one(session, tables.Draft, id, "draft"))

    def add_revision(self, draft_id: int, revision: Revision, by: str) -> RevisionRow:
        """Keep what a model made of a draft, with who asked.

        Raises:
            NotFound: no such draft or person.
            UsageError: the revision was made of another text than this draft's, or the approval of its release does
                not cover one more.
        """
        with self._write() as session:
            return self._keep_revision(session, draft_id, revision, by)

    def _keep_revision(self, session: Session, draft_id: int, revision: Revision, by: str) -> RevisionRow:
        """`add_revision` in the running transaction."""
        self._person(session, by)
        draft = self._one(session, tables.Draft, draft_id, "draft")
        if draft.text != revision.draft:
            what = f"the revision was made of another text than draft {draft_id}"
            raise UsageError(what, where=self.where, fix="Ask for a revision of the draft as it stands in the ledger")
        release = revision.provenance.get("release", "")
        if release and revision.provenance.get("trial") != "yes":
            check_limits(session, release, self.where)
        made = tables.Revised(
            draft_id=draft_id,
            text=storable(revision.text, "revision"),
            verdict=verdict_to(revision.verdict),
            finish=revision.finish,
            prompt_tokens=revision.usage.prompt,
            completion_tokens=revision.usage.completion,
            provenance=dict(revision.provenance),
            release=release,
            trial=revision.provenance.get("trial") == "yes",
            by=by,
            at=datetime.now(UTC),
        )
        session.add(made)
        session.flush()
        detail = {"draft": draft_id, "provenance": dict(revision.provenance), "digest": digest(columns(made))}
        append(session, by, "revision.added", f"revision:{made.id}", detail)
        return revision_of(made)

    def revisions(self, draft_id: int) -> list[RevisionRow]:
        """The revisions of a draft, newest first.

        Raises:
            NotFound: no such draft.
        """
        with self._read() as session:
            self._one(session, tables.Draft, draft_id, "draft")
            found = session.scalars(
                select(tables.Revised).filter_by(draft_id=draft_id).order_by(tables.Revised.id.desc())
            )
            return [revision_of(row) for row in found]

    def _draft_row(self, session: Session, draft: tables.Draft) -> DraftRow:
        counts = [
            session.scalar(select(func.count()).where(table.draft_id == draft.id))
            for table in (tables.Revised, tables.Final)
        ]
        return self._row(draft, *(n or 0 for n in counts))

    @staticmethod
    def _row(draft: tables.Draft, revisions: int, finals: int) -> DraftRow:
        values = {c.key: getattr(draft, c.key) for c in draft.__table__.columns if c.key != "salt"}
        return DraftRow(**values, revisions=revisions, finals=finals)
