"""PDF files: characters and rules by pdfplumber, reading order by `pdf_order`. Pictures are never decoded."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from tensaku.documents.faults import Unreadable, note
from tensaku.documents.limits import Limits
from tensaku.documents.model import Block, Note, Page, ReadDocument
from tensaku.documents.pdf_order import Char, Grid, horizontal, vertical
from tensaku.documents.shape import Cleaner, joined
from tensaku.errors import MissingExtra

__all__ = ["read_pdf"]

_CID = re.compile(r"\(cid:\d+\)")
_PAGE_NUMBER = re.compile(
    r"^[\s\-–—―－]*(?:p(?:age)?\.?\s*)?\d{1,4}(?:\s*[/／]\s*\d{1,4}|\s*ページ|\s*頁)?[\s\-–—―－]*$", re.I
)
_DIGITS = re.compile(r"[0-9０-９]+")
_COVERS = 0.5
"""Share of a page from which a picture is taken for the page itself."""
_FEW = 12
"""Characters up to which a page with such a picture is a scanned one: a page number may be printed on it."""
_FEW_BELOW = 6
"""Characters one below the other from which a page has vertical text."""
_TINY = 2.0  # points
_MARGIN = 0.12  # of the page's height, where headers and footers stand


def read_pdf(path: Path, limits: Limits) -> ReadDocument:
    """A PDF, a page a page.

    Raises:
        Unreadable: it needs a password, is damaged, has too many pages or is all scanned.
    """
    try:
        import pdfplumber
        from pdfminer.pdfdocument import PDFPasswordIncorrect
    except ModuleNotFoundError as error:
        raise MissingExtra("pdfplumber", "documents") from error
    logging.getLogger("pdfminer").setLevel(logging.CRITICAL)
    try:
        with pdfplumber.open(path) as pdf:
            if len(pdf.pages) > limits.pages:
                raise Unreadable("too-many", path, f"{len(pdf.pages):,} pages; {limits.pages} are read")
            return _Reading(path, limits).document(pdf.pages)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # pdfminer raises whatever the damaged part raises
        if isinstance(error, PDFPasswordIncorrect) or "PasswordIncorrect" in repr(error):
            raise Unreadable("encrypted-pdf", path) from None
        raise Unreadable("damaged", path, f"{type(error).__name__} {error}".strip()[:120]) from None


class _Reading:
    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits = path, limits
        self.clean = Cleaner()
        self.hidden = self.unmapped = self.characters = 0
        self.ocr: list[int] = []
        self.upright: list[int] = []

    def document(self, sources: Sequence[Any]) -> ReadDocument:
        pages = []
        for number, source in enumerate(sources, 1):
            pages.append(self._page(number, source))
            source.close()  # pdfplumber keeps every object of every page otherwise
        scanned = [page.number for page in pages if page.state == "scanned"]
        if scanned and not any(page.blocks for page in pages if page.state == "text"):
            raise Unreadable("scanned", self.path)
        pages = _without_furniture(pages)
        return ReadDocument("pdf", tuple(pages), tuple(self._notes(scanned)))

    def _notes(self, scanned: list[int]) -> Iterator[Note]:
        yield from self.clean.notes()
        for code, numbers in (("vertical", self.upright), ("scanned-pages", scanned), ("ocr-layer", self.ocr)):
            if numbers:
                yield note(code, ", ".join(map(str, numbers[:12])))
        if self.hidden:
            yield note("hidden", self.hidden)
        if self.unmapped:
            yield note("unmapped", self.unmapped)

    def _page(self, number: int, source: Any) -> Page:
        page = source.dedupe_chars(tolerance=0.6)  # bold made by printing twice would double every figure
        chars = [char for char in map(self._char, self._shown(page)) if char is not None]
        self.characters += len(chars)
        if self.characters > self.limits.characters:
            raise Unreadable("too-many", self.path, f"over {self.limits.characters:,} characters")
        pictured = _pictured(source)
        if pictured and len(chars) <= _FEW:
            return Page(number, (), state="scanned")
        if pictured:
            self.ocr.append(number)
        if not chars:
            return Page(number, (), state="empty")
        below, beside = _directions(chars)
        if below >= _FEW_BELOW:
            self.upright.append(number)
        if below >= _FEW_BELOW and below > beside:
            return Page(number, tuple(vertical(chars, float(source.width))), direction="vertical")
        grids = list(self._grids(page))
        free = [char for char in chars if not any(_inside(char, grid) for grid in grids)]
        return Page(number, tuple(horizontal(free, grids)))

    def _char(self, char: dict[str, Any]) -> Char | None:
        text = str(char["text"])
        if _CID.fullmatch(text) or "\ufffd" in text:
            self.unmapped += 1
            text = "□"
        text = self.clean(text).replace("\n", "")
        if not text:
            return None
        bold = bool(re.search(r"bold|heavy|black|W[6-9]\b|-[BEH]$", str(char["fontname"]), re.I))
        size = float(char["size"])
        return Char(text, float(char["x0"]), float(char["x1"]), float(char["top"]), float(char["bottom"]), size, bold)

    def _shown(self, page: Any) -> Iterator[dict[str, Any]]:
        """The characters that can be seen: on the page, not tiny, not white on white."""
        fills = [
            rect
            for rect in (*page.rects, *page.curves)
            if rect.get("fill") and not _white(rect.get("non_stroking_color"))
        ]
        for char in page.chars:
            middle = (char["x0"] + char["x1"]) / 2, (char["top"] + char["bottom"]) / 2
            on_page = 0 <= middle[0] <= page.width and 0 <= middle[1] <= page.height
            behind = _white(char.get("non_stroking_color")) and not any(
                _around(area, *middle) for area in (*fills, *page.images)
            )
            if on_page and char["size"] >= _TINY and not behind:
                yield char
            elif str(char["text"]).strip():
                self.hidden += 1

    def _grids(self, page: Any) -> Iterator[Grid]:
        """Tables drawn with rules. A frame around prose, or a box in two, is none."""
        for table in page.find_tables():
            rows = [tuple(self.clean(joined((cell or "").split("\n"))) for cell in row) for row in table.extract()]
            rows = [row for row in rows if any(row)]
            filled = sum(bool(cell) for row in rows for cell in row)
            if len(rows) >= 2 and max(map(len, rows)) >= 2 and filled >= 4:
                yield Grid(tuple(rows), *(float(edge) for edge in table.bbox))


def _white(color: Any) -> bool:
    if color is None:
        return False
    values = [float(v) for v in (color if isinstance(color, list | tuple) else [color]) if isinstance(v, int | float)]
    if len(values) == 4:  # cyan, magenta, yellow, black: no ink
        return max(values) < 0.04
    return len(values) in (1, 3) and min(values) > 0.96


def _around(area: dict[str, Any], x: float, y: float) -> bool:
    return bool(area["x0"] <= x <= area["x1"] and area["top"] <= y <= area["bottom"])


def _inside(char: Char, grid: Grid) -> bool:
    x, y = (char.x0 + char.x1) / 2, (char.top + char.bottom) / 2
    return grid.x0 <= x <= grid.x1 and grid.top <= y <= grid.bottom


def _pictured(page: Any) -> bool:
    """Whether one picture covers most of the page."""
    area = float(page.width * page.height) or 1.0
    return any((i["x1"] - i["x0"]) * (i["bottom"] - i["top"]) > _COVERS * area for i in page.images)


def _directions(chars: Sequence[Char]) -> tuple[int, int]:
    """How many characters stand below the one before, and how many beside it, as they come in the file."""
    below = beside = 0
    for one, two in pairwise(chars):
        size = max(one.size, 1.0)
        dx, dy = two.x0 - one.x0, two.top - one.top
        below += abs(dx) < 0.3 * size and 0.6 * size < dy < 1.7 * size
        beside += abs(dy) < 0.3 * size and 0 < dx < 2.5 * size
    return below, beside


def _without_furniture(pages: list[Page]) -> list[Page]:
    """What repeats at the same edge of most pages, and page numbers, marked as furniture."""
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({_folded(block.text) for block in _edges(page.blocks)})
    repeated = {text for text, n in seen.items() if n >= 2 and n * 2 >= len(pages)}

    def marked(page: Page) -> Page:
        # From the edge inwards, to the first line that is the page's own: a heading below it may stand on every page.
        edges = _edges(page.blocks)
        there = [_folded(b.text) in repeated or _PAGE_NUMBER.match(b.text) is not None for b in edges]
        half = (len(edges) + 1) // 2
        outer = [*takewhile(lambda n: there[n], range(half)), *takewhile(lambda n: there[n], range(len(edges))[::-1])]
        marks = {id(edges[n]) for n in outer}
        blocks = tuple(replace(b, kind="furniture", level=0) if id(b) in marks else b for b in page.blocks)
        return replace(page, blocks=blocks)

    return [marked(page) for page in pages]


def _edges(blocks: Sequence[Block]) -> list[Block]:
    """The first and last blocks of a page, where headers and footers stand."""
    lines = [block for block in blocks if block.kind != "table" and len(block.text) <= 120]
    return [*lines[:3], *lines[-3:]]


def _folded(text: str) -> str:
    """Without white space, and a header's numbers alike; a sentence is the same only with the same figures in it."""
    text = "".join(text.split())
    return text if "。" in text else _DIGITS.sub("0", text)
