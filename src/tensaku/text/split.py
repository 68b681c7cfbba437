"""Sentences, Japanese and English, with nothing lost between them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Sentence", "sentences"]


class Sentence(NamedTuple):
    """One sentence: `start` and `end` are character offsets. The white space after it belongs to it."""

    text: str
    start: int
    end: int


_OPEN = "「『（(【〔［[〈《“"
_CLOSE = "」』）)】〕］]〉》”"
_ENDS = "。！？!?｡．."
_ABBREVIATIONS = re.compile(
    r"mr|mrs|ms|dr|prof|st|vs|co|corp|inc|ltd|jr|sr|fig|eq|etc|approx|dept|est|vol|ed|e\.g|i\.e|u\.s|u\.k|u\.n|d\.c|a\.m|p\.m"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|cf|al|bros|gov|sen|rep|gen"
)
_NUMERO = re.compile(r"nos?\. ?\d", re.IGNORECASE)
_REACH = 300  # characters within which an open bracket must be closed to hold its sentences together
_WORD_BEFORE = re.compile(r"[A-Za-z][A-Za-z.]*$")
_LABEL = re.compile(r"(?:^|\n)[ \t]*\d{1,2}$")
_BLANK = re.compile(r"\s*")
_LINE_BREAK = re.compile(r"[ \t]*(?:\r\n|\r|\n)(?:[ \t\u3000]*(?:\r\n|\r|\n))+\s*")
_TURNS = re.compile(f"[\n\r{re.escape(_OPEN + _CLOSE + _ENDS)}]")  # what a sentence may end, open or close at
_AFTER_QUOTE = re.compile(r"[とのがをはもにでや、，,。.．]")


def _is_full_stop(text: str, at: int) -> bool:
    """Does the full stop at `at` end a sentence, or is it part of a number or an abbreviation?"""
    after = text[at + 1 : at + 2]
    if after and not after.isspace() and after not in _CLOSE + "\"'" + _ENDS:
        # 3.2, U.S., example.com; ．is also used as a Japanese full stop, followed by the next sentence at once.
        return text[at] == "．" and not (text[at - 1 : at].isdigit() and after.isdigit())
    if text[at] == "．":
        return True
    if not after:
        return True
    before = _WORD_BEFORE.search(text, max(0, at - 12), at)
    if before:
        word = before.group().lower()
        if _NUMERO.match(text, before.start()):
            return False
        if _ABBREVIATIONS.fullmatch(word) or (len(word) == 1 and word != "i"):
            return False
    elif text[at - 1 : at].isdigit() and _LABEL.search(text, max(0, at - 12), at):
        return False  # "1. First point"
    follows = text[at + 1 : at + 20].lstrip(" \t\"'" + _CLOSE + _OPEN)[:1]
    return not follows.islower()


def _closers(text: str, at: int) -> int:
    """The offset behind any closing marks that belong to the sentence ending before `at`."""
    while at < len(text) and text[at] in _CLOSE + "\"'" + _ENDS:
        at += 1
    return at


def _cuts(text: str) -> list[int]:
    """Offsets at which a sentence ends, the trailing white space included."""
    cuts: list[int] = []
    stack: list[str] = []
    i = 0
    while (turn := _TURNS.search(text, i)) is not None:
        i = turn.start()
        char = text[i]
        if char == "\n" or char == "\r":
            gap = _LINE_BREAK.match(text, i)
            if gap or not _wraps(text, i):
                end = gap.end() if gap else _blank_end(text, i)
                stack.clear()  # a bracket left open must not swallow the paragraphs that follow
                cuts.append(end)
                i = end
                continue
        elif char in _OPEN:
            stack.append(_CLOSE[_OPEN.index(char)])
        elif char in _CLOSE:
            if char in stack:
                del stack[stack.index(char) :]
            if not stack and text[i - 1 : i] in _ENDS[:3] and not _AFTER_QUOTE.match(text, i + 1):
                i = _blank_end(text, _closers(text, i + 1))
                cuts.append(i)
                continue
        elif char in _ENDS and not _held(text, i, stack) and (char not in ".．" or _is_full_stop(text, i)):
            i = _blank_end(text, _closers(text, i + 1))
            cuts.append(i)
            stack.clear()
            continue
        i += 1
    return cuts


def _held(text: str, at: int, stack: list[str]) -> bool:
    """Is `at` inside a bracket that will be closed?"""
    return bool(stack) and text.find(stack[-1], at, at + _REACH) > 0


def _blank_end(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _wraps(text: str, at: int) -> bool:
    """Is the line break at `at` only a wrapped line of English, with its sentence going on below?"""
    before = text[max(0, at - 20) : at].rstrip()[-1:]
    after = text[at : at + 20].lstrip()[:1]
    return bool(before) and before.isascii() and after.isascii() and (after.isalnum() or after in "$(\"'")


def sentences(text: str) -> list[Sentence]:
    """The sentences of `text` in order. Their texts joined give `text` back.

    A sentence ends at 。！？ or at an English full stop, question or exclamation mark outside brackets and quotes, and
    at the end of a Japanese line. Full stops in numbers and abbreviations do not end one, nor do wrapped English lines.
    """
    return list(_sentences(text))


@lru_cache(maxsize=512)
def _sentences(text: str) -> tuple[Sentence, ...]:
    """Kept between calls, since a difference, its facts and its list all ask for the sentences of the same texts."""
    found: list[Sentence] = []
    start = 0
    for end in [*_cuts(text), len(text)]:
        if end == start or (not text[start:end].strip() and end < len(text) and not found):
            continue  # blank space at the top goes with the first sentence
        if found and not text[start:end].strip():
            start = found.pop().start
        found.append(Sentence(text[start:end], start, end))
        start = end
    return tuple(found)
