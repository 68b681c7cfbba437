"""The comments that writers saved at the desk as pairs to learn from: which of them, and each of them once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from tensaku.config import Section
from tensaku.records import Drop, Pair, from_dict
from tensaku.store import SourceFile, frozen_file

if TYPE_CHECKING:
    from tensaku.ledger import Ledger

__all__ = ["Finals", "chosen", "finals_file", "finals_of"]

_MONTH = r"|\d{4}-(0[1-9]|1[0-2])"


class Finals(Section):
    """Which of the comments saved at the desk are lessons too."""

    use: bool = False
    """Take them; each `tensaku run` then begins with those saved by that moment, or by `saved_until`."""
    since: str = pydantic.Field("", pattern=rf"^({_MONTH})$")
    """First month taken, as in "2026-10"; empty: from the beginning."""
    until: str = pydantic.Field("", pattern=rf"^({_MONTH})$")
    """Last month taken; empty: to the end."""
    saved_until: str = pydantic.Field("", pattern=r"^(|\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))$")
    """Last day, in UTC, on which a comment may have been saved, as in "2026-11-30"; empty: today."""
    verbatim: float = pydantic.Field(1.0, ge=0, le=1)
    """What the loss of a comment that repeats the model word for word counts for in tuning; at 0 it is set aside. It
    teaches the model what it says already."""
    without_writers: tuple[str, ...] = ()
    """Short names of people whose comments are not learnt from."""
    without_funds: tuple[str, ...] = ()
    """Funds of which nothing is learnt, such as those whose client has not consented."""
    without_managers: tuple[str, ...] = ()
    """Managers of whose drafts nothing is learnt."""


def finals_of(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """The newest final of each draft as a pair, with what led to it and who decided, by number of draft.

    An older final is not taken: its writer thought better of it. Nor is one that was erased by right.
    """
    from tensaku.ledger.erasing import ERASED
    from tensaku.ledger.finals import pair_of

    for draft in sorted(ledger.drafts(), key=lambda row: row.id):
        final = next(iter(ledger.finals(draft.id)), None)
        if final is None or ERASED in (final.text, draft.text):
            continue
        revisions = {row.id: row for row in ledger.revisions(draft.id)}
        revision = revisions.get(final.revision_id or 0)
        yield {
            **pair_of(final, draft),
            "revision": revision.text if revision is not None else None,
            "provenance": dict(revision.provenance) if revision is not None else {},
            "breaks": [broken.fact.value for broken in final.verdict.breaks],
            "reasons": dict(final.reasons),
            "decided_by": final.by,
            "decided_at": final.at.isoformat(),
            "said": [
                {"change": s.change, "old": s.old, "new": s.new, "decision": s.decision, "reason": s.reason}
                | {"note": s.note, "by": s.by, "at": s.at.isoformat()}
                for s in ledger.decisions(draft.id, final.revision_id)
                if s.decision != "open"
            ],
        }


def finals_file(ledger: Ledger, folder: Path) -> SourceFile:
    """`finals_of` the ledger as a file in `folder`.

    Raises:
        UsageError: it cannot be written.
    """
    return frozen_file(finals_of(ledger), folder, "finals")


def chosen(row: Mapping[str, Any], cfg: Finals) -> Pair | Drop:
    """The pair of one row of that file, or why it is set aside.

    Reasons: `month`, `saved-later`, `excluded-writer`, `excluded-fund`, `excluded-manager`, `facts-changed` (what is
    not in the draft cannot be learnt), `verbatim`.
    """
    month, saved, same = row["as_of"], row["decided_at"][:10], row["final"] == row["revision"]
    checks = (
        ("month", (cfg.since and month < cfg.since) or (cfg.until and month > cfg.until), f"it speaks of {month}"),
        ("saved-later", cfg.saved_until and saved > cfg.saved_until, f"it was saved on {saved}"),
        ("excluded-writer", row["decided_by"] in cfg.without_writers, f"{row['decided_by']} wrote it"),
        ("excluded-fund", row["fund"] in cfg.without_funds, f"it is of {row['fund']}"),
        ("excluded-manager", row["manager"] in cfg.without_managers, f"{row['manager']} sent the draft"),
        ("facts-changed", row["breaks"], f"the writer changed facts: {', '.join(row['breaks'])}"),
        ("verbatim", same and not cfg.verbatim, "it repeats the model"),
    )
    for reason, applies, detail in checks:
        if applies:
            return Drop(reason, row["source"], detail, dict(row))
    return from_dict(Pair, {**row, "weight": cfg.verbatim if same else 1.0})
