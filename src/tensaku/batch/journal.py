"""What was revised so far, kept line by line beside the table that is to be: a killed run goes on from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

__all__ = ["Journal"]


class Journal:
    """Results by key in a JSON Lines file. A line counts once it is whole and on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, dict[str, Any]] = {}
        """Results of this run and those before it."""
        self._file: IO[bytes] | None = None

    def open(self) -> None:
        """Read what is there, cut off a line that was torn when a run was killed, and go on behind it."""
        self._file = self.path.open("a+b")
        self._file.seek(0)
        good = 0
        for line in self._file:
            try:
                entry = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                entry = None
            if not isinstance(entry, dict) or "key" not in entry:
                break
            self.found[entry["key"]] = entry["row"]
            good += len(line)
        self._file.truncate(good)

    def add(self, key: str, row: Mapping[str, Any]) -> None:
        """Keep one result: on the disk when this returns."""
        assert self._file is not None
        self.found[key] = dict(row)
        self._file.write(json.dumps({"key": key, "row": self.found[key]}, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """The table is written: the journal has done its work."""
        self.close()
        self.path.unlink(missing_ok=True)
