"""Draft and difference as HTML: every run of text escaped, and no tag in it but our own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from tensaku.records import Change

__all__ = ["Span", "difference", "listed", "marked", "shown", "utf16_offsets", "utf16_spans"]


_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN = str.maketrans(
    {**{c: str(escape(c)) for c in "&<>\"'"}, **{chr(n): f'<span class="bidi">U+{n:04X}</span>' for n in _BIDI}}
)


def shown(text: str) -> Markup:
    """Text escaped. Marks that turn the direction of reading are named: unseen, they would show 12 as 21."""
    return Markup(_plain(text))  # noqa: S704  `_plain` escapes


def _plain(text: str) -> str:
    """What `shown` gives, before it is called markup: at each letter that is typed, hundreds of pieces are joined."""
    return text.translate(_SHOWN)


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
    return Markup("".join(_marked(text, sorted(spans), start, len(text) if end is None else end)))  # noqa: S704


def _marked(text: str, spans: Iterable[Span], start: int, end: int) -> Iterator[str]:
    """The pieces of `marked`, escaped; the spans are in order."""
    at = start
    for span in spans:
        left, right = max(span.start, at), min(span.end, end)
        if left >= right:
            continue
        yield _plain(text[at:left])
        yield f'<mark class="fact" data-fact="{escape(span.key)}">{_plain(text[left:right])}</mark>'
        at = right
    yield _plain(text[at:end])


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
    missing, added = sorted(missing), sorted(added)
    out: list[str] = []
    at = 0
    for change in changes:
        out += _marked(new, added, at, change.new_start)
        at = change.new_end
        put_in = _tagged("ins", _marked(new, added, change.new_start, change.new_end))
        if awaited is not None and change.old_end == len(old):
            awaited = change.old + awaited
            out.append(_change(change, put_in))
            continue
        taken_out = _tagged("del", _marked(old, missing, change.old_start, change.old_end))
        out.append(_change(change, taken_out + put_in))
    out += _marked(new, added, at, len(new))
    if awaited:
        out.append(f'<span class="awaited">{_plain(awaited)}</span>')
    return Markup("".join(out))  # noqa: S704  every piece of text went through `_plain`


def _tagged(tag: str, pieces: Iterable[str]) -> str:
    body = "".join(pieces)
    return f"<{tag}>{body}</{tag}>" if body else ""


def _change(change: Change, body: str) -> str:
    return f'<span class="change" data-change="{escape(change.id)}">{body}</span>' if body else ""


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
