"""How much of the exam the lessons give away: equal texts, sentence forms seen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["FormsSeen", "fold", "forms_seen"]


# What NFKC, case folding and the removal of white space leave as it stands: most Japanese texts, in a tenth the time.
_FOLDED = re.compile(
    r"[\x21-\x40\x5b-\x7e\u3001\u3002\u300c-\u300f\u3041-\u3096\u309d\u309e\u30a0-\u30fe\u4e00-\u9fff]*"
)


def fold(text: str) -> str:
    """`text` with width, case and white space taken out of account."""
    if _FOLDED.fullmatch(text):
        return text
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


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
