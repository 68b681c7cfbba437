"""The ledger: who drafted, revised, decided, saved, tuned and approved what, and when; nothing in it is rewritten.

People, drafts, revisions, finals with every change decided, releases, approvals, deployments, and a log whose entries
are chained by hash. Open one with `Ledger.open`; only frozen rows come out of it.
"""

from tensaku.ledger.book import Ledger
from tensaku.ledger.rows import (
    ROLES,
    ApprovalRow,
    Broken,
    ChangeRow,
    Decision,
    DeploymentRow,
    DraftRow,
    FinalRow,
    LogEntry,
    Mismatch,
    NewDraft,
    PersonRow,
    ReasonsMissing,
    ReleaseRow,
    RevisionRow,
    SavedMeanwhile,
    reason_key,
)

__all__ = [
    "ROLES",
    "ApprovalRow",
    "Broken",
    "ChangeRow",
    "Decision",
    "DeploymentRow",
    "DraftRow",
    "FinalRow",
    "Ledger",
    "LogEntry",
    "Mismatch",
    "NewDraft",
    "PersonRow",
    "ReasonsMissing",
    "ReleaseRow",
    "RevisionRow",
    "SavedMeanwhile",
    "reason_key",
]
