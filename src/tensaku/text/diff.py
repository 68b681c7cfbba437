"""Changes between two texts, word by word, each of which a writer can take or leave.

Words are Sudachi's short units for Japanese and words for English. Neighbouring changes with only a particle or a mark
between them are shown as one, since a writer decides on phrases; a change never reaches over the end of a sentence.

The id of a change is made of what it replaces, of the words around it and, among equals, of its rank. It does not
depend on offsets, so an edit elsewhere in either text leaves it as it was, and a decision can be kept by id.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tensaku.records import Change, Op
from tensaku.text.dates import dates
from tensaku.text.figures import figures
from tensaku.text.fold import fold
from tensaku.text.sudachi import words

__all__ = ["apply", "changes"]

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f々〆]")
_ENGLISH_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?|\s+|.", re.DOTALL)
_STOP = re.compile(r"[。！？!?\n]|\.(?=\s|$)")
_SURROUNDING = 3  # words on each side that take part in an id
_GLUE = 2  # the longest run of equal characters that does not part two changes
_SOFT = re.compile(r"[ぁ-んー、\s・]+")


class _Block(NamedTuple):
    """A changed stretch, in words: `a:b` of the old text became `c:d` of the new one."""

    a: int
    b: int
    c: int
    d: int


def _cut(text: str) -> list[str]:
    """The words of `text`; a figure or a date is one word, since half a date is never wanted."""
    pieces = [word.text for word in words(text)] if _JAPANESE.search(text) else _ENGLISH_WORD.findall(text)
    folded = fold(text)
    dated = [(d.start, d.end) for d in dates(folded.text)]
    spans = sorted([*dated, *((f.start, f.end) for f in figures(folded.text, dated))])
    whole = [folded.span(start, end) for start, end in spans]
    out: list[str] = []
    at = k = 0
    for piece in pieces:
        while k < len(whole) and whole[k][1] <= at:
            k += 1
        if out and k < len(whole) and whole[k][0] < at:
            out[-1] += piece
        else:
            out.append(piece)
        at += len(piece)
    return out


def _blocks(old: Sequence[str], new: Sequence[str]) -> list[_Block]:
    """The changed stretches between two lists of words."""
    from rapidfuzz.distance import Indel

    found: list[_Block] = []
    for op in Indel.opcodes(old, new):
        if op.tag == "equal":
            continue
        block = _Block(op.src_start, op.src_end, op.dest_start, op.dest_end)
        if found and found[-1].b == block.a and found[-1].d == block.c:
            block = _Block(found[-1].a, block.b, found[-1].c, block.d)
            found.pop()
        found.append(block)
    return found


def _slid(blocks: Sequence[_Block], old: Sequence[str], new: Sequence[str]) -> list[_Block]:
    """Blocks moved so that a sentence is put in or taken out whole, with its own full stop and not its neighbour's.

    Where 上昇した|。日銀は動いた|。 came up, the block becomes 日銀は動いた。 and stands behind the first full stop.
    """
    found: list[_Block] = []
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        a, b, c, d = block
        stop = old[b] if b < (after.a if after else len(old)) and _STOP.fullmatch(old[b]) else None
        if stop in new[c:d] and not _has_stop(old[a:b]):
            k = new.index(stop, c, d)
            found += [_Block(a, b, c, k)] if b > a or k > c else []
            found.append(_Block(b + 1, b + 1, k + 1, d + 1))
        elif stop in old[a:b] and not _has_stop(new[c:d]):
            k = old.index(stop, a, b)
            found += [_Block(a, k, c, d)] if k > a or d > c else []
            found.append(_Block(k + 1, b + 1, d + 1, d + 1))
        else:
            found.append(block)
    return found


def _has_stop(pieces: Sequence[str]) -> bool:
    return any(_STOP.fullmatch(piece) for piece in pieces)


def _grouped(blocks: Sequence[_Block], old: Sequence[str], new: Sequence[str]) -> list[_Block]:
    """Blocks with only a particle, a mark or a space between them become one."""
    found: list[_Block] = []
    for block in blocks:
        if found:
            gap = "".join(old[found[-1].b : block.a])
            before = "".join(old[found[-1].a : found[-1].b]) + "".join(new[found[-1].c : found[-1].d])
            if len(gap) <= _GLUE and _SOFT.fullmatch(gap) and not _STOP.search(gap) and not _STOP.search(before):
                block = _Block(found[-1].a, block.b, found[-1].c, block.d)
                found.pop()
        found.append(block)
    return found


def _offsets(pieces: Iterable[str]) -> list[int]:
    out = [0]
    for piece in pieces:
        out.append(out[-1] + len(piece))
    return out


def _name(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def changes(old: str, new: str) -> list[Change]:
    """What must be done to `old` to make it `new`, in order, equal stretches left out.

    `apply(old, changes(old, new))` is `new`. Ids are 12 hexadecimal digits, unique within one answer.
    """
    if old == new:
        return []
    olds, news = _cut(old), _cut(new)
    old_at, new_at = _offsets(olds), _offsets(news)
    seen: Counter[str] = Counter()
    out: list[Change] = []
    for block in _grouped(_slid(_blocks(olds, news), olds, news), olds, news):
        was, now = "".join(olds[block.a : block.b]), "".join(news[block.c : block.d])
        op: Op = "replace" if was and now else "delete" if was else "insert"
        before = "".join(olds[max(0, block.a - _SURROUNDING) : block.a])
        after = "".join(olds[block.b : block.b + _SURROUNDING])
        key = _name(op, was, now, before, after)
        seen[key] += 1
        ident = key if seen[key] == 1 else _name(key, str(seen[key]))
        out.append(Change(ident, op, was, now, old_at[block.a], old_at[block.b], new_at[block.c], new_at[block.d]))
    return out


def apply(old: str, taken: Iterable[Change]) -> str:
    """`old` with the changes `taken`, any subset of `changes(old, new)` in any order.

    Raises:
        ValueError: a change does not belong to `old`, or two overlap.
    """
    out: list[str] = []
    at = 0
    for change in sorted(taken, key=lambda c: (c.old_start, c.new_start)):
        if change.old_start < at or old[change.old_start : change.old_end] != change.old:
            raise ValueError(f"change {change.id} does not fit this text at {change.old_start}")
        out += [old[at : change.old_start], change.new]
        at = change.old_end
    return "".join([*out, old[at:]])
