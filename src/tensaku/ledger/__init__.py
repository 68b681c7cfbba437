"""The ledger: who drafted, revised, decided, saved, tuned and approved what, and when; nothing in it is rewritten.

Only work in progress, which nobody has saved yet, is written over.

People, drafts, revisions, finals with every change decided, releases, approvals, rollouts, API keys, answers, and a log
whose entries are chained by hash. Open one with `Ledger.open`; only frozen rows come out of it.
"""

from tensaku.ledger.book import Ledger
from tensaku.ledger.decisions import Place, decide, places
from tensaku.ledger.keys import KEY_START
from tensaku.ledger.rows import (
    CHANGE_REASONS,
    POLICIES,
    ROLES,
    SYSTEM,
    AnswerRow,
    ApprovalRow,
    Broken,
    ChangeReason,
    ChangeRow,
    ChoiceRow,
    Decision,
    DecisionRow,
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
    WorkMeanwhile,
    WorkRow,
    reason_key,
)

__all__ = [
    "CHANGE_REASONS",
    "KEY_START",
    "POLICIES",
    "ROLES",
    "SYSTEM",
    "AnswerRow",
    "ApprovalRow",
    "Broken",
    "ChangeReason",
    "ChangeRow",
    "ChoiceRow",
    "Decision",
    "DecisionRow",
    "DeploymentRow",
    "DraftRow",
    "FinalRow",
    "KeyRow",
    "Ledger",
    "Limits",
    "LogEntry",
    "Mismatch",
    "NewAnswer",
    "NewDraft",
    "PersonRow",
    "Place",
    "Policy",
    "ReasonsMissing",
    "ReleaseRow",
    "RevisionRow",
    "RolloutRow",
    "SavedMeanwhile",
    "WorkMeanwhile",
    "WorkRow",
    "decide",
    "places",
    "reason_key",
]
