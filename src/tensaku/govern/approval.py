"""The second person's word: recorded in the ledger, asked for before a release answers anybody."""

from __future__ import annotations

from functools import partial
from typing import Literal

from tensaku.errors import NotFound, UsageError
from tensaku.govern.changes import approved_before, changes_between, material
from tensaku.govern.inventory import inventory
from tensaku.govern.rating import RATINGS
from tensaku.govern.sections import Approval
from tensaku.ledger import Conditions, Ledger, Needs, ReleaseRow

__all__ = ["approve", "needs_by", "needs_of", "require_approved"]


def needs_by(cfg: Approval) -> partial[Needs]:
    """The house's rule, as `Ledger.open` takes it."""
    return partial(needs_of, cfg)


def needs_of(cfg: Approval, ledger: Ledger, ref: str) -> Needs:
    """What must be on record before a release may be approved: by its risk rating, and by what changed.

    A gate is of one release. A validation of the release that was approved before it counts too, as long as nothing
    has changed materially since.

    Raises:
        NotFound: the ledger does not know it.
    """
    row = ledger.release(ref)
    rating = next(model.rating for model in inventory(ledger) if model.ref == ref)
    before = approved_before(ledger, row)
    found = changes_between(ledger, before, row, cfg.data) if before is not None else []
    changed = tuple(change.told(japanese=False) for change in material(found))
    asked = {name: _reaches(rating, getattr(cfg, name)) for name in ("gate", "validation")}
    return Needs(
        **asked,
        why=f"rated {rating}; [approval] asks for a gate from {cfg.gate}, a validation from {cfg.validation} on",
        validated=before.ref if before is not None and not changed else "",
        changed=changed,
        since=before.ref if before is not None else "",
    )


def _reaches(rating: str, least: str) -> bool:
    return least != "never" and list(RATINGS).index(rating) >= list(RATINGS).index(least)  # type: ignore[arg-type]


def approve(
    ledger: Ledger,
    release_ref: str,
    by: str,
    decision: Literal["approved", "rejected", "withdrawn"],
    note: str = "",
    *,
    share: float | None = None,
    conditions: Conditions | None = None,
) -> ReleaseRow:
    """Record a person's decision on a release; the release as it now stands.

    Args:
        ledger: where it is recorded.
        release_ref: the release.
        by: who decides: a known person with the role "approver" who is not the one who tuned.
        decision: "approved", "rejected" or "withdrawn"; the last two need a note.
        note: why.
        share: the share of the questions that it answers from now on, beside the present release; None: all.
        conditions: what the approval is bound to.

    Raises:
        NotFound: no such release or person in the ledger.
        UsageError: the person built it or is no approver; a rejection has no note; the share is none; a finding of
            high severity is open, or the promotion gate said no and nobody overrides it; what the house asks for is
            not on record, or it is materially changed and the conditions do not say why it is approved.
    """
    ledger.approve(release_ref, by, decision, note, share=share, conditions=conditions)
    return ledger.release(release_ref)


def require_approved(ledger: Ledger, ref: str, trial: bool, task: str = "") -> bool:
    """Let a release through to serving, or refuse it.

    Args:
        ledger: where decisions are recorded.
        ref: the release.
        trial: whether a release without approval is let through.
        task: what it is asked for; empty: not looked at.

    Returns:
        True if its answers must be marked as a trial's; an approved release is never marked, whatever `trial` says.

    Raises:
        UsageError: it is not in the ledger, it is not approved and `trial` is not said, or it was approved for another
            task.
    """
    try:
        row = ledger.release(ref)
    except NotFound as missing:
        fix = "Enter it with: tensaku run"
        raise UsageError(f"release {ref} is not in the ledger", where=ledger.where, fix=fix) from missing
    if row.status == "approved":
        ledger.check_use(ref, task)
        return False
    if trial:
        return True
    who = f"somebody with the role approver who is not {row.tuned_by}"
    fix = f"Have {who} run: tensaku approve {ref} --by NAME; or try it out with --trial"
    if row.status == "rejected":
        last = row.approvals[-1]
        raise UsageError(f"release {ref} was rejected by {last.by} ({last.note})", fix=fix)
    if row.status in ("withdrawn", "expired", "retired"):
        ledger.check_use(ref)
    raise UsageError(f"release {ref} is not approved", fix=fix)
