"""The steps of curation. Each walks the pairs and yields them, mended or not, or a `Drop` that says why one left.

A step is `step(rows, tally, **settings) -> Iterator[Pair | Drop]`. `rows` can be walked more than once; `tally` counts
what else is worth reporting, such as texts mended. Every pair that comes in leaves as a pair or as a drop.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Literal, NamedTuple

from tensaku.curate.overlap import fold
from tensaku.plugins import steps
from tensaku.records import Drop, Pair, to_dict
from tensaku.revise import LONGEST_DRAFT

__all__ = ["drop", "duplicates", "empty", "identical", "ids", "long", "normalise", "repair", "twins"]

Step = Iterator[Pair | Drop]

_LOST = "\ufffd"
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u2060\ufeff]")
_SPACE = re.compile(r"\s+")
# NFC turns these kanji into others (a name's 神 into 神): how a name is written is no fault to mend.
_COMPATIBILITY = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f]+)")


def drop(pair: Pair, reason: str, detail: str) -> Drop:
    """The drop of `pair`, with the whole pair kept in it."""
    return Drop(reason, pair.source, detail, to_dict(pair))


def _digest(*texts: str) -> bytes:
    """Sixteen bytes that stand for the texts, so that the keys of millions fit into memory."""
    return blake2b("\x00".join(texts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _draft_key(pair: Pair) -> bytes:
    """Equal for drafts that differ in nothing but width, case and white space: nobody tells two finals by those."""
    return _digest(fold(pair.draft))


def _final_key(pair: Pair) -> bytes:
    """Equal for finals that differ in nothing but white space: width is part of the house's style."""
    return _digest(_SPACE.sub("", pair.final))


@steps.register("repair")
def repair(rows: Iterable[Pair], tally: Counter[str], /) -> Step:
    """Mend broken Unicode (ftfy) and take out control and invisible characters.

    Width, quotation marks, ligatures and line ends stay as written: drafts will come that way, and a model must learn
    them. A text with a replacement character (U+FFFD) has lost what stood there: `lost-characters`.
    """
    import ftfy

    config = ftfy.TextFixerConfig(
        unescape_html=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_latin_ligatures=False,
        fix_line_breaks=False,
        normalization=None,
        explain=False,
    )
    for pair in rows:
        draft, final = (_INVISIBLE.sub("", ftfy.fix_text(text, config)) for text in (pair.draft, pair.final))
        tally["drafts mended"] += draft != pair.draft
        tally["finals mended"] += final != pair.final
        lost = [side for side, text in (("draft", draft), ("final", final)) if _LOST in text]
        if lost:
            yield drop(
                pair, "lost-characters", f"the {lost[0]} holds U+FFFD: its characters were lost before it came here"
            )
        else:
            yield replace(pair, draft=draft, final=final)


@steps.register("normalise")
def normalise(rows: Iterable[Pair], tally: Counter[str], /) -> Step:
    """NFC, line ends as `\\n`, no space at line ends, no blank lines around the text.

    Full-width digits, kanji variants and everything else that a draft is written in stay.
    """
    for pair in rows:
        draft, final = _normal(pair.draft), _normal(pair.final)
        tally["drafts changed"] += draft != pair.draft
        tally["finals changed"] += final != pair.final
        yield replace(pair, draft=draft, final=final)


def _normal(text: str) -> str:
    pieces = _COMPATIBILITY.split(text)
    text = "".join(piece if odd % 2 else unicodedata.normalize("NFC", piece) for odd, piece in enumerate(pieces))
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join(lines).strip()


@steps.register("empty")
def empty(rows: Iterable[Pair], tally: Counter[str], /) -> Step:
    """Drop pairs with nothing on one side: `empty-draft`, `empty-final`."""
    for pair in rows:
        if not pair.draft.strip():
            yield drop(pair, "empty-draft", "there is no draft")
        elif not pair.final.strip():
            yield drop(pair, "empty-final", "there is no final text")
        else:
            yield pair


@steps.register("long")
def long(rows: Iterable[Pair], tally: Counter[str], /, *, most: int = LONGEST_DRAFT) -> Step:
    """Drop pairs with a side of more than `most` characters, which no writer would be served: `too-long`."""
    for pair in rows:
        length = max(len(pair.draft), len(pair.final))
        if length > most:
            yield drop(pair, "too-long", f"a side has {length:,} characters; {most:,} is the most")
        else:
            yield pair


@steps.register("identical")
def identical(rows: Iterable[Pair], tally: Counter[str], /) -> Step:
    """Drop pairs whose sides differ in nothing but white space: `identical-sides`. Leave it out to teach restraint."""
    for pair in rows:
        if _SPACE.sub("", pair.draft) == _SPACE.sub("", pair.final):
            yield drop(pair, "identical-sides", "draft and final are the same text")
        else:
            yield pair


@steps.register("duplicates")
def duplicates(rows: Iterable[Pair], tally: Counter[str], /) -> Step:
    """Keep the first of equal pairs: `duplicate`. Drafts are equal whatever their width and case, finals are not."""
    seen: dict[bytes, str] = {}
    for pair in rows:
        key = _draft_key(pair) + _final_key(pair)
        if key in seen:
            yield drop(pair, "duplicate", f"the same pair stands at {seen[key]}")
        else:
            seen[key] = pair.source
            yield pair


class _Version(NamedTuple):
    """The final that a draft keeps, and where it stands. `agree` is false once another final was seen."""

    final: bytes
    month: str
    source: str
    agree: bool


@steps.register("twins")
def twins(rows: Iterable[Pair], tally: Counter[str], /, *, keep: Literal["newest", "first", "none"] = "newest") -> Step:
    """Drop contradictions, the same draft with different finals: `contradictory-twin`.

    Args:
        keep: "newest" keeps the twins of the newest month and, if two finals stand in that month, the first of them;
            "first" keeps what comes first in the order of the sources; "none" keeps no twin.
    """
    held: dict[bytes, _Version] = {}
    for pair in rows:
        draft, final = _draft_key(pair), _final_key(pair)
        version = held.get(draft)
        if version is None:
            held[draft] = _Version(final, pair.as_of, pair.source, True)
        elif version.final != final:
            newer = keep == "newest" and pair.as_of > version.month
            chosen = (final, pair.as_of, pair.source) if newer else version[:3]
            held[draft] = _Version(*chosen, agree=False)
    for pair in rows:
        version = held[_draft_key(pair)]
        if version.agree:
            yield pair
        elif keep == "none":
            yield drop(pair, "contradictory-twin", "the same draft stands with another final, and no twin is kept")
        elif version.final == _final_key(pair):
            yield pair
        else:
            yield drop(
                pair, "contradictory-twin", f"the same draft has another final at {version.source}, which is kept"
            )


@steps.register("ids")
def ids(rows: Iterable[Pair], tally: Counter[str], /) -> Step:
    """Of different pairs with one id keep the first: `duplicate-id`."""
    seen: dict[bytes, str] = {}
    for pair in rows:
        key = _digest(pair.id)
        if key in seen:
            yield drop(pair, "duplicate-id", f"the id {pair.id!r} belongs to {seen[key]}")
        else:
            seen[key] = pair.source
            yield pair
