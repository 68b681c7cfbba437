"""How each manager writes, mined from the lessons: what the house changes in their drafts, turned the other way round.

A final in, a draft as that manager might have sent it out: no model takes part, every wording was met in a real draft.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Indel

from tensaku.records import Change, Pair
from tensaku.text import changes, sentences
from tensaku.text.align import aligned
from tensaku.text.figures import direction_words

__all__ = ["Rule", "Voice", "as_draft", "mine"]

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SLOT = "\x00"
_WIDE = {ord(char): ord(char) + 0xFEE0 for char in "0123456789.,"}
_ALIKE = 0.6
"""Sentences less alike than this were written anew; their differences are no wordings of each other."""
_LONGEST = 24  # characters of a wording
_MOST_RATE = 0.9


class Rule(NamedTuple):
    """Where the house writes `old` the manager writes `new`. `_SLOT` stands for a figure, in full-width digits if
    `wide`; `rate` is the share of the places where that happens, 0 to 1."""

    old: str
    new: str
    wide: bool
    rate: float

    def found(self) -> re.Pattern[str]:
        """What finds `old` in a final."""
        return re.compile(_NUMBER.pattern.join(f"(?:{re.escape(part)})" for part in self.old.split(_SLOT)))

    def written(self, place: str) -> str:
        """`new` with the figures that stand in `place`."""
        out = self.new
        for figure in _NUMBER.findall(place):
            out = out.replace(_SLOT, figure.translate(_WIDE) if self.wide else figure, 1)
        return out


class Voice(NamedTuple):
    """One manager: wordings, and whole sentences put before or after, each with the share of drafts that have it."""

    manager: str
    rules: tuple[Rule, ...]
    before: tuple[tuple[str, float], ...]
    after: tuple[tuple[str, float], ...]


def mine(pairs: Iterable[Pair]) -> list[Voice]:
    """The voices of all managers, by name. A manager without one wording to learn from is left out."""
    by_manager: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_manager[pair.manager].append(pair)
    found = (_voice(manager, held) for manager, held in sorted(by_manager.items()))
    return [voice for voice in found if voice.rules]


def _voice(manager: str, pairs: Sequence[Pair]) -> Voice:
    met: Counter[tuple[str, str, bool]] = Counter()
    ends: dict[str, Counter[str]] = {"before": Counter(), "after": Counter()}
    read: list[str] = []
    for pair in pairs:
        old = [s.text.strip() for s in sentences(pair.final)]
        new = [s.text.strip() for s in sentences(pair.draft)]
        groups = [(a, b) for a, b in aligned(old, new) if a or b]
        for place, (house, theirs) in enumerate(groups):
            if not house and place in (0, len(groups) - 1) and not any(_NUMBER.search(_plain(s)) for s in theirs):
                ends["before" if place == 0 else "after"].update(["".join(theirs)])
            one, two = "".join(house), "".join(theirs)
            if house and theirs and Indel.normalized_similarity(one, two) >= _ALIKE:
                read.append(one)
                met.update(set(_wordings(one, two)))
    rules = _rules(met, read)
    shares = {
        side: tuple((text, n / len(pairs)) for text, n in sorted(held.items()) if n > 1) for side, held in ends.items()
    }
    return Voice(manager, rules, shares["before"], shares["after"])


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _wordings(final: str, draft: str) -> Iterator[tuple[str, str, bool]]:
    """What stands in `final` and what instead of it in `draft`, with figures taken out.

    Where little stands, a character on each side is taken along, and the mark after it.
    """
    for change in changes(final, draft):
        old, new = _with_surroundings(change, final)
        figures = _NUMBER.findall(old)
        wide = figures != _NUMBER.findall(new) or any("\uff10" <= char <= "\uff19" for char in new)
        if figures != _NUMBER.findall(_plain(new)) or "\n" in old + new or max(len(old), len(new)) > _LONGEST:
            continue
        yield _NUMBER.sub(_SLOT, old), _slotted(new), wide and bool(figures)


def _with_surroundings(change: Change, final: str) -> tuple[str, str]:
    before = final[max(change.old_start - 1, 0) : change.old_start] if len(change.old) < 3 else ""
    after = final[change.old_end : change.old_end + 1] if len(change.old) < 3 else ""
    if after and final[change.old_end + 1 : change.old_end + 2] in ("。", "、"):
        after += final[change.old_end + 1]  # an ending is no ending in the middle of a sentence
    if _NUMBER.search(before + after):
        before = after = ""
    return before + change.old + after, before + change.new + after


def _slotted(text: str) -> str:
    """The text with its figures taken out, full-width ones too, and everything else as it is written."""
    return re.sub(r"[\d０-９]+(?:[.,．，][\d０-９]+)*", _SLOT, text)


def _turns(old: str, new: str) -> bool:
    """Whether one says up and the other down: two sentences were told apart wrongly."""
    ways = [direction_words(_plain(text)) for text in (old, new)]
    return all(map(any, ways)) and ways[0] != ways[1]


def _rules(met: Mapping[tuple[str, str, bool], int], read: Sequence[str]) -> tuple[Rule, ...]:
    """Wordings of two characters or more, with how often they come where they could; the longest first."""
    found = []
    for (old, new, wide), n in sorted(met.items()):
        if len(old) < 2 or old == new or not new.strip() or _turns(old, new):
            continue
        rule = Rule(old, new, wide, 0.0)
        chances = sum(len(rule.found().findall(sentence)) for sentence in read)
        if chances:
            found.append(rule._replace(rate=min(n / chances, _MOST_RATE)))
    return tuple(sorted(found, key=lambda rule: (-len(rule.old), rule.old, -rule.rate, rule.new)))


def as_draft(final: str, voice: Voice, dice: random.Random) -> str:
    """`final` as the manager might have sent it."""
    taken: list[tuple[int, int, str]] = []
    for rule in voice.rules:
        for match in rule.found().finditer(final):
            free = all(match.end() <= start or end <= match.start() for start, end, _ in taken)
            if free and dice.random() < rule.rate:
                taken.append((match.start(), match.end(), rule.written(match[0])))
    out, at = "", 0
    for start, end, words in sorted(taken):
        out, at = out + final[at:start] + words, end
    out += final[at:]
    before = "".join(text for text, share in voice.before if dice.random() < share)
    after = "".join(text for text, share in voice.after if dice.random() < share)
    return before + out + after
