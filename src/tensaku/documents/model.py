"""What a document is once it has been read: pages with blocks in reading order. Plain values, to be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Block", "BlockKind", "Direction", "Note", "Page", "PageState", "ReadDocument", "from_values", "to_values"]

BlockKind = Literal["heading", "paragraph", "table", "furniture"]
Direction = Literal["horizontal", "vertical"]
PageState = Literal["text", "scanned", "empty"]


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a page.

    `furniture` is what stands on every page (headers, footers, page numbers). `level` is a heading's (1 the highest, 0
    if the file does not say). `place` says where on the page, as in `line 4`, `B3` or `block 2`. A table has `rows` of
    cells as they are shown; its `text` is the rows, cells parted by tabs.
    """

    kind: BlockKind
    text: str
    place: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def table(cls, rows: tuple[tuple[str, ...], ...], place: str = "") -> Block:
        """A table, with its text."""
        return cls(
            "table", "\n".join("\t".join(cell.replace("\n", " ") for cell in row) for row in rows), place, 0, rows
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page, a sheet of a workbook, or the whole of a file that has no pages. `number` counts from 1."""

    number: int
    blocks: tuple[Block, ...]
    name: str = ""
    direction: Direction = "horizontal"
    state: PageState = "text"


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader should know: `said(code, detail)` gives its words. A `grave` one wants a person's eye."""

    code: str
    detail: str
    grave: bool = False


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A file as it was read. `kind` is what its content is: pdf, docx, xlsx, html or text."""

    kind: str
    pages: tuple[Page, ...]
    notes: tuple[Note, ...] = ()

    def blocks(self) -> Iterator[tuple[Page, Block]]:
        """Every block with its page, in reading order."""
        for page in self.pages:
            for block in page.blocks:
                yield page, block

    @property
    def text(self) -> str:
        """All of it but the furniture, a block a paragraph."""
        return "\n".join(block.text for _, block in self.blocks() if block.kind != "furniture")


def to_values(document: ReadDocument) -> dict[str, Any]:
    """The document as JSON can keep it."""
    return asdict(document)


def from_values(values: Mapping[str, Any]) -> ReadDocument:
    """The document that `to_values` gave, also after a way through JSON."""
    pages = tuple(
        Page(**{**page, "blocks": tuple(_block(block) for block in page["blocks"])}) for page in values["pages"]
    )
    return ReadDocument(values["kind"], pages, tuple(Note(**note) for note in values["notes"]))


def _block(values: Mapping[str, Any]) -> Block:
    return Block(**{**values, "rows": tuple(tuple(row) for row in values["rows"])})
