"""What each kind of file gives: blocks in reading order, tables as they are shown, and what is odd about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from tensaku.documents import Block, Unreadable, from_values, read, to_values
from tensaku.documents.excel import shown
from tensaku.sampledesk.report_pdf import EMBEDDED

FONT = "HeiseiMin-W3"


def canvas(path: Path) -> Canvas:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    made = Canvas(str(path), pagesize=(595, 842))
    made.setFont(FONT, 10)
    return made


def kinds(blocks: tuple[Block, ...]) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in blocks]


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp", "iso2022_jp", "utf-16"])
def test_text_in_any_japanese_encoding_with_figures_broken_over_lines(tmp_path: Path, encoding: str) -> None:
    text = (
        "１．市場動向\n当月の国内株式市場は上昇しました。日経平均株価は38,9\n15円となり、前月末比で１．２３％上昇し、\n"
        "投資家心理が改善しました。\n\n見通し\n市場は底堅く推移すると考えます。為替は1ドル=148円前後を見込みます。\n"
    )
    first = text.split("\n\n")[0].partition("\n")[2].replace("\n", "")
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert kinds(read(tmp_path / "a.txt").pages[0].blocks) == [
        ("heading", "１．市場動向"),
        ("paragraph", first),
        ("heading", "見通し"),
        ("paragraph", "市場は底堅く推移すると考えます。為替は1ドル=148円前後を見込みます。"),
    ]


def test_english_lines_are_joined_with_a_space(tmp_path: Path) -> None:
    lines = ("Over the whole month the index rose by another 5", "percent, and 10 basis points more were added by the")
    (tmp_path / "a.txt").write_text("Market Review\n\n" + "\n".join([*lines, "central bank."]), encoding="utf-8")
    assert read(tmp_path / "a.txt").pages[0].blocks[1].text == " ".join([*lines, "central bank."])


def test_word_with_tracked_changes_boxes_and_merged_cells(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("市場動向", 1)
    paragraph = document.add_paragraph("日経平均株価は")
    for tag, name, text in (("w:del", "w:delText", "38,000円"), ("w:ins", "w:t", "38,915円")):
        change, run, held = OxmlElement(tag), OxmlElement("w:r"), OxmlElement(name)
        held.text = text
        run.append(held)
        change.append(run)
        paragraph._p.append(change)
    paragraph.add_run("となった。")
    table = document.add_table(2, 3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "期間"
    table.cell(0, 2).text = "騰落率"
    for cell, text in zip(table.rows[1].cells, ("1カ月", "2026/10", "▲1.2%"), strict=True):
        cell.text = text
    document.save(str(tmp_path / "a.docx"))
    found = read(tmp_path / "a.docx")
    assert kinds(found.pages[0].blocks) == [
        ("heading", "市場動向"),
        ("paragraph", "日経平均株価は38,915円となった。"),
        ("table", "期間\t騰落率\n1カ月\t2026/10\t▲1.2%"),
    ]
    assert [note.code for note in found.notes] == ["tracked"]
    assert from_values(to_values(found)) == found


def test_vertical_word_is_named(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("縦書きの文章です。")
    direction = OxmlElement("w:textDirection")
    direction.set(qn("w:val"), "tbRl")
    document.sections[0]._sectPr.append(direction)
    document.save(str(tmp_path / "a.docx"))
    found = read(tmp_path / "a.docx")
    assert (found.pages[0].direction, [note.code for note in found.notes]) == ("vertical", ["vertical"])


def test_vertical_pdf_is_named_and_read_from_right_to_left(tmp_path: Path) -> None:
    columns = ["市場動向", "当月の国内株式市場は、", "三・二％上昇しました。"]
    made = canvas(tmp_path / "a.pdf")
    for number, column in enumerate(columns):
        for line, char in enumerate(column):
            made.drawString(500 - 20 * number, 750 - 12 * line, char)
    made.save()
    found = read(tmp_path / "a.pdf")
    assert found.pages[0].direction == "vertical"
    assert [note.code for note in found.notes] == ["vertical"]
    assert kinds(found.pages[0].blocks) == [("heading", columns[0]), ("paragraph", columns[1] + columns[2])]


def _scan(path: Path, *, text_on: tuple[int, ...] = (), pages: int = 2, layer: str = "") -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    made = canvas(path)
    picture = ImageReader(Image.new("L", (60, 80), 200))
    for page in range(1, pages + 1):
        made.setFont(FONT, 10)
        if page in text_on:
            made.drawString(50, 700, "当月の市場は上昇しました。")
        else:
            made.drawImage(picture, 0, 0, 595, 842)
            made.drawString(280, 20, str(page))
            made.drawString(50, 500, layer)
        made.showPage()
    made.save()


def test_scanned_pages_are_named_as_not_readable_yet(tmp_path: Path) -> None:
    _scan(tmp_path / "all.pdf")
    with pytest.raises(Unreadable, match=r"scanned.*not readable yet") as caught:
        read(tmp_path / "all.pdf")
    assert caught.value.reason == "scanned"
    _scan(tmp_path / "some.pdf", text_on=(1,), pages=3)
    found = read(tmp_path / "some.pdf")
    assert [page.state for page in found.pages] == ["text", "scanned", "scanned"]
    assert [(note.code, note.detail) for note in found.notes] == [("scanned-pages", "2, 3")]
    _scan(tmp_path / "layer.pdf", pages=1, layer="機械が読み取った文字の層がここにあります。")
    assert [note.code for note in read(tmp_path / "layer.pdf").notes] == ["ocr-layer"]


def test_bold_made_by_printing_twice_does_not_double_figures(tmp_path: Path) -> None:
    made = canvas(tmp_path / "a.pdf")
    for shift in (0.0, 0.3):
        made.drawString(50 + shift, 700, "日経平均株価は38,915円で取引を終えました。")
    made.save()
    assert read(tmp_path / "a.pdf").text == "日経平均株価は38,915円で取引を終えました。"


def test_three_pages_lose_their_headers_and_footers_only(tmp_path: Path) -> None:
    made = canvas(tmp_path / "a.pdf")
    for page in range(1, 4):
        made.setFont(FONT, 10)
        made.drawString(50, 810, f"青葉アセット　月次レポート　第{page}号")
        made.drawString(50, 700, f"{page}月の市場は{page}.5％上昇しました。")
        made.drawString(280, 20, f"{page} / 3")
        made.showPage()
    made.save()
    found = read(tmp_path / "a.pdf")
    assert found.text.split("\n") == [f"{page}月の市場は{page}.5％上昇しました。" for page in range(1, 4)]
    assert sum(block.kind == "furniture" for _, block in found.blocks()) == 6


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.0123, "0.00%", "1.23%"),
        (-0.0123, "0.0%;▲0.0%", "▲1.2%"),
        (-0.0123, '0.0%;[Red]"▲"0.0%', "▲1.2%"),
        (1234567.891, "#,##0", "1,234,568"),
        (2.5, "0", "3"),
        (2.675, "0.00", "2.68"),
        (-1234, "#,##0;(#,##0)", "(1,234)"),
        (148, '0"円"', "148円"),
        (3.10, "General", "3.1"),
        (0.1 + 0.2, "General", "0.3"),
        (38915.87, "General", "38915.87"),
        (1.5, "0.0##", "1.5"),
        (1234567, "#,##0,", "1234567"),
        (dt.datetime(2026, 10, 31), "yyyy/m/d", "2026-10-31"),
        (dt.datetime(2026, 10, 1), 'yyyy"年"m"月"', "2026年10月"),
        (True, "General", "TRUE"),
        ("文字", "0.0", "文字"),
    ],
)
def test_cells_are_read_as_they_are_shown(value: object, form: str, text: str) -> None:
    assert shown(value, form) == text


def test_a_workbook_names_formulas_without_values_and_vertical_cells(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "月次"
    sheet["A1"], sheet["B1"], sheet["A2"], sheet["B2"] = "期間", "騰落率", "1カ月", "=B9*2"
    sheet["A3"] = "縦の文字"
    sheet["A3"].alignment = openpyxl.styles.Alignment(textRotation=255)
    book.save(tmp_path / "a.xlsx")
    notes = {note.code: note.detail for note in read(tmp_path / "a.xlsx").notes}
    assert notes == {"no-value": "月次!B2", "vertical": "月次!A3"}


def test_html_by_its_own_charset_with_ruby_and_entities(tmp_path: Path) -> None:
    page = (
        '<html><head><meta charset="Shift_JIS"></head><body><h2>市場動向</h2>'
        "<p>日経<ruby>平均<rt>へいきん</rt></ruby>は\n  38,915円&nbsp;でした。</p>"
        "<p style='writing-mode: vertical-rl'>縦書きです。</p></body></html>"
    )
    (tmp_path / "a.html").write_bytes(page.encode("cp932"))
    found = read(tmp_path / "a.html")
    assert [b.text for b in found.pages[0].blocks] == ["市場動向", "日経平均は38,915円 でした。", "縦書きです。"]
    assert [note.code for note in found.notes] == ["vertical"]


def test_a_vertical_page_of_two_tiers_by_others_in_its_true_order(real_data: Callable[[str], Path]) -> None:
    folder = real_data("pdfminer_pdf")
    found = read(folder / "jo.pdf")
    truth = (folder / "jo.txt.ref").read_text(encoding="utf-8")
    assert [note.code for note in found.notes] == ["vertical"]
    assert "".join(found.text.split()) == "".join(truth.split())


@pytest.mark.parametrize("name", ["ocr_test.pdf", "ocr_test.html"])
def test_tables_and_headings_of_files_by_others(real_data: Callable[[str], Path], name: str) -> None:
    found = read(real_data("markbridge_ja_ocr") / name)
    blocks = [block for _, block in found.blocks()]
    tables = [block.rows for block in blocks if block.kind == "table"]
    assert [len(rows) for rows in tables] == [4, 4, 4]
    assert tables[0][1] == ("商品A", "高品質な製品", "¥1,200")
    assert tables[1][1] == ("2022", "1,234", "2,345", "3,456", "4,567", "11,602")
    headings = [block.text for block in blocks if block.kind == "heading"]
    assert [text for text in headings if text[:2] in ("1.", "2.", "3.", "4.", "5.", "6.") and "認識" in text] == [
        "1. テキスト認識テスト",
        "2. 表（テーブル）認識テスト",
        "3. リスト認識テスト",
        "4. コードブロック認識テスト",
        "5. 数式認識テスト",
    ]


@pytest.mark.skipif(not EMBEDDED.exists(), reason="fonts-ipafont-gothic is not installed")
def test_a_font_in_the_file_itself_is_read(tmp_path: Path) -> None:
    from reportlab.pdfbase.ttfonts import TTFont

    pdfmetrics.registerFont(TTFont("Embedded", str(EMBEDDED)))
    made = Canvas(str(tmp_path / "a.pdf"), pagesize=(595, 842))
    made.setFont("Embedded", 10)
    made.drawString(50, 700, "日経平均株価は38,915円87銭、▲1.2％の下落となりました。")
    made.save()
    assert b"FontFile2" in (tmp_path / "a.pdf").read_bytes()
    assert read(tmp_path / "a.pdf").text == "日経平均株価は38,915円87銭、▲1.2％の下落となりました。"


@pytest.mark.browser
def test_a_pdf_printed_by_a_browser_reads_as_its_page(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip(f"{chromium} is missing: apt-get install chromium")
    text = (
        "当月の国内株式市場は上昇し、日経平均株価は前月末比1,234円56銭（3.27％）高の38,915円87銭で取引を終えました。"
        * 4
    )
    page_html = f"<meta charset=utf-8><body style='width:420px'><h2>市場動向</h2><p>{text}</p><table border=1>"
    page_html += "<tr><td>期間</td><td>騰落率</td></tr><tr><td>1カ月</td><td>▲1.23%</td></tr></table>"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_content(page_html)
        page.pdf(path=str(tmp_path / "a.pdf"))
        browser.close()
    found = [block for _, block in read(tmp_path / "a.pdf").blocks()]
    assert [(block.kind, block.text) for block in found] == [
        ("heading", "市場動向"),
        ("paragraph", text),
        ("table", "期間\t騰落率\n1カ月\t▲1.23%"),
    ]
