"""The ledger as it looks from one side of the barriers: what is behind one is not there, in no list and in no count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import func, inspect, select
from sqlalchemy.orm import Session

from tensaku.errors import NotFound, UsageError
from tensaku.govern.barriers import Barriers
from tensaku.ledger import (
    SYSTEM,
    AnswerRow,
    ApprovalRow,
    Blocked,
    ChangeRow,
    Conditions,
    DecisionRow,
    DeploymentRow,
    DraftRow,
    FilingRow,
    Found,
    Ledger,
    LogEntry,
    Observed,
    Obstacle,
    ReleaseRow,
    ReportRow,
    RevisionRow,
    RolloutRow,
    SeenPair,
    Stood,
    funds_of,
    tables,
)
from tensaku.ledger.outcomes import OutcomeRow

__all__ = ["BarredLedger", "fund_of"]

R = TypeVar("R", bound=tables.Row)


def fund_of(session: Session, row: tables.Row) -> str:
    """The fund that a row speaks of, or empty."""
    if isinstance(row, tables.Final | tables.Revised):
        return session.get_one(tables.Draft, row.draft_id).fund
    return row.fund if isinstance(row, tables.Draft | tables.Report | tables.Comparison) else ""


class BarredLedger(Ledger):
    """`ledger` without what `person` (empty: somebody without a name) may not see at this moment.

    Not there are drafts, finals, reports and comparisons of a fund behind a barrier, releases that the person may not
    use, and all that these wrote: answers, revisions, figures, filings. A row that is asked for by its number is
    reported as if it were not there. The log tells of everything: only whoever stands inside every barrier reads it.
    What the ledger itself checks when it writes is checked against all rows.
    """

    def __init__(self, ledger: Ledger, person: str, barriers: Barriers | None) -> None:
        super().__init__(ledger._engine, ledger.where, ledger.names)
        # All that the house's ledger was opened with holds here; threads of one process still queue in one line.
        vars(self).update(vars(ledger))
        self._house, self._asks = ledger, person
        self._barriers = barriers if barriers is not None and barriers.rights.given else None

    def close(self) -> None:
        """Let go of the whole ledger."""
        self._house.close()

    def opens(self, ref: str) -> bool:
        """Whether the person stands inside every barrier around a release or another artifact."""
        return self._barriers is None or not ref or self._barriers.opens(self._asks, ref)

    def opens_fund(self, fund: str) -> bool:
        """Whether the person may see what speaks of a fund."""
        return self._barriers is None or self._barriers.opens_fund(self._asks, fund)

    # -- one row ---------------------------------------------------------------------------------------------------

    def _one(self, session: Session, table: type[R], key: int | str, kind: str) -> R:
        if self._barriers is None:
            return super()._one(session, table, key, kind)
        found = None if isinstance(key, int) and not 0 <= key < 2**31 else session.get(table, key)
        if found is None or not self._opens(session, found):
            seen = [row for row in session.scalars(select(table).limit(1000)) if self._opens(session, row)]
            known = [str((inspect(row).identity or ("",))[0]) for row in seen]
            raise NotFound(kind, str(key), [name for name in known if name != SYSTEM], where=self.where)
        return found

    def _opens(self, session: Session, row: tables.Row) -> bool:
        if isinstance(row, tables.Release):
            return self.opens(row.ref)
        if isinstance(row, tables.Comparison):
            return self._shows(row)
        if isinstance(row, tables.Report):
            return self._opens_report(row)
        if isinstance(row, tables.Revised) and not self.opens(row.release):
            return False
        return self.opens_fund(fund_of(session, row))

    def _opens_report(self, report: ReportRow | tables.Report) -> bool:
        """A report of a fund that nobody has named yet may speak of any: it is for those alone who may see them all.

        One of several funds is for those who may see each of them.
        """
        barriers = self._barriers
        return barriers is None or all(
            self.opens_fund(fund) if fund else barriers.rights.within(self._asks) for fund in funds_of(report)
        )

    def _shows(self, row: tables.Comparison) -> bool:
        barriers = self._barriers
        return barriers is None or (self.opens_fund(row.fund) and barriers.opens_all_on(self._asks, row.exam))

    def _shows_bulk(self, row: tables.Bulk) -> bool:
        """Other people's bulks count drafts that may be behind a barrier; whoever stands inside of all sees them."""
        return self._barriers is None or row.by == self._asks or self._barriers.rights.within(self._asks)

    # -- drafts and what became of them ----------------------------------------------------------------------------

    def drafts(self, **wanted: Any) -> list[DraftRow]:
        """As `Ledger.drafts`."""
        hidden, opens = self._hidden_revisions(), self._funds()
        rows = [row for row in super().drafts(**wanted) if opens(row.fund)]
        return [replace(row, revisions=row.revisions - hidden[row.id]) if hidden[row.id] else row for row in rows]

    def draft(self, id: int) -> DraftRow:
        """As `Ledger.draft`."""
        row = super().draft(id)
        return replace(row, revisions=row.revisions - self._hidden_revisions(id)[id])

    def revisions(self, draft_id: int) -> list[RevisionRow]:
        """As `Ledger.revisions`."""
        return [row for row in super().revisions(draft_id) if self.opens(row.provenance.get("release", ""))]

    def decisions(self, draft_id: int, revision_id: int | None = None, *, newest: bool = True) -> list[DecisionRow]:
        """As `Ledger.decisions`, on revisions that the person may see."""
        rows = super().decisions(draft_id, revision_id, newest=newest)
        if self._barriers is None:
            return rows
        seen = {row.id for row in self.revisions(draft_id)}
        return [row for row in rows if row.revision_id is None or row.revision_id in seen]

    def changes(self, final_id: int) -> list[ChangeRow]:
        """As `Ledger.changes`; of a final over a revision that the person may not see, those from draft to final."""
        rows = super().changes(final_id)
        if self._barriers is None:
            return rows
        with self._read() as session:
            over = session.get_one(tables.Final, final_id).revision_id
            revision = session.get(tables.Revised, over) if over is not None else None
        seen = revision is None or self.opens(revision.release)
        return [row for row in rows if seen or row.between == "draft-final"]

    def reports(self, *wanted: Any, **more: Any) -> list[ReportRow]:
        """As `Ledger.reports`."""
        return [row for row in super().reports(*wanted, **more) if self._opens_report(row)]

    def outcomes(self) -> list[OutcomeRow]:
        """As `Ledger.outcomes`."""
        opens = self._funds()
        return [row for row in super().outcomes() if opens(row.fund) and self.opens(row.release)]

    def _funds(self) -> Callable[[str], bool]:
        """`opens_fund`, which asks once for each."""
        known: dict[str, bool] = {}

        def opens(fund: str) -> bool:
            if fund not in known:
                known[fund] = self.opens_fund(fund)
            return known[fund]

        return opens

    def _hidden_revisions(self, draft: int | None = None) -> Counter[int]:
        """How many revisions of each draft a release wrote that the person may not use."""
        found: Counter[int] = Counter()
        if self._barriers is None or not self._barriers.up:
            return found
        table = tables.Revised
        query = select(table.draft_id, table.release, func.count()).group_by(table.draft_id, table.release)
        with self._read() as session:
            rows = session.execute(query if draft is None else query.where(table.draft_id == draft)).all()
        opens = {release: self.opens(release) for release in {row[1] for row in rows}}
        for id, release, n in rows:
            found[id] += 0 if opens[release] else n
        return found

    # -- models ----------------------------------------------------------------------------------------------------

    def releases(self) -> list[ReleaseRow]:
        """As `Ledger.releases`."""
        return [row for row in super().releases() if self.opens(row.ref)]

    def release_refs(self) -> list[str]:
        """As `Ledger.release_refs`."""
        return [ref for ref in super().release_refs() if self.opens(ref)]

    def rollouts(self) -> list[RolloutRow]:
        """As `Ledger.rollouts`; a challenger behind a barrier is not named."""
        return [self._without_challenger(row) for row in super().rollouts() if self.opens(row.champion)]

    def roll_back(self, by: str, *, note: str = "") -> RolloutRow:
        """As `Ledger.roll_back`, of a release that the person may use.

        Raises:
            UsageError: also if what answers now is behind a barrier.
        """
        now = self.deployed()
        if now is not None and not (self.opens(now.champion) and self.opens(now.challenger or "")):
            fix = "See: tensaku rollouts"
            raise UsageError("there is no earlier release to go back to", where=self.where, fix=fix)
        return super().roll_back(by, note=note)

    def _without_challenger(self, row: RolloutRow) -> RolloutRow:
        return row if self.opens(row.challenger or "") else replace(row, challenger=None, share=None)

    def deployments(self, ref: str | None = None) -> list[DeploymentRow]:
        """As `Ledger.deployments`."""
        return [row for row in super().deployments(ref) if self.opens(row.release)]

    def answers(self, *, after: int = 0, limit: int | None = None) -> list[AnswerRow]:
        """As `Ledger.answers`, of releases that the person may use, among the `limit` that are looked at."""
        return [row for row in super().answers(after=after, limit=limit) if self.opens(row.release)]

    def answer_counts(self, after: datetime, until: datetime) -> Counter[str]:
        """As `Ledger.answer_counts`."""
        return Counter({ref: n for ref, n in super().answer_counts(after, until).items() if self.opens(ref)})

    def observed(self, after: datetime, until: datetime) -> list[Observed]:
        """As `Ledger.observed`."""
        rows = super().observed(after, until)
        opens = {ref: self.opens(ref) for ref in {row.release for row in rows}}
        return [row for row in rows if opens[row.release]]

    def filings(self, kind: str = "", subject: str = "", *, at: datetime | None = None) -> list[FilingRow]:
        """As `Ledger.filings`, without those that speak of an artifact behind a barrier."""
        rows, barriers = super().filings(kind, subject, at=at), self._barriers
        if barriers is None:
            return rows
        users: dict[str, list[str]] = {}
        for row in super().filings("model", at=at):
            for part in row.content.get("dependencies", ()):
                users.setdefault(str(part), []).append(row.subject)

        def opens(row: FilingRow) -> bool:
            about = {row.subject.partition(":")[0], row.content.get("about"), row.content.get("artifact")}
            if row.kind == "model" and row.content.get("kind") == "index":
                return barriers.opens_index(self._asks)
            return not any(barriers.hides(self._asks, str(name), users.get(str(name), [])) for name in about if name)

        return [row for row in rows if opens(row)]

    def end_filing(self, kind: str, subject: str, reason: str, by: str, *, about: str = "") -> FilingRow:
        """As `Ledger.end_filing`, of what the person may see."""
        if self._barriers is not None and subject not in (standing := self.standing(kind)):
            raise NotFound(kind, subject, standing, where=self.where)
        return super().end_filing(kind, subject, reason, by, about=about)

    def obstacles(self, ref: str, conditions: Conditions | None = None) -> list[Obstacle]:
        """As `Ledger.obstacles`; a release behind a barrier is not named."""
        return [self._unnamed(obstacle) for obstacle in super().obstacles(ref, conditions)]

    def approve(self, ref: str, by: str, *decision: Any, **more: Any) -> ApprovalRow:
        """As `Ledger.approve`; the refusal does not name a release behind a barrier."""
        try:
            return super().approve(ref, by, *decision, **more)
        except Blocked as blocked:
            raise Blocked(self._unnamed(blocked.obstacle), where=self.where) from None

    def _unnamed(self, obstacle: Obstacle) -> Obstacle:
        if obstacle.rule != "other-champion":
            return obstacle
        what, names = obstacle.what, obstacle.names
        for name in names:
            what = what if self.opens(name) else what.replace(name, "another release")
        return replace(obstacle, what=what, names=tuple(name if self.opens(name) else "" for name in names))

    # -- lineage ---------------------------------------------------------------------------------------------------

    def ancestors(self, ref: str) -> list[str]:
        """As `Ledger.ancestors`; none of what is behind a barrier."""
        return self._open_kin(ref, super().ancestors)

    def descendants(self, ref: str) -> list[str]:
        """As `Ledger.descendants`; none of what is behind a barrier."""
        return self._open_kin(ref, super().descendants)

    def _open_kin(self, ref: str, walk: Callable[[str], list[str]]) -> list[str]:
        if self._barriers is None:
            return walk(ref)
        if not ref.startswith("file:") and not self.opens(ref):
            return []
        return [name for name in walk(ref) if name.startswith("file:") or self.opens(name)]

    def pairs_of(self, ref: str, limit: int | None = None) -> tuple[int, list[SeenPair]]:
        """As `Ledger.pairs_of`."""
        return super().pairs_of(ref, limit) if self.opens(ref) else (0, [])

    def saw(self, what: str) -> tuple[list[SeenPair], list[str]]:
        """As `Ledger.saw`."""
        pairs, releases = super().saw(what)
        return [pair for pair in pairs if self.opens(pair.lessons)], [ref for ref in releases if self.opens(ref)]

    def find_sentence(self, sentence: str, limit: int = 20) -> list[Found]:
        """As `Ledger.find_sentence`."""
        return [found for found in super().find_sentence(sentence, limit) if self.opens(found.release)]

    def stood_at(self, at: datetime) -> Stood | None:
        """As `Ledger.stood_at`; None as well if what answered is behind a barrier."""
        found = super().stood_at(at)
        if found is None or not self.opens(found.rollout.champion):
            return None
        return replace(found, rollout=self._without_challenger(found.rollout))

    def log(self, *, after: int = 0, limit: int | None = None) -> list[LogEntry]:
        """As `Ledger.log`.

        Raises:
            UsageError: the person does not stand inside every barrier.
        """
        if self._barriers is not None:
            self._barriers.check_within(self._asks, "the log")
        return super().log(after=after, limit=limit)
