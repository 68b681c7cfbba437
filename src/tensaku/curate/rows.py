"""What readers yield, and the JSON Lines files that curation works on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from tensaku.records import Drop, Pair, from_dict, to_dict

__all__ = ["Broken", "JsonlWriter", "PairFile", "Row", "read_drops", "read_jsonl"]


# Whoever splits the file by `str.splitlines` must not find these inside a record.
_LINE_BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class Row(NamedTuple):
    """One row of an outside file. `line` counts from 1 and is where a person finds it in that file."""

    line: int
    values: dict[str, Any]


class Broken(NamedTuple):
    """A line that makes no row: `reason` is counted, `detail` and `text` are kept.

    `readable` is true if only its fields do not fit, so that what follows can be trusted.
    """

    line: int
    reason: str
    detail: str
    text: str
    readable: bool = False


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file that Tensaku wrote itself."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


class JsonlWriter:
    """Writes records to a JSON Lines file, one a line, counting them in `n`."""

    def __init__(self, path: Path) -> None:
        self.n = 0
        self._file: IO[str] = path.open("w", encoding="utf-8", newline="\n")

    def write(self, record: Any) -> None:
        """Add one record: a dataclass or a dict."""
        values = record if isinstance(record, dict) else to_dict(record)
        # A lone surrogate cannot be written as UTF-8, but may stand in a row that is set aside: escape that row.
        line = json.dumps(values, ensure_ascii=False, default=str).translate(_LINE_BREAKS)
        try:
            line.encode("utf-8")
        except UnicodeEncodeError:
            line = json.dumps(values, default=str)
        self._file.write(line + "\n")
        self.n += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class PairFile:
    """The pairs of a JSON Lines file: can be walked as often as wanted, and never holds them all in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Pair]:
        for values in read_jsonl(self.path):
            yield from_dict(Pair, values)


def read_drops(path: Path) -> Iterator[Drop]:
    """The drops kept in a `drops.jsonl`."""
    for values in read_jsonl(path):
        yield from_dict(Drop, values)
