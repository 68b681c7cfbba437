"""Readers of tables: Parquet and Excel. Each walks its file in batches of rows."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from tensaku.curate.read_text import check_columns
from tensaku.curate.rows import Broken, Row
from tensaku.errors import DataError, MissingExtra, NotFound
from tensaku.plugins import sources

__all__ = ["read_excel", "read_parquet"]

BATCH = 1024


@sources.register("parquet")
def read_parquet(path: Path, /) -> Iterator[Row | Broken]:
    """The rows of a Parquet file; `line` is the number of the row.

    Raises:
        DataError: the file is empty or is no Parquet file.
        MissingExtra: pyarrow is not installed.
    """
    parquet, failures = _pyarrow()
    _check_size(path)
    line = 0
    try:
        with parquet.ParquetFile(path, memory_map=False) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for values in batch.to_pylist():
                    line += 1
                    yield Row(line, values)
    except failures as error:
        first = str(error).splitlines()[0]
        raise DataError(f"this is no readable Parquet file ({first})", file=path, line=line or None) from None


@sources.register("excel")
def read_excel(path: Path, /, *, sheet: str | None = None) -> Iterator[Row | Broken]:
    """The rows of one sheet of an .xlsx workbook; the first row that is not blank names the columns.

    Args:
        sheet: the sheet's name; by default the first.

    Raises:
        DataError: the file is empty or is no .xlsx workbook, or a column has no name or shares one.
        NotFound: there is no such sheet.
        MissingExtra: openpyxl is not installed.
    """
    _check_size(path)
    book = _workbook(path)
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise NotFound("sheet", sheet, book.sheetnames, where=path)
        columns: list[str] | None = None
        for line, cells in enumerate((book[sheet] if sheet else book.worksheets[0]).iter_rows(values_only=True), 1):
            if all(cell is None or cell == "" for cell in cells):
                continue
            if columns is None:
                columns = _columns(path, cells)
            elif any(cell is not None for cell in cells[len(columns) :]):
                detail = f"a cell stands to the right of the {len(columns)} named columns"
                yield Broken(line, "field-count", detail, str(cells), readable=True)
            else:
                padded = [*cells, *[None] * (len(columns) - len(cells))]
                yield Row(line, dict(zip(columns, padded, strict=False)))
    finally:
        book.close()


def _pyarrow() -> tuple[Any, tuple[type[Exception], ...]]:
    """The Parquet module and what it raises for a file that is no good."""
    try:
        return import_module("pyarrow.parquet"), (import_module("pyarrow").ArrowException, OSError, UnicodeDecodeError)
    except ModuleNotFoundError as error:
        raise MissingExtra("pyarrow", "curate") from error


def _columns(path: Path, cells: tuple[Any, ...]) -> list[str]:
    named = ["" if cell is None else str(cell).strip() for cell in cells]
    while named and not named[-1]:
        named.pop()
    return check_columns(path, named)


def _workbook(path: Path) -> Any:
    try:
        openpyxl = import_module("openpyxl")
        invalid = import_module("openpyxl.utils.exceptions").InvalidFileException
    except ModuleNotFoundError as error:
        raise MissingExtra("openpyxl", "curate") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles that it leaves out; values are all we take
            return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (invalid, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        if _is_locked(path):
            raise DataError(
                "the workbook is protected by a password", file=path, fix="Open it and save it without one"
            ) from None
        fix = "Save it as .xlsx" if path.suffix.lower() == ".xls" else None
        raise DataError(f"this is no readable .xlsx workbook ({error})", file=path, fix=fix) from None


def _is_locked(path: Path) -> bool:
    """Whether the file is what Office makes of a workbook with a password (MS-OFFCRYPTO: a stream in an OLE file)."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return head.startswith(b"\xd0\xcf\x11\xe0") and "EncryptedPackage".encode("utf-16-le") in head + _tail(path)


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 20)))
        return file.read()


def _check_size(path: Path) -> None:
    if path.stat().st_size == 0:
        raise DataError("the file is empty", file=path)
