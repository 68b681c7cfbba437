"""A copy of finals and labels where a house asks its questions: Snowflake, or any database that SQLAlchemy knows.

Two flat tables without keys of others, so that a warehouse that enforces none holds the same: `tensaku_finals`, one row
a saved comment with its draft and the model's revision, and `tensaku_labels`, one row a decision, a choice or a review.
A row is known by its number and the digest of its values: what is there already is not sent again, and what was erased
from the ledger since is erased from the copy too. The copy is never read back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    insert,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from tensaku.errors import MissingExtra, UsageError
from tensaku.ledger.chain import canonical, digest

if TYPE_CHECKING:
    from tensaku.ledger.book import Ledger

__all__ = ["FINALS", "LABELS", "Copied", "copy_out", "finals_rows", "labels_rows", "warehouse"]

BATCH = 500
"""Rows a statement."""

_SCHEMA = MetaData()
FINALS = Table(
    "tensaku_finals",
    _SCHEMA,
    Column("final_id", Integer, primary_key=True, autoincrement=False),
    Column("draft_id", Integer, nullable=False),
    Column("as_of", String(7), nullable=False),
    Column("manager", String(200), nullable=False),
    Column("fund", String(200), nullable=False),
    Column("section", String(64), nullable=False),
    Column("draft", Text, nullable=False),
    Column("revision", Text),
    Column("model_release", String(200)),
    Column("final", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("saved_by", String(64), nullable=False),
    Column("saved_at", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
)
LABELS = Table(
    "tensaku_labels",
    _SCHEMA,
    Column("label_id", String(40), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("draft_id", Integer, nullable=False),
    Column("about", String(64), nullable=False),
    Column("label", String(16), nullable=False),
    Column("old_text", Text, nullable=False),
    Column("new_text", Text, nullable=False),
    Column("reason", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("said_by", String(64), nullable=False),
    Column("said_at", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did, by table: rows that are new there, rows that were put anew, rows that were the same."""

    new: Mapping[str, int]
    changed: Mapping[str, int]
    same: Mapping[str, int]


def warehouse(url: URL) -> Engine:
    """An engine for the address.

    Raises:
        MissingExtra: its dialect is not installed.
        UsageError: it is no address.
    """
    options: dict[str, Any] = {}
    if url.get_backend_name() == "snowflake":  # its driver tells its maker how it is used, unless told not to
        options["connect_args"] = {"session_parameters": {"CLIENT_TELEMETRY_ENABLED": False}}
    try:
        return create_engine(url, **options)
    except (NoSuchModuleError, ModuleNotFoundError) as missing:
        if url.get_backend_name() == "snowflake":
            raise MissingExtra("snowflake-sqlalchemy", "snowflake") from missing
        shown = url.render_as_string(hide_password=True)
        raise UsageError(f"no driver for this database ({missing})", where=shown, fix="Install it") from missing
    except ArgumentError as wrong:
        what = f"this is no database address ({wrong})"
        raise UsageError(what, where="ledger.warehouse", fix="snowflake://USER@ACCOUNT/DB/SCHEMA") from wrong


def finals_rows(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Every final with its draft and revision, by number of draft."""
    for draft in sorted(ledger.drafts(), key=lambda row: row.id):
        revisions = {row.id: row for row in ledger.revisions(draft.id)}
        for final in ledger.finals(draft.id)[::-1]:
            revision = revisions.get(final.revision_id or 0)
            yield {
                "final_id": final.id,
                "draft_id": draft.id,
                **{name: getattr(draft, name) for name in ("as_of", "manager", "fund", "section")},
                "draft": draft.text,
                "revision": revision.text if revision is not None else None,
                "model_release": revision.provenance.get("release") if revision is not None else None,
                "final": final.text,
                "reasons": canonical(dict(final.reasons)),
                "saved_by": final.by,
                "saved_at": final.at.isoformat(),
            }


def labels_rows(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Every decision on a change, every choice between revisions and every review."""
    for draft in sorted(ledger.drafts(), key=lambda row: row.id):
        for said in ledger.decisions(draft.id, newest=False):
            yield _label("decision", said, said.change, said.decision, old=said.old, new=said.new, reason=said.reason)
        for review in ledger.reviews(draft.id):
            yield {**_label("review", review, f"final:{review.final_id}", review.decision), "draft_id": draft.id}
    for choice in ledger.choices():
        shown = ", ".join(map(str, choice.shown))
        yield {**_label("choice", choice, f"revision:{choice.chosen}", "chosen"), "note": f"of {shown}"}


def _label(
    kind: str, row: Any, about: str, label: str, *, old: str = "", new: str = "", reason: str = ""
) -> dict[str, Any]:
    return {
        "label_id": f"{kind}:{row.id}",
        "kind": kind,
        "draft_id": getattr(row, "draft_id", 0),
        "about": about,
        "label": label,
        "old_text": old,
        "new_text": new,
        "reason": reason,
        "note": getattr(row, "note", ""),
        "said_by": row.by,
        "said_at": row.at.isoformat(),
    }


def copy_out(ledger: Ledger, engine: Engine) -> Copied:
    """Bring the copy up to the ledger: all of it in one transaction, or nothing.

    Raises:
        UsageError: the database cannot be reached or written to.
    """
    rows = {FINALS: list(finals_rows(ledger)), LABELS: list(labels_rows(ledger))}
    new: dict[str, int] = {}
    changed: dict[str, int] = {}
    same: dict[str, int] = {}
    try:
        _SCHEMA.create_all(engine)
        with engine.begin() as connection:
            for table, held in rows.items():
                told = [{**row, "digest": digest(row)} for row in held]
                new[table.name], changed[table.name] = _bring(connection, table, told)
                same[table.name] = len(told) - new[table.name] - changed[table.name]
    except DBAPIError as failed:
        shown = engine.url.render_as_string(hide_password=True)
        what = f"the copy could not be written ({failed.orig})"
        raise UsageError(what, where=shown, fix="Nothing was copied; put it right and do it again") from failed
    return Copied(new, changed, same)


def _bring(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Rows that were not there, and rows that were put anew."""
    key = next(iter(table.primary_key.columns))
    there = {row[0]: row[1] for row in connection.execute(select(key, table.c.digest))}
    other = [row for row in rows if row[key.name] in there and there[row[key.name]] != row["digest"]]
    fresh = [row for row in rows if row[key.name] not in there]
    for start in range(0, len(other), BATCH):
        connection.execute(delete(table).where(key.in_([row[key.name] for row in other[start : start + BATCH]])))
    sent = [*other, *fresh]
    for start in range(0, len(sent), BATCH):
        connection.execute(insert(table), sent[start : start + BATCH])
    return len(fresh), len(other)
