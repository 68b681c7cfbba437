"""Writers' decisions out of the ledger: first a slice of its rows as a file, then preferences to learn from.

The same decisions are the same bytes, whatever else was written to the ledger meanwhile, and so one artifact.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pydantic

from tensaku.config import Section
from tensaku.curate.dedup.edits import nearest_copies
from tensaku.curate.ingest import DROPS
from tensaku.curate.overlap import fold
from tensaku.curate.rows import JsonlWriter, PairFile, read_jsonl
from tensaku.curate.split import EXAM
from tensaku.curate.turned import Kind, turned
from tensaku.errors import UsageError
from tensaku.records import Change, Drop, Pair
from tensaku.store import Artifact, Bench, SourceFile, frozen_file, stage

if TYPE_CHECKING:
    from tensaku.ledger import Ledger

__all__ = ["PREFERENCES", "Decisions", "decisions", "slice_file", "slice_of"]

PREFERENCES = "preferences.jsonl"
_MONTH = r"|\d{4}-(0[1-9]|1[0-2])"


class Decisions(Section):
    """Which of the writers' decisions are learnt from."""

    kinds: tuple[Kind | Literal["chosen"], ...] = ("rejected", "altered", "missed", "chosen")
    """`rejected`: the writer went back to the draft's wording; `altered`: wrote a third one; `missed`: changed what the
    model had left; `accepted`: took the model's wording rather than the draft's; `chosen`: preferred one of several
    candidates, whose facts are the draft's, to another."""
    since: str = pydantic.Field("", pattern=rf"^({_MONTH})$")
    """First month taken, as in "2026-10"; empty: from the beginning."""
    until: str = pydantic.Field("", pattern=rf"^({_MONTH})$")
    """Last month taken; empty: to the end. Months of the exam are never taken."""
    saved_until: str = pydantic.Field("", pattern=r"^(|\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))$")
    """Last day, in UTC, on which a comment may have been saved, as in "2026-11-30"; empty: today."""
    without_writers: tuple[str, ...] = ()
    """Short names of people whose decisions are not learnt from."""
    without_funds: tuple[str, ...] = ()
    """Funds of which nothing is learnt."""
    without_managers: tuple[str, ...] = ()
    """Managers of whose drafts nothing is learnt."""
    near: float = pydantic.Field(0.9, ge=0.5, le=1.0)
    """Likeness to an exam text, 0.5 to 1, from which a text counts as its near-copy and is set aside."""


def slice_of(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """The newest final of each draft that was written over a model's revision, with every change, by number of draft.

    An older final is not taken: its writer thought better of it. Where the task asks for a second person, what nobody
    has approved is not taken either.
    """
    approved = ledger.approved_finals() if ledger.review else None
    for draft in sorted(ledger.drafts(), key=lambda row: row.id):
        finals = ledger.finals(draft.id)
        final = next((row for row in finals if approved is None or row.id in approved), None)
        if final is None or final.revision_id is None:
            continue
        revision = next(row for row in ledger.revisions(draft.id) if row.id == final.revision_id)
        yield {
            "draft_id": draft.id,
            "revision_id": revision.id,
            "final_id": final.id,
            **{name: getattr(draft, name) for name in ("manager", "fund", "section", "as_of")},
            "draft": draft.text,
            "revision": revision.text,
            "final": final.text,
            "finish": revision.finish,
            "provenance": dict(revision.provenance),
            "breaks": [broken.fact.value for broken in final.verdict.breaks],
            "reasons": dict(final.reasons),
            "decided_by": final.by,
            "decided_at": final.at.isoformat(),
            "changes": [
                {"between": row.between, "decision": row.decision, **asdict(row.change)}
                for row in ledger.changes(final.id)
            ],
            "choices": _choices(ledger, draft.id),
            "said": {
                said.change: {"reason": said.reason, "note": said.note, "by": said.by, "at": said.at.isoformat()}
                for said in ledger.decisions(draft.id, final.revision_id)
                if said.decision != "open"
            },
        }


def _choices(ledger: Ledger, draft_id: int) -> list[list[str]]:
    """Each candidate that a writer chose, with one that was not, whose facts are the draft's; the newest choice."""
    texts = {row.id: row for row in ledger.revisions(draft_id)}
    for choice in ledger.choices(draft_id)[-1:]:
        if texts[choice.chosen].verdict.kept:
            left = [number for number in sorted(choice.shown) if number != choice.chosen]
            return [[texts[choice.chosen].text, texts[number].text] for number in left]
    return []


def slice_file(ledger: Ledger, folder: Path) -> SourceFile:
    """`slice_of` the ledger as a file in `folder`.

    Raises:
        UsageError: it cannot be written.
    """
    return frozen_file(slice_of(ledger), folder, "decisions")


@dataclass(frozen=True, slots=True)
class _Preference:
    """One line of `preferences.jsonl`: under the same question, `chosen` rather than `rejected`.

    `reasons` are those for facts that differ; `said` what was said of the `changes` themselves, by whom and when.
    """

    id: str
    draft: str
    chosen: str
    rejected: str
    manager: str
    fund: str
    section: str
    as_of: str
    family: str
    kind: str
    changes: tuple[str, ...]
    decided_by: str
    decided_at: str
    reasons: dict[str, str]
    said: dict[str, dict[str, str]]
    final_id: int
    revision_id: int
    source: str


@stage(version=2)
def decisions(bench: Bench, cfg: Decisions, *, ledger: SourceFile, exam: Artifact) -> None:
    """Leave `preferences.jsonl`, each the writer's final against the same text with one decision turned round.

    Set aside, with reasons in `drops.jsonl`: finals outside the months asked for (`month`), saved later than the day
    asked for (`saved-later`), of people, funds or managers that the task leaves out (`excluded`), of a month or a
    family of the exam (`exam-month`, `exam-family`) or like a text of it (`near-exam`), revisions that were cut short
    (`unfinished`), finals whose facts the writer changed (`facts-changed`: a reason that is not in the draft cannot be
    learnt) or that took everything (`all-accepted`); and single preferences of a kind not asked for (`kind`), without a
    difference (`no-difference`), there already (`duplicate`), or decided both ways (`contradicted`).

    Args:
        ledger: what `slice_file` wrote.
        exam: the exam, of which nothing gets in.

    Raises:
        UsageError: nobody has decided on a revision yet, or nothing is left.
    """
    rows = list(read_jsonl(ledger.path))
    if not rows:
        fix = "Revise drafts in the desk and save finals first"
        raise UsageError("no writer has decided on a revision yet", where="the ledger", fix=fix)
    work = _Freezing(bench, cfg, list(PairFile(exam.path / EXAM)))
    work.go(rows)


class _Freezing:
    """One run of the stage."""

    def __init__(self, bench: Bench, cfg: Decisions, asked: Sequence[Pair]) -> None:
        self.bench, self.cfg = bench, cfg
        self.months = {pair.as_of for pair in asked}
        self.families = {pair.family for pair in asked}
        self.texts = [fold(text) for pair in asked for text in (pair.draft, pair.final)]
        self.dropped: list[Drop] = []

    def go(self, rows: Sequence[dict[str, Any]]) -> None:
        taken = [row for row in rows if self._whole(row)]
        taken = self._far(taken)
        found = self._unique([preference for row in taken for preference in self._single(row)])
        reasons = Counter(drop.reason for drop in self.dropped)
        if not found:
            counts = ", ".join(f"{reason} {n}" for reason, n in sorted(reasons.items()))
            what = f"none of the decisions on {len(rows)} finals can be learnt from ({counts})"
            raise UsageError(what, where="the ledger", fix="Look at [decisions] kinds, since and until")
        self._write(found)
        months = [preference.as_of for preference in found]
        self.bench.facts.update(
            n=len(found),
            finals=len(rows),
            finals_used=len({preference.final_id for preference in found}),
            kinds=_counted(preference.kind for preference in found),
            decided_by=_counted(preference.decided_by for preference in found),
            months={"first": min(months), "last": max(months)},
            newer_than_exam=sum(month > max(self.months, default="9999-99") for month in months),
            dropped=dict(sorted(reasons.items())),
        )

    def _write(self, found: Sequence[_Preference]) -> None:
        with JsonlWriter(self.bench.path / PREFERENCES) as kept:
            for preference in found:
                kept.write(preference)
        with JsonlWriter(self.bench.path / DROPS) as drops:
            for drop in self.dropped:
                drops.write(drop)

    def _drop(self, row: dict[str, Any], reason: str, detail: str) -> None:
        self.dropped.append(Drop(reason, f"ledger:final:{row['final_id']}", detail, row))

    def _whole(self, row: dict[str, Any]) -> bool:
        """Whether anything of the final can be learnt from; if not, it is set aside."""
        cfg, month = self.cfg, row["as_of"]
        if (cfg.since and month < cfg.since) or (cfg.until and month > cfg.until):
            self._drop(row, "month", f"it speaks of {month}")
        elif excluded := self._excluded(row):
            self._drop(row, *excluded)
        elif month in self.months:
            self._drop(row, "exam-month", f"{month} is a month of the exam")
        elif _family(row) in self.families:
            self._drop(row, "exam-family", f"its family {_family(row)!r} is in the exam")
        elif row["finish"] != "stop":
            self._drop(row, "unfinished", f"the revision was not written to its end ({row['finish']})")
        elif row["breaks"]:
            self._drop(row, "facts-changed", f"the writer changed facts of the draft: {', '.join(row['breaks'])}")
        elif row["revision"] == row["final"] and "accepted" not in cfg.kinds and not self._chosen(row):
            self._drop(row, "all-accepted", "the writer took the revision as it was")
        else:
            return True
        return False

    def _chosen(self, row: dict[str, Any]) -> bool:
        return "chosen" in self.cfg.kinds and bool(row.get("choices"))

    def _excluded(self, row: dict[str, Any]) -> tuple[str, str] | None:
        cfg, saved = self.cfg, row["decided_at"][:10]
        if cfg.saved_until and saved > cfg.saved_until:
            return "saved-later", f"it was saved on {saved}"
        for field, names in (
            ("decided_by", cfg.without_writers),
            ("fund", cfg.without_funds),
            ("manager", cfg.without_managers),
        ):
            if row[field] in names:
                return "excluded", f"{row[field]} is left out by the task"
        return None

    def _far(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows none of whose texts is like one of the exam."""
        likeness = [0.0] * len(rows)
        with self.bench.progress("compare decisions with the exam", 3 * len(rows)) as bar:
            for side in ("draft", "revision", "final"):
                near = nearest_copies([fold(row[side]) for row in rows], self.texts, self.cfg.near, bar.advance)
                likeness = [max(pair) for pair in zip(likeness, near, strict=True)]
        for row, like in zip(rows, likeness, strict=True):
            if like:
                self._drop(row, "near-exam", f"a text is {like:.2f} like one of the exam")
        return [row for row, like in zip(rows, likeness, strict=True) if not like]

    def _single(self, row: dict[str, Any]) -> Iterator[_Preference]:
        """The preferences of one final."""
        by_pair: dict[str, list[tuple[Change, str | None]]] = {}
        for values in row["changes"]:
            change = Change(**{k: v for k, v in values.items() if k not in ("between", "decision")})
            by_pair.setdefault(values["between"], []).append((change, values["decision"]))
        found = turned(
            row["draft"],
            row["revision"],
            proposed=by_pair.get("draft-revision", []),
            edits=[change for change, _ in by_pair.get("revision-final", [])],
            total=[change for change, _ in by_pair.get("draft-final", [])],
        )
        for chosen, left in row.get("choices", []):
            preference = _preference({**row, "final": chosen}, left, "chosen", ())
            if "chosen" in self.cfg.kinds:
                yield preference
            else:
                self._drop(asdict(preference), "kind", "the decision is of the kind 'chosen'")
        for one in found:
            preference = _preference(row, one.text, one.kind, one.changes)
            if one.kind not in self.cfg.kinds:
                self._drop(asdict(preference), "kind", f"the decision is of the kind {one.kind!r}")
            elif one.text == row["final"]:
                self._drop(asdict(preference), "no-difference", "both texts are the same")
            else:
                yield preference

    def _unique(self, found: Sequence[_Preference]) -> list[_Preference]:
        """Each preference once; none that was also decided the other way."""
        ways = {(one.family, one.draft, one.chosen, one.rejected) for one in found}
        seen: set[str] = set()
        kept = []
        for one in found:
            if (one.family, one.draft, one.rejected, one.chosen) in ways:
                self._drop(asdict(one), "contradicted", "the same two texts were also preferred the other way round")
            elif one.id in seen:
                self._drop(asdict(one), "duplicate", f"it stands there already as {one.id}")
            else:
                seen.add(one.id)
                kept.append(one)
        return kept


def _preference(row: dict[str, Any], rejected: str, kind: str, changes: tuple[str, ...]) -> _Preference:
    told = {name: row[name] for name in ("manager", "fund", "section", "as_of")}
    words = [row["draft"], row["final"], rejected, row["fund"], row["section"], row["as_of"]]
    return _Preference(
        id=hashlib.sha256("\x00".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:16],
        draft=row["draft"],
        chosen=row["final"],
        rejected=rejected,
        **told,
        family=_family(row),
        kind=kind,
        changes=changes,
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        reasons=row["reasons"],
        said={change: row["said"][change] for change in changes if change in row.get("said", {})},
        final_id=row["final_id"],
        revision_id=row["revision_id"],
        source=f"ledger:final:{row['final_id']}",
    )


def _family(row: dict[str, Any]) -> str:
    """As the ledger names it when it hands out a final as a pair."""
    return f"{row['fund']}/{row['section']}/{row['as_of']}"


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
