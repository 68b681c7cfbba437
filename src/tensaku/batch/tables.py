"""Tables of drafts: read, checked as a whole, and written again in their own format with further columns."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tensaku.curate.read_tables import read_excel
from tensaku.curate.read_text import delimiter_of, read_csv, read_jsonl
from tensaku.curate.rows import Broken, Row
from tensaku.documents.encoding import detect
from tensaku.errors import DataError, MissingExtra, UsageError
from tensaku.revise import DraftText, check_draft
from tensaku.text.months import parse_month

__all__ = ["ADDED", "READERS", "Columns", "Table", "is_table"]

ADDED = (
    *("revision", "facts_kept", "facts_broken", "sentences_lost", "changes"),
    *("finish", "release", "adapter", "base", "engine"),
)
"""The columns that a revised table has more."""

READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".xlsx": read_excel,
    ".jsonl": read_jsonl,
}
"""Readers of tables by the ending of a file's name."""
_FAULTS_SHOWN = 10
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def is_table(file: Path) -> bool:
    """Whether the file's name says that it is a table."""
    return file.suffix.lower() in READERS


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what."""

    draft: str = "draft"
    fund: str = "fund"
    section: str = "section"
    as_of: str = "as_of"


@dataclass(frozen=True)
class Table:
    """A file's rows in order: where each stands in the file, its values, and its draft."""

    path: Path
    lines: tuple[int, ...]
    rows: tuple[Mapping[str, Any], ...]
    drafts: tuple[DraftText, ...]

    @classmethod
    def read(cls, path: Path, columns: Columns) -> Table:
        """The table in `path`, every row of it checked.

        Raises:
            UsageError: there is no such file.
            DataError: it cannot be read, has no drafts, or rows are wrong: all of them are named (ten at most).
        """
        if not path.is_file():
            raise UsageError("there is no such file", where=path, fix="Name a table of drafts")
        found: list[Row] = []
        faults: list[str] = []
        drafts: list[DraftText] = []
        for row in READERS[path.suffix.lower()](path):
            if isinstance(row, Broken):
                faults.append(f"line {row.line}: {row.detail}")
                continue
            if not found:
                _check_columns(path, row.values, columns)
            found.append(row)
            try:
                drafts.append(_draft(row, columns))
            except UsageError as error:
                faults.append(f"line {row.line}: {error.what}")
        if faults:
            more = f" and {len(faults) - _FAULTS_SHOWN} more" if len(faults) > _FAULTS_SHOWN else ""
            what = f"{len(faults)} rows cannot be revised: " + "; ".join(faults[:_FAULTS_SHOWN]) + more
            raise DataError(what, file=path, fix="Put them right or take them out; nothing was revised")
        if not found:
            raise DataError("the table has no rows", file=path)
        return cls(path, tuple(r.line for r in found), tuple(r.values for r in found), tuple(drafts))

    def write(self, target: Path, added: Sequence[Mapping[str, Any]]) -> str:
        """Write the table with `added` (one mapping of `ADDED` a row) to `target`, whole or not at all.

        Returns:
            A remark for the person who asked, or nothing.
        """
        part = target.with_name(f".{target.name}.part")
        kind = self.path.suffix.lower()
        remark = ""
        if kind == ".jsonl":
            lines = [
                json.dumps({**row, **more}, ensure_ascii=False) for row, more in zip(self.rows, added, strict=True)
            ]
            part.write_bytes("".join(line + "\n" for line in lines).encode("utf-8"))
        elif kind == ".xlsx":
            self._write_excel(part, added)
        else:
            remark = self._write_csv(part, added)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
        return remark

    def _write_csv(self, part: Path, added: Sequence[Mapping[str, Any]]) -> str:
        encoding = detect(self.path)
        with self.path.open(encoding=encoding, newline="") as file:
            first = file.readline()
        out = io.StringIO(newline="")
        end = "\r\n" if first.endswith("\r\n") else "\n"
        writer = csv.writer(out, delimiter=delimiter_of(first), lineterminator=end)
        writer.writerow([*self.rows[0], *ADDED])
        for row, more in zip(self.rows, added, strict=True):
            writer.writerow([*row.values(), *(_cell(more[name]) for name in ADDED)])
        try:
            part.write_bytes(out.getvalue().encode(encoding))
        except UnicodeEncodeError as error:
            lacking = out.getvalue()[error.start]
            part.write_bytes(out.getvalue().encode("utf-8-sig"))
            return f"{self.path.name} is {encoding}, which has no {lacking!r}: the revised table is UTF-8"
        return ""

    def _write_excel(self, part: Path, added: Sequence[Mapping[str, Any]]) -> None:
        """The workbook itself, styles and other sheets as they were, with columns behind the last one."""
        try:
            openpyxl = import_module("openpyxl")
        except ModuleNotFoundError:
            raise MissingExtra("openpyxl", "curate") from None
        book = openpyxl.load_workbook(self.path)
        sheet = book.worksheets[0]
        head = next(
            n for n, cells in enumerate(sheet.iter_rows(values_only=True), 1) if any(c not in (None, "") for c in cells)
        )
        at = len(self.rows[0]) + 1
        for offset, name in enumerate(ADDED):
            sheet.cell(head, at + offset, name)
        for line, more in zip(self.lines, added, strict=True):
            for offset, name in enumerate(ADDED):
                cell = sheet.cell(line, at + offset)
                cell.value = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(_cell(more[name])))
                cell.data_type = "s"  # a text that begins with = is no formula
        book.save(part)


def _check_columns(path: Path, values: Mapping[str, Any], columns: Columns) -> None:
    for name in ADDED:
        if name in values:
            fix = "Rename it: the revised table has a column of this name"
            raise DataError("the table has a column of that name already", file=path, field=name, fix=fix)
    for field in ("draft", "fund", "section", "as_of"):
        name = getattr(columns, field)
        if name not in values:
            option = "--" + field.replace("_", "-")
            fix = f"Say which it is with {option} NAME; there is: {', '.join(list(values)[:20])}"
            raise DataError("there is no such column", file=path, field=name, fix=fix)


def _draft(row: Row, columns: Columns) -> DraftText:
    text = row.values.get(columns.draft)
    if not isinstance(text, str):
        raise UsageError(f"{columns.draft!r} holds no text")
    check_draft(text)
    month = parse_month(row.values.get(columns.as_of))
    if month is None:
        raise UsageError(f"{columns.as_of!r} is {row.values.get(columns.as_of)!r}, which names no month")
    labels = [str(row.values.get(name) or "").strip() for name in (columns.fund, columns.section)]
    return DraftText(text, labels[0], labels[1], month)


def _cell(value: Any) -> Any:
    """A value as one cell of a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)
