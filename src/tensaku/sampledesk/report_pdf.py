"""The sample reports that are PDF files. Japanese is set with Adobe's CID fonts or, where Debian's IPA font is there,
with that font embedded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensaku.sampledesk.reports import SampleReport

__all__ = ["EMBEDDED", "pdf_narrow", "pdf_of_two_columns", "pdf_of_two_pages"]

EMBEDDED = Path("/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf")
"""A font that is put into the file if it is installed (Debian: fonts-ipafont-gothic)."""
_WIDTH, _HEIGHT = 595.0, 842.0  # A4 in points
_NOT_FIRST = "、。」）％.,"
_LEGAL = "当資料は情報提供を目的として作成したものであり、投資勧誘を目的としたものではありません。"


class _Sheet:
    """A page being set: `y` is the next line's base, from the foot of the page."""

    def __init__(self, path: Path, report: SampleReport, font: str) -> None:
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont
        from reportlab.pdfbase.ttfonts import TTFont
        from reportlab.pdfgen.canvas import Canvas

        if font == "embedded":
            font = "IPAGothic" if EMBEDDED.exists() else "HeiseiKakuGo-W5"
        if font not in pdfmetrics.getRegisteredFontNames():
            made: Any = TTFont(font, str(EMBEDDED)) if font == "IPAGothic" else UnicodeCIDFont(font)
            pdfmetrics.registerFont(made)
        self.canvas = Canvas(str(path), pagesize=(_WIDTH, _HEIGHT), invariant=1)
        self.report, self.font, self.y, self.number = report, font, _HEIGHT - 90, 1
        self._measure = pdfmetrics.stringWidth
        self._edges()

    def _edges(self) -> None:
        """Header and footer of the page."""
        self.write(f"{self.report.manager}　月次レポート", 50, _HEIGHT - 40, 8)
        self.write(f"- {self.number} -", _WIDTH / 2 - 10, 24, 8)
        self.write(_LEGAL, 50, 40, 6)

    def write(self, text: str, x: float, y: float, size: float) -> None:
        self.canvas.setFont(self.font, size)
        self.canvas.drawString(x, y, text)

    def turn(self) -> None:
        """A new page."""
        self.canvas.showPage()
        self.number += 1
        self.y = _HEIGHT - 90
        self._edges()

    def lines(self, text: str, size: float, width: float) -> Iterator[str]:
        """The text broken at any character, as Japanese is: in the midst of a figure too."""
        line = ""
        for char in text:
            if line and self._measure(line + char, self.font, size) > width and char not in _NOT_FIRST:
                yield line
                line = ""
            line += char
        if line:
            yield line

    def text(self, text: str, x: float, width: float, size: float = 10.0, lead: float = 16.0) -> None:
        """A paragraph."""
        for line in self.lines(text, size, width):
            self.write(line, x, self.y, size)
            self.y -= lead
        self.y -= 6

    def table(self, rows: Sequence[Sequence[str]], x: float, widths: Sequence[float]) -> None:
        """A table with rules."""
        top = self.y + 14
        for row in rows:
            left = x
            for cell, width in zip(row, widths, strict=True):
                self.write(cell, left + 4, self.y, 9)
                left += width
            self.y -= 18
        bottom = self.y + 14
        edges = [x + sum(widths[:n]) for n in range(len(widths) + 1)]
        self.canvas.grid(edges, [top - n * (top - bottom) / len(rows) for n in range(len(rows) + 1)])
        self.y -= 12

    def title(self) -> None:
        """Fund and month."""
        year, month = self.report.as_of.split("-")
        self.write(self.report.fund, 50, self.y, 16)
        self.write(f"{year}年{int(month)}月末基準", _WIDTH - 160, self.y, 9)
        self.y -= 34


def pdf_of_two_pages(path: Path, report: SampleReport) -> None:
    """Headings in larger type, a table of returns, and the last section on a second page."""
    sheet = _Sheet(path, report, "HeiseiMin-W3")
    sheet.title()
    sheet.table(report.returns, 50, (120, 110, 110, 110))
    for number, (heading, text) in enumerate(report.ordered()):
        if number == 2:
            sheet.turn()
        sheet.write(heading, 50, sheet.y, 13)
        sheet.y -= 24
        sheet.text(text, 50, 480)
        sheet.y -= 10
    sheet.canvas.save()


def pdf_of_two_columns(path: Path, report: SampleReport) -> None:
    """Two columns below a title that spans them; the returns stand below without rules."""
    sheet = _Sheet(path, report, "HeiseiKakuGo-W5")
    sheet.title()
    top = sheet.y
    left, right = report.ordered()[:2], report.ordered()[2:]
    lowest = top
    for x, sections in ((50.0, left), (310.0, right)):
        sheet.y = top
        for heading, text in sections:
            sheet.write(heading, x, sheet.y, 10)
            sheet.y -= 18
            sheet.text(text, x, 230, 9.5, 14)
            sheet.y -= 8
        lowest = min(lowest, sheet.y)
    sheet.y = lowest - 30
    for row in report.returns:
        for cell, x in zip(row, (50, 180, 310, 440), strict=True):
            sheet.write(cell, x, sheet.y, 9)
        sheet.y -= 15
    sheet.canvas.save()


def pdf_narrow(path: Path, report: SampleReport) -> None:
    """A narrow column that breaks many figures in two; the font is in the file."""
    sheet = _Sheet(path, report, "embedded")
    sheet.title()
    for heading, text in report.ordered():
        sheet.write(heading, 50, sheet.y, 10.5)
        sheet.y -= 20
        sheet.text(text, 50, 190, 10.5, 15)
    sheet.table(report.returns, 290, (70, 65, 65, 60))
    sheet.canvas.save()
