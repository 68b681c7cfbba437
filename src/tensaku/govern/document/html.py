"""The document as one HTML page, and the pages that its figures link to: one an artifact, one for the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from tensaku.govern.document.parts import (
    LEDGER,
    Bars,
    Block,
    Bullets,
    Cell,
    Facts,
    Line,
    Paper,
    Paragraph,
    Quote,
    Table,
    Value,
    Written,
)
from tensaku.govern.document.words import Words
from tensaku.report import Bar, bar_chart, grid, page
from tensaku.store import Artifact

__all__ = ["Link", "anchor", "artifact_page", "as_html", "ledger_page", "points"]

Link = Callable[[Value], str]
"""Where a figure's source stands, seen from the document; empty: nowhere that could be shown."""


def as_html(paper: Paper, link: Link) -> str:
    """The page: one file, no script, nothing loaded; every figure with a source links to it."""
    w = Words(paper.language)
    head = Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        '<h1>{}<small>{}</small></h1><p class="lead">{}</p></header>'
    ).format(paper.title, paper.subject, _line(paper.status, link))
    number = Markup('<li><a href="#{}"><span>{}</span>{}</a></li>')
    contents = Markup('<nav class="toc" aria-label="{}"><ol>{}</ol></nav>').format(
        w["contents"], Markup().join(number.format(part.key, n, part.title) for n, part in enumerate(paper.parts, 1))
    )
    section = Markup('<section class="part" id="{}"><h2><span class="no">{}</span>{}</h2>{}</section>')
    parts = [
        section.format(part.key, n, part.title, Markup().join(_block(block, link, w) for block in part.blocks))
        for n, part in enumerate(paper.parts, 1)
    ]
    style = resources.files("tensaku.govern.document").joinpath("document.css").read_text(encoding="utf-8")
    whole = [head, _cards(paper.opening, link), contents, *parts]
    return page(f"{paper.title} {paper.subject}", whole, style, language=paper.language)


def _cards(opening: Iterable[tuple[str, Cell, str]], link: Link) -> Markup:
    card = Markup('<div class="card"><span class="label">{}</span><b>{}</b><span>{}</span></div>')
    return Markup('<div class="cards">{}</div>').format(
        Markup().join(card.format(name, _cell(value, link), told) for name, value, told in opening)
    )


def _cell(cell: Cell, link: Link) -> Markup:
    if isinstance(cell, Value):
        there = link(cell) if cell.ref else ""
        if there:
            return Markup('<a class="v" href="{}">{}</a>').format(there, cell.text)
        return Markup("{}").format(cell.text)
    return Markup("{}").format(cell)


def _line(line: Line, link: Link) -> Markup:
    return Markup().join(_cell(cell, link) for cell in line)


def _block(block: Block, link: Link, w: Words) -> Markup:
    match block:
        case Paragraph(line, "head"):
            return Markup("<h3>{}</h3>").format(_line(line, link))
        case Paragraph(line, tone):
            return Markup('<p class="{}">{}</p>').format(tone or "said", _line(line, link))
        case Bullets(items):
            point = Markup("<li>{}</li>")
            return Markup('<ul class="points">{}</ul>').format(
                Markup().join(point.format(_line(i, link)) for i in items)
            )
        case Facts(rows):
            row = Markup("<div><dt>{}</dt><dd>{}</dd></div>")
            held = Markup().join(row.format(name, _cell(value, link)) for name, value in rows)
            return Markup('<dl class="about">{}</dl>').format(held)
        case Table(heads, rows, numbers_from, caption):
            cells = [[_cell(cell, link) for cell in row] for row in rows]
            title = Markup("<h3>{}</h3>").format(caption) if caption else Markup()
            return title + grid(heads, cells, numbers_from)
        case Quote(text):
            return Markup("<blockquote>{}</blockquote>").format(text)
        case Bars(title, rows):
            drawn = [Bar(name, style, value, low, high) for name, style, value, low, high in rows]
            top = max(100.0, *(bar.high for bar in drawn))
            return Markup('<div class="charts"><div class="chart">{}</div></div>').format(bar_chart(title, drawn, top))
        case Written():
            return _written(block, link, w)


def _written(block: Written, link: Link, w: Words) -> Markup:
    at = _cell(Value(block.at, LEDGER, block.entry.fact), link)
    who = Markup(w["written_by"]).format(by=block.by, at=at)  # noqa: S704  our own words
    if block.carried:
        who += Markup("　{}").format(w["carried"].format(ref=block.carried))
    body = Markup().join(
        Markup("<p>{}</p>").format(text)
        if not listed
        else Markup('<ul class="points">{}</ul>').format(Markup().join(Markup("<li>{}</li>").format(i) for i in text))
        for listed, text in points(block.text)
    )
    return Markup('<aside class="written"><small>{}: {}</small>{}</aside>').format(w["written"], who, body)


def points(text: str) -> Iterator[tuple[bool, Any]]:
    """What a person wrote, in pieces: (False, a paragraph) or (True, points)."""
    for piece in re.split(r"\n\s*\n", text.strip()):
        lines = piece.splitlines()
        if lines and all(re.match(r"\s*[-・*]\s*", line) for line in lines):
            yield True, [re.sub(r"^\s*[-・*]\s*", "", line) for line in lines]
        else:
            yield False, piece


def anchor(fact: str) -> str:
    """A fact's name as the name of a place on a page."""
    return re.sub(r"\s+", "_", fact)


def artifact_page(held: Artifact, wanted: Iterable[str], copied: Sequence[str], known: Container[str]) -> str:
    """What an artifact says of itself: settings, facts, what it was made from, its files with their hashes.

    Args:
        held: the artifact.
        wanted: the facts that the document links to; each has a place on the page.
        copied: those of its files that stand beside the page, in a folder of its name.
        known: the artifacts that have a page.
    """
    title = Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p><h1>{}<small>{}</small></h1>'
        '<p class="lead">{}</p></header>'
    ).format(held.ref, held.stage, str(held.manifest["ended"])[:19].replace("T", " "))
    rows = [("key", held.key), ("tensaku", str(held.manifest["tensaku"])), ("started", str(held.manifest["started"]))]
    files = [
        (
            Markup('<a href="{}/{}">{}</a>').format(held.ref, quote(name), name) if name in copied else name,
            f"{file['bytes']:,}",
            Markup("<code>{}</code>").format(file["sha256"]),
        )
        for name, file in sorted(held.manifest["files"].items())
    ]
    link = Markup('<a href="{}.html">{}</a>')
    inputs = [
        (name, link.format(ref, ref) if ref in known else ref.rsplit("/", 1)[-1]) for name, ref in held.inputs.items()
    ]
    parts = [
        title,
        _section("封印", "Seal", _placed(rows, ())),
        _section("値", "Facts", _placed(_flat(held.facts, ""), wanted)),
        _section("設定", "Settings", _placed(_flat(held.config, "config."), wanted)),
        _section("入力", "Made from", grid(("", ""), inputs, 9)),
        _section("ファイル", "Files", grid(("", "bytes", "SHA-256"), files, 1)),
    ]
    return page(held.ref, parts, _EVIDENCE_STYLE)


_EVIDENCE_STYLE = "td:first-child { overflow-wrap: anywhere; } tr:target { background: var(--blue-wash); }\n"


def ledger_page(rows: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The entries of the ledger that the document speaks of: name -> (what, value) lines."""
    title = Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        "<h1>台帳の記録<small>Entries of the ledger</small></h1></header>"
    )
    entry = Markup('<section class="part" id="{}"><h2>{}</h2>{}</section>')
    parts = [entry.format(anchor(name), name, grid(("", ""), lines, 9)) for name, lines in rows.items()]
    return page("台帳の記録 Ledger", [title, *parts], _EVIDENCE_STYLE)


def _section(title: str, english: str, body: Markup) -> Markup:
    return Markup('<section class="part"><h2>{}<small>{}</small></h2>{}</section>').format(title, english, body)


def _placed(rows: Iterable[tuple[str, str]], wanted: Iterable[str]) -> Markup:
    """A table whose rows can be linked to; what is linked to as a whole begins at its first row."""
    held = list(rows)
    first: dict[int, list[str]] = {}
    names = [name for name, _ in held]
    for fact in dict.fromkeys(wanted):
        if fact not in names:
            place = next((n for n, name in enumerate(names) if name.startswith(f"{fact}.")), None)
            if place is not None:
                first.setdefault(place, []).append(fact)
    line = Markup('<tr id="{}"><td class="w">{}{}</td><td class="w">{}</td></tr>')
    body = Markup().join(
        line.format(
            anchor(name),
            Markup().join(Markup('<a id="{}"></a>').format(anchor(fact)) for fact in first.get(n, ())),
            name,
            value,
        )
        for n, (name, value) in enumerate(held)
    )
    return Markup('<div class="scroll"><table><tbody>{}</tbody></table></div>').format(body)


def _flat(values: Any, start: str) -> Iterator[tuple[str, str]]:
    """Nested values as (dotted name, text)."""
    pairs = values.items() if isinstance(values, Mapping) else enumerate(values)
    for name, value in pairs:
        if value and (isinstance(value, Mapping) or (isinstance(value, list) and isinstance(value[0], Mapping | list))):
            yield from _flat(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
