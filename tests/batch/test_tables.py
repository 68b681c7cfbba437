"""Tables of drafts: their own format comes back, and every wrong row is named before anything is done."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tensaku.batch.tables import ADDED, Columns, Table
from tensaku.errors import DataError

ROWS = [["青葉", "market", "2026年9月", "市場は、上昇した。"], ["若葉", "outlook", "2026-09", "今後も\n注視する。"]]
HEAD = ["ファンド", "section", "as_of", "draft"]
COLUMNS = Columns(fund="ファンド")


def added(text: str = "=1+1～") -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(ADDED, "x")
    made: dict[str, Any] = {"revision": text, "facts_kept": True, "facts_broken": [], "sentences_lost": ["c。"]}
    return values | made | {"changes": [["a", "b"]]}


def write_csv(path: Path, encoding: str, delimiter: str = ",", end: str = "\r\n") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator=end).writerows([HEAD, *ROWS])
    return path


@pytest.mark.parametrize(("encoding", "delimiter", "end"), [("utf-8-sig", ",", "\r\n"), ("cp932", "\t", "\n")])
def test_a_csv_keeps_encoding_delimiter_and_line_ends(tmp_path: Path, encoding: str, delimiter: str, end: str) -> None:
    table = Table.read(write_csv(tmp_path / "d.csv", encoding, delimiter, end), COLUMNS)
    assert [(draft.fund, draft.as_of) for draft in table.drafts] == [("青葉", "2026-09"), ("若葉", "2026-09")]
    assert table.write(tmp_path / "o.csv", [added()] * 2) == ""
    raw = (tmp_path / "o.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    assert (b"\r\n" in raw) == (end == "\r\n")
    with (tmp_path / "o.csv").open(encoding=encoding, newline="") as file:
        rows = list(csv.reader(file, delimiter=delimiter))
    assert [row[:4] for row in rows] == [HEAD, *ROWS]
    assert rows[0][4:] == list(ADDED)
    assert rows[1][4:9] == ["=1+1～", "yes", "[]", '["c。"]', '[["a", "b"]]']


def test_what_an_encoding_has_not_makes_the_table_utf_8_and_is_told(tmp_path: Path) -> None:
    table = Table.read(write_csv(tmp_path / "d.csv", "cp932"), COLUMNS)
    assert "cp932, which has no '€': the revised table is UTF-8" in table.write(tmp_path / "o.csv", [added("€")] * 2)
    assert "€" in (tmp_path / "o.csv").read_text(encoding="utf-8-sig")


def test_a_workbook_keeps_its_styles_and_sheets_and_a_text_is_no_formula(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([])
    sheet.append(HEAD)
    for row in ROWS:
        sheet.append(row)
        sheet.append([])
    sheet["A2"].font = openpyxl.styles.Font(bold=True)
    book.create_sheet("Notes")["A1"] = "=1+1"
    book.save(tmp_path / "d.xlsx")
    table = Table.read(tmp_path / "d.xlsx", COLUMNS)
    table.write(tmp_path / "o.xlsx", [added("=1+1\x01"), added("二")])
    made = openpyxl.load_workbook(tmp_path / "o.xlsx")
    held = made.worksheets[0]
    assert held["A2"].font.bold
    assert made["Notes"]["A1"].value == "=1+1"
    assert (held["E2"].value, held["E3"].value, held["E3"].data_type) == (
        "revision",
        "=1+1\N{REPLACEMENT CHARACTER}",
        "s",
    )
    assert held["E5"].value == "二"


def test_json_lines_keep_their_values(tmp_path: Path) -> None:
    row = {
        "draft": "市場は上昇した。",
        "fund": "青葉",
        "section": "market",
        "as_of": "2026-09",
        "more": [1, {"a": None}],
    }
    (tmp_path / "d.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    Table.read(tmp_path / "d.jsonl", Columns()).write(tmp_path / "o.jsonl", [added()])
    assert json.loads((tmp_path / "o.jsonl").read_text(encoding="utf-8")) == {**row, **added()}


def test_every_wrong_row_is_named_at_once(tmp_path: Path) -> None:
    lines = [",".join(HEAD), "a,market,2026-09,よい", "b,market,いつか,よい", "c,market,2026-09,", "d,market"]
    (tmp_path / "d.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        Table.read(tmp_path / "d.csv", COLUMNS)
    said = str(caught.value)
    assert "3 rows cannot be revised" in said
    for words in (
        "line 3: 'as_of' is 'いつか', which names no month",
        "line 4: the draft is empty",
        "line 5: the row has 2",
    ):
        assert words in said
    with pytest.raises(
        DataError, match=r"field 'fund': there is no such column. Say which it is with --fund NAME; there is: ファ"
    ):
        Table.read(write_csv(tmp_path / "e.csv", "utf-8"), Columns())
    (tmp_path / "f.csv").write_text("draft,fund,section,as_of,release\na,b,c,2026-09,r\n", encoding="utf-8")
    with pytest.raises(DataError, match="'release': the table has a column of that name already"):
        Table.read(tmp_path / "f.csv", Columns())
