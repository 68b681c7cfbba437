"""Which section a heading means: by what its manager meant before, else by words that every house uses."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from importlib import resources
from typing import Literal, NamedTuple

from pydantic import Field

from tensaku.config import Section
from tensaku.documents import bare
from tensaku.revise import SECTIONS

__all__ = ["NONE", "Meaning", "Meanings", "Reports", "fold_heading"]

NONE = "-"
"""The section of a heading that belongs to none: legal words, lists of holdings."""


class Reports(Section):
    """The reports of outside managers: who sends them, of what, and which sections are looked for."""

    managers: tuple[str, ...] = ()
    """Managers, as they write their names in reports; those that the ledger knows from drafts need not be listed."""
    funds: tuple[str, ...] = ()
    """Funds, as they are written in reports; those that the ledger knows from drafts need not be listed."""
    sections: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Section -> words of headings that mean it, as in { market = ["相場つき"], esg = ["ESG", "責任投資"] }."""
    most_characters: int = Field(20_000, ge=100)
    """Characters of one section beyond which a report waits in the inbox."""


_TIME = re.compile(
    r"^(?:\d{2,4}年)?(?:令和\d{1,2}年)?(?:\d{1,2}月(?:末)?|当月|今月|先月|前月|当期|今期|当四半期|今四半期)(?:分|度|中)?の?"
)
_TAIL = re.compile(r"(?:について|に関して|のご報告|のコメント|コメント|等|など|の説明|のポイント)$")
_DROPPED = re.compile(r"[\s・,，、.:：;/／（）()「」【】\-–—&＆]+")
_LONGEST = 24


def fold_heading(heading: str) -> str:
    """A heading as it is compared: without marks, number, width, case, white space and the month."""
    text = _squeezed(heading)
    shorter = _TAIL.sub("", _TIME.sub("", text))
    return (shorter or text)[:200]


def _squeezed(heading: str) -> str:
    return _DROPPED.sub("", bare(unicodedata.normalize("NFKC", bare(heading)).casefold()))


@functools.cache
def _built_in() -> dict[str, tuple[str, ...]]:
    written = resources.files("tensaku.intake").joinpath("section_words.toml").read_text(encoding="utf-8")
    return {section: tuple(words) for section, words in tomllib.loads(written).items()}


How = Literal["learnt", "known", "unknown", "doubtful", "repeated"]


class Meaning(NamedTuple):
    """The section that a heading means (empty if that is not known), and by what."""

    section: str
    how: How
    detail: str = ""


class Meanings:
    """What headings mean to one manager.

    Args:
        learnt: folded heading -> section, of this manager.
        more: section -> further words, from the task file; a section not known here becomes one.
    """

    def __init__(self, learnt: Mapping[str, str], more: Mapping[str, tuple[str, ...]]) -> None:
        self.learnt = learnt
        named = {section: (*words, SECTIONS["ja"].get(section, section)) for section, words in more.items()}
        every = [(word, section) for section, words in (*_built_in().items(), *named.items()) for word in words]
        self.words = {fold_heading(word): section for word, section in every}
        # Without its month a word may be one that other headings hold too: 当月の運用 is known, 運用 in others is not.
        self._within = {_squeezed(word): section for word, section in every}

    def of(self, heading: str) -> Meaning:
        """The section of a heading.

        What was learnt counts first, then a heading that is one of the words, then one that holds words of one section.
        """
        folded = fold_heading(heading)
        if folded in self.learnt:
            return Meaning(self.learnt[folded], "learnt")
        if folded in self.words:
            return Meaning(self.words[folded], "known")
        if len(folded) > _LONGEST:
            return Meaning("", "unknown")
        held = self._held(folded)
        if len(set(held.values())) == 1:
            return Meaning(next(iter(held.values())), "known", "、".join(held))
        if held:
            return Meaning("", "doubtful", "、".join(held))
        return Meaning("", "unknown")

    def under(self, folded: str) -> Meaning:
        """The section of a heading that stands there several times: `folded` is `section above it/heading`."""
        return Meaning(self.learnt[folded], "learnt") if folded in self.learnt else Meaning("", "repeated")

    def _held(self, folded: str) -> dict[str, str]:
        """The words in a heading, the longest first; a word inside a longer one does not count."""
        found: dict[str, str] = {}
        left = folded
        for word in sorted(self._within, key=len, reverse=True):
            if len(word) >= 2 and word in left:
                found[word] = self._within[word]
                left = left.replace(word, "\x00")
        return found
