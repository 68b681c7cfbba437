"""A file that work is written down in piece by piece, so that a killed run goes on after the last piece."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Journal"]


class Journal:
    """One JSON object a line; each is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """Every record, oldest first. The file is cut off where a line is unfinished or is no JSON object: a kill
        leaves half a line, and a machine that lost its power can leave zeros."""
        if not self.path.exists():
            return []
        records: list[dict[str, Any]] = []
        good = 0
        raw = self.path.read_bytes()
        for line in raw.splitlines(keepends=True):
            record = _record(line)
            if record is None:
                break
            records.append(record)
            good += len(line)
        if good < len(raw):
            os.truncate(self.path, good)
        return records

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; one write, ASCII only, so that no line end stands inside it.

        Raises:
            OSError: the disk is full or the file cannot be written.
        """
        with self.path.open("ab") as file:
            os.write(file.fileno(), (json.dumps(record, ensure_ascii=True) + "\n").encode("ascii"))
            os.fsync(file.fileno())

    def remove(self) -> None:
        """The work is done: nothing has to go on from here."""
        self.path.unlink(missing_ok=True)


def _record(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
