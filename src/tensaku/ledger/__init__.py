"""The ledger: who drafted, revised, decided, saved, tuned and approved what, and when; nothing in it is rewritten.

People, drafts, revisions, finals with every change decided, releases, approvals, rollouts, API keys, answers, and a log
whose entries are chained by hash. Open one with `Ledger.open`; only frozen rows come out of it.
"""

from tensaku.ledger.book import Ledger
from tensaku.ledger.keys import KEY_START
from tensaku.ledger.readings import ComparisonRow, NewComparison, VoteRow
from tensaku.ledger.rows import (
    POLICIES,
    ROLES,
    SYSTEM,
    AnswerRow,
    ApprovalRow,
    Broken,
    ChangeRow,
    Decision,
    DeploymentRow,
    DraftRow,
    FinalRow,
    KeyRow,
    Limits,
    LogEntry,
    Mismatch,
    NewAnswer,
    NewDraft,
    PersonRow,
    Policy,
    ReasonsMissing,
    ReleaseRow,
    RevisionRow,
    RolloutRow,
    SavedMeanwhile,
    reason_key,
)

__all__ = [
    "KEY_START",
    "POLICIES",
    "ROLES",
    "SYSTEM",
    "AnswerRow",
    "ApprovalRow",
    "Broken",
    "ChangeRow",
    "ComparisonRow",
    "Decision",
    "DeploymentRow",
    "DraftRow",
    "FinalRow",
    "KeyRow",
    "Ledger",
    "Limits",
    "LogEntry",
    "Mismatch",
    "NewAnswer",
    "NewComparison",
    "NewDraft",
    "PersonRow",
    "Policy",
    "ReasonsMissing",
    "ReleaseRow",
    "RevisionRow",
    "RolloutRow",
    "SavedMeanwhile",
    "VoteRow",
    "reason_key",
]
