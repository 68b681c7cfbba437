"""Drops that a person took back: the next pool keeps those pairs, whatever its steps say of them."""

from __future__ import annotations

from tensaku.curate.rows import read_jsonl
from tensaku.store import SourceFile

__all__ = ["identities", "identity"]


def identity(source: str, reason: str) -> tuple[str, str]:
    """What a drop is known by when somebody takes it back: file and fingerprint of its row, and the reason.

    The line is left out, so that a file may grow above the row.
    """
    place, hash_, mark = source.partition("#")
    if not hash_:
        return source, reason
    return f"{place.rpartition(':')[0]}#{mark}", reason


def identities(file: SourceFile | None) -> set[tuple[str, str]]:
    """The drops that the file says were taken back."""
    return {(row["row"], row["reason"]) for row in read_jsonl(file.path)} if file is not None else set()
