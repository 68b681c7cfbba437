"""JSON Lines and CSV, right and wrong."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from tensaku.curate.read_text import read_csv, read_jsonl
from tensaku.curate.rows import Broken, Row
from tensaku.errors import DataError, UsageError
from tensaku.plugins import sources


def test_jsonl_keeps_the_line_numbers_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"draft": "一\u2028二"}\n\n{"draft": "三"}', encoding="utf-8")
    assert list(read_jsonl(path)) == [Row(1, {"draft": "一\u2028二"}), Row(3, {"draft": "三"})]


@pytest.mark.parametrize(
    ("line", "reason"),
    [("{oops", "not-json"), ("[1]", "not-an-object"), ('"text"', "not-an-object"), ("[" * 100_000, "not-json")],
)
def test_a_line_that_is_no_object_is_broken(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n' + line + '\n{"a": 2}\n', encoding="utf-8")
    rows = list(read_jsonl(path))
    assert [row.line for row in rows] == [1, 2, 3]
    assert isinstance(rows[1], Broken)
    assert (rows[1].reason, rows[1].text) == (reason, line)


def test_a_file_of_one_endless_line_is_one_broken_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "' + "x" * (9 * 1024 * 1024), encoding="utf-8")
    (row,) = read_jsonl(path)
    assert isinstance(row, Broken)
    assert (row.line, row.reason, len(row.text)) == (1, "too-long-line", 1000)


@pytest.mark.parametrize("reader", [read_jsonl, read_csv])
def test_an_empty_file(tmp_path: Path, reader: object) -> None:
    path = tmp_path / "a.csv"
    path.touch()
    with pytest.raises(DataError, match="the file is empty"):
        list(reader(path))  # type: ignore[operator]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_finds_its_delimiter_and_reads_quoted_line_breaks(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(delimiter.join(["draft", "final"]).encode() + b"\r\n" + f'"一\r\n二"{delimiter}三\r\n'.encode())
    assert list(read_csv(path)) == [Row(3, {"draft": "一\r\n二", "final": "三"})]


def test_csv_takes_a_draft_of_a_hundred_thousand_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("draft\n" + "長" * 200_000 + "\n", encoding="utf-8")
    (row,) = read_csv(path)
    assert isinstance(row, Row)
    assert len(row.values["draft"]) == 200_000


def test_csv_rows_that_do_not_fit_their_header_are_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,2\n1,2,3\n"1"x,2\n5,6\n', encoding="utf-8")
    rows = list(read_csv(path))
    assert [type(row) for row in rows] == [Row, Broken, Broken, Row]
    assert [row.reason for row in rows if isinstance(row, Broken)] == ["field-count", "not-csv"]


@pytest.mark.parametrize(
    ("header", "message"), [("a,,b", "column 2 has no name"), ("a,a", "two columns have this name")]
)
def test_csv_columns_must_be_named_apart(tmp_path: Path, header: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(header + "\n1,2,3\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        list(read_csv(path))


def test_readers_stand_behind_the_door_and_refuse_unknown_settings(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps({"draft": "市場"}, ensure_ascii=False).encode("cp932"))
    read = sources.build({"source": "jsonl", "encoding": "cp932"})
    assert list(read(path)) == [Row(1, {"draft": "市場"})]
    with pytest.raises(UsageError, match=r"encodign.*Did you mean 'encoding'"):
        sources.build({"source": "jsonl", "encodign": "cp932"})


ROW = '{"draft": "株は上昇", "n": %d}\n'


def test_damaged_lines_are_set_aside_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    nulls = b"\x00\x00\n" + (ROW % 4).replace("株", "株\x00").encode()
    path.write_bytes((ROW % 1).encode() + (ROW % 2).encode("cp932") + (ROW % 3).encode() + nulls)
    found = list(sources.build({"source": "jsonl"})(path))
    assert [getattr(row, "reason", "") for row in found] == ["", "bad-encoding", "", "embedded-null", "embedded-null"]
    assert [row.line for row in found] == [1, 2, 3, 4, 5]
    table = tmp_path / "mixed.csv"
    table.write_bytes(
        "draft,n\n株は上昇,1\n".encode() + "株は下落,2\n".encode("cp932") + "株\x00,3\n横ばい,4\n".encode()
    )
    found = list(sources.build({"source": "csv"})(table))
    assert [getattr(row, "reason", "") for row in found] == ["", "bad-encoding", "embedded-null", ""]


def test_a_line_without_end_is_passed_over_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write((ROW % 1).encode() + b'{"draft": "')
        for _ in range(40):
            file.write(b"a" * (1 << 20))
        file.write(b'"}\n' + (ROW % 2).encode())
    tracemalloc.start()
    found = list(sources.build({"source": "jsonl"})(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [getattr(row, "reason", "") for row in found] == ["", "too-long-line", ""]
    assert [row.line for row in found] == [1, 2, 3]
    assert peak < 36e6
