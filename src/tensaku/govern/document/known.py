"""What the model document is written from: the sealed artifacts behind a release, and what the ledger says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tensaku.errors import NotFound, UsageError
from tensaku.govern.changes import Change, approved_before, changes_between
from tensaku.govern.document.texts import Text, texts_of
from tensaku.govern.gates import GateResult
from tensaku.govern.inventory import Model, inventory
from tensaku.govern.lineage import Evidence
from tensaku.govern.monitor import figures_by_month
from tensaku.govern.sections import Gate
from tensaku.ledger import FilingRow, Ledger, LogEntry, ReleaseRow
from tensaku.store import Artifact, Store

__all__ = ["Sealed", "Standing", "sealed_of", "standing_of"]


@dataclass(frozen=True)
class Sealed:
    """What was sealed before anybody decided. `release` is None while the release itself is being made."""

    title: str
    gate: Gate
    evidence: Evidence
    results: Sequence[GateResult]
    instruction: str = ""
    release: Artifact | None = None

    @property
    def ref(self) -> str:
        """The release's reference, or an empty text."""
        return self.release.ref if self.release is not None else ""

    def scores(self) -> Mapping[str, Any]:
        """Everything that was measured, as the evaluation left it."""
        found: Mapping[str, Any] = json.loads(self.evidence.evaluation.file("scores.json").read_text(encoding="utf-8"))
        return found


@dataclass(frozen=True)
class Standing:
    """Where the release stands at the moment `at`, by the ledger."""

    at: datetime
    row: ReleaseRow
    model: Model
    texts: Sequence[Text]
    gate: FilingRow | None
    promotion: Artifact | None
    probe: Artifact | None
    validations: Sequence[tuple[FilingRow, Artifact | None]]
    findings: Sequence[FilingRow]
    exceptions: Sequence[FilingRow]
    months: Sequence[Mapping[str, Any]]
    reports: Sequence[FilingRow]
    decisions: Sequence[FilingRow]
    before: ReleaseRow | None
    changes: Sequence[Change]
    before_evaluation: Artifact | None
    head: LogEntry | None


def sealed_of(store: Store, release: Artifact) -> Sealed:
    """What a sealed release holds and was made from.

    Raises:
        NotFound: an artifact that it was made from is not in the workspace any more.
        UsageError: it is no release.
    """
    if release.stage != "release":
        raise UsageError(f"{release.ref} is no release", where=store.root, fix="See: tensaku list release")
    names = ("adapter", "evaluation", "base", "lessons", "exam")
    evidence = Evidence(**{name: store.get(release.inputs[name]) for name in names})
    gates = json.loads(release.file("gates.json").read_text(encoding="utf-8"))["gates"]
    known = set(Gate.model_fields)
    settings = {name: value for name, value in release.config.get("gate", {}).items() if name in known}
    words = ""
    if "instruction.md" in release.files:
        words = release.file("instruction.md").read_text(encoding="utf-8").strip()
    return Sealed(
        title=str(release.facts.get("task", "")) or release.ref,
        gate=Gate.model_validate(settings, strict=False),
        evidence=evidence,
        results=[GateResult(**one) for one in gates],
        instruction=words,
        release=release,
    )


def standing_of(
    ledger: Ledger,
    store: Store,
    ref: str,
    at: datetime,
    share: float = 0.1,
    months: Sequence[Mapping[str, Any]] | None = None,
) -> Standing:
    """Where a release stood at a moment.

    Args:
        ledger: what is on record.
        store: where what the gate and the second line sealed is.
        ref: the release.
        at: the moment.
        share: from which share of the lessons on a change of data is material.
        months: what `figures_by_month` gives, where the caller has it already.

    Raises:
        NotFound: the ledger does not know it.
        UsageError: it was not there yet.
    """
    row = ledger.release(ref)
    if row.at > at:
        raise UsageError(f"{ref} was not there yet at {at:%Y-%m-%d %H:%M}", fix="Name a later day")
    row = _as_of(row, at)
    gate = ledger.standing("gate", at=at).get(ref)
    promotion = _held(store, gate.content.get("artifact", "")) if gate is not None else None
    probe = _held(store, promotion.inputs.get("probe", "")) if promotion is not None else None
    tested = [one for one in ledger.filings("validation", at=at) if one.content.get("about") == ref]
    before = approved_before(ledger, row, at)
    evaluation = str(before.summary.get("made_from", {}).get("evaluation", "")) if before is not None else ""
    lines = months if months is not None else figures_by_month(ledger, at)

    def about(kind: str, name: str) -> list[FilingRow]:
        return [one for one in ledger.standing(kind, at=at).values() if one.content.get(name) == ref]

    return Standing(
        at=at,
        row=row,
        model=next(model for model in inventory(ledger, at) if model.ref == ref),
        texts=texts_of(ledger, row, before, at),
        gate=gate,
        promotion=promotion,
        probe=probe,
        validations=[(one, _held(store, one.content.get("artifact", ""))) for one in tested],
        findings=about("finding", "about"),
        exceptions=about("exception", "about"),
        months=[line for line in lines if line["release"] == ref],
        reports=[one for one in ledger.filings("monitoring", at=at) if one.subject == ref],
        decisions=[one for one in ledger.filings("decision", at=at) if one.subject == ref],
        before=before,
        changes=changes_between(ledger, before, row, share) if before is not None else (),
        before_evaluation=_held(store, evaluation),
        head=_head(ledger, at),
    )


def _as_of(row: ReleaseRow, at: datetime) -> ReleaseRow:
    held = tuple(one for one in row.approvals if one.at <= at)
    return ReleaseRow(row.ref, row.tuned_by, row.summary, row.at, row.status, held)


def _head(ledger: Ledger, at: datetime) -> LogEntry | None:
    """The newest entry of the log at a moment: found by halving, for the log is long and in order of time."""
    low, high = 0, ledger.log_end()[0]
    found: LogEntry | None = None
    while low < high:
        middle = (low + high) // 2
        entries = ledger.log(after=middle, limit=1)
        if entries and datetime.fromisoformat(entries[0].at) <= at:
            found, low = entries[0], middle + 1
        else:
            high = middle
    return found


def _held(store: Store, ref: Any) -> Artifact | None:
    """The artifact, if the workspace still has it."""
    try:
        return store.get(str(ref)) if ref else None
    except NotFound:
        return None
