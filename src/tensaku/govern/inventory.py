"""The inventory: every base, adapter, prompt, index, judge and release as a model, with where it stands."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tensaku.errors import NotFound, UsageError
from tensaku.govern.rating import MONTHS, RATINGS, USES, rate
from tensaku.ledger import SYSTEM, FilingRow, Ledger, ReleaseRow
from tensaku.revise import form_of
from tensaku.store import Artifact, Store

__all__ = ["KINDS", "Model", "enter", "enter_parts", "inventory", "override_rating", "retire", "status_at"]

KINDS = ("base", "adapter", "weights", "prompt", "index", "judge", "release")

_BEST = ("approved", "conditional", "in validation", "in development")


@dataclass(frozen=True, slots=True)
class Model:
    """One line of the inventory.

    `status`: in development, in validation, approved, conditional, rejected, withdrawn, expired or retired. `expiry` is
    the day (YYYY-MM-DD) by which it must be validated again or on which its approval ends; empty before an approval.
    """

    ref: str
    kind: str
    name: str
    owner: str
    use: str
    users: str
    materiality: int
    complexity: int
    rating: str
    rating_by: str
    rating_reason: str
    status: str
    dependencies: tuple[str, ...]
    expiry: str
    entered: str
    builders: tuple[str, ...]


def inventory(ledger: Ledger, at: datetime | None = None) -> list[Model]:
    """Every model, as it stood at a moment (by default now); releases first, then by kind and name.

    A release from before there was an inventory is listed too, with the owner unknown; it may not answer until it is
    entered.
    """
    at = at or datetime.now(UTC)
    entries = ledger.standing("model", at=at)
    first = {row.subject: row for row in reversed(ledger.filings("model", at=at))}
    overrides, retired = ledger.standing("rating", at=at), ledger.standing("retirement", at=at)
    tested = {str(row.content.get("about")) for row in ledger.filings("validation", at=at)}
    releases = {row.ref: row for row in ledger.releases() if row.at <= at}
    recent = ledger.answer_counts(at - timedelta(days=30), at)
    stands = {ref: status_at(row, ref in tested, _retired_part(row, retired), at) for ref, row in releases.items()}
    made: dict[str, list[str]] = {}
    for name, row in releases.items():
        for part in dict.fromkeys(map(str, row.summary.get("made_from", {}).values())):
            made.setdefault(part, []).append(name)
    users: dict[str, list[str]] = {}
    for name, entry in entries.items():
        for part in dict.fromkeys(map(str, entry.content.get("dependencies", ()))):
            users.setdefault(part, []).append(name)
    found = []
    for ref in dict.fromkeys([*releases, *entries]):
        content: Mapping[str, Any] = entries[ref].content if ref in entries else {"kind": "release", "name": ref}
        above = made.get(ref, [])
        if ref not in stands and ref in users:
            above = [name for name in users[ref] if name in stands]
        status = stands.get(ref) or _part_status(ref, [stands[name] for name in above], retired)
        answers = recent[ref] if ref in releases else sum(recent[name] for name in above)
        release = releases.get(ref)
        builders = (release.tuned_by,) if release else ()
        when = first[ref].at if ref in first else release.at if release else at
        found.append(_model(ref, content, status, answers, overrides.get(ref), release, (builders, when, at)))
    return sorted(
        found, key=lambda m: (m.kind != "release", KINDS.index(m.kind) if m.kind in KINDS else 9, m.name, m.ref)
    )


def status_at(release: ReleaseRow, tested: bool, retired: bool, at: datetime) -> str:
    """Where a release stood at a moment."""
    held = [one for one in release.approvals if one.at <= at]
    if retired:
        return "retired"
    if not held:
        return "in validation" if tested else "in development"
    newest = held[-1]
    if newest.decision != "approved":
        return newest.decision
    if newest.ended(at) or (release.status == "expired" and not newest.conditions.until):
        return "expired"
    return "conditional" if newest.conditions.bind else "approved"


def _retired_part(release: ReleaseRow, retired: Mapping[str, FilingRow]) -> bool:
    parts = [release.ref, *map(str, release.summary.get("made_from", {}).values())]
    return any(part in retired and retired[part].content.get("retired") for part in parts)


def _part_status(ref: str, above: Sequence[str], retired: Mapping[str, FilingRow]) -> str:
    if ref in retired and retired[ref].content.get("retired"):
        return "retired"
    return next((status for status in _BEST if status in above), "in development")


def _model(
    ref: str,
    content: Mapping[str, Any],
    status: str,
    answers: int,
    override: FilingRow | None,
    release: ReleaseRow | None,
    told: tuple[tuple[str, ...], datetime, datetime],
) -> Model:
    builders, entered, at = told
    kind = str(content["kind"])
    ruled = rate(kind, content, answers)
    level, by, reason = ruled.level, "rule", ruled.reason
    if override is not None:
        level, by, reason = override.content["rating"], override.by, override.content["reason"]
    expiry = ""
    approvals = [one for one in release.approvals if one.at <= at] if release else []
    if approvals and approvals[-1].decision == "approved":
        due = approvals[-1].at + timedelta(days=round(MONTHS[level] * 365.25 / 12))
        expiry = min(due, approvals[-1].conditions.until or due).date().isoformat()
    return Model(
        ref=ref,
        kind=kind,
        name=str(content.get("name", ref)),
        owner=str(content.get("owner", "")),
        use=str(content.get("use", "")),
        users=str(content.get("users", "")),
        materiality=ruled.materiality,
        complexity=ruled.complexity,
        rating=level,
        rating_by=by,
        rating_reason=reason,
        status=status,
        dependencies=tuple(content.get("dependencies", ())),
        expiry=expiry,
        entered=entered.date().isoformat(),
        builders=builders,
    )


def enter(ledger: Ledger, ref: str, values: Mapping[str, Any], by: str) -> FilingRow:
    """Enter a model, or change its entry: what `values` names replaces what stands there.

    Raises:
        NotFound: no such kind or use.
        UsageError: a new entry has no kind, or the person may not.
    """
    standing = ledger.standing("model").get(ref)
    known = ref in {row.ref for row in ledger.releases()}
    held = dict(standing.content) if standing else {"kind": "release", "name": ref} if known else {}
    content = {**held, **{name: value for name, value in values.items() if value not in ("", None, (), [])}}
    if "kind" not in content:
        raise UsageError(f"{ref} is not in the inventory yet", fix=f"Say what it is: --kind {' | '.join(KINDS)}")
    if content["kind"] not in KINDS:
        raise NotFound("kind of model", str(content["kind"]), KINDS)
    if content.get("use_class") and content["use_class"] not in USES:
        raise NotFound("class of use", str(content["use_class"]), USES)
    content.setdefault("name", ref)
    return ledger.file("model", ref, content, by)


def enter_parts(ledger: Ledger, store: Store, release: Artifact, owner: str, use: str) -> list[str]:
    """Enter a release with its base, what was tuned and its instruction; what stands there already stays.

    Returns:
        What was entered now.
    """
    standing = ledger.standing("model")
    base, tuned = store.get(release.inputs["base"]), store.get(release.inputs["adapter"])
    parts: dict[str, dict[str, Any]] = {}
    wanted = ("source", "licence", "sha256", "parameters")
    facts = {name: base.facts[name] for name in wanted if name in base.facts}
    parts[base.ref] = {"kind": "base", "name": str(base.facts.get("source", base.ref)), "facts": facts}
    form = form_of(tuned)
    method = str(tuned.facts.get("method", form))
    parts[tuned.ref] = {
        "kind": form if form in KINDS else "adapter",
        "name": f"{release.facts.get('task', '')} {method}".strip(),
        "dependencies": [base.ref],
        "facts": {"form": form, "method": method},
    }
    depends = [base.ref, tuned.ref]
    if "instruction.md" in release.files:
        words = release.file("instruction.md").read_bytes()
        prompt = f"prompt-{hashlib.sha256(words).hexdigest()[:12]}"
        parts[prompt] = {"kind": "prompt", "name": f"{release.facts.get('task', '')} instruction".strip()}
        depends.append(prompt)
    about = {"owner": owner, "use": use, "use_class": "proposal"}
    parts[release.ref] = {
        "kind": "release",
        "name": str(release.facts.get("task", "")) or release.ref,
        "dependencies": depends,
        "facts": {"form": form},
    }
    entered = []
    for ref, content in parts.items():
        held = standing.get(ref)
        if held is None or (
            ref == release.ref and not held.content.get("owner") and held.content["dependencies"] != depends
        ):
            ledger.file("model", ref, {**content, **about}, SYSTEM)
            entered.append(ref)
    return entered


def override_rating(ledger: Ledger, ref: str, rating: str, reason: str, by: str) -> FilingRow:
    """Set a model's rating against the rule, by the second line, with a reason.

    Raises:
        NotFound: no such rating, or the model is not in the inventory.
        UsageError: there is no reason, or the person may not or built it.
    """
    if rating not in RATINGS:
        raise NotFound("rating", rating, RATINGS)
    _known(ledger, ref)
    _needs(reason)
    return ledger.file("rating", ref, {"rating": rating, "reason": reason}, by, about=ref)


def retire(ledger: Ledger, ref: str, reason: str, by: str, *, back: bool = False) -> FilingRow:
    """Retire a model: neither it nor anything made from it answers from now on.

    `back` takes that back: the second line's, and nobody's who built it.

    Raises:
        NotFound: the model is not in the inventory.
        UsageError: there is no reason, or the person may not.
    """
    _known(ledger, ref)
    _needs(reason)
    return ledger.file("retirement", ref, {"retired": not back, "reason": reason}, by)


def _known(ledger: Ledger, ref: str) -> None:
    known = [model.ref for model in inventory(ledger)]
    if ref not in known:
        raise NotFound("model in the inventory", ref, known)


def _needs(reason: str) -> None:
    if not reason.strip():
        raise UsageError("there is no reason", fix='Write it: --reason "WHY"')
