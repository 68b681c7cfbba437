"""Encodings are found out by strict trials, or refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensaku.documents.encoding import detect, require
from tensaku.errors import DataError

TEXT = "原稿,公表文\nＴＯＰＩＸは３．２％上昇した。,TOPIXは3.2%上昇しました。\nｶﾌﾞ式は続伸,株式は続伸しました。\n" * 3


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp932", "cp932"),
        ("euc_jp", "euc_jp"),
        ("iso2022_jp_2", "iso2022_jp_2"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
    ],
)
def test_japanese_text_is_read_back_as_it_was_written(tmp_path: Path, written: str, found: str) -> None:
    text = TEXT.replace("ｶﾌﾞ式", "株式") if written == "iso2022_jp_2" else TEXT
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode(written))
    assert detect(path) == found
    assert path.read_text(encoding=detect(path)) == text


def test_one_broken_byte_in_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    raw = TEXT.encode()
    at = raw.index("TOPIXは".encode()) + 5
    path = tmp_path / "file.csv"
    path.write_bytes(raw[:at] + b"\xff" + raw[at:])
    with pytest.raises(DataError, match="line 2: a byte here is not UTF-8"):
        detect(path)


def test_a_break_far_into_the_file_has_the_right_line(tmp_path: Path) -> None:
    line = "市場は上昇しました。\n".encode()
    path = tmp_path / "file.csv"
    path.write_bytes(line * 100_000 + b"\x93\xfa\n")
    with pytest.raises(DataError, match="line 100001"):
        detect(path)


def test_western_and_chinese_text_is_not_taken_for_japanese(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("draft,final\nRésumé à né évité,résumé\n".encode("cp1252"))
    with pytest.raises(DataError, match="in none of UTF-8"):
        detect(path)
    path.write_bytes("草稿,发布稿\n市场上涨了，我们的基金表现良好。\n".encode("gb18030"))
    with pytest.raises(DataError, match="in none of UTF-8"):
        detect(path)


def test_an_encoding_that_is_given_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(TEXT.encode("cp932"))
    assert require(path, "cp932") == "cp932"
    with pytest.raises(DataError, match="line 1: the text is not utf-8"):
        require(path, "utf-8")
    with pytest.raises(DataError, match="unknown encoding 'sjiss'"):
        require(path, "sjiss")


@pytest.mark.parametrize(("head", "reader"), [(b"PK\x03\x04\x14\x00\x06\x00", "excel"), (b"PAR1\x15\x04", "parquet")])
def test_a_table_under_a_wrong_name_is_recognised(tmp_path: Path, head: bytes, reader: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(head + bytes(200))
    with pytest.raises(DataError, match=f'Say source = "{reader}"'):
        detect(path)
