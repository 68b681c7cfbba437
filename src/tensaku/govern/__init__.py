"""Governance: gates that a release must pass, the sealed release with its model document, and the second person's word.

`release` is the stage that checks the gates and seals adapter, report, lineage and model document as a candidate.
`approve` records a decision in the ledger; `require_approved` is what serving asks before the first answer.
"""

from tensaku.govern.approval import approve, needs_by, require_approved
from tensaku.govern.gates import GateResult, check
from tensaku.govern.inventory import enter_parts
from tensaku.govern.release import release
from tensaku.govern.sections import Approval, Gate, Promotion, Release
from tensaku.govern.traces import note_lineage

__all__ = [
    "Approval",
    "Gate",
    "GateResult",
    "Promotion",
    "Release",
    "approve",
    "check",
    "enter_parts",
    "needs_by",
    "note_lineage",
    "release",
    "require_approved",
]
