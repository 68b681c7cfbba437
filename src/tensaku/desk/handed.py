"""What goes out: the finals that were chosen, with what led to each, as rows for every form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from tensaku.desk.words import WORDS, Language
from tensaku.errors import UsageError
from tensaku.ledger import DecisionRow, DraftRow, FinalRow, Ledger, RevisionRow
from tensaku.revise import SECTIONS

__all__ = ["Handed", "columns", "gather", "past", "past_columns", "section_name", "seen", "values_of"]

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Handed:
    """One final with what led to it. `decisions` are in order of time, the newest of a change last."""

    draft: DraftRow
    final: FinalRow
    finals: tuple[FinalRow, ...]
    revisions: tuple[RevisionRow, ...]
    decisions: tuple[DecisionRow, ...]


def gather(
    ledger: Ledger, *, draft: int | None = None, month: str | None = None, fund: str | None = None
) -> list[Handed]:
    """The newest finals of one draft, or of all that match, by month, fund and section as a report has them. Blocks.

    Where a second person reviews, a comment goes out only once its newest version is approved.

    Raises:
        NotFound: no such draft.
        UsageError: nothing that matches is saved, or nothing is approved, yet.
    """
    rows = [ledger.draft(draft)] if draft is not None else ledger.drafts(as_of=month, fund=fund)
    order = list(SECTIONS["ja"])
    rows.sort(key=lambda d: (d.as_of, d.fund, order.index(d.section) if d.section in order else 99, d.id))
    found, waiting = [], 0
    approved = ledger.approved_finals() if ledger.review else set()
    for row in rows:
        finals = ledger.finals(row.id)
        if finals and ledger.review and finals[0].id not in approved:
            waiting += 1
        elif finals:
            said = tuple(ledger.decisions(row.id, newest=False))
            found.append(Handed(row, finals[0], tuple(finals), tuple(ledger.revisions(row.id)), said))
    if not found and waiting:
        raise UsageError("what is saved waits for a second person's approval", fix="Have it reviewed at /review")
    if not found:
        raise UsageError("nothing is saved yet that could be handed out", fix="Save a comment, or name another month")
    return found


def seen(text: str) -> str:
    """A text without characters that no reader sees and some programs obey."""
    return _UNSEEN.sub("", text)


def _when(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def section_name(draft: DraftRow, language: Language) -> str:
    """The name of a draft's section."""
    return SECTIONS[language].get(draft.section, draft.section)


def columns(language: Language) -> list[str]:
    """What stands above `values_of`."""
    t = WORDS[language]
    return [t[key] for key in ("month", "fund", "section", "manager", "final", "out_by", "out_at", "out_reasons")]


def values_of(one: Handed, language: Language) -> list[str]:
    """One final as a line of a table."""
    reasons = "; ".join(f"{fact}: {reason}" for fact, reason in one.final.reasons.items())
    draft, final = one.draft, one.final
    about = [draft.as_of, draft.fund, section_name(draft, language), draft.manager]
    return [*about, final.text, final.by, _when(final.at), reasons]


def past_columns(language: Language) -> list[str]:
    """What stands above each line of `past`."""
    t = WORDS[language]
    keys = ("fund", "section", "month", "out_what", "out_by", "out_at", "out_old", "out_new", "reason_kind", "note")
    return [t[key] for key in keys]


def past(one: Handed, language: Language) -> list[list[str]]:
    """What happened to a comment, oldest first."""
    t, draft = WORDS[language], one.draft
    about = [draft.fund, section_name(draft, language), draft.as_of]
    rows = [(draft.at, [t["event_draft"], draft.by, _when(draft.at), "", draft.text, "", ""])]
    rows += [(r.at, [t["event_revision"], r.by, _when(r.at), "", r.text, "", ""]) for r in one.revisions]
    rows += [(f.at, [t["event_final"], f.by, _when(f.at), "", f.text, "", ""]) for f in one.finals]
    for said in one.decisions:
        what = t["undecided"] if said.decision == "open" else t[f"decision_{said.decision}"]
        reason = t[f"reason_{said.reason}"] if said.reason else ""
        rows.append((said.at, [what, said.by, _when(said.at), said.old, said.new, reason, said.note]))
    return [[*about, *row] for _, row in sorted(rows, key=lambda pair: pair[0])]
