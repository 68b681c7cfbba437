"""Which release answers: the newest one that was approved, until somebody says otherwise or goes back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.lines import Lines
from tensaku.ledger.rows import ApprovalRow, Conditions, RolloutRow, Status
from tensaku.ledger.transactions import columns, storable

__all__ = ["MAY_DEPLOY", "NotCovered", "Rollouts", "approval_of", "check_limits", "decisions", "status_by", "status_of"]

MAY_DEPLOY = ("engineer", "developer", "approver", "admin", "administrator")
"""Who may put an approved release to work, or go back."""


class NotCovered(UsageError):
    """The approval of a release does not cover an answer (any more); nothing was written down."""


def rollout_of(row: tables.Rollout) -> RolloutRow:
    """The rollout as handed out."""
    return RolloutRow(row.id, row.champion, row.challenger, row.share, row.event, row.note, row.by, row.at)  # type: ignore[arg-type]


def approval_of(row: tables.Approval) -> ApprovalRow:
    """The decision as handed out."""
    held: dict[str, Any] = row.conditions or {}
    until = held.get("until")
    conditions = Conditions(
        tuple(held.get("tasks", ())),
        held.get("requests"),
        datetime.fromisoformat(until) if until else None,
        held.get("override", ""),
        held.get("change", ""),
        tuple(held.get("changed", ())),
    )
    return ApprovalRow(row.release, row.by, row.decision, row.note, row.at, conditions)  # type: ignore[arg-type]


def decisions(session: Session, *which: ColumnElement[bool]) -> dict[str, list[ApprovalRow]]:
    """By release, the decisions that meet all of `which`, the oldest first."""
    found: dict[str, list[ApprovalRow]] = {}
    for row in session.scalars(select(tables.Approval).where(*which).order_by(tables.Approval.id)):
        found.setdefault(row.release, []).append(approval_of(row))
    return found


def decision_on(session: Session, ref: str) -> ApprovalRow | None:
    """The newest decision on a release."""
    newest_ = select(tables.Approval).filter_by(release=ref).order_by(tables.Approval.id.desc()).limit(1)
    found = session.scalars(newest_).one_or_none()
    return approval_of(found) if found is not None else None


def status_of(session: Session, ref: str) -> Status:
    """Where a release stands: its newest decision, unless that has run out or a part of it was retired."""
    return status_by(session, ref, decision_on(session, ref))


def status_by(session: Session, ref: str, found: ApprovalRow | None) -> Status:
    """Where a release stands whose newest decision is known."""
    if found is None:
        return "candidate"
    if found.decision != "approved":
        return found.decision
    if _retired(session, ref):
        return "retired"
    limit = found.conditions.requests
    used_up = limit is not None and used(session, found) >= limit
    return "expired" if used_up or found.ended(datetime.now(UTC)) else "approved"


def used(session: Session, approval: ApprovalRow) -> int:
    """How often a release has answered since it was approved, through the API and at the desk."""
    counts = (
        select(func.count()).where(table.release == approval.release, table.at >= approval.at)
        for table in (tables.Answered, tables.Revised)
    )
    return sum(session.scalar(count) or 0 for count in counts)


def entered(session: Session, ref: str) -> bool:
    """Whether the inventory has a model of that name."""
    query = select(tables.Filed.id).filter_by(kind="model", subject=ref).limit(1)
    return session.scalars(query).one_or_none() is not None


def _retired(session: Session, ref: str) -> str:
    """The part of a release, or itself, that the inventory says is retired; empty if none is."""
    release = session.get(tables.Release, ref)
    made_from = release.summary.get("made_from", {}) if release is not None else {}
    parts = [ref, *(str(part) for part in made_from.values())]
    found = select(tables.Filed).filter_by(kind="retirement").where(tables.Filed.subject.in_(parts))
    stands = {row.subject: row.content.get("retired") for row in session.scalars(found.order_by(tables.Filed.id))}
    return next((part for part in parts if stands.get(part)), "")


def check_limits(session: Session, ref: str, where: str, *, task: str = "", summed: bool = False) -> bool:
    """Refuse what the approval of a release does not cover. A release that the ledger does not know is no matter of it.

    Args:
        session: the running transaction.
        ref: the release.
        where: the ledger, for the message.
        task: what it is asked for; empty: not looked at.
        summed: whether it answers as a part of a sum of several, which no count of answers could be held against.

    Returns:
        Whether its answers are counted: of such a release, nothing is to be seen of an answer before it is recorded.

    Raises:
        NotCovered: it is not approved any more, its answers or its time are used up, or the task is another.
    """
    if session.get(tables.Release, ref) is None:
        return False
    found = decision_on(session, ref)
    fix = f"Have it approved anew: tensaku approve {ref} --by NAME"
    status = status_of(session, ref)
    if status == "expired" and found is not None:
        held = found.conditions
        over = held.until is not None and found.ended(datetime.now(UTC))
        why = f"until {held.until:%Y-%m-%d %H:%M} UTC" if over else f"for {held.requests} answers"
        raise NotCovered(f"release {ref} was approved {why}, and that is used up", where=where, fix=fix)
    if status == "retired":
        what = f"release {ref} may not answer: {_retired(session, ref)} is retired in the inventory"
        raise NotCovered(what, where=where, fix="Let another release answer")
    if not entered(session, ref):
        fix = f"Enter it: tensaku inventory enter {ref} --by NAME"
        raise NotCovered(f"release {ref} is not in the inventory, and nothing else answers", where=where, fix=fix)
    if status != "approved" or found is None:
        raise NotCovered(f"release {ref} is {status}, and only approved ones answer", where=where, fix=fix)
    tasks = found.conditions.tasks
    if task and tasks and task not in tasks:
        what = f"release {ref} was approved for {', '.join(tasks)} alone, not for {task}"
        raise NotCovered(what, where=where, fix=fix)
    if summed and found.conditions.requests is not None:
        what = f"release {ref} was approved for a number of answers and cannot be a part of a sum"
        raise NotCovered(what, where=where, fix="Ask for it by its own name")
    return found.conditions.requests is not None


class Rollouts(Lines):
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
            target = _back_to_approved(session, target)
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

    def check_use(self, ref: str, task: str = "", *, summed: bool = False) -> bool:
        """Refuse an answer that the approval of a release does not cover; whether its answers are counted.

        Raises:
            NotCovered: it is not approved any more, its answers or its time are used up, or the task is another.
        """
        with self._read() as session:
            return check_limits(session, ref, self.where, task=task, summed=summed)

    def answers_used(self, ref: str) -> int:
        """How often a release has answered since its newest approval."""
        with self._read() as session:
            found = decision_on(session, ref)
            return used(session, found) if found is not None else 0

    def rollouts(self) -> list[RolloutRow]:
        """All rollouts, newest first."""
        with self._read() as session:
            return [
                rollout_of(row) for row in session.scalars(select(tables.Rollout).order_by(tables.Rollout.id.desc()))
            ]

    def _champion(self, session: Session) -> str:
        """The release that answers now, or an empty text."""
        row = _standing(session)
        return row.champion if row is not None else ""

    def _deployer(self, session: Session, by: str) -> None:
        person = self._person(session, by)
        if "auditor" in person.roles or not set(person.roles) & set(MAY_DEPLOY):
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
    newest = select(tables.Rollout).order_by(tables.Rollout.id.desc()).limit(1)
    return _back_to_approved(session, session.scalars(newest).one_or_none())


def _back_to_approved(session: Session, row: tables.Rollout | None) -> tables.Rollout | None:
    """This rollout if its champion is approved, else the nearest one before it of which that is so."""
    if row is None or status_of(session, row.champion) == "approved":
        return row
    table, decided = tables.Rollout, decisions(session)
    earlier = {one.id: one for one in session.scalars(select(table).where(table.id < row.id))}
    before = earlier.get(row.before or 0)
    while before is not None:
        held = decided.get(before.champion)
        if status_by(session, before.champion, held[-1] if held else None) == "approved":
            break
        before = earlier.get(before.before or 0)
    return before
