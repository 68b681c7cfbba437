"""How the ten sample reports are laid out as Word, Excel and HTML files; PDF files are made by `report_pdf`."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensaku.sampledesk.report_pdf import pdf_narrow, pdf_of_two_columns, pdf_of_two_pages

if TYPE_CHECKING:
    from tensaku.sampledesk.reports import SampleReport

__all__ = [
    "LEGAL",
    "excel_beside_labels",
    "excel_line_by_line",
    "html_of_old",
    "html_of_today",
    "pdf_narrow",
    "pdf_of_two_columns",
    "pdf_of_two_pages",
    "word_in_a_table",
    "word_in_bold",
    "word_with_styles",
]

LEGAL = "当資料は情報提供を目的として作成したものであり、投資勧誘を目的としたものではありません。"


def _month(report: SampleReport) -> str:
    year, month = report.as_of.split("-")
    return f"{year}年{int(month)}月"


def _document(report: SampleReport) -> Any:
    import docx

    document = docx.Document()
    section = document.sections[0]
    section.header.paragraphs[0].text = f"{report.manager}　月次レポート"
    section.footer.paragraphs[0].text = LEGAL
    return document


def _word_table(document: Any, rows: Sequence[Sequence[str]]) -> None:
    table = document.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text


def word_with_styles(path: Path, report: SampleReport) -> None:
    """Word with heading styles, the table of returns before the text."""
    document = _document(report)
    document.add_heading(report.fund, 0)
    document.add_paragraph(f"{_month(report)}末現在")
    _word_table(document, report.returns)
    for heading, text in report.ordered():
        document.add_heading(heading, 1)
        document.add_paragraph(text)
    document.save(str(path))


def word_in_bold(path: Path, report: SampleReport) -> None:
    """Word without styles: headings are bold lines, a figure is split over two runs."""
    document = _document(report)
    document.add_paragraph(f"ファンド名：{report.fund}")
    document.add_paragraph(f"対象月：{_month(report)}")
    for heading, text in report.ordered():
        document.add_paragraph().add_run(heading).bold = True
        half = len(text) // 2
        paragraph = document.add_paragraph(text[:half])
        paragraph.add_run(text[half:]).italic = True
    _word_table(document, report.returns)
    document.add_paragraph(f"※{LEGAL}")
    document.save(str(path))


def word_in_a_table(path: Path, report: SampleReport) -> None:
    """Word whose comment stands in a table: heading on the left, text on the right."""
    document = _document(report)
    document.add_paragraph(f"{report.fund}　{_month(report)}度 運用報告")
    _word_table(document, report.ordered())
    document.add_paragraph("騰落率")
    _word_table(document, report.returns)
    document.save(str(path))


def _excel_returns(sheet: Any, rows: Sequence[Sequence[str]]) -> None:
    """Figures as numbers with a format, as a workbook has them."""
    sheet.append([])
    for row in rows:
        figures = [float(cell.rstrip("%")) / 100 if cell.endswith("%") else cell for cell in row]
        sheet.append(figures)
        for cell in sheet[sheet.max_row]:
            cell.number_format = "+0.00%;-0.00%" if cell.column == 4 else "0.00%"


def excel_beside_labels(path: Path, report: SampleReport) -> None:
    """A workbook of one sheet: labels in the first column, values and texts in the second."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "月次"
    sheet.append([f"{report.manager} マンスリーレポート"])
    sheet.append(["ファンド名", report.fund])
    sheet.append(["基準月", _month(report)])
    for row in report.ordered():
        sheet.append(list(row))
    _excel_returns(sheet, report.returns)
    book.save(path)


def excel_line_by_line(path: Path, report: SampleReport) -> None:
    """A workbook whose text is broken by hand, thirty characters a cell; the returns are on a sheet of their own."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "コメント"
    sheet["B1"] = f"{report.fund}（{_month(report)}）"
    sheet["B2"] = f"運用会社：{report.manager}"
    line = 4
    for heading, text in report.ordered():
        sheet.cell(line, 2, heading)
        for start in range(0, len(text), 30):
            line += 1
            sheet.cell(line, 2, text[start : start + 30])
        line += 2
    _excel_returns(book.create_sheet("騰落率"), report.returns)
    book.save(path)


def _html_table(rows: Sequence[Sequence[str]]) -> str:
    cells = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def html_of_today(path: Path, report: SampleReport) -> None:
    """HTML 5 in UTF-8 with header, sections and footer, its lines broken in the source."""
    parts = []
    for heading, text in report.ordered():
        lines = "\n      ".join(html.escape(text[n : n + 40]) for n in range(0, len(text), 40))
        parts.append(f"<section><h2>{html.escape(heading)}</h2>\n    <p>\n      {lines}\n    </p></section>")
    page = f"""<!doctype html>
<html lang="ja"><head><meta charset="utf-8"><title>{report.fund} 月次レポート</title>
<style>body {{ font-family: serif }} .print {{ display: none }}</style></head>
<body><header>{report.manager}</header><main><h1>{report.fund}</h1><p>{_month(report)}</p>
{"".join(parts)}<h2>騰落率</h2>{_html_table(report.returns)}</main><footer>{LEGAL}</footer></body></html>"""
    path.write_text(page, encoding="utf-8")


def html_of_old(path: Path, report: SampleReport) -> None:
    """HTML of the last century in Shift_JIS: tables place everything, br breaks the lines."""
    rows = []
    for heading, text in report.ordered():
        lines = "<br>".join(html.escape(text[n : n + 35]) for n in range(0, len(text), 35))
        rows.append(f"<tr><td><b>{html.escape(heading)}</b><br>{lines}<br><br></td></tr>")
    page = f"""<html><head><meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">
<title>{report.manager}</title></head><body bgcolor="#ffffff">
<table width="700"><tr><td><font size="5">{report.manager} 月報</font><br>{report.fund}<br>{_month(report)}</td></tr>
<tr><td>{_html_table(report.returns)}</td></tr>
{"".join(rows)}<tr><td><small>※{LEGAL}</small></td></tr></table></body></html>"""
    path.write_text(page, encoding="cp932")
