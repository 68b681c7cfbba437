"""The steps of curation. Each walks the pairs and yields them, mended or not, or a `Drop` that says why one left.

A step is `step(rows, tally, **settings) -> Iterator[Pair | Drop]`. `rows` can be walked more than once, unless the step
is marked `one_by_one`; `tally` counts what else is worth reporting, such as texts mended. Every pair that comes in
leaves as a pair or as a drop.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, TypeVar

from tensaku.curate.overlap import fold
from tensaku.plugins import steps
from tensaku.records import Drop, Pair, to_dict
from tensaku.revise import LONGEST_DRAFT

__all__ = [
    "Step",
    "drop",
    "duplicates",
    "empty",
    "identical",
    "ids",
    "is_one_by_one",
    "long",
    "normalise",
    "one_by_one",
    "repair",
    "twins",
]

Step = Iterator[Pair | Drop]
F = TypeVar("F", bound=Callable[..., Any])

_LOST = "\ufffd"
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u2060\ufeff]")
_SPACE = re.compile(r"\s+")
# Nothing here is ever mended: no mojibake is made of it, and it holds no control. Most Japanese texts are of it alone.
_SOUND = re.compile("[\n\x20-\x7e\u3000-\u3002\u300c-\u300f\u3041-\u3096\u30a1-\u30fe\u4e00-\u9fff\uff01-\uff5d]*")
# NFC turns these kanji into others (a name's 神 into 神): how a name is written is no fault to mend.
_COMPATIBILITY = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f]+)")


def one_by_one(step: F) -> F:
    """Say of a step that it looks at each pair by itself and in its order: then shards of the pool may be walked apart,
    and a killed run goes on with those that are not done. Its `rows` can be walked once."""
    step.__dict__["one_by_one"] = True
    return step


def is_one_by_one(step: Callable[..., Any]) -> bool:
    """Whether `one_by_one` was said of the step."""
    return bool(getattr(step, "one_by_one", False))


def drop(pair: Pair, reason: str, detail: str, partner: str = "") -> Drop:
    """The drop of `pair`, with the whole pair kept in it, and where its partner stands if it has one."""
    return Drop(reason, pair.source, detail, to_dict(pair), partner)


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
@one_by_one
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

    def mended(text: str) -> str:
        return text if _SOUND.fullmatch(text) else _INVISIBLE.sub("", ftfy.fix_text(text, config))

    for pair in rows:
        draft, final = mended(pair.draft), mended(pair.final)
        tally["drafts mended"] += draft != pair.draft
        tally["finals mended"] += final != pair.final
        lost = [side for side, text in (("draft", draft), ("final", final)) if _LOST in text]
        if lost:
            yield drop(
                pair, "lost-characters", f"the {lost[0]} holds U+FFFD: its characters were lost before it came here"
            )
        else:
            yield _with(pair, draft, final)


@steps.register("normalise")
@one_by_one
def normalise(rows: Iterable[Pair], tally: Counter[str], /) -> Step:
    """NFC, line ends as `\\n`, no space at line ends, no blank lines around the text.

    Full-width digits, kanji variants and everything else that a draft is written in stay.
    """
    for pair in rows:
        draft, final = _normal(pair.draft), _normal(pair.final)
        tally["drafts changed"] += draft != pair.draft
        tally["finals changed"] += final != pair.final
        yield _with(pair, draft, final)


def _with(pair: Pair, draft: str, final: str) -> Pair:
    return pair if draft == pair.draft and final == pair.final else replace(pair, draft=draft, final=final)


def _normal(text: str) -> str:
    if not unicodedata.is_normalized("NFC", text):
        pieces = _COMPATIBILITY.split(text)
        text = "".join(piece if odd % 2 else unicodedata.normalize("NFC", piece) for odd, piece in enumerate(pieces))
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join(lines).strip()


@steps.register("empty")
@one_by_one
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
@one_by_one
def long(rows: Iterable[Pair], tally: Counter[str], /, *, most: int = LONGEST_DRAFT) -> Step:
    """Drop pairs with a side of more than `most` characters, which no writer would be served: `too-long`."""
    for pair in rows:
        length = max(len(pair.draft), len(pair.final))
        if length > most:
            yield drop(pair, "too-long", f"a side has {length:,} characters; {most:,} is the most")
        else:
            yield pair


@steps.register("identical")
@one_by_one
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
            yield drop(pair, "duplicate", f"the same pair stands at {seen[key]}", seen[key])
        else:
            seen[key] = pair.source
            yield pair


class _Version(NamedTuple):
    """What a text keeps as its counterpart, and where. `agree` is false once another counterpart was seen."""

    other: bytes
    weight: str | int
    source: str
    agree: bool


Keep = Literal["newest", "first", "rank", "none", "people"]
By = Literal["source", "manager", "fund", "section"]


@steps.register("twins")
def twins(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    keep: Keep = "newest",
    same: Literal["draft", "final"] = "draft",
    by: By = "source",
    trust: Sequence[str] = (),
) -> Step:
    """Drop contradictions, one side equal and the other not: `contradictory-twin`.

    Args:
        keep: "newest" keeps the twins of the newest month and, if two texts stand in that month, the first of them;
            "first" keeps what comes first in the order of the sources; "rank" goes by `trust`; "none" keeps no twin;
            "people" sets all of them aside for people to decide: `contradiction-for-people`.
        same: which side is equal. Different drafts of one final are no fault unless a house says so.
        by: what `trust` names: the source's file, or the label of that name.
        trust: for "rank", the most senior first; what is not named comes last.
    """
    key, other = (_draft_key, _final_key) if same == "draft" else (_final_key, _draft_key)
    held: dict[bytes, _Version] = {}
    for pair in rows:
        text, counterpart, weight = key(pair), other(pair), _weight(pair, keep, by, trust)
        version = held.get(text)
        if version is None:
            held[text] = _Version(counterpart, weight, pair.source, True)
        elif version.other != counterpart:
            better = str(weight) > str(version.weight) if isinstance(weight, str) else weight > int(version.weight)
            chosen = (counterpart, weight, pair.source) if better else version[:3]
            held[text] = _Version(*chosen, agree=False)
    counter = "final" if same == "draft" else "draft"
    for pair in rows:
        version = held[key(pair)]
        if version.agree:
            yield pair
        elif keep == "people":
            detail = f"the same {same} stands with another {counter}: a person has to say which is right"
            partner = version.source if version.source != pair.source else ""
            yield drop(pair, "contradiction-for-people", detail, partner)
        elif keep == "none":
            detail = f"the same {same} stands with another {counter}, and no twin is kept"
            yield drop(pair, "contradictory-twin", detail, version.source if version.source != pair.source else "")
        elif version.other == other(pair):
            yield pair
        else:
            detail = f"the same {same} has another {counter} at {version.source}, which is kept"
            yield drop(pair, "contradictory-twin", detail, version.source)


def _weight(pair: Pair, keep: Keep, by: By, trust: Sequence[str]) -> str | int:
    """What makes a twin stay: the greater stays, of equals the first."""
    if keep == "newest":
        return pair.as_of
    if keep != "rank":
        return 0
    value = pair.source.rpartition(":")[0] if by == "source" else str(getattr(pair, by))
    return -trust.index(value) if value in trust else -len(trust)


@steps.register("ids")
def ids(rows: Iterable[Pair], tally: Counter[str], /) -> Step:
    """Of different pairs with one id keep the first: `duplicate-id`."""
    seen: dict[bytes, str] = {}
    for pair in rows:
        key = _digest(pair.id)
        if key in seen:
            yield drop(pair, "duplicate-id", f"the id {pair.id!r} belongs to {seen[key]}", seen[key])
        else:
            seen[key] = pair.source
            yield pair
