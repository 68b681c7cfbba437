"""Findings of the second line, and exceptions from a rule: who, why, until when."""

from __future__ import annotations

from datetime import UTC, datetime

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import SEVERITIES, FilingRow, Ledger

__all__ = ["EXCEPTABLE", "add_exception", "add_finding", "open_findings"]

EXCEPTABLE = ("findings", "gate", "validation")
"""Rules of approval that an exception can let a release pass: open findings of high severity, a gate that said no or
was not run, a validation that is missing."""


def add_finding(
    ledger: Ledger, ref: str, words: str, severity: str, due: datetime, by: str, *, evidence: str = ""
) -> FilingRow:
    """Write down a finding about a release; it gets the next number.

    Args:
        ledger: where.
        ref: the release.
        words: what was found.
        severity: low, medium or high; an open one of high severity blocks approval.
        due: when it has to be settled.
        by: a person of the second line who had no part in building the release.
        evidence: the artifact that shows it.

    Raises:
        NotFound: no such severity, release or person.
        UsageError: it says nothing, is due in the past, or the person may not.
    """
    if severity not in SEVERITIES:
        raise NotFound("severity", severity, SEVERITIES)
    if not words.strip():
        raise UsageError("the finding says nothing", fix="Write what was found")
    if due <= datetime.now(UTC):
        raise UsageError("the finding would be overdue already", fix="Name a day that is still to come")
    ledger.release(ref)
    content = {"about": ref, "text": words, "severity": severity, "due": due.isoformat(), "evidence": evidence}
    return ledger.file_finding(content, by, about=ref)


def open_findings(ledger: Ledger, ref: str = "", at: datetime | None = None) -> list[FilingRow]:
    """The findings that were open at a moment (by default now), about one release or all."""
    rows = ledger.standing("finding", at=at).values()
    return [row for row in rows if not row.content.get("ended") and ref in ("", row.content["about"])]


def add_exception(ledger: Ledger, ref: str, rule: str, reason: str, until: datetime, by: str) -> FilingRow:
    """Let a release pass a rule of approval until a moment.

    Raises:
        NotFound: no such rule, release or person.
        UsageError: there is no reason or it would have ended already, or the person may not.
    """
    if rule not in EXCEPTABLE:
        raise NotFound("rule that knows exceptions", rule, EXCEPTABLE)
    if not reason.strip():
        raise UsageError("there is no reason", fix='Write it: --reason "WHY"')
    if until <= datetime.now(UTC):
        raise UsageError("the exception would have ended already", fix="Name a day that is still to come")
    ledger.release(ref)
    content = {"about": ref, "rule": rule, "reason": reason, "until": until.isoformat()}
    return ledger.file("exception", f"{ref}:{rule}", content, by, about=ref)
