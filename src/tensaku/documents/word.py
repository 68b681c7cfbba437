"""Word files. Text is taken from the XML itself: python-docx's `text` leaves out what tracked changes have put in."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from tensaku.documents.faults import Unreadable, note
from tensaku.documents.limits import Limits
from tensaku.documents.model import Block, Direction, Note, Page, ReadDocument
from tensaku.documents.packed import check_xml
from tensaku.documents.shape import Cleaner, is_heading, is_marked
from tensaku.errors import MissingExtra

__all__ = ["read_docx"]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_LEFT_OUT = {
    f"{_W}del",
    f"{_W}moveFrom",
    f"{_W}rt",
    f"{_W}instrText",
    f"{_W}delText",
    f"{_MC}Fallback",
    f"{_W}txbxContent",
}
_TRACKED = (f"{_W}ins", f"{_W}del", f"{_W}moveTo")
_STYLE = re.compile(r"(?:heading|見出し|title|表題)\s*([1-9]?)", re.IGNORECASE)


def read_docx(path: Path, limits: Limits) -> ReadDocument:
    """A Word file as one page: where its pages break is decided only when it is printed.

    Raises:
        Unreadable: the file is damaged, or its XML declares entities.
    """
    try:
        import docx
        from docx.opc.exceptions import PackageNotFoundError
    except ModuleNotFoundError as error:
        raise MissingExtra("docx", "documents") from error
    try:
        with zipfile.ZipFile(path) as archive:
            check_xml(path, archive)
        document = docx.Document(str(path))
    except Unreadable:
        raise
    except (PackageNotFoundError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise Unreadable("damaged", path, str(error)) from None
    except Exception as error:  # lxml's and docx's own errors have no common root
        raise Unreadable("damaged", path, type(error).__name__) from None
    reading = _Reading(limits, path)
    for section in document.sections:
        for part in (section.header, section.first_page_header, section.footer, section.first_page_footer):
            if not part.is_linked_to_previous:
                reading.furniture(part)
    for item in document.iter_inner_content():
        reading.item(item)
    body = document.element.body
    vertical = any(
        (e.get(f"{_W}val") or "").startswith(("tb", "btLr")) for e in body.iter(f"{_W}textDirection") if _is_section(e)
    )
    direction: Direction = "vertical" if vertical else "horizontal"
    notes = reading.notes(body, vertical)
    return ReadDocument("docx", (Page(1, tuple(reading.found), "", direction),), tuple(notes))


def _is_section(element: Any) -> bool:
    return bool(element.getparent().tag == f"{_W}sectPr")


class _Reading:
    def __init__(self, limits: Limits, path: Path) -> None:
        self.clean = Cleaner()
        self.found: list[Block] = []
        self.hidden = 0
        self._limits, self._path, self._characters = limits, path, 0
        self._seen: set[str] = set()

    def notes(self, body: Any, vertical: bool) -> list[Note]:
        found = self.clean.notes()
        if self.hidden:
            found.append(note("hidden", self.hidden))
        if n := sum(
            1 for tag in _TRACKED for e in body.iter(tag) if e.find(f".//{_W}t") is not None or tag.endswith("del")
        ):
            found.append(note("tracked", n))
        if n := sum(1 for _ in body.iter(f"{_W}footnoteReference")):
            found.append(note("footnotes", n))
        if vertical:
            found.append(note("vertical", 1))
        return found

    def furniture(self, part: Any) -> None:
        """Header or footer, each wording once."""
        for paragraph in part.paragraphs:
            text = self.clean(self._text(paragraph._p)).strip()
            if text and text not in self._seen:
                self._seen.add(text)
                self.found.append(Block("furniture", " ".join(text.split()), "header or footer"))

    def item(self, item: Any) -> None:
        """A paragraph or a table of the body."""
        if hasattr(item, "rows"):
            rows = [tuple(self._cell(cell) for cell in _cells(row)) for row in item.rows]
            rows = [row for row in rows if any(row)]
            if rows:
                self._add(Block.table(tuple(rows), self._place()))
            return
        for box in item._p.iter(f"{_W}txbxContent"):  # text in a shape is anchored to the paragraph it stands beside
            if not any(parent.tag == f"{_MC}Fallback" for parent in box.iterancestors()):
                for paragraph in box.iter(f"{_W}p"):
                    self._paragraph(self._text(paragraph), "", False)
        style = item.style
        self._paragraph(self._text(item._p), (style.name if style is not None else "") or "", _is_bold(item))

    def _paragraph(self, text: str, style: str, bold: bool) -> None:
        for line in self.clean(text).split("\n"):
            line = line.strip(" \t\u3000")
            if not line:
                continue
            named = _STYLE.match(style)
            if named is not None and is_heading(line):
                self._add(Block("heading", line, self._place(), int(named[1] or 1)))
            elif is_marked(line) or (bold and is_heading(line) and line[-1] not in "。.．"):
                self._add(Block("heading", line, self._place()))
            else:
                self._add(Block("paragraph", line, self._place()))

    def _add(self, block: Block) -> None:
        self._characters += len(block.text)
        if self._characters > self._limits.characters:
            raise Unreadable("too-many", self._path, f"over {self._limits.characters:,} characters")
        self.found.append(block)

    def _place(self) -> str:
        return f"paragraph {len(self.found) + 1}"

    def _cell(self, cell: Any) -> str:
        parts = [self.clean(self._text(paragraph)).strip(" \t\u3000") for paragraph in cell.iter(f"{_W}p")]
        return "\n".join(part for part in parts if part)

    def _text(self, paragraph: Any) -> str:
        out: list[str] = []
        self._collect(paragraph, out)
        return "".join(out)

    def _collect(self, element: Any, out: list[str]) -> None:
        for child in element:
            tag = child.tag
            if tag in _LEFT_OUT:
                continue
            if tag == f"{_W}r" and _is_hidden(child):
                self.hidden += sum(len(t.text or "") for t in child.iter(f"{_W}t"))
            elif tag == f"{_W}t":
                out.append(child.text or "")
            elif tag == f"{_W}tab":
                out.append("\t" if element.tag == f"{_W}r" else "")
            elif tag in (f"{_W}br", f"{_W}cr"):
                out.append("\n")
            elif tag == f"{_W}noBreakHyphen":
                out.append("-")
            else:
                self._collect(child, out)


def _cells(row: Any) -> list[Any]:
    """A row's cells by its XML: each once, however wide it is."""
    return list(row._tr.iter(f"{_W}tc"))


def _is_hidden(run: Any) -> bool:
    properties = run.find(f"{_W}rPr")
    if properties is None:
        return False
    vanish = properties.find(f"{_W}vanish")
    if vanish is not None and (vanish.get(f"{_W}val") or "1") not in ("0", "false"):
        return True
    color, size = properties.find(f"{_W}color"), properties.find(f"{_W}sz")
    white = color is not None and (color.get(f"{_W}val") or "").upper() == "FFFFFF"
    behind = properties.find(f"{_W}shd") is not None or properties.find(f"{_W}highlight") is not None
    shaded = any(
        e.find(f"{_W}pPr/{_W}shd") is not None or e.find(f"{_W}tcPr/{_W}shd") is not None for e in run.iterancestors()
    )
    tiny = (
        size is not None and (size.get(f"{_W}val") or "").isdecimal() and int(size.get(f"{_W}val")) <= 4
    )  # half points
    return tiny or (white and not behind and not shaded)


def _is_bold(paragraph: Any) -> bool:
    runs = [run for run in paragraph.runs if run.text.strip()]
    return bool(runs) and all(run.bold for run in runs)
