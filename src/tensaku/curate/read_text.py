"""Readers of text files: JSON Lines and CSV. Each walks its file a line at a time."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tensaku.curate.rows import Broken, Row
from tensaku.documents.encoding import damaged_utf8, detect, require
from tensaku.errors import DataError
from tensaku.plugins import sources

__all__ = ["delimiter_of", "read_csv", "read_jsonl"]

LINE_LIMIT = 8 * 1024 * 1024
"""Characters in one line or field beyond which a file is taken to be of another kind."""


@sources.register("jsonl")
def read_jsonl(path: Path, /, *, encoding: str | None = None) -> Iterator[Row | Broken]:
    """One JSON object a line; blank lines are passed over.

    Args:
        encoding: a Python codec name; found out if not given.

    A line of over eight million characters is passed over without being held, and one that is not in the file's
    encoding is told from the others: each is a `Broken` of its own.

    Raises:
        DataError: the file is empty, or not text in any known encoding.
    """
    with _open(path, encoding) as file:
        number = 0
        while line := file.readline(LINE_LIMIT):
            number += 1
            if len(line) == LINE_LIMIT and not line.endswith("\n"):
                _pass_over(file)
                yield Broken(number, "too-long-line", "the line has over 8 million characters", line[:_KEPT])
            elif fault := _damage(number, line):
                yield fault
            elif line.strip():
                yield _object(number, line.rstrip("\n"))


_KEPT = 1000  # characters kept of a line that is too long
_ESCAPED = re.compile("[\udc80-\udcff]")


def _pass_over(file: IO[str]) -> None:
    """Read on to the end of the line."""
    while (more := file.readline(LINE_LIMIT)) and not more.endswith("\n"):
        pass


def _damage(number: int, line: str) -> Broken | None:
    """What is wrong with the characters of a line, whatever it says."""
    if _ESCAPED.search(line):
        text = line.rstrip("\n").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return Broken(number, "bad-encoding", "a byte here is not UTF-8, though the text before is", text)
    if "\x00" in line:
        return Broken(number, "embedded-null", "the line holds a zero byte (U+0000)", line.rstrip("\n"))
    return None


def _object(number: int, line: str) -> Row | Broken:
    try:
        values = json.loads(line)
    except ValueError as error:
        return Broken(number, "not-json", f"the line is not JSON ({error})", line)
    except RecursionError:
        return Broken(number, "not-json", "the line is JSON nested too deep", line)
    if isinstance(values, list) and number == 1:
        return Broken(
            number, "not-an-object", "the line is a JSON array; a JSON Lines file has one object a line", line
        )
    if not isinstance(values, dict):
        return Broken(number, "not-an-object", f"the line holds a JSON {_kind(values)}, not an object", line)
    return Row(number, values)


def _kind(value: object) -> str:
    return {list: "array", str: "string", int: "number", float: "number", bool: "boolean"}.get(type(value), "null")


def delimiter_of(first: str) -> str:
    """The one of `,` `;` tab that the first line of a table has most of."""
    return max(",;\t", key=first.count)


@sources.register("csv")
def read_csv(path: Path, /, *, encoding: str | None = None, delimiter: str | None = None) -> Iterator[Row | Broken]:
    """Comma-, semicolon- or tab-separated values whose first line names the columns. `line` is where a row ends.

    Args:
        encoding: a Python codec name; found out if not given.
        delimiter: one character; by default the one of `,` `;` tab that the first line has most of.

    Raises:
        DataError: the file is empty, not text in any known encoding, or has a column without a name or two of one name.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise DataError(f"a delimiter is one character, not {delimiter!r}", file=path, field="delimiter")
    csv.field_size_limit(LINE_LIMIT)  # the standard library's own limit is 131,072, less than a long draft
    with _open(path, encoding, newline="") as file:
        if delimiter is None:
            delimiter = delimiter_of(file.readline(LINE_LIMIT))
            file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        columns = _header(path, reader)
        while True:
            try:
                fields = next(reader, None)
            except csv.Error as error:
                yield Broken(reader.line_num, "not-csv", f"the line is not CSV ({error})", "")
                continue
            if fields is None:
                return
            if not fields:
                continue
            if fault := _damage(reader.line_num, delimiter.join(fields)):
                yield fault
            elif len(fields) != len(columns):
                detail = f"the row has {len(fields)} fields, the first line names {len(columns)}"
                yield Broken(reader.line_num, "field-count", detail, delimiter.join(fields), readable=True)
            else:
                yield Row(reader.line_num, dict(zip(columns, fields, strict=True)))


def _header(path: Path, reader: Any) -> list[str]:
    try:
        columns = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise DataError(f"the line that names the columns is not CSV ({error})", file=path, line=1) from None
    return check_columns(path, columns)


def check_columns(path: Path, columns: list[str]) -> list[str]:
    """`columns`, if each has a name of its own.

    Raises:
        DataError: there is none, one has no name, or two have the same.
    """
    if not any(columns):
        raise DataError("the first line names no columns", file=path, line=1, fix="Name the columns there")
    for number, name in enumerate(columns, 1):
        if not name:
            raise DataError(f"column {number} has no name", file=path, line=1, fix="Name it in the first line")
        if name in columns[: number - 1]:
            raise DataError("two columns have this name", file=path, line=1, field=name, fix="Rename one of them")
    return columns


def _open(path: Path, encoding: str | None, newline: str | None = None) -> IO[str]:
    if path.stat().st_size == 0:
        raise DataError("the file is empty", file=path)
    if encoding is None and damaged_utf8(path):
        return path.open(encoding="utf-8", errors="surrogateescape", newline=newline)
    name = detect(path) if encoding is None else require(path, encoding)
    return path.open(encoding=name, errors="strict", newline=newline)
