"""HTML files: what a browser would show of them, by markup alone; nothing is fetched and no script is run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensaku.documents.encoding import require
from tensaku.documents.faults import Unreadable, note
from tensaku.documents.limits import Limits
from tensaku.documents.model import Block, BlockKind, Direction, Note, Page, ReadDocument
from tensaku.documents.plain import decoded
from tensaku.documents.shape import Cleaner, is_marked, joined, paragraphs
from tensaku.errors import DataError, MissingExtra

__all__ = ["read_html"]

_BREAK = "\x1e"  # a line break that is shown; one of the source is not
_NEVER = {
    "script",
    "style",
    "noscript",
    "template",
    "head",
    "iframe",
    "object",
    "svg",
    "math",
    "select",
    "textarea",
    "rt",
    "rp",
}
_INLINE = re.compile(
    "a|abbr|b|bdi|bdo|big|cite|code|del|em|font|i|ins|label|mark|q|rb|ruby|s|small|span|strong|su[bp]|time|u|var|wbr"
)
_FURNITURE = {"header", "footer", "nav"}
_HEADING = re.compile("h([1-6])")
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|font-size\s*:\s*0|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)",
    re.I,
)
_VERTICAL = re.compile(r"writing-mode\s*:\s*(?:vertical|tb)", re.I)
_RULES = re.compile(r"([^{}]+)\{([^{}]*)\}")
_META = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?([\w-]+)""", re.I)
_NAMES = dict.fromkeys(("shift_jis", "x-sjis", "shift-jis", "sjis"), "cp932") | {"iso-2022-jp": "iso2022_jp_2"}


def read_html(path: Path, limits: Limits) -> ReadDocument:
    """An HTML file as one page.

    Raises:
        Unreadable: its text is in no known encoding, or there is none.
    """
    try:
        from lxml import html
    except ModuleNotFoundError as error:
        raise MissingExtra("lxml", "documents") from error
    content = re.sub(r"^\s*<\?xml[^>]*\?>", "", _text(path, limits))
    parser = html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, huge_tree=False)
    root = html.document_fromstring(content, parser=parser) if content.strip() else None
    if root is None:
        raise Unreadable("no-text", path)
    walk = _Walk(root)
    walk.block(root)
    walk.flush()
    vertical: Direction = "vertical" if walk.vertical else "horizontal"
    page = Page(1, tuple(walk.found), (root.findtext(".//title") or "").strip(), vertical)
    return ReadDocument("html", (page,), tuple(walk.notes()))


def _text(path: Path, limits: Limits) -> str:
    """By the charset that it names, if the file is in it; else by what the bytes are."""
    named = _META.search(path.read_bytes()[:4096])
    if named is not None:
        name = named[1].decode().lower()
        try:
            return path.read_text(encoding=require(path, _NAMES.get(name, name)))
        except DataError:
            pass
    return decoded(path, limits)


class _Walk:
    def __init__(self, root: Any) -> None:
        self.clean = Cleaner()
        self.found: list[Block] = []
        self.hidden = 0
        self.vertical = False
        self._line = ""
        self._within = self._in_list = self._as_written = 0
        self._has_headings = next(root.iter("h1", "h2", "h3", "h4", "h5", "h6"), None) is not None
        self._rules = [rule for style in root.iter("style") for rule in _hiding_rules(style.text_content())]
        self.vertical = any(_VERTICAL.search(style.text_content()) for style in root.iter("style"))

    def notes(self) -> list[Note]:
        found = self.clean.notes()
        if self.hidden:
            found.append(note("hidden", self.hidden))
        if self.vertical:
            found.append(note("vertical", 1))
        return found

    def block(self, element: Any) -> None:
        """Walk one element in the order of the page."""
        tag = element.tag if isinstance(element.tag, str) else "script"
        if tag in _NEVER:
            return
        if self._is_hidden(element):
            self.hidden += len("".join(element.itertext()).strip())
            return
        self.vertical = self.vertical or bool(_VERTICAL.search(element.get("style") or ""))
        if tag == "br":
            self._line += _BREAK
            return
        if tag == "table" and not _is_layout(element):
            self.flush()
            self._table(element)
            return
        inline = _INLINE.fullmatch(tag) is not None
        if not inline:
            self.flush()
        self._enter(tag, 1)
        self._line += self._source(element.text)
        for child in element:
            self.block(child)
            self._line += self._source(child.tail)
        heading = _HEADING.fullmatch(tag)
        if not inline:
            self.flush(int(heading[1]) if heading else 7 if tag in ("dt", "caption", "legend", "summary") else 0)
        self._enter(tag, -1)

    def _enter(self, tag: str, step: int) -> None:
        self._within += step * (tag in _FURNITURE)
        self._in_list += step * (tag in ("li", "dd"))
        self._as_written += step * (tag == "pre")

    def _source(self, text: str | None) -> str:
        return (text or "").replace("\n", _BREAK) if self._as_written else text or ""

    def flush(self, level: int = 0) -> None:
        """End the block that is open."""
        shown = [joined(part.split("\n")) for part in self._line.split(_BREAK)]
        text = re.sub(r"[ \t]+", " ", self.clean("\n".join(shown))).strip()
        self._line = ""
        if not text:
            return
        if self._within or level:
            kind: BlockKind = "furniture" if self._within else "heading"
            self.found.append(Block(kind, joined(text.split("\n")), self._place(), 0 if self._within else level))
        else:
            for block in paragraphs(text):
                # Where the page marks its headings, a short line that is not marked as one is none.
                kind = "paragraph" if block.kind == "heading" and not self._by_look(block.text) else block.kind
                self.found.append(replace(block, kind=kind, place=self._place()))

    def _by_look(self, text: str) -> bool:
        return is_marked(text) or not (self._has_headings or self._in_list)

    def _place(self) -> str:
        return f"block {len(self.found) + 1}"

    def _is_hidden(self, element: Any) -> bool:
        if element.get("hidden") is not None or _HIDING.search(element.get("style") or ""):
            return True
        names = {element.tag, *(f".{c}" for c in (element.get("class") or "").split())}
        names |= {f"#{element.get('id')}"} if element.get("id") else set()
        names |= {f"{element.tag}{name}" for name in names if name[0] in ".#"}
        return any(rule in names for rule in self._rules)

    def _table(self, table: Any) -> None:
        rows = []
        for row in table.iter("tr"):
            cells: list[str] = []
            for cell in row:
                if cell.tag in ("td", "th") and not self._is_hidden(cell):
                    lines = "".join(_shown(cell)).split(_BREAK)
                    cells.append(self.clean(joined(" ".join(joined(line.split("\n")).split()) for line in lines)))
                    span = str(cell.get("colspan") or 1)
                    cells += [""] * (min(int(span), 50) - 1 if span.isdecimal() else 0)
            if any(cells):
                rows.append(tuple(cells))
        if rows:
            self.found.append(Block.table(tuple(rows), self._place()))


def _shown(element: Any) -> list[str]:
    if element.tag in _NEVER:
        return []
    parts = [element.text or ""]
    for child in element:
        parts += [_BREAK] if child.tag == "br" else _shown(child)
        parts.append(child.tail or "")
    return parts


def _is_layout(table: Any) -> bool:
    """A table that only places things: another one, headings, lists or sections stand in its cells."""
    inner = ("table", "h1", "h2", "h3", "h4", "ul", "section")
    return any(table.find(f".//td//{tag}") is not None for tag in inner)


def _hiding_rules(sheet: str) -> list[str]:
    """Simple selectors whose elements a style sheet hides."""
    sheet = re.sub(r"/\*.*?\*/|@[^{;]+;", "", sheet, flags=re.S)
    return [name.strip() for names, body in _RULES.findall(sheet) if _HIDING.search(body) for name in names.split(",")]
