"""The document as a Word file (DOCX), with the same figures and the same links."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from tensaku.errors import MissingExtra
from tensaku.govern.document.html import points
from tensaku.govern.document.parts import (
    LEDGER,
    Bars,
    Block,
    Bullets,
    Cell,
    Facts,
    Line,
    Paper,
    Paragraph,
    Quote,
    Table,
    Value,
    Written,
    shown,
)
from tensaku.govern.document.words import Words

__all__ = ["as_word"]

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")
"""Characters that XML cannot hold, and marks that turn the direction of reading."""
_NAVY, _SOFT, _SHEET, _BLUE, _RED = "1D3A5F", "5D6775", "F2F1EC", "E2EEF8", "B23A26"
_FONTS = {
    "ja": ("Yu Gothic", "游ゴシック", "Yu Mincho", "游明朝"),
    "en": ("Calibri", "游ゴシック", "Georgia", "游明朝"),
}
_WIDE = 170.0
"""Millimetres between the margins of an A4 page."""


def as_word(paper: Paper, link: Callable[[Value], str], at: datetime) -> bytes:
    """The file's content; the same paper at the same moment gives the same bytes.

    Args:
        paper: the document.
        link: where a figure's source stands, seen from the file; empty: nowhere.
        at: the moment that it is dated with.

    Raises:
        MissingExtra: python-docx is not installed.
    """
    try:
        import docx
    except ImportError:
        raise MissingExtra("a Word file of the model document", "govern") from None
    made = _Word(docx.Document(), paper, link)
    made.write()
    properties = made.document.core_properties
    properties.title, properties.subject, properties.author = paper.title, _plain(paper.subject), "Tensaku"
    properties.last_modified_by, properties.comments = "Tensaku", ""
    properties.created = properties.modified = at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    out = io.BytesIO()
    made.document.save(out)
    return _dated(out.getvalue(), at)


def _plain(text: str) -> str:
    return _UNSEEN.sub("", text)


def _dated(content: bytes, at: datetime) -> bytes:
    """The same zip with every member dated at one moment."""
    out, moment = io.BytesIO(), at.astimezone(UTC).timetuple()[:6]
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return out.getvalue()


class _Word:
    """A document as it is written."""

    def __init__(self, document: Any, paper: Paper, link: Callable[[Value], str]) -> None:
        self.document, self.paper, self.link = document, paper, link
        self.w = Words(paper.language)

    def write(self) -> None:
        """Write everything."""
        self._styles()
        self._frame()
        self.document.add_paragraph(_plain(self.paper.title), style="Title")
        self.document.add_paragraph(_plain(self.paper.subject), style="Subtitle")
        self._line(self.document.add_paragraph(), self.paper.status, color=_SOFT)
        self._opening()
        for number, part in enumerate(self.paper.parts, 1):
            self.document.add_heading(f"{number}　{part.title}", 1)
            for block in part.blocks:
                self._block(block)

    def _styles(self) -> None:
        from docx.oxml.ns import qn
        from docx.shared import Mm, Pt, RGBColor

        page = self.document.sections[0]
        page.page_width, page.page_height = Mm(210), Mm(297)
        page.left_margin = page.right_margin = Mm(20)
        page.top_margin, page.bottom_margin = Mm(22), Mm(20)
        sans, sans_ja, serif, serif_ja = _FONTS[self.paper.language]
        sizes = {"Normal": 9.5, "Title": 22, "Subtitle": 11, "Heading 1": 14, "Heading 2": 10.5, "List Bullet": 9.5}
        for name, size in sizes.items():
            style = self.document.styles[name]
            headline = name not in ("Normal", "List Bullet", "Subtitle")
            style.font.size, style.font.name = Pt(size), serif if headline else sans
            style.font.italic = False
            fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
            for kind in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
                fonts.attrib.pop(qn(f"w:{kind}"), None)
            fonts.set(qn("w:ascii"), serif if headline else sans)
            fonts.set(qn("w:hAnsi"), serif if headline else sans)
            fonts.set(qn("w:eastAsia"), serif_ja if headline else sans_ja)
            if headline:
                style.font.color.rgb, style.font.bold = RGBColor.from_string(_NAVY), name != "Title"
            style.paragraph_format.space_after = Pt(4)
        for name, before in (("Heading 1", 18), ("Heading 2", 10)):
            self.document.styles[name].paragraph_format.space_before = Pt(before)
            self.document.styles[name].paragraph_format.keep_with_next = True
        _bottom_line(self.document.styles["Heading 1"].element.get_or_add_pPr(), "C9C8C0", 4)

    def _frame(self) -> None:
        """What stands at the head and the foot of each page."""
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        page = self.document.sections[0]
        head = page.header.paragraphs[0]
        self._run(head, f"{self.paper.title}　{_plain(self.paper.subject)}", color=_SOFT, size=8)
        foot = page.footer.paragraphs[0]
        foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
        _field(self._run(foot, "", color=_SOFT, size=8), "PAGE")
        self._run(foot, " / ", color=_SOFT, size=8)
        _field(self._run(foot, "", color=_SOFT, size=8), "NUMPAGES")

    def _opening(self) -> None:
        held = self.paper.opening
        if not held:
            return
        table = self.document.add_table(rows=1, cols=len(held))
        for cell, (name, value, told) in zip(table.rows[0].cells, held, strict=True):
            _shade(cell, _SHEET)
            first = cell.paragraphs[0]
            self._run(first, name, color=_SOFT, size=8)
            self._line(cell.add_paragraph(), (value,), size=15, color=_NAVY)
            self._run(cell.add_paragraph(), told, color=_SOFT, size=8)
        self.document.add_paragraph()

    def _block(self, block: Block) -> None:
        match block:
            case Paragraph(line, "head"):
                self.document.add_heading(_plain("".join(map(shown, line))), 2)
            case Paragraph(line, tone):
                color = {"note": _SOFT, "bad": _RED}.get(tone, "")
                self._line(self.document.add_paragraph(), line, size=8.5 if tone == "note" else 0, color=color)
            case Bullets(items):
                for item in items:
                    self._line(self.document.add_paragraph(style="List Bullet"), item)
            case Facts(rows):
                self._table((), [(name, value) for name, value in rows], 9, (52.0, _WIDE - 52.0))
            case Table(heads, rows, numbers_from, caption):
                if caption:
                    self.document.add_heading(_plain(caption), 2)
                self._table(heads, rows, numbers_from)
            case Quote(text):
                self._shaded(_SHEET, [(False, text)], "")
            case Written(text, by, at, entry, carried):
                told = self.w["written_by"].format(by=by, at=at)
                more = f"　{self.w['carried'].format(ref=carried)}" if carried else ""
                self._shaded(_BLUE, list(points(text)), f"{self.w['written']}: {told}{more}", entry)
            case Bars():  # the table beneath has the same figures
                pass

    def _shaded(self, color: str, pieces: Sequence[tuple[bool, Any]], head: str, entry: Value | None = None) -> None:
        cell = self.document.add_table(rows=1, cols=1).rows[0].cells[0]
        _shade(cell, color)
        free = [cell.paragraphs[0]]  # a cell comes with one
        if head:
            source = Value(head, LEDGER, entry.fact) if entry is not None else head
            self._line(free.pop(), (source,), size=8, color=_SOFT)
        for listed, text in pieces:
            for line in text if listed else [text]:
                self._run(free.pop() if free else cell.add_paragraph(), f"・{line}" if listed else line)
        self.document.add_paragraph()

    def _table(
        self, heads: Sequence[str], rows: Sequence[Sequence[Cell]], numbers_from: int, widths: Sequence[float] = ()
    ) -> None:
        if not rows:
            return
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        n = len(heads) or len(rows[0])
        table = self.document.add_table(rows=0, cols=n)
        _borders(table)
        sizes = widths or _shares(heads, rows)
        if heads:
            line = table.add_row()
            _repeat(line)
            for place, (cell, head) in enumerate(zip(line.cells, heads, strict=True)):
                _shade(cell, _SHEET)
                self._run(cell.paragraphs[0], head, color=_SOFT, size=8)
                if place >= numbers_from:
                    cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
        for row in rows:
            line = table.add_row()
            _whole(line)
            for place, (cell, value) in enumerate(zip(line.cells, row, strict=True)):
                named = not heads and place == 0
                self._line(cell.paragraphs[0], (value,), size=8.5, color=_SOFT if named else "")
                if heads and place >= numbers_from:
                    cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
        _set_widths(table, sizes)
        self.document.add_paragraph().paragraph_format.space_after = 0

    def _line(self, paragraph: Any, line: Line, *, size: float = 0, color: str = "") -> None:
        for cell in line:
            there = self.link(cell) if isinstance(cell, Value) and cell.ref else ""
            if there:
                self._hyperlink(paragraph, shown(cell), there, size=size, color=color)
            else:
                self._run(paragraph, shown(cell), size=size, color=color)

    def _run(self, paragraph: Any, text: str, *, size: float = 0, color: str = "") -> Any:
        from docx.shared import Pt, RGBColor

        run = paragraph.add_run(_plain(text))
        if size:
            run.font.size = Pt(size)
        if color:
            run.font.color.rgb = RGBColor.from_string(color)
        return run

    def _hyperlink(self, paragraph: Any, text: str, target: str, *, size: float, color: str) -> None:
        from docx.opc.constants import RELATIONSHIP_TYPE
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        link = OxmlElement("w:hyperlink")
        link.set(qn("r:id"), paragraph.part.relate_to(target, RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
        run = self._run(paragraph, text, size=size, color=color or _NAVY)
        link.append(run._r)
        paragraph._p.append(link)


def _field(run: Any, name: str) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for kind, text in (("begin", ""), ("", name), ("end", "")):
        element = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            element.set(qn("w:fldCharType"), kind)
        else:
            element.set(qn("xml:space"), "preserve")
            element.text = text
        run._r.append(element)


def _shade(cell: Any, color: str) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", color)):
        shade.set(qn(f"w:{name}"), value)
    cell._tc.get_or_add_tcPr().append(shade)


def _bottom_line(properties: Any, color: str, size: int) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    borders, bottom = OxmlElement("w:pBdr"), OxmlElement("w:bottom")
    for name, value in (("val", "single"), ("sz", str(size)), ("space", "3"), ("color", color)):
        bottom.set(qn(f"w:{name}"), value)
    borders.append(bottom)
    properties.insert_element_before(borders, "w:shd", "w:tabs", "w:spacing", "w:ind", "w:jc", "w:outlineLvl")


def _borders(table: Any) -> None:
    """Thin lines between the rows and none between columns."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    borders = OxmlElement("w:tblBorders")
    for side in ("top", "bottom", "insideH"):
        line = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", "D9D8D1")):
            line.set(qn(f"w:{name}"), value)
        borders.append(line)
    table._tbl.tblPr.append(borders)


def _repeat(row: Any) -> None:
    """The row stands again at the head of each page that the table reaches."""
    from docx.oxml import OxmlElement

    _whole(row)
    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _whole(row: Any) -> None:
    """The row is not cut by the end of a page."""
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))


def _shares(heads: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[float]:
    """Widths in millimetres: by each column's longest words, none narrower than a short figure."""

    def width(text: str) -> int:
        return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)

    n = len(heads) or len(rows[0])
    longest = [
        max(6, min(44, max(width(shown(row[place])) for row in [tuple(heads) or rows[0], *rows]))) for place in range(n)
    ]
    return [_WIDE * share / sum(longest) for share in longest]


def _set_widths(table: Any, widths: Sequence[float]) -> None:
    from docx.shared import Mm

    table.autofit = False
    for place, width in enumerate(widths):
        table.columns[place].width = Mm(width)
        for cell in table.columns[place].cells:
            cell.width = Mm(width)
