"""How much of the exam the lessons give away: equal texts, sentence forms seen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

__all__ = ["FormsSeen", "fold", "forms_seen"]


_PLAIN = r"\x21-\x40\x5b-\x7e\u3001\u3002\u300c-\u300f\u3041-\u3096\u309d\u309e\u30a0-\u30fe\u4e00-\u9fff"
_OTHER = r"\sA-Z\uff01-\uff5e"
# What NFKC, case folding and the removal of white space leave as it stands: most Japanese texts, in a tenth the time.
_FOLDED = re.compile(f"[{_PLAIN}]*")
# What they turn into the same whatever stands beside it, since none of it, nor what becomes of it, ever composes.
_SINGLY = re.compile(f"[{_PLAIN}{_OTHER}]*")
_OTHERS = re.compile(f"[{_OTHER}]+")


def fold(text: str) -> str:
    """`text` with width, case and white space taken out of account."""
    if _FOLDED.fullmatch(text):
        return text
    if not text.isascii() and _SINGLY.fullmatch(text):
        return _OTHERS.sub(_singly, text)
    return _whole(text)


def _whole(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _singly(found: re.Match[str]) -> str:
    return found[0].translate(_narrow())


@cache
def _narrow() -> dict[int, str]:
    """What becomes of each of `_OTHER`."""
    return {code: _whole(chr(code)) for code in range(0x10000) if _OTHERS.fullmatch(chr(code))}


class FormsSeen(NamedTuple):
    """Of `sentences` sentences in the exam's finals, `seen` have a form that stands verbatim in a lesson's final."""

    seen: int
    sentences: int

    @property
    def share(self) -> float:
        """`seen` as a share of `sentences`, 0 to 1."""
        return self.seen / self.sentences if self.sentences else 0.0


def forms_seen(exam: Sequence[str], lessons: Sequence[str], form: Callable[[str], list[str]]) -> FormsSeen:
    """How many sentences of `exam` have a form that stands in `lessons`.

    Args:
        form: the forms of a text's sentences, one each.
    """
    known = {found for text in lessons for found in form(text)}
    asked = [found for text in exam for found in form(text)]
    return FormsSeen(sum(found in known for found in asked), len(asked))
