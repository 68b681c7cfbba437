"""What the page on approvals shows: the inventory, and of one model what is on record and what stands against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from tensaku.desk.rights import PersonalLedger
from tensaku.errors import NotFound
from tensaku.govern.changes import Change, approved_before, changes_between
from tensaku.govern.inventory import KINDS, Model, inventory
from tensaku.ledger import Conditions, FilingRow, Hands, Ledger, Obstacle, PersonRow, ReleaseRow
from tensaku.store import Artifact

__all__ = ["Artifacts", "Event", "Line", "Listing", "Record", "read_listing", "read_record"]

SHOWN = 50
"""Models on a page of the list."""

Artifacts = Callable[[str], Artifact]
"""Gives a sealed artifact by its name."""

_FILED = ("finding", "exception", "gate", "validation", "rating", "retirement", "model")


@dataclass(frozen=True, slots=True)
class Line:
    """One model of the list: where it stands, the newest gate, whether it was validated, and its open findings."""

    model: Model
    gate: Literal["", "passed", "failed"] = ""
    tested: bool = False
    findings: int = 0
    high: int = 0
    late: bool = False
    """Whether it should have been validated again, or a finding settled, by now."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the inventory. `kinds` and `statuses` count all of it; `waiting` releases nobody decided on."""

    lines: Sequence[Line]
    total: int
    page: int
    pages: int
    kinds: Mapping[str, int]
    statuses: Mapping[str, int]
    waiting: int
    champion: str
    challenger: str
    people: Mapping[str, PersonRow]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a model's record. `what` is a decision, or the kind of filing with its outcome."""

    at: datetime
    by: str
    what: str
    text: str = ""
    name: str = ""
    conditions: Conditions | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One model with all that is on record about it.

    `mark` names the state that was read: what is done on this page holds for it alone. `changes` are those since
    `against`, the release that answers now or was approved last before.
    """

    model: Model
    mark: str
    hands: Hands
    people: Mapping[str, PersonRow]
    release: ReleaseRow | None = None
    obstacles: Sequence[Obstacle] = ()
    gate: FilingRow | None = None
    tests: Sequence[Mapping[str, Any]] = ()
    validations: Sequence[FilingRow] = ()
    findings: Sequence[FilingRow] = ()
    exceptions: Sequence[FilingRow] = ()
    against: str = ""
    changes: Sequence[Change] = ()
    events: Sequence[Event] = ()
    used: int = 0
    in_use: Literal["", "champion", "challenger"] = ""
    parts: Sequence[Model] = ()
    users: Sequence[Model] = ()
    conditions: Conditions = field(default_factory=Conditions)

    @property
    def open(self) -> list[FilingRow]:
        """Findings that are not settled."""
        return [row for row in self.findings if not row.content.get("ended")]

    @property
    def rules(self) -> set[str]:
        """The rules that stand against approving it as it is."""
        return {obstacle.rule for obstacle in self.obstacles}


def read_listing(ledger: PersonalLedger, kind: str, status: str, page: int) -> Listing:
    """The models that a person may see: releases first and the newest of them at the top. Blocks."""
    models, releases = inventory(ledger), {ref: n for n, ref in enumerate(ledger.release_refs())}
    order = {name: n for n, name in enumerate(KINDS)}
    models.sort(key=lambda model: (model.kind != "release", order.get(model.kind, 9), releases.get(model.ref, 0)))
    kinds, statuses = _counts(model.kind for model in models), _counts(model.status for model in models)
    wanted = [model for model in models if kind in ("", model.kind) and status in ("", model.status)]
    pages = max(1, -(-len(wanted) // SHOWN))
    page = min(max(page, 1), pages)
    champion, challenger = _answering(ledger)
    waiting = sum(model.kind == "release" and model.status in ("in development", "in validation") for model in models)
    return Listing(
        _lines(ledger, wanted[(page - 1) * SHOWN : page * SHOWN]),
        len(wanted),
        page,
        pages,
        kinds,
        statuses,
        waiting,
        champion,
        challenger,
        {person.name: person for person in ledger.people()},
    )


def _counts(names: Iterator[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def _answering(ledger: PersonalLedger) -> tuple[str, str]:
    """The champion and the challenger of this moment; empty where there is none that the person may see."""
    now = ledger.deployed()
    found = (now.champion, now.challenger or "") if now is not None else ("", "")
    return tuple(ref if ref and ledger.opens(ref) else "" for ref in found)  # type: ignore[return-value]


def _lines(ledger: Ledger, models: Sequence[Model]) -> list[Line]:
    gates, now = ledger.standing("gate"), datetime.now(UTC)
    tested = {row.content.get("about") for row in ledger.standing("validation").values()}
    unsettled: dict[str, list[FilingRow]] = {}
    for row in ledger.standing("finding").values():
        if not row.content.get("ended"):
            unsettled.setdefault(str(row.content["about"]), []).append(row)
    found = []
    for model in models:
        gate, findings = gates.get(model.ref), unsettled.get(model.ref, [])
        said: Literal["", "passed", "failed"] = "" if gate is None else "passed" if gate.content["passed"] else "failed"
        late = any(_due(row) <= now for row in findings) or bool(model.expiry and model.expiry < f"{now:%Y-%m-%d}")
        high = sum(row.content["severity"] == "high" for row in findings)
        found.append(Line(model, said, model.ref in tested, len(findings), high, late))
    return found


def _due(row: FilingRow) -> datetime:
    return datetime.fromisoformat(row.content["due"])


def read_record(ledger: PersonalLedger, ref: str, person: str, artifacts: Artifacts | None, share: float) -> Record:
    """Everything about one model. Blocks.

    Args:
        ledger: as the person may see it.
        ref: the model.
        person: who reads.
        artifacts: gives the sealed result of a gate; None: only its verdict is shown.
        share: from which share of new and gone pairs on a change of data is material.

    Raises:
        NotFound: no such model, or none that the person may see.
    """
    mark = ledger.mark(ref)  # first: whatever is entered while the rest is read makes it an old one
    models = {model.ref: model for model in inventory(ledger)}
    if ref not in models:
        raise NotFound("model in the inventory", ref, models)
    model, filed = models[ref], _filed_about(ledger, ref)
    release = ledger.release(ref) if model.kind == "release" and ref in ledger.release_refs() else None
    told = Record(
        model,
        mark,
        ledger.hands(ref, person),
        {one.name: one for one in ledger.people()},
        release,
        findings=_newest(filed, "finding"),
        exceptions=_newest(filed, "exception"),
        parts=[models[name] for name in model.dependencies if name in models],
        users=[other for other in models.values() if ref in other.dependencies],
        events=_events(release, filed),
    )
    return told if release is None else _of_release(ledger, told, release, filed, artifacts, share)


def _of_release(
    ledger: PersonalLedger,
    told: Record,
    release: ReleaseRow,
    filed: Sequence[FilingRow],
    artifacts: Artifacts | None,
    share: float,
) -> Record:
    champion, challenger = _answering(ledger)
    before = ledger.release(champion) if champion not in ("", release.ref) else approved_before(ledger, release)
    gate = next(iter(_newest(filed, "gate")), None)
    decided = release.approvals[-1] if release.approvals else None
    return replace(
        told,
        obstacles=ledger.obstacles(release.ref),
        gate=gate,
        tests=_tests(ledger, gate, artifacts),
        validations=_newest(filed, "validation"),
        against=before.ref if before is not None else "",
        changes=changes_between(ledger, before, release, share) if before is not None else (),
        used=ledger.answers_used(release.ref),
        in_use="champion" if release.ref == champion else "challenger" if release.ref == challenger else "",
        conditions=decided.conditions if decided is not None and decided.decision == "approved" else Conditions(),
    )


def _filed_about(ledger: Ledger, ref: str) -> list[FilingRow]:
    rows = [row for row in ledger.filings() if row.kind in _FILED]
    return [row for row in rows if row.subject == ref or row.content.get("about") == ref]


def _newest(filed: Sequence[FilingRow], kind: str) -> list[FilingRow]:
    """The filing of each name that counts, the newest first."""
    found = {row.subject: row for row in filed if row.kind == kind}
    return sorted(found.values(), key=lambda row: -row.id)


def _tests(ledger: PersonalLedger, gate: FilingRow | None, artifacts: Artifacts | None) -> Sequence[Mapping[str, Any]]:
    """The tests of a gate as they were sealed; none if the artifact is not here."""
    sealed = str(gate.content.get("artifact", "")) if gate is not None else ""
    if not sealed or artifacts is None or not ledger.opens(sealed):
        return ()
    try:
        held = json.loads(artifacts(sealed).file("promotion.json").read_text(encoding="utf-8"))
    except (NotFound, OSError, ValueError):
        return ()
    tests: Sequence[Mapping[str, Any]] = held["tests"]
    return tests


def _events(release: ReleaseRow | None, filed: Sequence[FilingRow]) -> list[Event]:
    """What was decided and filed, the newest first."""
    said = [
        Event(one.at, one.by, one.decision, one.note, conditions=one.conditions)
        for one in (release.approvals if release is not None else ())
    ]
    return sorted([*said, *map(_event, filed)], key=lambda event: event.at)[::-1]  # the later of one moment first


def _event(row: FilingRow) -> Event:
    held, what, text, name = row.content, row.kind, "", ""
    if row.kind in ("finding", "exception"):
        ended = bool(held.get("ended"))
        what = f"{row.kind}-{'ended' if ended else held['severity'] if row.kind == 'finding' else 'given'}"
        text = str(held["ended_why"] if ended else held["text" if row.kind == "finding" else "reason"])
        name = row.subject if row.kind == "finding" else str(held["rule"])
    elif row.kind == "gate":
        what, text = f"gate-{'passed' if held['passed'] else 'failed'}", ", ".join(held.get("failed", ()))
    elif row.kind == "rating":
        what, text = f"rating-{held['rating']}", str(held["reason"])
    elif row.kind == "retirement":
        what, text = f"retirement-{'on' if held.get('retired') else 'off'}", str(held["reason"])
    return Event(row.at, row.by, what, text, name)
