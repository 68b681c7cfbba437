"""From characters with places to blocks in reading order. Pure geometry; lengths are points, `top` grows downwards.

Characters make lines, lines are cut where a gutter is, columns are read one after the other between what spans them,
and the lines of a column make paragraphs by indent, gap, size and where the last line ends.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tensaku.documents.model import Block
from tensaku.documents.shape import is_heading, is_item, is_marked, joined

__all__ = ["Char", "Grid", "horizontal", "vertical"]

_GUTTER = 1.6
"""Characters of white space in a line from which what follows belongs to another column or cell."""
_BIGGER = 1.12
"""Times the size of most text from which a line is a heading by its size."""
_SMALLER = 0.75
"""Times the size of most text below which a line is a note in small print."""
_END = "。．.！？!?」）)"
_CELL = 24  # characters that a cell of a table without rules may have


class Char(NamedTuple):
    """A character and its box."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    size: float
    bold: bool


class Grid(NamedTuple):
    """A table with its place."""

    rows: tuple[tuple[str, ...], ...]
    x0: float
    top: float
    x1: float
    bottom: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of text in one line, or a whole table."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    size: float = 0.0
    bold: bool = False
    rows: tuple[tuple[str, ...], ...] = ()


def horizontal(chars: Sequence[Char], grids: Sequence[Grid]) -> list[Block]:
    """Blocks of a page of horizontal text: `chars` are those outside the tables."""
    lines = _lines(chars)
    tables, pieces = _tables(lines)
    boxes = [*pieces, *tables, *(_Piece("", g.x0, g.x1, g.top, g.bottom, rows=g.rows) for g in grids)]
    body = statistics.median([c.size for c in chars]) if chars else 10.0
    return _blocks(_ordered(boxes, body), body)


def vertical(chars: Sequence[Char], width: float) -> list[Block]:
    """Blocks of a page of vertical text: turned a quarter to the left, its columns are lines from top to bottom.

    Tiers, where the page has them, are then columns that stand side by side.
    """
    turned = [c._replace(x0=c.top, x1=c.bottom, top=width - c.x1, bottom=width - c.x0) for c in chars]
    return horizontal(turned, [])


def _lines(chars: Sequence[Char]) -> list[list[_Piece]]:
    """Lines from top to bottom, each as its pieces from left to right."""
    rows: list[list[Char]] = []
    for char in sorted(chars, key=lambda c: (c.bottom, c.x0)):
        for row in reversed(rows[-4:]):
            overlap = min(row[0].bottom, char.bottom) - max(row[0].top, char.top)
            if overlap > 0.5 * min(row[0].bottom - row[0].top, char.bottom - char.top):
                row.append(char)
                break
        else:
            rows.append([char])
    return [_pieces(sorted(row, key=lambda c: c.x0)) for row in rows]


def _pieces(row: list[Char]) -> list[_Piece]:
    runs: list[list[Char]] = [[]]
    for char in row:
        visible = [c for c in runs[-1] if c.text.strip()]
        if visible and char.text.strip() and char.x0 - visible[-1].x1 > _GUTTER * max(char.size, visible[-1].size):
            runs.append([])
        runs[-1].append(char)
    return [piece for piece in map(_piece, runs) if piece.text.strip()]


def _piece(run: list[Char]) -> _Piece:
    text = ""
    before: Char | None = None
    for char in run:
        if before is not None and before.text.strip() and char.text.strip():
            gap = (char.x0 - before.x1) / max(char.size, 1.0)
            latin = before.text.isascii() and char.text.isascii()
            if gap > (0.18 if latin and before.text.isalpha() and char.text.isalpha() else 0.8):
                text += " "
        text += char.text
        before = char
    seen = [c for c in run if c.text.strip()] or run
    return _Piece(
        text,
        seen[0].x0,
        max(c.x1 for c in seen),
        min(c.top for c in seen),
        max(c.bottom for c in seen),
        statistics.median([c.size for c in seen]),
        sum(c.bold for c in seen) * 2 > len(seen),
    )


def _tables(lines: list[list[_Piece]]) -> tuple[list[_Piece], list[_Piece]]:
    """Tables without rules: two lines or more, one below the other, each of three short pieces or more."""
    tables: list[_Piece] = []
    rest: list[_Piece] = []
    run: list[list[_Piece]] = []
    for line in [*lines, []]:
        if len(line) >= 3 and all(len(piece.text) <= _CELL and "。" not in piece.text for piece in line):
            run.append(line)
            continue
        if len(run) >= 2:
            tables.append(_gathered(run))
        else:
            rest += [piece for row in run for piece in row]
        run = []
        rest += line
    return tables, rest


def _gathered(run: list[list[_Piece]]) -> _Piece:
    every = [piece for row in run for piece in row]
    widest = max(run, key=len)
    centres = [(piece.x0 + piece.x1) / 2 for piece in widest]
    rows = []
    for row in run:
        cells = [""] * len(centres)
        for piece in row:
            at = min(range(len(centres)), key=lambda n: abs(centres[n] - (piece.x0 + piece.x1) / 2))
            cells[at] = f"{cells[at]} {piece.text.strip()}".strip()
        rows.append(tuple(cells))
    x0, x1 = min(p.x0 for p in every), max(p.x1 for p in every)
    return _Piece("", x0, x1, min(p.top for p in every), max(p.bottom for p in every), rows=tuple(rows))


def _ordered(boxes: list[_Piece], body: float) -> list[list[_Piece]]:
    """The boxes in reading order, as columns: each list is read from top to bottom before the next."""
    boxes = sorted(boxes, key=lambda b: (round(b.top / max(body * 0.5, 1)), b.x0))
    gutter = _gutter(boxes, body)
    if gutter is None:
        return [boxes] if boxes else []
    out: list[list[_Piece]] = []
    while (title := _title(boxes, body)) is not None:  # what stands above both columns is none of them
        out.append(boxes[:title])
        boxes = boxes[title:]
    band: list[_Piece] = []
    for box in [*boxes, None]:
        spans = box is not None and box.x0 < gutter < box.x1
        if box is not None and not spans:
            band.append(box)
            continue
        for side in ([b for b in band if b.x1 <= gutter], [b for b in band if b.x0 >= gutter]):
            out += _ordered(side, body)
        band = []
        if box is not None:
            if out and len(out[-1]) and out[-1][-1].x0 < gutter < out[-1][-1].x1:
                out[-1].append(box)
            else:
                out.append([box])
    return out


def _title(boxes: Sequence[_Piece], body: float) -> int | None:
    """How many boxes stand in a first row that a wide gap parts from all that follows; None if there is no such row."""
    if len(boxes) < 3:
        return None
    row = [n for n, box in enumerate(boxes) if box.top < boxes[0].bottom]
    n = len(row)
    if row != list(range(n)) or n > 2 or n == len(boxes) or any(box.rows for box in boxes[:n]):
        return None
    gap = min(box.top for box in boxes[n:]) - max(box.bottom for box in boxes[:n])
    return n if gap > 1.2 * body else None


def _gutter(boxes: Sequence[_Piece], body: float) -> float | None:
    """Where two columns of prose part: an x that few boxes cross, with lines side by side on both sides of it."""
    prose = [b for b in boxes if not b.rows and len(b.text) >= 8]
    if len(prose) < 6:
        return None
    left, right = min(b.x0 for b in boxes), max(b.x1 for b in boxes)
    best: tuple[int, float] | None = None
    for start in sorted({b.x0 for b in prose}):
        x = start - 0.5 * body
        if not left + 0.15 * (right - left) < x < right - 0.15 * (right - left):
            continue
        before = [b for b in prose if b.x1 <= x + 0.25 * body]
        after = [b for b in prose if b.x0 >= x]
        crossing = len(prose) - len(before) - len(after)
        beside = sum(any(a.top < b.bottom and b.top < a.bottom for a in after) for b in before)
        if min(len(before), len(after)) < 3 or beside < 3 or crossing > 0.6 * len(prose):
            continue
        if best is None or crossing < best[0]:
            best = (crossing, x)
    return best[1] if best else None


def _blocks(columns: list[list[_Piece]], body: float) -> list[Block]:
    blocks: list[Block] = []
    line = 0
    for column in columns:
        open_: list[_Piece] = []
        edges = (0.0, 0.0)
        for number, box in enumerate(column):
            line += 1
            if open_ and (box.rows or _begins(open_, box, edges)):
                blocks.append(_block(open_, body, line - len(open_), edges))
                open_ = []
            edges = _edges(column, number)
            if box.rows:
                blocks.append(Block.table(box.rows, f"line {line}"))
            else:
                open_.append(box)
        if open_:
            blocks.append(_block(open_, body, line - len(open_) + 1, edges))
    return _over_columns(blocks, columns)


def _edges(column: Sequence[_Piece], at: int) -> tuple[float, float]:
    """Left and right edge of the text around a line: of the lines of its size, eight above and below."""
    here = column[at]
    near = [
        b for b in column[max(0, at - 8) : at + 9] if not b.rows and abs(b.size - here.size) <= 0.08 * max(b.size, 1)
    ]
    return min((b.x0 for b in near), default=here.x0), max((b.x1 for b in near), default=here.x1)


def _begins(open_: list[_Piece], box: _Piece, edges: tuple[float, float]) -> bool:
    """Whether a line begins a new block."""
    last = open_[-1]
    size = max(last.size, 1.0)
    same_line = abs(box.top - last.top) < 0.5 * size
    if same_line:
        return True
    if abs(box.size - last.size) > 0.08 * size or box.bold != last.bold:
        return True
    if is_marked(last.text) or is_marked(box.text):
        return True
    if box.top - last.bottom > 1.1 * size:
        return True
    indented = box.x0 - edges[0] > 0.6 * size and last.x0 - edges[0] <= 0.6 * size
    short = edges[1] - last.x1 > 1.8 * size
    if is_heading(last.text) and short and len(open_) == 1 and last.text.strip()[-1] not in _END:
        return edges[1] - last.x1 > 0.35 * (edges[1] - edges[0])
    return (
        (short and last.text.strip()[-1] in _END)
        or (indented and last.text.strip()[-1] in _END)
        or ((box.text.startswith("\u3000") or is_item(box.text)) and last.text.strip()[-1] in _END)
    )


def _block(lines: list[_Piece], body: float, number: int, edges: tuple[float, float]) -> Block:
    text = joined(piece.text for piece in lines)
    first = lines[0]
    big = first.size > _BIGGER * body
    if first.size < _SMALLER * body:
        return Block("furniture", text, f"line {number}")
    by_look = is_marked(text) or (not is_item(text) and len(lines) <= 2 and is_heading(text) and (big or first.bold))
    short = edges[1] - first.x1 > 0.25 * (edges[1] - edges[0]) or edges[1] == first.x1 == lines[-1].x1
    alone = len(lines) == 1 and is_heading(text) and len(text) <= _CELL and text[-1] not in _END
    if by_look or (alone and short and "、" not in text and not is_item(text)):
        return Block("heading", text, f"line {number}", 1 if big else 0)
    return Block("paragraph", text, f"line {number}")


def _over_columns(blocks: list[Block], columns: list[list[_Piece]]) -> list[Block]:
    """A paragraph that breaks off at the foot of a column goes on at the head of the next."""
    if len(columns) < 2:
        return blocks
    out: list[Block] = []
    for block in blocks:
        last = out[-1] if out else None
        if (
            last is not None
            and last.kind == block.kind == "paragraph"
            and len(last.text) > 20
            and last.text[-1] not in _END
        ):
            out[-1] = Block("paragraph", joined([last.text, block.text]), last.place)
        else:
            out.append(block)
    return out
