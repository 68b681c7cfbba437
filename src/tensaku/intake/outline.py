"""A document as headings and the text under each, whatever its layout: tables that only place text are taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tensaku.documents import Block, ReadDocument, is_prose

__all__ = ["Part", "outline"]

_LEGAL = re.compile(r"^[※＊*・\s\u3000]*(?:当|本|この)(?:資料|レポート|報告書|月報|文書)(?:は|に|の)")
_LABEL = 28  # characters that a heading in a table's cell may have
_TITLE_LEVEL = 1


@dataclass(slots=True)
class Part:
    """A heading with what stands under it. The first part has none: it is what stands before the first heading.

    `aside` is what belongs to no text: tables, notes, what stands on every page.
    """

    heading: str
    place: str
    level: int = 0
    texts: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The paragraphs, one a line."""
        return "\n".join(self.texts)


def outline(document: ReadDocument, means: Callable[[str], bool]) -> list[Part]:
    """The parts of a document in its order.

    Args:
        document: as it was read.
        means: whether a line would be a heading of a section; a line that no typeface marks is taken for one by it.
    """
    parts = [Part("", "")]
    for page, block in document.blocks():
        where = block.place if page.name and block.place.startswith(page.name) else f"{page.number}: {block.place}"
        for piece in _pieces(block, means):
            if piece.kind == "furniture" or _LEGAL.match(piece.text):
                parts[-1].aside.append(piece.text)
            elif piece.kind == "heading":
                parts.append(Part(piece.text, where, piece.level))
            elif piece.kind == "table":
                parts[-1].aside.append(piece.text)
            elif means(piece.text) and len(piece.text) <= _LABEL and not is_prose(piece.text):
                parts.append(Part(piece.text, where))
            else:
                parts[-1].texts.append(piece.text)
    return list(_nested(parts, means))


def _pieces(block: Block, means: Callable[[str], bool]) -> Iterator[Block]:
    """The block itself; of a table whose rows or columns are headings with text, these."""
    if block.kind != "table":
        yield block
        return
    kept: list[tuple[str, ...]] = []
    rows = iter([*block.rows, ()])
    for row in rows:
        filled = [cell for cell in row if cell.strip()]
        if len(filled) == 2 and _is_label(filled[0]) and _is_text(filled[1]):
            yield from _table(kept)
            yield Block("heading", filled[0], block.place)
            yield from _lines(filled[1], block.place)
        elif len(filled) >= 2 and all(_is_label(cell) and means(cell) for cell in filled):
            yield from _table(kept)
            texts = next(rows, ())
            for heading, text in zip(row, texts, strict=False):
                if heading.strip():
                    yield Block("heading", heading, block.place)
                    yield from _lines(text, block.place)
        elif len(filled) == 1 and _is_text(filled[0]):
            yield from _table(kept)
            yield from _lines(filled[0], block.place)
        elif len(filled) == 1 and _is_label(filled[0]) and means(filled[0]):
            yield from _table(kept)
            yield Block("heading", filled[0], block.place)
        elif filled:
            kept.append(row)
    yield from _table(kept)


def _table(rows: list[tuple[str, ...]]) -> Iterator[Block]:
    if rows:
        yield Block.table(tuple(rows))
        rows.clear()


def _lines(text: str, place: str) -> Iterator[Block]:
    for line in text.split("\n"):
        if line.strip():
            yield Block("paragraph", line.strip(), place)


def _is_label(cell: str) -> bool:
    return 0 < len(cell.strip()) <= _LABEL and "。" not in cell


def _is_text(cell: str) -> bool:
    return is_prose(cell) and len(cell) >= 20 and ("。" in cell or cell.strip()[-1] in ".．")


def _nested(parts: Iterable[Part], means: Callable[[str], bool]) -> Iterator[Part]:
    """A heading below another one, by the file's own levels, is a line of its text."""
    above: Part | None = None
    for part in parts:
        if above is not None and part.level > above.level > 0 and not means(part.heading):
            above.texts += [part.heading, *part.texts] if part.texts else []
            above.aside += part.aside
            continue
        if above is not None:
            yield above
        above = part
    if above is not None:
        yield above
