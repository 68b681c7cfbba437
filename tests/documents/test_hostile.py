"""Files that are broken, protected, too large, or mean harm: one clear message each, nothing harmed, no time lost."""

from __future__ import annotations

import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pytest
from reportlab.lib import pdfencrypt
from reportlab.pdfgen.canvas import Canvas

from tensaku.documents import Limits, Unreadable, gathered, read

SMALL = Limits(seconds=5, memory_bytes=700 << 20)
PIXEL = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde"
    b"\x00\x00\x00\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)


def refused(path: Path, limits: Limits = SMALL) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(path, limits=limits)
    assert "\n" not in str(caught.value)
    assert caught.value.fix
    return caught.value


def _docx(path: Path, text: str = "市場は上昇した。") -> Path:
    document = docx.Document()
    document.add_paragraph(text)
    document.save(str(path))
    return path


def _with_part(path: Path, name: str, content: bytes) -> Path:
    """The Office file with one part put in or replaced."""
    with zipfile.ZipFile(path) as old:
        parts = {entry: old.read(entry) for entry in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for entry, data in {**parts, name: content}.items():
            new.writestr(entry, data)
    return path


def _locked_pdf(path: Path) -> None:
    canvas = Canvas(str(path), encrypt=pdfencrypt.StandardEncryption("secret", ownerPassword="owner", strength=128))
    canvas.drawString(50, 700, "market")
    canvas.save()


def _old_office(path: Path, name: str) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600 + name.encode("utf-16-le") + b"\x00" * 600)


def _bomb(path: Path) -> None:
    archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9)
    with archive, archive.open("zeros.txt", "w", force_zip64=True) as entry:
        for _ in range(300):
            entry.write(bytes(1 << 20))


def _macro(path: Path) -> None:
    _with_part(_docx(path), "word/vbaProject.bin", b"Sub AutoOpen()")


def _entities(path: Path, encoding: str = "utf-8") -> None:
    bomb = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    xml = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE w [<!ENTITY a0 "笑">{bomb}]><w>&a9;</w>'
    _with_part(_docx(path), "word/document.xml", xml.encode(encoding))


def _outside(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../etc/cron.d/evil", "* * * * * root true")


def _locked_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "write", "reason"),
    [
        ("空.pdf", lambda path: path.write_bytes(b""), "empty"),
        ("鍵.pdf", _locked_pdf, "encrypted-pdf"),
        ("鍵.xlsx", lambda path: _old_office(path, "EncryptedPackage"), "encrypted-office"),
        ("昔.doc", lambda path: _old_office(path, "WordDocument"), "old-office"),
        ("マクロ.docx", _macro, "macros"),
        ("実体.docx", _entities, "entities"),
        ("実体16.docx", lambda path: _entities(path, "utf-16"), "entities"),
        ("爆弾.zip", _bomb, "too-big-inside"),
        ("外へ.zip", _outside, "path-outside"),
        ("鍵.zip", _locked_zip, "encrypted-zip"),
        ("絵.pdf", lambda path: path.write_bytes(PIXEL), "picture"),
        ("報告.pdf", lambda path: path.write_bytes(b"MZ\x90\x00" + bytes(500)), "unknown-kind"),
        ("報告.docx", lambda path: path.write_bytes(b"PK\x03\x04 broken"), "damaged"),
        ("途中.pdf", lambda path: path.write_bytes(b"%PDF-1.4\n1 0 obj\n<<"), "damaged"),
        ("雑音.txt", lambda path: path.write_bytes(bytes(range(256)) * 40), None),
        ("白紙.txt", lambda path: path.write_text(" \n\u3000\n", encoding="utf-8"), "no-text"),
    ],
)
def test_each_is_refused_with_its_own_reason(
    tmp_path: Path, name: str, write: Callable[[Path], object], reason: str | None
) -> None:
    write(tmp_path / name)
    fault = refused(tmp_path / name)
    assert fault.reason == reason or (reason is None and fault.reason in ("not-text", "unknown-kind"))
    assert name in str(fault)


def test_a_file_too_large_is_not_opened(tmp_path: Path) -> None:
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(60 << 20)
    assert refused(tmp_path / "large.txt", Limits()).reason == "too-large"


def test_a_pdf_that_unpacks_to_gigabytes_is_stopped(tmp_path: Path) -> None:
    stream = zlib.compress(b"BT (x) Tj ET " * 40_000_000, 9)  # half a gigabyte of operators
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n" % len(stream) + stream + b"\nendstream",
    ]
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, o) for n, o in enumerate(objects, 1))
    (tmp_path / "bomb.pdf").write_bytes(body + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF")
    started = time.monotonic()
    fault = refused(tmp_path / "bomb.pdf", Limits(seconds=3, memory_bytes=400 << 20))
    assert fault.reason in ("too-big-inside", "too-long", "damaged", "reader-died", "no-text")
    assert time.monotonic() - started < 60


def test_a_huge_picture_in_a_file_is_never_decoded(tmp_path: Path) -> None:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"rest"
    path = _with_part(_docx(tmp_path / "huge.docx"), "word/media/image1.png", png)
    assert read(path, limits=SMALL).text == "市場は上昇した。"


def test_nothing_leaves_the_temporary_folder_and_it_is_gone_afterwards(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ok.zip", "w") as archive:
        archive.writestr("a/b.txt", "■市場動向\n上昇した。")
        archive.writestr("__MACOSX/a/._b.txt", "x")
    with gathered([tmp_path / "ok.zip"]) as found:
        seen = [(file.name, file.path.exists(), file.path) for file in found]
    assert [(name, there) for name, there, _ in seen] == [("ok.zip/a/b.txt", True)]
    assert not seen[0][2].exists()


def test_a_hostile_zip_among_good_files_does_not_stop_them(tmp_path: Path) -> None:
    _outside(tmp_path / "a.zip")
    (tmp_path / "b.txt").write_text("市場は上昇した。", encoding="utf-8")
    (tmp_path / "c").symlink_to("/etc/passwd")
    (tmp_path / ".hidden").write_text("x", encoding="utf-8")
    with gathered([tmp_path]) as found:
        names = {file.name: file.fault.reason if file.fault else "" for file in found}
    assert names == {"a.zip": "path-outside", "b.txt": ""}


def test_a_file_that_lies_about_its_type_is_read_by_its_content_and_told(tmp_path: Path) -> None:
    path = _docx(tmp_path / "report.pdf")
    document = read(path)
    assert document.kind == "docx"
    assert [(n.code, n.detail) for n in document.notes] == [("lies", ".pdf (docx)")]


@pytest.mark.parametrize(
    ("text", "code", "left"),
    [
        ("上昇\u202e%9.8\u202cした。", "misleading", "上昇%9.8した。"),
        ("上昇した。" + "".join(chr(0xE0000 + ord(c)) for c in "ignore"), "misleading", "上昇した。"),
        ("1\u200b.\u200b2％上昇した。", "invisible", "1.2％上昇した。"),
    ],
)
def test_characters_that_are_not_what_they_show_are_taken_out_and_told(
    tmp_path: Path, text: str, code: str, left: str
) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    document = read(tmp_path / "a.txt")
    assert document.text == left
    assert [note.code for note in document.notes] == [code]


def test_hidden_text_of_word_html_excel_and_pdf_is_left_out_and_told(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("見える文。")
    paragraph.add_run("隠した文。").font.hidden = True
    document.save(str(tmp_path / "a.docx"))
    (tmp_path / "b.html").write_text(
        "<html><style>.x, p.y{display:none}</style><p>見える文。</p><p class=x>隠した文。</p>"
        "<p class='z y'>隠した文。</p>"
        "<p style='visibility: hidden'>隠した文。</p><script>隠した文。</script></html>",
        encoding="utf-8",
    )
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["A2"] = "見える文。", "隠した文。"
    sheet.row_dimensions[2].hidden = True
    book.create_sheet("裏")["A1"] = "隠した文。"
    book["裏"].sheet_state = "hidden"
    book.save(tmp_path / "c.xlsx")
    canvas = Canvas(str(tmp_path / "d.pdf"))
    canvas.drawString(50, 700, "shown text.")
    canvas.setFillColorRGB(1, 1, 1)
    canvas.drawString(50, 650, "ignore the instruction")
    canvas.setFillColorRGB(0, 0, 0.4)
    canvas.rect(40, 590, 300, 30, fill=1)
    canvas.setFillColorRGB(1, 1, 1)
    canvas.drawString(50, 600, "white on blue.")
    canvas.save()
    for name, text in (("a.docx", "見える文。"), ("b.html", "見える文。"), ("c.xlsx", "見える文。")):
        found = read(tmp_path / name)
        assert (found.text, [note.code for note in found.notes]) == (text, ["hidden"]), name
    pdf = read(tmp_path / "d.pdf")
    assert "ignore" not in pdf.text
    assert "white on blue." in pdf.text
    assert [note.code for note in pdf.notes] == ["hidden"]
