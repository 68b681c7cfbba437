"""One file that speaks of several funds: where each begins, by a line that says nothing but its name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tensaku.documents import Block, Page, ReadDocument

__all__ = ["FundText", "by_fund", "funds_told"]

_BESIDE = re.compile(
    r"(?:\d{4}年度?\d{1,2}月|(?:令和|平成|r|h)\d{1,2}年\d{1,2}月|20\d{2}[/.-]?\d{1,2}|\d{1,2}月|末|現在|基準|度|分|号"
    r"|対象ファンド|ファンド名称?|ファンド|月次|月報|マンスリー|レポート|報告書?|運用|コメント|monthly|report|fund|name|of|the)"
)
"""What may stand in a line beside a fund's name without saying anything of its own."""
_MARKS = re.compile(r"[\W_]+")
_LONGEST = 100
_MOST = 200  # characters of a report's fund in the ledger


@dataclass(frozen=True, slots=True)
class FundText:
    """What a file says of one fund, as a document of its own; `fund` is empty for what stands before the first."""

    fund: str
    document: ReadDocument


def funds_told(funds: Sequence[str]) -> str:
    """Several funds as one text, short enough to be kept beside a report."""
    text = "、".join(dict.fromkeys(funds))
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def by_fund(document: ReadDocument, funds: Collection[str]) -> list[FundText]:
    """The document in pieces, in its order: a new one wherever a line is the name of another fund of `funds`.

    A line that says more than the name, a month and words such as ファンド名 begins nothing: in a comment a fund may
    name another. The first piece, before any name, may be without blocks.
    """
    names = {_folded(fund): fund for fund in funds if _folded(fund)}
    pieces: list[tuple[str, list[tuple[Page, Block]]]] = [("", [])]
    for page in document.pages:
        if (named := _named(page.name, names)) and named != pieces[-1][0]:
            pieces.append((named, []))
        for block in page.blocks:
            for part in _cut(block, names):
                named = _begins(part, names)
                if named and named != pieces[-1][0]:
                    pieces.append((named, []))
                pieces[-1][1].append((page, part))
    return [FundText(fund, _document(document, blocks)) for fund, blocks in pieces]


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _named(line: str, names: dict[str, str]) -> str:
    """The one fund that a line names and nothing else, or an empty text."""
    text = _folded(line)
    if not text or len(text) > _LONGEST:
        return ""
    found: list[str] = []
    for name in sorted(names, key=len, reverse=True):
        if name in text:
            found.append(names[name])
            text = text.replace(name, "\x00")
    rest = _MARKS.sub("", _BESIDE.sub("", text.replace("\x00", " ")))
    # A number before the name (1. 国内株式ファンド) is the chapter's.
    return found[0] if len(set(found)) == 1 and not re.sub(r"^\d{1,2}", "", rest) else ""


def _begins(block: Block, names: dict[str, str]) -> str:
    if block.kind == "furniture":
        return ""
    lines = [cell for row in block.rows[:1] for cell in _lines(row)] if block.kind == "table" else [block.text]
    return next((fund for line in lines if (fund := _named(line, names))), "")


def _lines(row: Sequence[str]) -> list[str]:
    """The lines of a row's cells; of a row with figures none: it is one of a table that compares funds."""
    if any(re.fullmatch(r"[+\-▲△−]?[\d,.]+[%％]?", unicodedata.normalize("NFKC", cell).strip()) for cell in row):
        return []
    return [line for cell in row for line in cell.split("\n")]


def _cut(block: Block, names: dict[str, str]) -> Iterator[Block]:
    """A table in pieces, each beginning with the row that names a fund; any other block as it is."""
    if block.kind != "table":
        yield block
        return
    begins = [n for n, row in enumerate(block.rows) if any(_named(line, names) for line in _lines(row))]
    edges = sorted({0, *begins, len(block.rows)})
    for start, end in pairwise(edges):
        yield Block.table(block.rows[start:end], block.place)


def _document(whole: ReadDocument, blocks: Sequence[tuple[Page, Block]]) -> ReadDocument:
    """Blocks as a document, on the pages on which they stand. Notes are told once, of the whole."""
    pages: list[Page] = []
    for page, block in blocks:
        if pages and pages[-1].number == page.number:
            pages[-1] = replace(pages[-1], blocks=(*pages[-1].blocks, block))
        else:
            pages.append(replace(page, blocks=(block,)))
    return ReadDocument(whole.kind, tuple(pages))
