"""Which release answers: the newest one that was approved, until somebody says otherwise or goes back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.rows import RolloutRow
from tensaku.ledger.transactions import Transactions, columns, storable

__all__ = ["MAY_DEPLOY", "Rollouts", "status_of"]

MAY_DEPLOY = ("developer", "engineer", "approver", "admin")
"""Who may put an approved release to work, or go back."""


def rollout_of(row: tables.Rollout) -> RolloutRow:
    """The rollout as handed out."""
    return RolloutRow(row.id, row.champion, row.challenger, row.share, row.event, row.note, row.by, row.at)  # type: ignore[arg-type]


def status_of(session: Session, ref: str) -> Literal["candidate", "approved", "rejected"]:
    """Where a release stands: its newest decision."""
    newest = select(tables.Approval).filter_by(release=ref).order_by(tables.Approval.id.desc()).limit(1)
    found = session.scalars(newest).one_or_none()
    return found.decision if found is not None else "candidate"  # type: ignore[return-value]


class Rollouts(Transactions):
    """What answers now, what is tried beside it, and the way back."""

    def deploy(self, ref: str, by: str, *, share: float | None = None, note: str = "") -> RolloutRow:
        """Let an approved release answer: everything, or `share` of the questions as a challenger.

        Raises:
            NotFound: no such release or person.
            UsageError: it is not approved, the share is not between 0 and 1, nothing answers yet that it could
                challenge, it answers already, or the person may not do this.
        """
        with self._write() as session:
            self._deployer(session, by)
            self._one(session, tables.Release, ref, "release")
            if (status := status_of(session, ref)) != "approved":
                fix = f"Have it approved: tensaku approve {ref} --by NAME"
                raise UsageError(f"release {ref} is {status}, and only approved ones answer", where=self.where, fix=fix)
            return self._roll_out(session, ref, by, share=share, note=note, event="deployed")

    def roll_back(self, by: str, *, note: str = "") -> RolloutRow:
        """Undo the last rollout: a challenger ends, or the champion before this one answers again.

        Raises:
            NotFound: no such person.
            UsageError: there is nothing to go back to, or the person may not do this.
        """
        with self._write() as session:
            self._deployer(session, by)
            now = _standing(session)
            target = session.get(tables.Rollout, now.before) if now is not None and now.before is not None else None
            while target is not None and status_of(session, target.champion) != "approved":
                target = session.get(tables.Rollout, target.before) if target.before is not None else None
            if target is None:
                fix = "See: tensaku rollouts"
                raise UsageError("there is no earlier release to go back to", where=self.where, fix=fix)
            again = tables.Rollout(
                champion=target.champion, challenger=target.challenger, share=target.share, before=target.before
            )
            return self._add(session, again, by, "rolled-back", note)

    def deployed(self) -> RolloutRow | None:
        """What answers now, or None if no release was ever approved.

        A champion that was rejected meanwhile gives way to the one before it; such a challenger gets no questions.
        """
        with self._read() as session:
            row = _standing(session)
            if row is None:
                return _first_approved(session)
            found = rollout_of(row)
            if row.challenger is not None and status_of(session, row.challenger) != "approved":
                return RolloutRow(row.id, row.champion, None, None, found.event, row.note, row.by, row.at)
            return found

    def rollouts(self) -> list[RolloutRow]:
        """All rollouts, newest first."""
        with self._read() as session:
            return [
                rollout_of(row) for row in session.scalars(select(tables.Rollout).order_by(tables.Rollout.id.desc()))
            ]

    def _deployer(self, session: Session, by: str) -> None:
        person = self._person(session, by)
        if not set(person.roles) & set(MAY_DEPLOY):
            fix = f"Somebody with one of the roles {', '.join(MAY_DEPLOY)} has to do it"
            raise UsageError(f"{by!r} may not choose which release answers", where=self.where, fix=fix)

    def _roll_out(
        self,
        session: Session,
        ref: str,
        by: str,
        *,
        share: float | None,
        note: str,
        event: Literal["approved", "deployed"],
    ) -> RolloutRow:
        now = _standing(session)
        if share is None:
            if now is not None and (now.champion, now.challenger) == (ref, None):
                return rollout_of(now)
            made = tables.Rollout(champion=ref)
        else:
            if not 0 < share < 1:
                fix = "Write it as a number between 0 and 1, as in 0.1"
                raise UsageError(f"a share of {share} is none", where=self.where, fix=fix)
            if now is None:
                fix = "Leave the share out: it is the first, and answers everything"
                raise UsageError("no release answers yet that this one could challenge", where=self.where, fix=fix)
            if now.champion == ref:
                raise UsageError(f"release {ref} answers already", where=self.where, fix="Name another release")
            made = tables.Rollout(champion=now.champion, challenger=ref, share=share)
        made.before = now.id if now is not None else None
        return self._add(session, made, by, event, note)

    def _add(self, session: Session, made: tables.Rollout, by: str, event: str, note: str) -> RolloutRow:
        made.event, made.note, made.by, made.at = event, storable(note, "note"), by, datetime.now(UTC)
        session.add(made)
        session.flush()
        detail = {"champion": made.champion, "challenger": made.challenger or "", "share": made.share or 0.0}
        append(session, by, f"rollout.{event}", f"rollout:{made.id}", {**detail, "digest": digest(columns(made))})
        return rollout_of(made)


def _first_approved(session: Session) -> RolloutRow | None:
    """The newest release that stands approved, where the ledger is older than its rollouts."""
    if session.scalars(select(tables.Rollout.id).limit(1)).one_or_none() is not None:
        return None
    approved = select(tables.Approval).filter_by(decision="approved").order_by(tables.Approval.id.desc())
    for row in session.scalars(approved):
        if status_of(session, row.release) == "approved":
            return RolloutRow(0, row.release, None, None, "approved", row.note, row.by, row.at)
    return None


def _standing(session: Session) -> tables.Rollout | None:
    """The newest rollout whose champion is still approved, going back by what each came after."""
    row = session.scalars(select(tables.Rollout).order_by(tables.Rollout.id.desc()).limit(1)).one_or_none()
    while row is not None and status_of(session, row.champion) != "approved":
        row = session.get(tables.Rollout, row.before) if row.before is not None else None
    return row
