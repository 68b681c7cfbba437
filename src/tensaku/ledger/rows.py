"""What the ledger hands out: frozen rows, free of any database session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tensaku.errors import UsageError
from tensaku.records import Change, FactBreak, Usage, Verdict

__all__ = [
    "CHANGE_REASONS",
    "POLICIES",
    "ROLES",
    "SYSTEM",
    "AnswerRow",
    "ApprovalRow",
    "Broken",
    "BulkRow",
    "ChangeReason",
    "ChangeRow",
    "ChoiceRow",
    "Decision",
    "DecisionRow",
    "DeploymentRow",
    "DraftRow",
    "FinalRow",
    "HeadingRow",
    "KeyRow",
    "Limits",
    "LogEntry",
    "Mismatch",
    "Needs",
    "NewAnswer",
    "NewDraft",
    "NewReport",
    "NotAllowed",
    "PersonRow",
    "Policy",
    "ReasonsMissing",
    "ReleaseRow",
    "ReportRow",
    "ReportState",
    "ReviewRow",
    "RevisionRow",
    "RolloutRow",
    "SavedMeanwhile",
    "SessionRow",
    "Standing",
    "WorkMeanwhile",
    "WorkRow",
    "reason_key",
]

ROLES = ("writer", "reviewer", "developer", "validator", "approver", "auditor", "admin")
"""What a person may be: writers save finals, reviewers pass them, developers tune, validators test, approvers sign,
auditors read and change nothing, administrators keep people."""

OTHER_NAMES = {"engineer": "developer", "administrator": "admin"}
"""Roles by the names that older ledgers and people call them."""

SYSTEM = "system"
"""The name under which Tensaku itself writes: bringing in files, creating and migrating the ledger."""

Policy = Literal["full", "hash", "none"]
POLICIES: tuple[Policy, ...] = ("full", "hash", "none")
"""What the ledger keeps of prompts and answers: the texts, their SHA-256, or neither."""

Decision = Literal["accepted", "rejected", "altered"]
Said = Literal["accepted", "rejected", "altered", "marked", "open"]
"""What a writer says of one change; `marked`: a reason is given and nothing decided; `open`: taken back."""
ChangeReason = Literal["", "style", "fact", "tone", "compliance", "other"]
CHANGE_REASONS: tuple[ChangeReason, ...] = ("style", "fact", "tone", "compliance", "other")
"""Why a change is wanted or not, as the writer names it."""
Between = Literal["draft-revision", "revision-final", "draft-final"]
Status = Literal["candidate", "approved", "rejected", "withdrawn", "expired", "retired"]
Verdicts = Literal["approved", "returned", "comment"]


def reason_key(broken: FactBreak) -> str:
    """The key under which `save_final(reasons=...)` looks for the reason of a broken fact: its normalised value."""
    return broken.fact.value


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person. `name` is the short name that signs everything; it is never changed and never given to another."""

    name: str
    display: str
    roles: tuple[str, ...]
    active: bool
    at: datetime
    scopes: tuple[str, ...] = ()
    """`task:NAME` and `fund:NAME`: what the person's rights are bounded to; none of a kind, all of it."""
    credential: Literal["none", "once", "set"] = "none"
    """Whether there is a local password; `once` must be changed at the first sign-in."""

    @property
    def answers(self) -> bool:
        """Whether they answer for what a model learns: whoever is more than writer and reviewer."""
        return bool(set(self.roles) - {"writer", "reviewer"})

    @property
    def bounded(self) -> bool:
        """Whether the rights end at some funds."""
        return any(scope.startswith("fund:") for scope in self.scopes)

    def may(self, task: str = "", fund: str = "") -> bool:
        """Whether the rights reach a task and a fund; an empty name is not asked about."""
        tasks = [scope[5:] for scope in self.scopes if scope.startswith("task:")]
        funds = [scope[5:] for scope in self.scopes if scope.startswith("fund:")]
        return (not task or not tasks or task in tasks) and (not fund or not funds or fund in funds)


class NotAllowed(UsageError):
    """The person has no right to do this or to see this; nothing was done."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One sign-in of a person. `id` is the SHA-256 of the token that the browser holds; the token is not kept."""

    id: str
    person: str
    how: str
    at: datetime
    seen: datetime
    expires: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """What a second person said of a final; `returned` and `comment` carry a note."""

    id: int
    final_id: int
    decision: Verdicts
    note: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a draft stands: its newest final, who wrote and judged that, who has the draft, and until when.

    `review` is the decision on the newest final, if there is one; comments alone decide nothing.
    """

    draft_id: int
    final_id: int | None = None
    final_by: str | None = None
    final_at: datetime | None = None
    review: Verdicts | None = None
    reviewed_by: str | None = None
    person: str | None = None
    due: str | None = None


@dataclass(frozen=True, slots=True)
class BulkRow:
    """Drafts that the model is asked about in the background; the four numbers count them by where they are."""

    id: int
    by: str
    at: datetime
    ended: datetime | None
    waiting: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    fault: str = ""

    @property
    def total(self) -> int:
        """How many drafts were asked for."""
        return self.waiting + self.done + self.failed + self.cancelled


@dataclass(frozen=True, slots=True)
class NewDraft:
    """A draft to be added.

    `as_of` is the month it speaks of (`YYYY-MM`), `section` the section's id, `origin` how it came in (a file's name,
    "paste", "sample"), `reference` its id or row there, if it has one.
    """

    text: str
    manager: str
    fund: str
    section: str
    as_of: str
    origin: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A draft as it came in. `revisions` and `finals` count what was made of it so far."""

    id: int
    text: str
    manager: str
    fund: str
    section: str
    as_of: str
    origin: str
    reference: str
    by: str
    at: datetime
    revisions: int = 0
    finals: int = 0


ReportState = Literal["filed", "inbox", "set-aside"]


@dataclass(frozen=True, slots=True)
class NewReport:
    """A report to be kept, by the hash of its bytes.

    `reasons` say why it waits in the inbox (`code`, `detail`); `parts` are the texts found, each with `heading`, the
    `section` it is taken for (or empty) and its `fund`; `content` is the document as it was read, None if it cannot be.
    """

    sha256: str
    name: str
    manager: str = ""
    fund: str = ""
    as_of: str = ""
    reasons: tuple[Mapping[str, str], ...] = ()
    parts: tuple[Mapping[str, str], ...] = ()
    content: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A report: `filed` became drafts, `inbox` waits for a person, `set-aside` was put away by one, with a `note`."""

    id: int
    sha256: str
    name: str
    state: ReportState
    manager: str
    fund: str
    as_of: str
    reasons: tuple[Mapping[str, str], ...]
    parts: tuple[Mapping[str, str], ...]
    content: Mapping[str, Any] | None
    note: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HeadingRow:
    """Which section a manager means by a heading; "-" is none."""

    id: int
    manager: str
    heading: str
    folded: str
    section: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """What a model made of a draft, and who asked.

    `provenance` names its maker: release, adapter, base, engine, version, trial.
    """

    id: int
    draft_id: int
    text: str
    verdict: Verdict
    finish: str
    usage: Usage
    provenance: Mapping[str, str]
    by: str
    at: datetime

    @property
    def trial(self) -> bool:
        """True if an unapproved release wrote it."""
        return self.provenance.get("trial") == "yes"


@dataclass(frozen=True, slots=True)
class FinalRow:
    """A final text as a writer saved it. `reasons` holds the written reason for each fact that differs."""

    id: int
    draft_id: int
    revision_id: int | None
    based_on: int | None
    text: str
    verdict: Verdict
    reasons: Mapping[str, str]
    by: str
    at: datetime


class ReasonsMissing(UsageError):
    """A final was not saved: `breaks` are the facts that differ from the draft and have no written reason."""

    def __init__(self, breaks: Sequence[FactBreak]) -> None:
        self.breaks = tuple(breaks)
        named = ", ".join(f"{b.fact.text!r} ({b.what} {b.fact.kind})" for b in breaks)
        fix = "Put them right, or write a reason for each"
        super().__init__(f"facts differ from the draft without a reason: {named}", fix=fix)


class SavedMeanwhile(UsageError):
    """A final was not saved: `newest` is one that the writer had not seen."""

    def __init__(self, newest: FinalRow, where: str) -> None:
        self.newest = newest
        what = f"{newest.by} saved final {newest.id} of this draft meanwhile (at {newest.at:%Y-%m-%d %H:%M:%S} UTC)"
        super().__init__(what, where=where, fix="Look at it, bring the two together, and save again")


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change around a final.

    `between` names the two texts. The changes "draft-revision" are what the model proposed, and only they carry a
    decision: accepted (stands in the final), rejected (the draft's wording stands), altered (neither does).
    """

    final_id: int
    between: Between
    change: Change
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """What a writer said of one change: `old` became `new`, or would have."""

    id: int
    draft_id: int
    revision_id: int | None
    change: str
    old: str
    new: str
    decision: Said
    reason: ChangeReason
    note: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WorkRow:
    """What a person has written of a comment and not saved yet. `version` counts from 1 with every keeping."""

    draft_id: int
    by: str
    version: int
    text: str
    revision_id: int | None
    based_on: int | None
    reasons: Mapping[str, str]
    at: datetime


class WorkMeanwhile(UsageError):
    """Nothing was kept: the same person went on elsewhere; `newest` is what stands there."""

    def __init__(self, newest: WorkRow, where: str) -> None:
        self.newest = newest
        what = f"{newest.by} went on with draft {newest.draft_id} in another window (at {newest.at:%H:%M:%S} UTC)"
        super().__init__(what, where=where, fix="Bring the two together")


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """Which of the revisions `shown`, in that order, a writer chose."""

    id: int
    draft_id: int
    shown: tuple[int, ...]
    chosen: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Conditions:
    """What an approval is bound to; empty: nothing.

    `tasks` are the only ones it may be asked for; after `requests` answers or the moment `until` it has ended.
    `override` is the reason why a gate that said no, or was not run, was overridden; `change` is why it is approved
    although it is materially changed; `changed` is what of it, as it was found from its lineage.
    """

    tasks: tuple[str, ...] = ()
    requests: int | None = None
    until: datetime | None = None
    override: str = ""
    change: str = ""
    changed: tuple[str, ...] = ()

    @property
    def bind(self) -> bool:
        """Whether they limit what may be served."""
        return bool(self.tasks) or self.requests is not None or self.until is not None


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be on record before a release may be approved, by the house's rule; `why` says which.

    `gate` and `validation` are asked for; `validated` is an earlier release whose validation counts, since nothing
    material has changed; `changed` is what has changed materially since `since`.
    """

    gate: bool = False
    validation: bool = False
    why: str = ""
    validated: str = ""
    changed: tuple[str, ...] = ()
    since: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """A person's decision on a release."""

    release: str
    by: str
    decision: Literal["approved", "rejected", "withdrawn"]
    note: str
    at: datetime
    conditions: Conditions = Conditions()

    def ended(self, at: datetime) -> bool:
        """Whether its time was over at that moment."""
        return self.conditions.until is not None and self.conditions.until <= at


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release and where it stands; the newest decision counts."""

    ref: str
    tuned_by: str
    summary: Mapping[str, Any]
    at: datetime
    status: Status = "candidate"
    approvals: tuple[ApprovalRow, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """A release that began or ceased to answer at `place`; `trial` if it did so without approval."""

    id: int
    release: str
    event: Literal["started", "stopped"]
    place: str
    trial: bool
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one key may ask for; None: as much as the server gives."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Prompt and answer together."""
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key of a person, without its secret.

    `scopes` are `task:NAME`, `adapter:NAME` and `metrics`; none at all means every task and adapter. `prefix` is the
    part of the key by which people recognise it. `tasks` are those that its person's own rights are bounded to, empty:
    none; a key never opens more than its person may.
    """

    id: int
    person: str
    label: str
    prefix: str
    scopes: tuple[str, ...]
    limits: Limits
    at: datetime
    expires: datetime | None
    revoked: datetime | None
    tasks: tuple[str, ...] = ()

    def allows(self, names: Sequence[str], task: str) -> bool:
        """Whether it opens a model of `task` that is known by `names`."""
        if self.tasks and task not in self.tasks:
            return False
        tasks = [scope[5:] for scope in self.scopes if scope.startswith("task:")]
        adapters = [scope[8:] for scope in self.scopes if scope.startswith("adapter:")]
        if not tasks and not adapters:
            return not self.scopes
        return (not tasks or task in tasks) and (not adapters or any(name in adapters for name in names))


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """Which release answers since `at`, and which one is tried on `share` (between 0 and 1) of the questions."""

    id: int
    champion: str
    challenger: str | None
    share: float | None
    event: Literal["approved", "deployed", "rolled-back"]
    note: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """An answer of the API as it is to be recorded.

    `door` is where it was asked (`chat`, `revise`), `model` the name it was asked by, `arm` champion, challenger or
    empty, `seconds` how long it took. `prompt` and `answer` are kept as the policy says.
    """

    door: str
    model: str
    release: str
    arm: str
    provenance: Mapping[str, str]
    prompt: str
    answer: str
    finish: str
    usage: Usage
    seconds: float
    key: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """An answer as recorded; `prompt` and `answer` or their SHA-256 are None where the policy keeps them not."""

    id: int
    door: str
    model: str
    release: str
    arm: str
    provenance: Mapping[str, str]
    key: int | None
    prompt_sha256: str | None
    answer_sha256: str | None
    prompt: str | None
    answer: str | None
    finish: str
    usage: Usage
    seconds: float
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the log. `at` is UTC in ISO 8601, `detail` is JSON values, `hash` covers `previous` and all else."""

    seq: int
    at: str
    who: str
    what: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    previous: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where the log does not hold: at which number, why, and the entry found there, if any."""

    seq: int
    why: str
    entry: LogEntry | None = None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A row that is not what the log says it was: which (`final:12`) and why."""

    subject: str
    why: str
