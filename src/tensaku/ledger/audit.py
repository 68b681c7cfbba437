"""Holding the rows against the log: each entry carries the digest of the row it speaks of."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from tensaku.ledger import tables
from tensaku.ledger.chain import digest, entry_of
from tensaku.ledger.rows import SYSTEM, Mismatch
from tensaku.ledger.transactions import columns

__all__ = ["mismatches"]

WATCHED: dict[str, type[tables.Row]] = {
    "person": tables.Person,
    "draft": tables.Draft,
    "revision": tables.Revised,
    "final": tables.Final,
    "decision": tables.Decided,
    "choice": tables.Choice,
    "release": tables.Release,
    "approval": tables.Approval,
    "deployment": tables.Deployment,
    "rollout": tables.Rollout,
    "key": tables.ApiKey,
    "answer": tables.Answered,
    "assignment": tables.Assignment,
    "review": tables.Review,
    "report": tables.Report,
    "heading": tables.HeadingWord,
    "comparison": tables.Comparison,
    "vote": tables.Voted,
    "filing": tables.Filed,
    "question": tables.Question,
    "opinion": tables.Opinion,
    "ruling": tables.DropRuling,
    "topic": tables.Topic,
    "topic-review": tables.TopicReview,
}


def mismatches(session: Session) -> list[Mismatch]:
    """Every row that differs from its newest entry in the log, is gone, or was never entered."""
    rows: dict[str, str] = {}
    changes: dict[str, str] = {}
    for row in session.scalars(select(tables.Log).order_by(tables.Log.seq).execution_options(yield_per=1000)):
        entry = entry_of(row)
        if "digest" in entry.detail:
            rows[entry.subject] = entry.detail["digest"]
        if "changes" in entry.detail:
            changes[entry.subject] = entry.detail["changes"]
    found = [m for kind, table in WATCHED.items() for m in _of_table(session, kind, table, rows)]
    found += [Mismatch(subject, "is in the log and no longer in its table") for subject in rows]
    return found + list(_of_changes(session, changes))


def _of_table(session: Session, kind: str, table: type[tables.Row], expected: dict[str, str]) -> Iterator[Mismatch]:
    """Compare one table, taking what was found out of `expected`."""
    for row in session.scalars(select(table).execution_options(yield_per=500)):
        values = columns(row)
        subject = f"{kind}:{values[inspect(table).primary_key[0].name]}"
        if subject == f"person:{SYSTEM}":
            continue  # made by the first migration, before there was a log
        logged = expected.pop(subject, None)
        if logged is None:
            yield Mismatch(subject, "is not in the log")
        elif logged != digest(values):
            yield Mismatch(subject, "was altered after it was logged")


def _of_changes(session: Session, expected: dict[str, str]) -> Iterator[Mismatch]:
    """Compare the changes of each final, which the log holds as one digest a final."""
    held: dict[int, list[dict[str, object]]] = {}
    for row in session.scalars(select(tables.Changed).order_by(tables.Changed.id).execution_options(yield_per=1000)):
        held.setdefault(row.final_id, []).append(columns(row))
    for subject, logged in expected.items():
        if digest(held.pop(int(subject.partition(":")[2]), [])) != logged:
            yield Mismatch(subject, "its changes were altered after they were logged")
    for final_id in held:
        yield Mismatch(f"final:{final_id}", "it has changes that are not in the log")
