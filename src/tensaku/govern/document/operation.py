"""The sections on the model at work: summary, monitoring, changes, findings, approval, evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tensaku.govern.changes import PARTS
from tensaku.govern.document.known import Sealed, Standing
from tensaku.govern.document.parts import LEDGER, Block, Cell, Facts, Paragraph, Table, Value
from tensaku.govern.document.performance import scorer_name, scorers_of
from tensaku.govern.document.text import UNKNOWN, number, percent, pieces, signed
from tensaku.govern.document.words import Words
from tensaku.govern.monitor import FIGURES, PSI_ALERT
from tensaku.ledger import Conditions, FilingRow
from tensaku.store import Artifact

__all__ = ["approval", "changes", "evidence", "findings", "monitoring", "opening", "status_line", "summary"]

STATUS = {
    "in development": ("開発中", "in development"),
    "in validation": ("検証中", "in validation"),
    "approved": ("承認済み", "approved"),
    "conditional": ("条件付き承認", "conditionally approved"),
    "rejected": ("却下", "rejected"),
    "withdrawn": ("承認撤回", "approval withdrawn"),
    "expired": ("承認期限切れ", "approval ended"),
    "retired": ("廃止", "retired"),
    "candidate": ("候補", "candidate"),
}


def status_line(standing: Standing | None, w: Words) -> tuple[Cell, ...]:
    """Where the release stands, for the head of the document."""
    if standing is None:
        return (w["candidate"],)
    return (w["as_of"].format(at=f"{standing.at.astimezone():%Y-%m-%d %H:%M %Z}"),)


def opening(sealed: Sealed, standing: Standing, w: Words) -> Iterator[tuple[str, Cell, str]]:
    """The figures that stand out: name, value, what it says."""
    model, facts, ref = standing.model, sealed.evidence.evaluation.facts, sealed.evidence.evaluation.ref
    due = f"{w['due']} {model.expiry}" if model.expiry else UNKNOWN
    yield w["status"], Value(w.pick(STATUS[model.status]), LEDGER, f"release:{model.ref}"), due
    factors = w["materiality"].format(a=model.materiality, b=model.complexity)
    yield w["rating"], Value(w[model.rating], LEDGER, f"model:{model.ref}"), factors
    scorer = next(iter(scorers_of(facts)), "")
    if scorer:
        draft = f"{w['draft']} {number(facts.get(f'{scorer}_draft'))}"
        yield scorer_name(scorer, w), Value(f"{facts[f'{scorer}_tuned']:.2f}", ref, f"{scorer}_tuned"), draft
    still = [row for row in standing.findings if not row.content.get("ended")]
    high = sum(row.content["severity"] == "high" for row in still)
    yield w["open"], Value(str(len(still)), LEDGER, "findings"), w["of_which_high"].format(n=high)


def summary(sealed: Sealed, standing: Standing, w: Words) -> Iterator[Block]:
    """What the model is and where it stands, for those who read one page."""
    model = standing.model
    rows: list[tuple[str, Cell]] = [
        (w["release"], Value(model.ref, model.ref)),
        (w["task"], Value(sealed.title, model.ref, "task")),
        (w["owner"], Value(model.owner or sealed.gate.owner or UNKNOWN, LEDGER, f"model:{model.ref}")),
        (w["builder"], Value(standing.row.tuned_by, LEDGER, f"release:{model.ref}")),
        (w["status"], Value(w.pick(STATUS[model.status]), LEDGER, f"release:{model.ref}")),
        (w["rating"], Value(f"{w[model.rating]} ({_rated(standing, w)})", LEDGER, f"model:{model.ref}")),
    ]
    if sealed.release is not None:
        rows.append((w["made"], Value(str(sealed.release.manifest["ended"])[:16].replace("T", " "), model.ref)))
    yield Facts(tuple(rows))


def _rated(standing: Standing, w: Words) -> str:
    model = standing.model
    if model.rating_by == "rule":
        return w["materiality"].format(a=model.materiality, b=model.complexity)
    return f"{model.rating_by}: {model.rating_reason}"


def monitoring(standing: Standing, owner: str, w: Words) -> Iterator[Block]:
    """What is watched from when an alert is raised, and what was seen so far."""
    yield Paragraph((w["watched"],))
    newest = standing.months[-1] if standing.months else None
    rows = []
    for name, words in FIGURES.items():
        bound = w["psi_limit"].format(n=PSI_ALERT) if name.startswith("psi_") else w["outside"]
        value: Cell = UNKNOWN
        if newest is not None and name in newest["figures"]:
            value = Value(number(newest["figures"][name]), LEDGER, f"month:{newest['month']}.{name}")
            if name in newest["limits"]:
                low, _, high = newest["limits"][name]
                bound = f"{low:.4g} – {high:.4g}"
        rows.append((w.pick(words), bound, value))
    head = w["newest"] if newest is None else f"{w['newest']} {newest['month']} (n {newest['n']})"
    yield Table((w["figure"], w["limit"], head), tuple(rows), 2)
    yield Paragraph((w["duty"].format(owner=standing.model.owner or owner or w["nobody"]),))
    if newest is None:
        yield Paragraph((w["no_answers"],), "note")
    raised = [(line["month"], alert) for line in standing.months for alert in line["alerts"]]
    if raised:
        told = tuple(
            (
                month,
                alert[w.language],
                Value(f"{alert['value']:.4g}", LEDGER, f"month:{month}.{alert['figure']}"),
                str(alert["wanted"]),
            )
            for month, alert in raised
        )
        yield Table((w["month"], w["figure"], w["measured"], w["wanted"]), told, 2, w["alerts"])
    yield from _recorded(standing, w)


def _recorded(standing: Standing, w: Words) -> Iterator[Block]:
    if standing.reports:
        rows = tuple(
            (row.content["month"], _entry(row), row.by, str(row.content.get("note", "")) or UNKNOWN)
            for row in standing.reports
        )
        yield Table((w["month"], w["at"], w["by"], w["note"]), rows, 9, w["reports"])
    if standing.decisions:
        rows = tuple(
            (_entry(row), w.get(row.content["decision"], ""), *(row.content[k] for k in ("gain", "cost", "reason")))
            for row in standing.decisions
        )
        yield Table((w["at"], w["decision"], w["gain"], w["cost"], w["reason"]), rows, 9, w["decisions"])


def _entry(row: FilingRow) -> Value:
    return Value(f"{row.at.astimezone():%Y-%m-%d}", LEDGER, f"filing:{row.id}")


def changes(sealed: Sealed, standing: Standing, w: Words) -> Iterator[Block]:
    """What is other than in the version before, and whether that is material."""
    before = standing.before
    if before is None:
        yield Paragraph((w["first_version"],))
        return
    approved = next(one.at for one in reversed(before.approvals) if one.decision == "approved")
    yield Paragraph(pieces(w["since"], ref=Value(before.ref, before.ref), at=f"{approved.astimezone():%Y-%m-%d}"))
    if not standing.changes:
        yield Paragraph((w["unchanged"],), "good")
    else:
        grave = any(change.material for change in standing.changes)
        yield Paragraph((w["is_material" if grave else "is_minor"],), "bad" if grave else "good")
        rows = tuple(
            (
                w.pick(PARTS[change.part]),
                change.name or UNKNOWN,
                Value(change.before, before.ref, f"traits.{change.part}"),
                Value(change.after, sealed.ref, f"traits.{change.part}"),
                UNKNOWN if change.share is None else percent(change.share),
                w["yes" if change.material else "no"],
            )
            for change in standing.changes
        )
        heads = (w["part"], w["item"], w["change_before"], w["change_after"], w["extent"], w["material"])
        yield Table(heads, rows, 9)
    yield from _figures_then(sealed, standing, w)


def _figures_then(sealed: Sealed, standing: Standing, w: Words) -> Iterator[Block]:
    then, now = standing.before_evaluation, sealed.evidence.evaluation
    if then is None:
        return
    rows = []
    for scorer in [*scorers_of(now.facts), "facts_kept"]:
        key = scorer if scorer == "facts_kept" else f"{scorer}_tuned"
        one, two = then.facts.get(key), now.facts.get(key)
        if isinstance(one, int | float) and isinstance(two, int | float):
            name = w["kept"] if scorer == "facts_kept" else scorer_name(scorer, w)
            shown = percent if scorer == "facts_kept" else "{:.2f}".format
            by = f"{100 * (two - one):+.1f}" if scorer == "facts_kept" else signed(two - one)
            rows.append((name, Value(shown(one), then.ref, key), Value(shown(two), now.ref, key), by))
    if rows:
        heads = (w["measure"], w["change_before"], w["change_after"], w["difference"])
        yield Table(heads, tuple(rows), 1, w["figures_then"])
    if then.inputs.get("exam") != now.inputs.get("exam"):
        yield Paragraph((w["other_exam"],), "note")


def findings(standing: Standing, w: Words) -> Iterator[Block]:
    """What the second line found; the open ones first."""
    if not standing.findings:
        yield Paragraph((w["no_findings"],))
    else:
        order = {"high": 0, "medium": 1, "low": 2}
        rows = sorted(
            standing.findings, key=lambda row: (bool(row.content.get("ended")), order[row.content["severity"]], row.id)
        )
        if all(row.content.get("ended") for row in rows):
            yield Paragraph((w["no_open"],), "good")
        heads = (w["finding"], w["severity"], w["words"], w["due_day"], w["state"])
        yield Table(heads, tuple(_finding(row, standing.at, w) for row in rows), 9)
    if standing.exceptions:
        told = tuple(
            (row.content["rule"], row.content["reason"], row.content["until"][:10], row.by, _entry(row))
            for row in standing.exceptions
        )
        yield Table((w["rule"], w["reason"], w["until"], w["by"], w["at"]), told, 9, w["exceptions"])


def _finding(row: FilingRow, at: datetime, w: Words) -> tuple[Cell, ...]:
    held = row.content
    late = datetime.fromisoformat(held["due"]) < at
    state = (
        w["closed"].format(why=held.get("ended_why", "")) if held.get("ended") else w["overdue" if late else "is_open"]
    )
    words = str(held["text"])
    if " / " in words:  # what a validation files is in both languages
        words = words.split(" / ", 1)[0 if w.language == "ja" else 1]
    number_ = Value(row.subject, LEDGER, f"filing:{row.id}")
    return number_, w[held["severity"]], words, held["due"][:10], state


def approval(standing: Standing, w: Words) -> Iterator[Block]:
    """Every decision on it, with its conditions."""
    if not standing.row.approvals:
        yield Paragraph((w["no_decision"],))
        return
    rows = tuple(
        (
            Value(f"{one.at.astimezone():%Y-%m-%d %H:%M}", LEDGER, f"release:{standing.row.ref}"),
            w[one.decision],
            one.by,
            _conditions(one.conditions, w),
            one.note or UNKNOWN,
        )
        for one in standing.row.approvals
    )
    yield Table((w["at"], w["decision"], w["by"], w["conditions"], w["note"]), rows, 9)


def _conditions(held: Conditions, w: Words) -> str:
    found = []
    if held.tasks:
        found.append(w["only_tasks"].format(n=w.listed(list(held.tasks))))
    if held.requests is not None:
        found.append(w["only_requests"].format(n=f"{held.requests:,}"))
    if held.until is not None:
        found.append(w["only_until"].format(n=f"{held.until.astimezone():%Y-%m-%d}"))
    if held.override:
        found.append(w["overridden"].format(n=held.override))
    if held.change:
        found.append(w["changed_for"].format(n=held.change))
    return w.listed(found) or w["no_conditions"]


def evidence(lineage: list[Artifact], standing: Standing, w: Words) -> Iterator[Block]:
    """Every artifact behind the document, and where the log stood."""
    yield Paragraph((w["artifacts"],))
    rows: list[tuple[Cell, ...]] = [
        (Value(held.ref, held.ref), held.stage, str(held.manifest["ended"])[:16].replace("T", " "), held.key[:32])
        for held in lineage
    ]
    yield Table((w["artifact"], w["stage"], w["made"], w["key"]), tuple(rows), 9)
    if standing.head is not None:
        entry: Any = standing.head
        yield Facts(((w["log_head"], Value(f"{entry.seq}:{entry.hash}", LEDGER, "head")),))
