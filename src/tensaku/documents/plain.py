"""Text files."""

from __future__ import annotations

import csv
from pathlib import Path

from tensaku.documents.encoding import detect
from tensaku.documents.faults import Unreadable
from tensaku.documents.limits import Limits
from tensaku.documents.model import Block, Page, ReadDocument
from tensaku.documents.shape import Cleaner, paragraphs
from tensaku.errors import DataError

__all__ = ["decoded", "read_text"]


def decoded(path: Path, limits: Limits) -> str:
    """The whole text of a file, whatever Japanese encoding it is in.

    Raises:
        Unreadable: it is in no known encoding, or no text at all, or too long.
    """
    try:
        content = path.read_text(encoding=detect(path))
    except DataError as error:
        raise Unreadable("not-text", path, error.what) from None
    odd = sum(c < " " and c not in "\t\n\r\f\v" for c in content[: 1 << 16])
    if "\x00" in content or odd * 100 > min(len(content), 1 << 16):
        raise Unreadable("unknown-kind", path, "its bytes are no text")
    if len(content) > limits.characters:
        raise Unreadable("too-many", path, f"{len(content):,} characters; {limits.characters:,} are read")
    return content


def read_text(path: Path, limits: Limits, name: str) -> ReadDocument:
    """A text file as one page. A `.csv` is a table; anything else is lines."""
    clean = Cleaner()
    content = clean(decoded(path, limits))
    blocks = [_table(content)] if name.lower().endswith(".csv") else paragraphs(content)
    return ReadDocument("text", (Page(1, tuple(blocks)),), tuple(clean.notes()))


def _table(content: str) -> Block:
    rows = [tuple(cell.strip() for cell in row) for row in csv.reader(content.split("\n")) if any(row)]
    return Block.table(tuple(rows), "line 1")
