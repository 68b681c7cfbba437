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
        """Every record, oldest first. What a kill left of an unfinished last line is cut off the file."""
        if not self.path.exists():
            return []
        records: list[dict[str, Any]] = []
        good = 0
        raw = self.path.read_bytes()
        for line in raw.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            records.append(json.loads(line))
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
