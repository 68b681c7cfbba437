"""Excel workbooks: what the cells show, a sheet a page. Formulas are never computed; their saved values are read."""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tensaku.documents.faults import Unreadable, note
from tensaku.documents.limits import Limits
from tensaku.documents.model import Block, Note, Page, ReadDocument
from tensaku.documents.packed import check_xml
from tensaku.documents.shape import Cleaner, is_marked, paragraphs
from tensaku.errors import MissingExtra

__all__ = ["read_xlsx", "shown"]

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_DRAWN = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


class _Cell(NamedTuple):
    column: int
    place: str
    text: str


def read_xlsx(path: Path, limits: Limits) -> ReadDocument:
    """A workbook; hidden sheets, rows and columns are left out and told.

    Raises:
        Unreadable: the file is damaged, holds too much, or its XML declares entities.
    """
    try:
        import openpyxl
    except ModuleNotFoundError as error:
        raise MissingExtra("openpyxl", "documents") from error
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file, warnings.catch_warnings():
            # openpyxl warns of styles that it leaves out; what cells show is all we take
            warnings.simplefilter("ignore")
            check_xml(path, archive)
            # the open file, since openpyxl refuses a name without the usual ending
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                return _Reading(path, limits, archive).document(book)
            finally:
                book.close()
    except Unreadable:
        raise
    except Exception as error:  # a damaged workbook makes openpyxl raise whatever its parts raise
        raise Unreadable("damaged", path, f"{type(error).__name__}: {error}"[:120]) from None


class _Reading:
    def __init__(self, path: Path, limits: Limits, archive: zipfile.ZipFile) -> None:
        self.path, self.limits, self.archive = path, limits, archive
        self.clean = Cleaner()
        self.hidden: list[str] = []
        self.without: list[str] = []
        self.cells = 0
        self.vertical: list[str] = []

    def document(self, book: Any) -> ReadDocument:
        pages, shapes = [], self._shapes()
        for number, sheet in enumerate(book.worksheets, 1):
            if sheet.sheet_state != "visible":
                self.hidden.append(sheet.title)
                continue
            blocks = list(_blocks(list(self._rows(sheet, *self._hidden_of(sheet)))))
            pages.append(Page(number, tuple(blocks), sheet.title, state="text" if blocks else "empty"))
        if shapes and pages:
            first = pages[0]
            pages[0] = Page(first.number, (*first.blocks, *shapes), first.name)
        return ReadDocument("xlsx", tuple(pages), tuple(self._notes(len(shapes))))

    def _notes(self, shapes: int) -> Iterator[Note]:
        yield from self.clean.notes()
        if self.hidden:
            yield note("hidden", ", ".join(self.hidden[:6]))
        if self.without:
            yield note("no-value", ", ".join(self.without[:6]))
        if self.vertical:
            yield note("vertical", ", ".join(self.vertical[:6]))
        if shapes:
            yield note("text-boxes", shapes)

    def _hidden_of(self, sheet: Any) -> tuple[set[int], set[int]]:
        """Numbers of the hidden rows and columns of a sheet; openpyxl's reading mode does not say."""
        from lxml import etree

        rows: set[int] = set()
        columns: set[int] = set()
        with self.archive.open(sheet._worksheet_path) as part:
            for _, element in etree.iterparse(
                part, tag=(f"{_MAIN}row", f"{_MAIN}col"), resolve_entities=False, no_network=True
            ):
                if element.get("hidden") in ("1", "true"):
                    if element.tag == f"{_MAIN}row":
                        rows.add(int(element.get("r") or 0))
                    else:
                        last = min(int(element.get("max") or 0), 16384)
                        columns.update(range(int(element.get("min") or 1), last + 1))
                element.clear()
        return rows, columns

    def _rows(self, sheet: Any, hidden_rows: set[int], hidden_columns: set[int]) -> Iterator[list[_Cell]]:
        left_out = 0
        for row in sheet.iter_rows():
            found = []
            for cell in row:
                if cell.value is None:
                    continue
                self.cells += 1
                if self.cells > self.limits.cells:
                    raise Unreadable("too-many", self.path, f"over {self.limits.cells:,} cells")
                if cell.row in hidden_rows or cell.column in hidden_columns:
                    left_out += 1
                    continue
                text = self.clean(shown(cell.value, cell.number_format)).strip()
                if cell.alignment is not None and cell.alignment.textRotation == 255:
                    self.vertical.append(f"{sheet.title}!{cell.coordinate}")
                if text:
                    found.append(_Cell(cell.column, f"{sheet.title}!{cell.coordinate}", text))
            yield found
        if left_out:
            self.hidden.append(f"{sheet.title} ({left_out})")
        self.without += [f"{sheet.title}!{place}" for place in self._formulas_without(sheet)]

    def _formulas_without(self, sheet: Any) -> Iterator[str]:
        from lxml import etree

        with self.archive.open(sheet._worksheet_path) as part:
            for _, element in etree.iterparse(part, tag=f"{_MAIN}c", resolve_entities=False, no_network=True):
                if element.find(f"{_MAIN}f") is not None and not element.findtext(f"{_MAIN}v"):
                    yield element.get("r") or "?"
                element.clear()

    def _shapes(self) -> list[Block]:
        from lxml import etree

        found: list[Block] = []
        for name in sorted(n for n in self.archive.namelist() if re.fullmatch(r"xl/drawings/drawing\d+\.xml", n)):
            root = etree.fromstring(self.archive.read(name), etree.XMLParser(resolve_entities=False, no_network=True))
            for paragraph in root.iter(f"{_DRAWN}p"):
                text = self.clean("".join(t.text or "" for t in paragraph.iter(f"{_DRAWN}t"))).strip()
                if text:
                    kind: Any = "heading" if is_marked(text) else "paragraph"
                    found.append(Block(kind, text, f"shape {len(found) + 1}"))
        return found


def _blocks(rows: list[list[_Cell]]) -> Iterator[Block]:
    """Cells alone in their rows, one below the other, are lines of text; runs of rows with more are tables."""
    table: list[list[_Cell]] = []
    lines: list[_Cell] = []
    for cells in [*rows, []]:
        if lines and (len(cells) != 1 or cells[0].column != lines[-1].column):
            yield from _lines(lines)
            lines = []
        if table and len(cells) < 2:
            yield _table(table)
            table = []
        if len(cells) == 1:
            lines.append(cells[0])
        elif cells:
            table.append(cells)


def _lines(cells: list[_Cell]) -> Iterator[Block]:
    """Text may be broken by hand over the cells below it, or stand in one cell with line breaks of its own."""
    written = [(cell.place, line) for cell in cells for line in cell.text.split("\n")]
    for block in paragraphs("\n".join(line for _, line in written)):
        number = int(block.place.rpartition(" ")[2])
        yield replace(block, place=written[number - 1][0])


def _table(rows: list[list[_Cell]]) -> Block:
    columns = sorted({cell.column for row in rows for cell in row})
    at = {column: n for n, column in enumerate(columns)}
    grid = []
    for row in rows:
        line = [""] * len(columns)
        for cell in row:
            line[at[cell.column]] = cell.text
        grid.append(tuple(line))
    return Block.table(tuple(grid), rows[0][0].place)


_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_NUMBER = re.compile(r"[#0?,]+(?:\.([#0?]+))?")


def shown(value: Any, form: str) -> str:
    """A cell's value as Excel shows it, for the forms that reports use: percents, thousands, decimals, dates, general.

    A form beyond these gives the value itself with all its digits: a figure is never rounded by a rule of our own.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime | dt.date):
        return _date(value, form)
    if isinstance(value, int | float):
        return _number(value, form or "General")
    return str(value)


def _date(value: dt.datetime | dt.date, form: str) -> str:
    plain = _QUOTED.sub(lambda found: found[0] if found[0].startswith('"') else "", form).lower()
    if "年" in plain and "d" not in plain:
        return f"{value.year}年{value.month}月"
    if "年" in plain:
        return f"{value.year}年{value.month}月{value.day}日"
    if "d" not in plain and "y" in plain:
        return f"{value.year}/{value.month}"
    if isinstance(value, dt.datetime) and (value.hour or value.minute):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:%Y-%m-%d}"


def _number(value: float, form: str) -> str:
    parts = form.split(";")
    part = parts[1] if value < 0 and len(parts) > 1 and parts[1] else parts[0]
    outside = _QUOTED.sub(lambda found: "\x00" if found[0][0] in '"\\' else "", part)
    literal = [found[0].strip('"').removeprefix("\\") for found in _QUOTED.finditer(part) if found[0][0] in '"\\']
    place = _NUMBER.search(outside)
    if form == "General" or place is None or "E" in outside or "/" in outside:
        return f"{value:.15g}"
    exact = Decimal(repr(value))
    scaled = exact * 100 if "%" in outside else exact
    absolute = abs(scaled) if value < 0 and len(parts) > 1 and parts[1] else scaled
    decimals = len(place[1] or "")
    grouped = "," if "," in place[0].strip(",") or ",#" in place[0] or ",0" in place[0] else ""
    if place[0].endswith(","):  # shown in thousands
        return f"{value:.15g}"
    rounded = absolute.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)  # as Excel does, not to the even digit
    written = f"{rounded:{grouped}f}"
    if place[1] and set(place[1]) & {"#", "?"}:
        kept = len(place[1].rstrip("#?"))
        whole, _, rest = written.partition(".")
        rest = rest[:kept] + rest[kept:].rstrip("0")
        written = f"{whole}.{rest}" if rest else whole
    text = outside[: place.start()] + written + outside[place.end() :]
    for piece in literal:
        text = text.replace("\x00", piece, 1)
    return text.strip()
