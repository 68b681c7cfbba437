"""What the model document is made of: sections of blocks, whose figures say which artifact or entry they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "LEDGER",
    "Bars",
    "Block",
    "Bullets",
    "Cell",
    "Facts",
    "Line",
    "Paper",
    "Paragraph",
    "Part",
    "Quote",
    "Table",
    "Value",
    "Written",
    "shown",
]

LEDGER = "ledger"
"""The `ref` of what stands in the ledger and not in an artifact."""


@dataclass(frozen=True, slots=True)
class Value:
    """A figure with its source: the artifact `ref` and in it the fact of that dotted name, or `file:NAME`."""

    text: str
    ref: str = ""
    fact: str = ""


Cell: TypeAlias = str | Value
Line: TypeAlias = tuple[Cell, ...]
"""A sentence in pieces, so that each figure in it keeps its source."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or some; a head stands over what follows, a note is set small, what is good or bad is marked."""

    line: Line
    tone: Literal["", "head", "note", "good", "bad"] = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """Points."""

    items: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with what stands behind each."""

    rows: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; columns from `numbers_from` on are figures."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers_from: int = 1
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """Words as they stand somewhere, set apart."""

    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars with intervals, as a drawing where the form has one: (name, style, value, low, high). A table has the same
    figures."""

    title: str
    rows: tuple[tuple[str, str, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What a person added, who and when; `carried` is the release that it was written about, if another."""

    text: str
    by: str
    at: str
    entry: Value
    carried: str = ""


Block: TypeAlias = Paragraph | Bullets | Facts | Table | Quote | Bars | Written


@dataclass(frozen=True, slots=True)
class Part:
    """A section; people add to it under `key`."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """The whole document in one language."""

    language: Literal["ja", "en"]
    title: str
    subject: str
    status: Line
    opening: tuple[tuple[str, Cell, str], ...]
    parts: tuple[Part, ...] = field(default=())


def shown(cell: Cell) -> str:
    """A cell's words alone."""
    return cell.text if isinstance(cell, Value) else cell
