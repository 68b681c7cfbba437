"""The hash-chained log: appending an entry, and finding the first one that was altered, removed or put elsewhere.

The hash of an entry is SHA-256 over the previous entry's hash, a line feed, and the entry's content as canonical JSON
(keys sorted, no spaces, UTF-8, no escapes beyond JSON's own). The first entry follows 64 zeros. Anyone can recompute
the chain with a few lines of any language; docs/ledger.md shows them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger.rows import Broken, LogEntry
from tensaku.ledger.tables import Head, Log

__all__ = ["GENESIS", "append", "canonical", "digest", "entry_of", "hash_of", "lock_head", "verify"]

GENESIS = "0" * 64


def canonical(value: Any) -> str:
    """One JSON text for equal values: keys sorted, no spaces, characters as they are."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def hash_of(row: Log) -> str:
    """The hash that an entry must carry."""
    content = canonical(
        {"seq": row.seq, "at": row.at, "who": row.who, "what": row.what, "subject": row.subject, "detail": row.detail}
    )
    return hashlib.sha256(f"{row.previous}\n{content}".encode()).hexdigest()


def entry_of(row: Log) -> LogEntry:
    """The row as it is handed out."""
    try:
        detail = json.loads(row.detail)
    except ValueError:  # only a tampered row; shown as found
        detail = {"unreadable": row.detail}
    return LogEntry(row.seq, row.at, row.who, row.what, row.subject, detail, row.previous, row.hash)


def lock_head(session: Session) -> Head:
    """The end of the chain, locked until the transaction ends: writers queue here on every database.

    Raises:
        UsageError: the row is gone, so the ledger was tampered with or is damaged.
    """
    head = session.scalars(select(Head).where(Head.id == 1).with_for_update()).one_or_none()
    if head is None:
        raise UsageError("the ledger has lost the end of its log", fix="Restore it from a backup; nothing was written")
    return head


def append(session: Session, who: str, what: str, subject: str, detail: Mapping[str, Any] | None = None) -> LogEntry:
    """Add one entry in the running transaction."""
    head = lock_head(session)
    row = Log(
        seq=head.seq + 1,
        at=datetime.now(UTC).isoformat(timespec="microseconds"),
        who=who,
        what=what,
        subject=subject,
        detail=canonical(dict(detail or {})),
        previous=head.hash,
    )
    row.hash = hash_of(row)
    head.seq, head.hash = row.seq, row.hash
    session.add(row)
    session.flush()
    return entry_of(row)


def verify(session: Session, *anchors: tuple[int, str], since: tuple[int, str] | None = None) -> Broken | None:
    """The first place where the chain does not hold, or None.

    Args:
        session: a reading session; the log is streamed, so its length does not matter.
        since: number and hash of an entry noted outside; what stands before it is not read again.
        anchors: numbers and hashes of entries noted outside the database. Only an anchor shows that the tail was cut,
            an old copy put back, or the whole chain computed anew by someone who can write to the database.
    """
    noted: dict[int, set[str]] = {}
    for seq, noted_hash in anchors:
        noted.setdefault(seq, set()).add(noted_hash)
    expected, previous = 1, GENESIS
    query = select(Log).order_by(Log.seq).execution_options(yield_per=1000)
    if since is not None and since[0] > 0:
        noted.setdefault(since[0], set()).add(since[1])
        expected, query = since[0], query.where(Log.seq >= since[0])
    first = expected if since is not None and since[0] > 0 else 0
    for row in session.scalars(query):
        if row.seq != expected:
            return Broken(expected, f"entry {expected} is missing", entry_of(row))
        if row.previous != previous and row.seq != first:
            return Broken(row.seq, f"entry {row.seq} does not follow entry {row.seq - 1}", entry_of(row))
        if row.hash != hash_of(row):
            return Broken(row.seq, f"entry {row.seq} was altered", entry_of(row))
        if row.seq in noted and noted[row.seq] != {row.hash}:
            return Broken(row.seq, f"entry {row.seq} is not the one noted outside", entry_of(row))
        expected, previous = expected + 1, row.hash
    head = session.get(Head, 1)
    if head is None or (head.seq, head.hash) != (expected - 1, previous):
        return Broken(expected, f"the log ends at entry {expected - 1}, which is not where it was last written to")
    beyond = [seq for seq in noted if seq >= expected]
    if beyond:
        return Broken(expected, f"the log ends at entry {expected - 1}; entry {min(beyond)} was noted outside")
    return None
