"""The document as Markdown, without links: the page that is sealed with a candidate."""

from __future__ import annotations

from collections.abc import Sequence

from tensaku.govern.document.parts import (
    Block,
    Bullets,
    Cell,
    Facts,
    Line,
    Paper,
    Paragraph,
    Quote,
    Table,
    Written,
    shown,
)

__all__ = ["as_markdown"]


def as_markdown(paper: Paper) -> str:
    """The document as text."""
    found = [f"# {paper.title}: {paper.subject}", _line(paper.status)]
    for part in paper.parts:
        found.append(f"## {part.title}")
        found += [text for block in part.blocks if (text := _block(block))]
    return "\n\n".join(found) + "\n"


def _block(block: Block) -> str:
    match block:
        case Paragraph(line, tone):
            return f"### {_line(line)}" if tone == "head" else _line(line)
        case Bullets(items):
            return "\n".join(f"- {_line(item)}" for item in items)
        case Facts(rows):
            return _table((), rows)
        case Table(heads, rows, _, caption):
            table = _table(heads, rows)
            return f"### {caption}\n\n{table}" if caption else table
        case Quote(text):
            return "\n".join(f"> {line}" for line in text.splitlines())
        case Written(text, by, at):
            return f"{text}\n\n({by}, {at})"
        case _:  # a drawing; the table beside it has its figures
            return ""


def _line(line: Line) -> str:
    return "".join(map(shown, line))


def _table(heads: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table; a bar or line feed in a cell would break it."""
    if not rows:
        return ""
    width = len(heads) or len(rows[0])
    lines = [list(heads) or [""] * width, ["---"] * width, *([shown(cell) for cell in row] for row in rows)]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
