"""Releases of the ledger, and who approved or rejected them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, canonical, digest
from tensaku.ledger.lines import SECOND, builders, line_of
from tensaku.ledger.obstacles import Blocked, Hands, Obstacle, mark_of, obstacles
from tensaku.ledger.rollouts import Rollouts, approval_of, decisions, status_by, status_of
from tensaku.ledger.rows import ApprovalRow, Conditions, DeploymentRow, Needs, ReleaseRow
from tensaku.ledger.transactions import clean, columns, storable

__all__ = ["Releases"]


def deployment_of(row: tables.Deployment) -> DeploymentRow:
    """The deployment as handed out."""
    return DeploymentRow(row.id, row.release, row.event, row.place, row.trial, row.by, row.at)  # type: ignore[arg-type]


def checked_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The figures as the JSON values that will be read back.

    Raises:
        UsageError: a value is no JSON value, or not a number (NaN).
    """
    try:
        found: dict[str, Any] = json.loads(canonical(dict(summary)))
    except (TypeError, ValueError) as bad:
        raise UsageError(f"the release's summary cannot be kept ({bad})", fix="Hand in plain JSON values") from bad
    return found


class Releases(Rollouts):
    """Releases, the decisions on them, and which of them answers."""

    needs: Callable[[Any, str], Needs] | None = None
    """What must be on record before a release may be approved."""

    def add_release(self, ref: str, tuned_by: str, summary: Mapping[str, Any]) -> ReleaseRow:
        """Add a release candidate; the same one again is returned as it stands.

        Args:
            ref: the release artifact's reference.
            tuned_by: who tuned it, who can therefore not approve it.
            summary: its figures, as plain JSON values.

        Raises:
            NotFound: `tuned_by` is nobody.
            UsageError: the reference stands there with another tuner or other figures.
        """
        clean(ref, "release's reference", limit=64)
        figures = checked_summary(summary)
        with self._write() as session:
            self._person(session, tuned_by)
            found = session.get(tables.Release, ref)
            if found is not None:
                if (found.tuned_by, digest(found.summary)) == (tuned_by, digest(figures)):
                    return _release_row(session, found)
                raise UsageError(
                    f"release {ref!r} stands in the ledger with another tuner or other figures", where=self.where
                )
            made = tables.Release(ref=ref, tuned_by=tuned_by, summary=figures, at=datetime.now(UTC))
            session.add(made)
            session.flush()
            self._file(session, "model", ref, _entry(figures), tuned_by)
            append(session, tuned_by, "release.added", f"release:{ref}", {"digest": digest(columns(made))})
            return _release_row(session, made)

    def approve(
        self,
        ref: str,
        by: str,
        decision: Literal["approved", "rejected", "withdrawn"],
        note: str = "",
        *,
        share: float | None = None,
        conditions: Conditions | None = None,
    ) -> ApprovalRow:
        """Record the decision of a person on a release. A later decision outweighs an earlier one; all are kept.

        What is approved answers from then on: everything, or `share` of the questions beside the present release,
        within `conditions`. A withdrawal takes an approval back.

        Raises:
            NotFound: no such release or person.
            UsageError: the person built it, or is no approver; no such decision; a rejection or withdrawal without a
                note; a withdrawal of what was not approved; a share that is not between 0 and 1, or that nothing
                answers beside; an open finding of high severity, or a gate that said no, without an exception or the
                reason of an override; conditions that nothing could meet; something that the house asks for is not on
                record, or it is materially changed and nobody says why it is approved.
        """
        if decision not in ("approved", "rejected", "withdrawn"):
            raise UsageError(f"{decision!r} is no decision", fix="Write 'approved', 'rejected' or 'withdrawn'")
        if decision != "approved":
            clean(note, "note of a rejection" if decision == "rejected" else "note of a withdrawal")
        bound = _checked_conditions(conditions or Conditions())
        needs = self.needs(self, ref) if self.needs is not None and decision == "approved" else Needs()
        if needs.changed:
            bound = replace(bound, changed=needs.changed)
        with self._write() as session:
            release = self._one(session, tables.Release, ref, "release")
            self._decider(session, release, by)
            before = status_of(session, ref)
            if decision == "withdrawn" and before in ("candidate", "rejected", "withdrawn"):
                fix = f"To say no to it: tensaku approve {ref} --reject --by NAME --note WHY"
                what = f"release {ref} is {before}, so there is no approval to take back"
                raise UsageError(what, where=self.where, fix=fix)
            if decision == "approved":
                for obstacle in obstacles(session, ref, bound, needs, self._champion(session)):
                    raise Blocked(obstacle, where=self.where)
            made = tables.Approval(
                release=ref,
                by=by,
                decision=decision,
                note=storable(note, "note"),
                at=datetime.now(UTC),
                conditions=_conditions_to(bound),
            )
            session.add(made)
            session.flush()
            detail: dict[str, Any] = {"release": ref, "note": note, "before": before, "after": decision}
            detail |= {"conditions": made.conditions or {}, "digest": digest(columns(made))}
            append(session, by, f"release.{decision}", f"approval:{made.id}", detail)
            if decision == "approved":
                self._roll_out(session, ref, by, share=share, note=note, event="approved")
            return approval_of(made)

    def _decider(self, session: Session, release: tables.Release, by: str) -> None:
        """Let only an approver decide who had no part in building the release."""
        person = self._person(session, by)
        if release.tuned_by == by:
            fix = "Somebody else with the role 'approver' has to decide"
            raise UsageError(f"{by!r} tuned {release.ref} and cannot decide on it", where=self.where, fix=fix)
        if "approver" not in self._roles(session, person)[0]:
            raise UsageError(f"{by!r} is not an approver", where=self.where, fix="Give the person the role 'approver'")
        self._acting(session, by, f"decide on {release.ref}", lines=(SECOND,), about=release.ref)

    def obstacles(self, ref: str, conditions: Conditions | None = None) -> list[Obstacle]:
        """What stands against approving a release now, under these conditions: what `approve` would refuse it for.

        Raises:
            NotFound: no such release.
        """
        needs = self.needs(self, ref) if self.needs is not None else Needs()
        with self._read() as session:
            self._one(session, tables.Release, ref, "release")
            return list(obstacles(session, ref, conditions or Conditions(), needs, self._champion(session)))

    def hands(self, ref: str, by: str) -> Hands:
        """What a person may do about a model by the checks that hold when it is done.

        Raises:
            NotFound: nobody of that name.
        """
        with self._read() as session:
            person = self._one(session, tables.Person, by, "person")
            release = session.get(tables.Release, ref)
            may_decide = release is not None and _passes(lambda: self._decider(session, release, by))
            may_file = _passes(lambda: self._acting(session, by, "file a finding", lines=(SECOND,), about=ref))
            if may_decide or may_file:
                return Hands(may_decide, may_file)
            if "auditor" in person.roles:
                return Hands(False, False, "auditor")
            roles, lenders = self._roles(session, person)
            second = any(line_of(role) == SECOND for role in roles)
            return Hands(False, False, "built" if second and {by, *lenders} & builders(session, ref) else "role")

    def mark(self, ref: str) -> str:
        """A short name of what is on record about a model and of what answers: another after whatever happens to it."""
        with self._read() as session:
            return mark_of(session, ref)

    def add_deployment(
        self, ref: str, by: str, *, place: str, trial: bool, event: Literal["started", "stopped"] = "started"
    ) -> DeploymentRow:
        """Record that a release began or ceased to answer at `place` (an address, a host).

        Raises:
            NotFound: no such release or person.
        """
        clean(place, "deployment's place")
        with self._write() as session:
            self._person(session, by)
            self._one(session, tables.Release, ref, "release")
            made = tables.Deployment(release=ref, event=event, place=place, trial=trial, by=by, at=datetime.now(UTC))
            session.add(made)
            session.flush()
            detail = {"release": ref, "place": place, "trial": trial, "digest": digest(columns(made))}
            append(session, by, f"deployment.{event}", f"deployment:{made.id}", detail)
            return deployment_of(made)

    def deployments(self, ref: str | None = None) -> list[DeploymentRow]:
        """The deployments, of one release or of all, newest first."""
        query = select(tables.Deployment).order_by(tables.Deployment.id.desc())
        if ref is not None:
            query = query.filter_by(release=ref)
        with self._read() as session:
            return [deployment_of(row) for row in session.scalars(query)]

    def releases(self) -> list[ReleaseRow]:
        """All releases, newest first."""
        with self._read() as session:
            decided = decisions(session)
            found = session.scalars(select(tables.Release).order_by(tables.Release.at.desc(), tables.Release.ref))
            return [_release_row(session, row, decided) for row in found]

    def release(self, ref: str) -> ReleaseRow:
        """The release of that reference.

        Raises:
            NotFound: no such release.
        """
        with self._read() as session:
            return _release_row(session, self._one(session, tables.Release, ref, "release"))


def _release_row(
    session: Session, row: tables.Release, decided: Mapping[str, Sequence[ApprovalRow]] | None = None
) -> ReleaseRow:
    """The release as handed out; `decided`: the decisions on it, where they are at hand."""
    if decided is None:
        decided = decisions(session, tables.Approval.release == row.ref)
    held = decided.get(row.ref, ())
    status = status_by(session, row.ref, held[-1] if held else None)
    return ReleaseRow(row.ref, row.tuned_by, dict(row.summary), row.at, status, tuple(held))


def _passes(check: Callable[[], object]) -> bool:
    """Whether a check lets somebody do what it is about."""
    try:
        check()
    except UsageError:
        return False
    return True


def _entry(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What the inventory says of a release from the day it is there; people add owner and users."""
    made_from = figures.get("made_from", {})
    parts = [made_from[name] for name in ("base", "adapter") if name in made_from]
    name = str(figures.get("task", "")) or "release"
    return {"kind": "release", "name": name, "dependencies": parts, "facts": {"form": figures.get("form", "")}}


def _checked_conditions(conditions: Conditions) -> Conditions:
    """The conditions, if something can meet them.

    Raises:
        UsageError: no answer at all would be allowed.
    """
    if conditions.requests is not None and conditions.requests < 1:
        raise UsageError(f"{conditions.requests} answers are none", fix="Write 1 or more, or leave the limit out")
    if conditions.until is not None and conditions.until <= datetime.now(UTC):
        raise UsageError("the approval would have ended already", fix="Name a day that is still to come")
    storable("".join((*conditions.tasks, conditions.override, conditions.change)), "condition")
    return conditions


def _conditions_to(conditions: Conditions) -> dict[str, Any] | None:
    held = {
        "tasks": list(conditions.tasks),
        "requests": conditions.requests,
        "until": conditions.until.astimezone(UTC).isoformat() if conditions.until else None,
        "override": conditions.override,
        "change": conditions.change,
        "changed": list(conditions.changed),
    }
    return {name: value for name, value in held.items() if value} or None
