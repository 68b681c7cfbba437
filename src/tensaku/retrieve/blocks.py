"""What a document is made of, in the order of reading: headings, paragraphs, table rows, each with its page and place.

Readers turn a file's bytes into blocks. This module reads text, Markdown and HTML, and hands PDF, Word and Excel to
`tensaku.documents`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Literal

from tensaku.errors import DataError
from tensaku.scratch import scratch

__all__ = ["READERS", "Block", "Kind", "read_blocks"]

Kind = Literal["heading", "paragraph", "row"]


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a document. `page` counts from 1; `place` is the block's number in the document, from 0.

    `level` is that of a heading, 1 the highest. Of a table row, `text` joins the cells by " | ".
    """

    kind: Kind
    text: str
    page: int
    place: int
    level: int = 0


class _Gathering:
    """Blocks as they are found; empty ones are not kept."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.page = 1

    def add(self, kind: Kind, text: str, level: int = 0) -> None:
        text = text.strip()
        if text:
            self.blocks.append(Block(kind, text, self.page, len(self.blocks), level))


def _decoded(data: bytes) -> str:
    """The text of a file.

    Raises:
        ValueError: it is no text.
    """
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it is not text")
    for encoding in (
        ("utf-8-sig", "utf-16", "cp932", "euc-jp")
        if data[:2] in (b"\xff\xfe", b"\xfe\xff")
        else (
            "utf-8-sig",
            "cp932",
            "euc-jp",
        )
    ):
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    raise ValueError("its characters are neither UTF-8, Shift_JIS nor EUC-JP")


_MARK = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*$")
_CHAPTER = re.compile(r"第[0-9０-９一二三四五六七八九十百]+[編章節款]|附則|別表")
_ARTICLE = re.compile(r"第[0-9０-９一二三四五六七八九十百千]+条(?:の[0-9０-９一二三四五六七八九十]+)*[（(\s　]")
_ITEM = re.compile(r"\s*(?:第[0-9０-９一二三四五六七八九十]+項|[0-9０-９]{1,2}[\s　．.、](?=\S)|[①-⑳])")
_RULE = re.compile(r"\|?\s*:?-{3,}:?\s*(\|\s*:?-{3,}:?\s*)*\|?\s*$")


def _text(data: bytes, notes: list[str]) -> list[Block]:
    """Plain text: a form feed begins a page; 第1章 and the like are headings; lines of a table hold tabs."""
    found = _Gathering()
    for number, page in enumerate(_decoded(data).split("\f"), start=1):
        found.page = number
        for part in re.split(r"\n[ \t\u3000]*\n+", page):
            _paragraphs(found, part)
    return found.blocks


def _paragraphs(found: _Gathering, part: str) -> None:
    held: list[str] = []

    def let_go() -> None:
        found.add("paragraph", "\n".join(held))
        held.clear()

    for line in part.split("\n"):
        if _CHAPTER.match(line.strip()) and len(line.strip()) <= 60:
            let_go()
            found.add("heading", line, 1 if line.strip()[:1] != "第" or "章" in line[:8] or "編" in line[:8] else 2)
        elif _ARTICLE.match(line.strip() + " ") or _ITEM.match(line):
            let_go()
            held.append(line)
        elif line.count("\t") >= 1:
            let_go()
            found.add("row", " | ".join(cell.strip() for cell in line.split("\t")))
        else:
            held.append(line)
    let_go()


def _markdown(data: bytes, notes: list[str]) -> list[Block]:
    """Markdown: # headings, | tables |, paragraphs; a line of front matter is not text."""
    found = _Gathering()
    text = re.sub(r"\A---\n.*?\n---\n", "", _decoded(data), flags=re.DOTALL)
    for number, page in enumerate(text.split("\f"), start=1):
        found.page = number
        held: list[str] = []
        for line in [*page.split("\n"), ""]:
            head = _MARK.match(line)
            row = line.strip().startswith("|") and line.strip().endswith("|") and len(line.strip()) > 1
            if head or row or not line.strip():
                _paragraphs(found, "\n".join(held))
                held = []
            if head:
                found.add("heading", head[2], len(head[1]))
            elif row and not _RULE.match(line.strip()):
                found.add("row", " | ".join(cell.strip() for cell in line.strip().strip("|").split("|")))
            elif line.strip() and not row:
                held.append(line)
    return found.blocks


_BREAKS = {"p", "div", "li", "br", "section", "article", "table", "ul", "ol", "dl", "dt", "dd", "blockquote", "pre"}
_UNSEEN = {"script", "style", "template", "noscript", "head", "svg"}


class _Page(HTMLParser):
    """HTML as a reader of the page sees it: what is hidden is left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = _Gathering()
        self._held: list[str] = []
        self._kind: Kind = "paragraph"
        self._level = 0
        self._hidden: list[str] = []
        self._cells: list[str] | None = None

    def let_go(self) -> None:
        text = re.sub(r"\s+", " ", "".join(self._held))
        self._held = []
        if self._cells is None:
            self.found.add(self._kind, text, self._level)
        elif text.strip():
            self._cells.append(text.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: (value or "") for name, value in attrs}
        style = given.get("style", "").replace(" ", "").lower()
        unseen = "hidden" in given or "display:none" in style or "visibility:hidden" in style or "font-size:0" in style
        if self._hidden or tag in _UNSEEN or unseen:
            if tag not in ("br", "img", "meta", "link", "input", "hr"):
                self._hidden.append(tag)
            return
        if tag == "tr":
            self.let_go()
            self._cells = []
        elif tag in ("td", "th") or (tag in _BREAKS and self._cells is None):
            self.let_go()
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.let_go()
            self._kind, self._level = "heading", int(tag[1])

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
            return
        if tag == "tr" and self._cells is not None:
            self.let_go()
            cells, self._cells = self._cells, None
            self.found.add("row", " | ".join(cells))
        elif tag in ("td", "th") or (tag in _BREAKS and self._cells is None):
            self.let_go()
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.let_go()
            self._kind, self._level = "paragraph", 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._held.append(data)


def _html(data: bytes, notes: list[str]) -> list[Block]:
    page = _Page()
    page.feed(_decoded(data))
    page.close()
    page.let_go()
    return page.found.blocks


def _office(data: bytes, notes: list[str]) -> list[Block]:
    """PDF, Word and Excel, as `tensaku.documents` reads them: typed by content, in a bounded process of its own.

    What wants a person's eye, such as text that the page does not show, is added to `notes`.

    Headers, footers and page numbers are left out; scanned pages have no text.

    Raises:
        ValueError: it is not read, with the reason.
    """
    from tensaku.documents import Unreadable, read, said

    with scratch("index") as folder:
        path = folder / "document"
        path.write_bytes(data)
        try:
            document = read(path)
        except Unreadable as error:
            raise ValueError(error.what) from None
    notes += [said(note.code, note.detail) for note in document.notes if note.grave]
    found = _Gathering()
    for page, block in document.blocks():
        found.page = page.number
        if block.kind == "table":
            for row in block.rows:
                found.add("row", " | ".join(cell.replace("\n", " ").strip() for cell in row))
        elif block.kind == "heading":
            found.add("heading", block.text, block.level or 1)
        elif block.kind == "paragraph":
            _paragraphs(found, block.text)
    return found.blocks


READERS: dict[str, Callable[[bytes, list[str]], list[Block]]] = {
    ".txt": _text,
    ".text": _text,
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".pdf": _office,
    ".docx": _office,
    ".docm": _office,
    ".xlsx": _office,
    ".xlsm": _office,
}
"""Reader by ending: bytes in, blocks out and what should be noted, ValueError if they cannot."""


def read_blocks(name: str, data: bytes, notes: list[str] | None = None) -> list[Block]:
    """The blocks of the file called `name` that holds `data`. What a person should look at is added to `notes`.

    Raises:
        DataError: there is no reader for its ending, it cannot be read, or there is no text in it.
    """
    reader = READERS.get(PurePosixPath(name).suffix.lower())
    if reader is None:
        raise DataError("no reader knows this kind of file", file=name, fix=f"Known are: {', '.join(sorted(READERS))}")
    try:
        blocks = reader(data, notes if notes is not None else [])
    except (ValueError, AssertionError, RecursionError) as error:
        raise DataError(f"it cannot be read ({error})", file=name, fix="Save it anew from its program") from None
    if not blocks:
        raise DataError("there is no text in it", file=name, fix="If it is a scanned picture, read it by OCR first")
    return blocks
