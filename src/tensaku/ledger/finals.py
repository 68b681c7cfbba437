"""Finals of the ledger: saved for good, with every change decided and a reason for every fact that differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.decisions import decide
from tensaku.ledger.drafts import verdict_from, verdict_to
from tensaku.ledger.erasing import ERASED
from tensaku.ledger.people import row_of
from tensaku.ledger.rows import (
    Between,
    ChangeRow,
    Decision,
    DraftRow,
    FinalRow,
    ReasonsMissing,
    SavedMeanwhile,
    reason_key,
)
from tensaku.ledger.transactions import Transactions, clean, columns, storable
from tensaku.records import Change, Verdict
from tensaku.text import blanked, changes, compare

__all__ = ["Finals", "Published"]

APPROVED = select(tables.Review.final_id).where(tables.Review.decision == "approved")


class Published(NamedTuple):
    """A comment that stands: the number of its final, its fund, month (`YYYY-MM`) and section."""

    id: int
    fund: str
    as_of: str
    section: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a final before it is written: its facts, the reasons that count, its changes."""

    verdict: Verdict
    reasons: dict[str, str]
    changes: list[tuple[Between, Change, Decision | None]]


def final_of(row: tables.Final) -> FinalRow:
    """The final as handed out."""
    return FinalRow(
        id=row.id,
        draft_id=row.draft_id,
        revision_id=row.revision_id,
        based_on=row.based_on,
        text=row.text,
        verdict=verdict_from(row.verdict),
        reasons=dict(row.reasons),
        by=row.by,
        at=row.at,
    )


def needed_reasons(verdict: Verdict, reasons: Mapping[str, str]) -> dict[str, str]:
    """The reasons that belong to broken facts.

    Raises:
        ReasonsMissing: a broken fact has none.
    """
    without = [b for b in verdict.breaks if not reasons.get(reason_key(b), "").strip()]
    if without:
        raise ReasonsMissing(without)
    return {key: storable(reasons[key].strip(), "reason") for key in sorted({reason_key(b) for b in verdict.breaks})}


def compared(draft: str, revision: str | None, final: str) -> list[tuple[Between, Change, Decision | None]]:
    """The changes between the texts of a final, with the decision on each that the model proposed."""
    total = [c for c in changes(draft, final) if c.op != "equal"]
    found: list[tuple[Between, Change, Decision | None]] = [("draft-final", c, None) for c in total]
    if revision is not None:
        proposed = [c for c in changes(draft, revision) if c.op != "equal"]
        edits = [c for c in changes(revision, final) if c.op != "equal"]
        decisions = decide(draft, final, proposed=proposed, edits=edits, total=total)
        found += [("draft-revision", c, d) for c, d in zip(proposed, decisions, strict=True)]
        found += [("revision-final", c, None) for c in edits]
    return found


def changed_of(row: tables.Changed) -> ChangeRow:
    """The change as handed out."""
    change = Change(
        row.change,
        row.op,  # type: ignore[arg-type]
        row.old,
        row.new,
        row.old_start,
        row.old_end,
        row.new_start,
        row.new_end,
    )
    return ChangeRow(row.final_id, row.between_texts, change, row.decision)  # type: ignore[arg-type]


class Finals(Transactions):
    """Finals and their changes."""

    review = False
    """Whether a final needs the approval of a second person before it is one (`Ledger.open` sets it)."""

    def __init__(self, engine: Engine, where: str, names: Mapping[str, Sequence[str]]) -> None:
        super().__init__(engine, where)
        self.names = names

    def save_final(
        self,
        draft_id: int,
        text: str,
        by: str,
        *,
        revision_id: int | None = None,
        reasons: Mapping[str, str] | None = None,
        based_on: int | None = None,
        lacking: Sequence[str] = (),
        passages: Sequence[str] = (),
    ) -> FinalRow:
        """Save a final text. When this returns, it is on the disk and survives a loss of power.

        Saving the very same text again (same person, same revision, same reasons) returns the final that stands there.

        Args:
            draft_id: the draft it was written for.
            text: the final text.
            by: who saves; a writer.
            revision_id: the model's revision it was written over, if any.
            reasons: by `reason_key`, why a fact differs from the draft; what belongs to no broken fact is left out.
            based_on: the number of the newest final of this draft that the writer saw; None if there was none.
            lacking: names of required passages that the text does not hold; each needs a reason under its name.
            passages: the house's own sentences, such as disclaimers, whose words are no facts of this comment.

        Raises:
            NotFound: no such draft, revision or person.
            ReasonsMissing: nothing was saved; it holds the broken facts that have no reason.
            SavedMeanwhile: nothing was saved; it holds the final that another saved.
            UsageError: nothing was saved, because the text is empty, the person may not write, or the disk is full,
                read-only or locked.
        """
        clean(text, "final")
        with self._read() as session:
            draft = self._one(session, tables.Draft, draft_id, "draft")
            revision = self._revision_text(session, draft_id, revision_id)
        # The slow part, reading the Japanese, is done before the lock is taken; none of what it reads can change.
        judged = self._judge(draft, revision, text, reasons or {}, lacking, passages)
        with self._write() as session:
            person = self._person(session, by)
            if "writer" not in person.roles:
                raise UsageError(f"{by!r} is not a writer", where=self.where, fix="Give the person the role 'writer'")
            newest = self._newest(session, draft_id)
            if newest is not None and self._same(newest, text, by, revision_id, judged):
                return final_of(newest)
            if (newest.id if newest else None) != based_on:
                raise self._conflict(newest, based_on)
            kept = session.get(tables.Work, (draft_id, by))
            if kept is not None:  # in the same transaction: work is never gone before its final is there
                session.delete(kept)
            return self._insert(session, draft_id, text, by, (revision_id, based_on), judged)

    def finals(self, draft_id: int) -> list[FinalRow]:
        """The finals of a draft, newest first.

        Raises:
            NotFound: no such draft.
        """
        with self._read() as session:
            self._one(session, tables.Draft, draft_id, "draft")
            found = session.scalars(select(tables.Final).filter_by(draft_id=draft_id).order_by(tables.Final.id.desc()))
            return [final_of(row) for row in found]

    def changes(self, final_id: int) -> list[ChangeRow]:
        """The changes of a final, in order of place within each pair of texts.

        Raises:
            NotFound: no such final.
        """
        with self._read() as session:
            self._one(session, tables.Final, final_id, "final")
            found = session.scalars(select(tables.Changed).filter_by(final_id=final_id).order_by(tables.Changed.id))
            return [changed_of(row) for row in found]

    def freeze(self, since: datetime | None = None) -> list[dict[str, Any]]:
        """The newest final of each draft as a pair's values, by number of draft; what was erased is left out.

        Args:
            since: leave out finals saved before this moment (with a time zone).
        """
        newest = select(func.max(tables.Final.id)).group_by(tables.Final.draft_id)
        if self.review:  # what nobody else has approved is no final yet
            newest = newest.where(tables.Final.id.in_(APPROVED))
        query = select(tables.Final, tables.Draft).join(tables.Draft, tables.Draft.id == tables.Final.draft_id)
        query = query.where(tables.Final.id.in_(newest), tables.Final.text != ERASED).order_by(tables.Draft.id)
        if since is not None:
            query = query.where(tables.Final.at >= since)
        with self._read() as session:
            return [pair_of(final, draft) for final, draft in session.execute(query)]

    def seen_by(self, person: str, task: str = "") -> list[Published]:
        """The finals that `freeze` gives and that `person` may see at this moment, without their texts.

        Nobody, whoever the ledger does not know or has no right to the task, sees none.
        """
        with self._read() as session:
            row = session.get(tables.Person, person) if person else None
            known = row_of(row) if row is not None else None
            if known is None or not known.active or not known.may(task):
                return []
            newest = select(func.max(tables.Final.id)).group_by(tables.Final.draft_id)
            if self.review:
                newest = newest.where(tables.Final.id.in_(APPROVED))
            draft = tables.Draft
            query = select(tables.Final.id, draft.fund, draft.as_of, draft.section).join(draft)
            query = query.where(tables.Final.id.in_(newest), tables.Final.text != ERASED)
            return [Published(*row) for row in session.execute(query) if known.may(fund=row.fund)]

    def _judge(
        self,
        draft: tables.Draft,
        revision: str | None,
        text: str,
        reasons: Mapping[str, str],
        lacking: Sequence[str],
        passages: Sequence[str],
    ) -> Judged:
        verdict = compare(blanked(draft.text, passages), blanked(text, passages), self.names, as_of=draft.as_of)
        needed = needed_reasons(verdict, reasons)
        for name in lacking:
            if not reasons.get(name, "").strip():
                what = f"the required passage {name!r} is missing without a reason"
                raise UsageError(what, where=self.where, fix="Put it in, or write a reason")
            needed[name] = storable(reasons[name].strip(), "reason")
        return Judged(verdict, dict(sorted(needed.items())), compared(draft.text, revision, text))

    def _revision_text(self, session: Session, draft_id: int, revision_id: int | None) -> str | None:
        if revision_id is None:
            return None
        revision = self._one(session, tables.Revised, revision_id, "revision")
        if revision.draft_id != draft_id:
            what = f"revision {revision_id} was made of draft {revision.draft_id}, not of draft {draft_id}"
            raise UsageError(what, where=self.where, fix="Name a revision of this draft")
        return revision.text

    def _newest(self, session: Session, draft_id: int) -> tables.Final | None:
        return session.scalars(
            select(tables.Final).filter_by(draft_id=draft_id).order_by(tables.Final.id.desc()).limit(1)
        ).first()

    @staticmethod
    def _same(newest: tables.Final, text: str, by: str, revision_id: int | None, judged: Judged) -> bool:
        return (newest.text, newest.by, newest.revision_id, newest.reasons) == (text, by, revision_id, judged.reasons)

    def _conflict(self, newest: tables.Final | None, based_on: int | None) -> UsageError:
        if newest is None:
            return UsageError(
                f"there is no final {based_on} of this draft", where=self.where, fix="Load the draft again"
            )
        return SavedMeanwhile(final_of(newest), self.where)

    def _insert(
        self, session: Session, draft_id: int, text: str, by: str, before: tuple[int | None, int | None], judged: Judged
    ) -> FinalRow:
        made = tables.Final(
            draft_id=draft_id,
            revision_id=before[0],
            based_on=before[1],
            text=text,
            verdict=verdict_to(judged.verdict),
            reasons=judged.reasons,
            by=by,
            at=datetime.now(UTC),
        )
        session.add(made)
        session.flush()
        rows = [changed_row(made.id, between, change, decision) for between, change, decision in judged.changes]
        session.add_all(rows)
        session.flush()
        detail = {
            "draft": draft_id,
            "revision": before[0],
            "based_on": before[1],
            "reasons": judged.reasons,
            "digest": digest(columns(made)),
            "changes": digest([columns(row) for row in rows]),
        }
        append(session, by, "final.saved", f"final:{made.id}", detail)
        return final_of(made)


def changed_row(final_id: int, between: Between, change: Change, decision: Decision | None) -> tables.Changed:
    """The change as it is stored."""
    return tables.Changed(
        final_id=final_id,
        between_texts=between,
        change=change.id,
        op=change.op,
        old=change.old,
        new=change.new,
        old_start=change.old_start,
        old_end=change.old_end,
        new_start=change.new_start,
        new_end=change.new_end,
        decision=decision,
    )


def pair_of(final: tables.Final | FinalRow, draft: tables.Draft | DraftRow) -> dict[str, Any]:
    """A final with its draft, as the values of a `Pair`."""
    return {
        "id": f"ledger-{final.id}",
        "draft": draft.text,
        "final": final.text,
        "manager": draft.manager,
        "fund": draft.fund,
        "section": draft.section,
        "as_of": draft.as_of,
        "family": f"{draft.fund}/{draft.section}/{draft.as_of}",
        "source": f"ledger:final:{final.id}",
    }
