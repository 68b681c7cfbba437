"""Parquet and Excel, right and wrong."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from tensaku.curate.read_tables import read_excel, read_parquet
from tensaku.curate.rows import Broken, Row
from tensaku.errors import DataError, NotFound

openpyxl: Any = pytest.importorskip("openpyxl")
pyarrow: Any = pytest.importorskip("pyarrow")
parquet: Any = pytest.importorskip("pyarrow.parquet")


def workbook(path: Path, rows: list[list[Any]], sheet: str = "対") -> Path:
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_excel_keeps_row_numbers_and_types(tmp_path: Path) -> None:
    when = dt.datetime(2026, 9, 30)
    path = workbook(tmp_path / "a.xlsx", [[], ["原稿", "月", None], ["一", when], [None, None], ["二", 46295]])
    assert list(read_excel(path)) == [Row(3, {"原稿": "一", "月": when}), Row(5, {"原稿": "二", "月": 46295})]


def test_excel_sheet_by_name(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["a"], [1]], sheet="九月")
    assert list(read_excel(path, sheet="九月")) == [Row(2, {"a": 1})]
    with pytest.raises(NotFound, match="no sheet '十月'"):
        list(read_excel(path, sheet="十月"))


def test_excel_cell_beyond_the_columns_is_broken(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["a"], [1, 2]])
    (row,) = read_excel(path)
    assert isinstance(row, Broken)
    assert row.reason == "field-count"


@pytest.mark.parametrize("reader", [read_excel, read_parquet])
@pytest.mark.parametrize("content", [b"", b"draft,final\n", b"PAR1" + b"\0" * 40, b"PK\x03\x04 cut off"])
def test_files_of_another_kind_are_refused(tmp_path: Path, reader: Any, content: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.bin"):
        list(reader(path))


def test_parquet_reads_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"draft": [f"第{n}稿" for n in range(3000)]}), path)
    rows = list(read_parquet(path))
    assert len(rows) == 3000
    assert rows[2999] == Row(3000, {"draft": "第2999稿"})


def test_a_workbook_with_a_password_is_named(tmp_path: Path) -> None:
    path = tmp_path / "locked.xlsx"
    path.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 3000 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 99
    )
    with pytest.raises(DataError, match="protected by a password"):
        list(read_excel(path))
