"""Blocks cut into passages that can be found and cited: along headings, clauses, tables and sentences."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tensaku.retrieve.blocks import Block
from tensaku.text import sentences

__all__ = ["Chunk", "chunks", "spans"]

_CLAUSE = re.compile(
    r"^\s*(第[0-9０-９一二三四五六七八九十百千]+条(?:の[0-9０-９一二三四五六七八九十]+)*)(?:[（(]([^）)]*)[）)])?"
)
_ITEM = re.compile(
    r"^\s*(?:第([0-9０-９一二三四五六七八九十]+)項|([2-9２-９]|[1-9１-９][0-9０-９])[\s　.．、](?=\S)|([②-⑳]))"
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage. `headings` lead to it, the outermost first; `clause` is such as 第3条第2項, or empty.

    `page` counts from 1. `first` and `last` are the places of its blocks, `start` the character offset within the text
    of the first block.
    """

    text: str
    headings: tuple[str, ...]
    clause: str
    page: int
    first: int
    last: int
    start: int = 0

    @property
    def title(self) -> str:
        """What stands above it, in one line."""
        return " > ".join([*self.headings, *([self.clause] if self.clause else [])])


def chunks(blocks: Sequence[Block], size: int = 400) -> list[Chunk]:
    """Passages of at most `size` characters, save where one sentence or table row is longer.

    A heading, a clause (第3条), a paragraph of a clause (第2項) and a page each begin a new passage. Rows of a table
    stay together and repeat its first row, so that each can be understood by itself.
    """
    found: list[Chunk] = []
    for section in _sections(blocks):
        if section.rows:
            found += _table(section, size)
        else:
            found += _prose(section, size)
    return found


@dataclass(slots=True)
class _Section:
    headings: tuple[str, ...]
    clause: str
    blocks: list[Block]
    rows: bool = False


def _sections(blocks: Iterable[Block]) -> Iterator[_Section]:
    """Runs of blocks under the same headings and clause, on one page, all rows or none."""
    path: list[tuple[int, str]] = []
    article = clause = ""
    held: _Section | None = None
    for block in blocks:
        if block.kind == "heading":
            path = [(level, text) for level, text in path if level < block.level] + [(block.level, block.text)]
            found = _CLAUSE.match(block.text + " ")
            article = clause = found[1] if found else ""
            continue
        article, clause, fresh = _clause(block, article, clause)
        headings, rows = tuple(text for _, text in path), block.kind == "row"
        same = held is not None and (held.headings, held.clause, held.rows) == (headings, clause, rows)
        if held is not None and same and not fresh and held.blocks[-1].page == block.page:
            held.blocks.append(block)
            continue
        if held is not None:
            yield held
        held = _Section(headings, clause, [block], rows)
    if held is not None:
        yield held


def _clause(block: Block, article: str, clause: str) -> tuple[str, str, bool]:
    """The article and the clause that `block` stands in, and whether it begins it."""
    if block.kind == "row":
        return article, clause, False
    if found := _CLAUSE.match(block.text):
        return found[1], found[1], True
    if article and (item := _ITEM.match(block.text)):
        number = unicodedata.normalize("NFKC", item[1] or item[2] or item[3])  # ② is 2
        return article, f"{article}第{number}項", True
    return article, clause, False


def _prose(section: _Section, size: int) -> Iterator[Chunk]:
    held: list[str] = []
    first, start, length, last = section.blocks[0], 0, 0, section.blocks[0]
    for block in section.blocks:
        lead = "\n" if held else ""
        for sentence in sentences(block.text):
            if held and length + len(sentence.text) > size:
                yield _chunk(section, held, first, last, start)
                held, length, lead = [], 0, ""
            if not held:
                first, start = block, sentence.start
            held.append(lead + sentence.text)
            length += len(sentence.text)
            last, lead = block, ""
    if held:
        yield _chunk(section, held, first, last, start)


def _table(section: _Section, size: int) -> Iterator[Chunk]:
    head, *rows = section.blocks
    held: list[Block] = []
    for row in rows:
        if held and len(head.text) + sum(len(r.text) + 1 for r in [*held, row]) > size:
            yield _chunk(section, ["\n".join(b.text for b in [head, *held])], held[0], held[-1], 0)
            held = []
        held.append(row)
    texts = ["\n".join(b.text for b in [head, *held])]
    yield _chunk(section, texts, held[0] if held else head, held[-1] if held else head, 0)


def _chunk(section: _Section, texts: Sequence[str], first: Block, last: Block, start: int) -> Chunk:
    text = "".join(texts).strip()
    return Chunk(text, section.headings, section.clause, first.page, first.place, last.place, start)


def spans(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a passage stand in it: character offsets without the white space around them."""
    found = []
    for sentence in sentences(text):
        inner = sentence.text.strip()
        if inner:
            start = sentence.start + len(sentence.text) - len(sentence.text.lstrip())
            found.append((start, start + len(inner)))
    return found
