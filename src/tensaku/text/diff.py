"""Changes between two texts, word by word, each of which a writer can take or leave.

First the sentences of both texts are set side by side, so that a rewritten sentence is compared with what it came from
and not, particle by particle, with its neighbours; then words. Words are Sudachi's short units for Japanese and plain
words for English. Neighbouring changes with only a particle or a mark between them are shown as one, since a writer
decides on phrases; a full stop always parts two changes.

The id of a change is made of what it replaces, of the words around it and, among equals, of its rank. It does not
depend on offsets, so an edit elsewhere in either text leaves it as it was, and a decision can be kept by id.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from tensaku.records import Change, Op
from tensaku.text.align import aligned
from tensaku.text.dates import dates
from tensaku.text.figures import figures
from tensaku.text.fold import fold
from tensaku.text.split import sentences
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


@lru_cache(maxsize=4096)
def _cut(sentence: str) -> tuple[str, ...]:
    """The words of a sentence; a figure or a date is one word, since half a date is never wanted.

    Kept between calls: while somebody types, all sentences but one are the same as before.
    """
    pieces = [w.text for w in words(sentence)] if _JAPANESE.search(sentence) else _ENGLISH_WORD.findall(sentence)
    folded = fold(sentence)
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
    return tuple(out)


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


def _group_blocks(old: Sequence[str], new: Sequence[str], fine: bool) -> list[_Block]:
    """The changes within one group of sentences that belong together."""
    if old == new:
        return []
    if not old or not new:
        return [_Block(0, len(old), 0, len(new))]
    found = _slid(_blocks(old, new), old, new)
    return found if fine else _grouped(found, old, new)


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


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def changes(old: str, new: str, *, fine: bool = False) -> list[Change]:
    """What must be done to `old` to make it `new`, in order, equal stretches left out.

    With `fine`, changes with only a particle between them stay apart: to count them rather than to decide on them.
    `apply(old, changes(old, new))` is `new`. Ids are 12 hexadecimal digits, unique within one answer.
    """
    if old == new:
        return []
    olds: list[str] = []
    news: list[str] = []
    blocks: list[_Block] = []
    for group in aligned([s.text for s in sentences(old)], [s.text for s in sentences(new)]):
        was, now = [[word for sentence in side for word in _cut(sentence)] for side in group]
        a, c = len(olds), len(news)
        blocks += [_Block(a + k.a, a + k.b, c + k.c, c + k.d) for k in _group_blocks(was, now, fine)]
        olds += was
        news += now
    return _named(blocks, olds, news)


def _named(blocks: Sequence[_Block], olds: Sequence[str], news: Sequence[str]) -> list[Change]:
    old_at, new_at = _offsets(olds), _offsets(news)
    seen: Counter[str] = Counter()
    out: list[Change] = []
    for a, b, c, d in blocks:
        was, now = "".join(olds[a:b]), "".join(news[c:d])
        if was == now:  # the same characters, cut into other words
            continue
        op: Op = "replace" if was and now else "delete" if was else "insert"
        before, after = "".join(olds[max(0, a - _SURROUNDING) : a]), "".join(olds[b : b + _SURROUNDING])
        key = _hash(op, was, now, before, after)
        seen[key] += 1
        ident = key if seen[key] == 1 else _hash(key, str(seen[key]))
        out.append(Change(ident, op, was, now, old_at[a], old_at[b], new_at[c], new_at[d]))
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
