"""Draft and difference as HTML: every run of text escaped, and no tag in it but our own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from tensaku.records import Change

__all__ = ["Span", "difference", "listed", "marked", "shown", "utf16_offsets", "utf16_spans"]


_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> Markup:
    """Text escaped. Marks that turn the direction of reading are named: unseen, they would show 12 as 21."""
    out, at = Markup(), 0
    for found in _BIDI.finditer(text):
        out += escape(text[at : found.start()])
        out += Markup('<span class="bidi">U+{}</span>').format(f"{ord(found.group()):04X}")
        at = found.end()
    return out + escape(text[at:])


def listed(text: str) -> Markup:
    """A change's text as a list shows it: ends of lines, and what is nothing but space, are to be seen."""
    text = text if text.strip() else text.replace("\u3000", "□").replace(" ", "␣").replace("\t", "⇥")
    return shown(text.replace("\n", "↵\n").removesuffix("\n"))


class Span(NamedTuple):
    """A stretch of a text, in characters, and the key of the fact that stands there."""

    start: int
    end: int
    key: str


def marked(text: str, spans: Iterable[Span], *, start: int = 0, end: int | None = None) -> Markup:
    """`text[start:end]` with the spans in it wrapped in `<mark>`; spans may reach beyond and may overlap."""
    end = len(text) if end is None else end
    out, at = Markup(), start
    for span in sorted(spans):
        left, right = max(span.start, at), min(span.end, end)
        if left >= right:
            continue
        out += shown(text[at:left])
        out += Markup('<mark class="fact" data-fact="{}">{}</mark>').format(span.key, shown(text[left:right]))
        at = right
    return out + shown(text[at:end])


def difference(
    old: str,
    new: str,
    changes: Sequence[Change],
    *,
    missing: Sequence[Span] = (),
    added: Sequence[Span] = (),
    awaited: str | None = None,
) -> Markup:
    """The new text with what was taken out and put in.

    Args:
        old: the draft.
        new: the comment.
        changes: from `old` to `new`, in order.
        missing: broken facts in `old`.
        added: broken facts in `new`.
        awaited: None if the comment is complete; else the rest of the draft, which follows `old`. What `old` has at its
            end is then awaited too, and not taken out.
    """
    out, at = Markup(), 0
    for change in changes:
        out += marked(new, added, start=at, end=change.new_start)
        at = change.new_end
        now = marked(new, added, start=change.new_start, end=change.new_end)
        put_in = Markup("<ins>{}</ins>").format(now) if now else Markup()
        if awaited is not None and change.old_end == len(old):
            awaited = change.old + awaited
            out += _change(change, put_in)
            continue
        was = marked(old, missing, start=change.old_start, end=change.old_end)
        out += _change(change, (Markup("<del>{}</del>").format(was) if was else Markup()) + put_in)
    out += marked(new, added, start=at)
    return out + Markup('<span class="awaited">{}</span>').format(shown(awaited)) if awaited else out


def _change(change: Change, body: Markup) -> Markup:
    return Markup('<span class="change" data-change="{}">{}</span>').format(change.id, body) if body else body


def utf16_offsets(text: str) -> list[int]:
    """Where each character of the text, and its end, stands as a browser counts: in UTF-16 units."""
    if text.isascii() or max(text) <= "\uffff":
        return list(range(len(text) + 1))
    ends, units = [0], 0
    for character in text:
        units += 2 if ord(character) > 0xFFFF else 1
        ends.append(units)
    return ends


def utf16_spans(text: str, spans: Iterable[Span]) -> list[list[int | str]]:
    """The spans as a browser counts: `[start, end, key, text]` in UTF-16 units."""
    at = utf16_offsets(text)
    return [[at[s.start], at[s.end], s.key, text[s.start : s.end]] for s in sorted(spans)]
