"""Drops that a person took back: the next pool keeps those pairs, whatever its steps say of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tensaku.curate.rows import read_jsonl
from tensaku.store import SourceFile, frozen_file

if TYPE_CHECKING:
    from tensaku.ledger import Ledger

__all__ = ["identities", "identity", "taken_back_file"]


def identity(source: str, reason: str) -> tuple[str, str]:
    """What a drop is known by when somebody takes it back: file and fingerprint of its row, and the reason.

    The line is left out, so that a file may grow above the row.
    """
    place, hash_, mark = source.partition("#")
    if not hash_:
        return source, reason
    return f"{place.rpartition(':')[0]}#{mark}", reason


def taken_back_file(ledger: Ledger, folder: Path) -> SourceFile | None:
    """The drops that people took back, with who and why, as a file in `folder`; None if there are none.

    Raises:
        UsageError: it cannot be written.
    """
    rows = [
        {"row": row.row, "reason": row.reason, "note": row.note, "by": row.by, "at": row.at.isoformat()}
        for row in ledger.rulings()
        if row.kept
    ]
    return frozen_file(rows, folder, "taken-back") if rows else None


def identities(file: SourceFile | None) -> set[tuple[str, str]]:
    """The drops that the file says were taken back."""
    return {(row["row"], row["reason"]) for row in read_jsonl(file.path)} if file is not None else set()
