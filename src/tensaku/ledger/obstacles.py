"""What stands against approving a release, and what a person may do about one: asked for a page, held when it is done.

Both are the very rules by which the ledger refuses; nothing that shows them has rules of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.lines import newest, running
from tensaku.ledger.rows import Conditions, Needs

__all__ = ["Blocked", "Hands", "Obstacle", "Rule", "mark_of", "obstacles"]

Rule = Literal["findings", "gate", "no-gate", "other-champion", "validation", "change"]

_ABOUT = ("finding", "exception", "validation")
"""Filings that name the model in their content."""
_OF = ("gate", "rating", "retirement", "model")
"""Filings whose subject is the model."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands against an approval.

    `names` is what the rule is about: open findings, tests that failed, the release that the gate was held against and
    the one that answers now, or what has changed materially since `since`. `why` is the house's rule, where it is one.
    """

    rule: Rule
    what: str
    fix: str
    names: tuple[str, ...] = ()
    since: str = ""
    why: str = ""


class Blocked(UsageError):
    """An approval that something stands against; nothing was done."""

    def __init__(self, obstacle: Obstacle, *, where: str) -> None:
        self.obstacle = obstacle
        super().__init__(obstacle.what, where=where, fix=obstacle.fix)


@dataclass(frozen=True, slots=True)
class Hands:
    """Whether a person may decide on a release, and file findings and exceptions about it.

    `why` says why not: they are an auditor, have a part in building it, or none of their roles is of the second line.
    """

    decide: bool
    file: bool
    why: Literal["", "auditor", "built", "role"] = ""


def obstacles(session: Session, ref: str, conditions: Conditions, needs: Needs, champion: str) -> Iterator[Obstacle]:
    """Everything that stands against an approval under these conditions, in the order in which it is told.

    Args:
        session: the running transaction.
        ref: the release.
        conditions: their reasons let a gate or a material change pass.
        needs: what the house asks for.
        champion: the release that answers now; empty: none.
    """
    excepted = {
        row.content["rule"]
        for row in newest(session, "exception")
        if row.content.get("about") == ref and running(row.content)
    }
    findings = tuple(
        row.subject
        for row in newest(session, "finding")
        if row.content.get("about") == ref and row.content["severity"] == "high" and not row.content.get("ended")
    )
    if findings and "findings" not in excepted:
        fix = "Close them, or have the second line write an exception: tensaku exception add"
        what = f"release {ref} has open findings of high severity: {', '.join(findings)}"
        yield Obstacle("findings", what, fix, findings)
    gates = newest(session, "gate", ref)
    gate = gates[0].content if gates else None
    if "gate" not in excepted and not conditions.override.strip():
        yield from _of_gate(ref, gate, needs, champion)
    tested = {row.content.get("about") for row in newest(session, "validation")}
    if needs.validation and "validation" not in excepted and not tested & {ref, needs.validated or ref}:
        fix = f"Have the second line run: tensaku validate {ref} --by NAME; or write an exception with an end"
        what = f"the second line has not validated {ref} ({needs.why})"
        yield Obstacle("validation", what, fix, why=needs.why)
    if needs.changed and not conditions.change.strip():
        what = f"release {ref} is materially changed since {needs.since}: {'; '.join(needs.changed)}"
        fix = f'Say why it is approved: --change "WHY"; the changes in full: tensaku card changes {ref}'
        yield Obstacle("change", what, fix, needs.changed, since=needs.since)


def _of_gate(ref: str, gate: Mapping[str, Any] | None, needs: Needs, champion: str) -> Iterator[Obstacle]:
    """A gate that said no; or, where the house asks for one, that was not run, or held against another champion."""
    if gate is not None and not gate["passed"]:
        failed = tuple(gate.get("failed", ()))
        fix = 'Overriding it is an approval with a reason: --override "WHY"'
        yield Obstacle("gate", f"the promotion gate said no to {ref} ({', '.join(failed)})", fix, failed)
    if not needs.gate:
        return
    against = str((gate or {}).get("champion", ""))
    if gate is None:
        fix = f'Run: tensaku gate {ref}; or approve with a reason: --override "WHY"'
        yield Obstacle("no-gate", f"release {ref} has no promotion gate ({needs.why})", fix, why=needs.why)
    elif champion and champion not in (ref, against):
        what = f"the promotion gate held {ref} against {against or 'nothing'}, and {champion} answers now"
        yield Obstacle("other-champion", what, f"Run it again: tensaku gate {ref}", (against, champion), why=needs.why)


def mark_of(session: Session, ref: str) -> str:
    """A short name of what is on record about a model: another after every decision and every filing about it or a part
    of it, and after every change of what answers."""
    release = session.get(tables.Release, ref)
    parts = [ref, *map(str, release.summary.get("made_from", {}).values())] if release is not None else [ref]
    filed = tables.Filed
    of = select(func.max(filed.id)).where(filed.kind.in_(_OF), filed.subject.in_(parts))
    about = select(filed.id, filed.content).where(filed.kind.in_(_ABOUT)).order_by(filed.id.desc())
    seen = (
        session.scalar(select(func.max(tables.Approval.id)).filter_by(release=ref)),
        session.scalar(of),
        next((id for id, content in session.execute(about) if content.get("about") == ref), None),
        session.scalar(select(func.max(tables.Rollout.id))),
    )
    return hashlib.sha256(f"{ref} {seen}".encode()).hexdigest()[:16]
