"""The ledger: who drafted, revised, decided, saved, tuned and approved what, and when; nothing in it is rewritten.

People, drafts, revisions, finals with every change decided, releases, approvals, rollouts, API keys, answers, and a log
whose entries are chained by hash. Open one with `Ledger.open`; only frozen rows come out of it.
"""

from tensaku.ledger.ancestors import Found, SeenPair, Stood
from tensaku.ledger.book import Ledger
from tensaku.ledger.filings import SEVERITIES, moment
from tensaku.ledger.keys import KEY_START
from tensaku.ledger.lines import FIRST, SECOND, THIRD, FilingRow, line_of
from tensaku.ledger.observed import Observed
from tensaku.ledger.rows import (
    POLICIES,
    ROLES,
    SYSTEM,
    AnswerRow,
    ApprovalRow,
    Broken,
    ChangeRow,
    Conditions,
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
    "FIRST",
    "KEY_START",
    "POLICIES",
    "ROLES",
    "SECOND",
    "SEVERITIES",
    "SYSTEM",
    "THIRD",
    "AnswerRow",
    "ApprovalRow",
    "Broken",
    "ChangeRow",
    "Conditions",
    "Decision",
    "DeploymentRow",
    "DraftRow",
    "FilingRow",
    "FinalRow",
    "Found",
    "KeyRow",
    "Ledger",
    "Limits",
    "LogEntry",
    "Mismatch",
    "NewAnswer",
    "NewDraft",
    "Observed",
    "PersonRow",
    "Policy",
    "ReasonsMissing",
    "ReleaseRow",
    "RevisionRow",
    "RolloutRow",
    "SavedMeanwhile",
    "SeenPair",
    "Stood",
    "line_of",
    "moment",
    "reason_key",
]
