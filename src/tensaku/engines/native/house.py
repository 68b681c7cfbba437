"""What a house's lessons say about how its drafts become finals: replacements, and how its finals go on.

Mined when an adapter is loaded; used to guess, never to decide. Two sources, each of which names likely next words and
how often they followed:

- edits: what writers of finals did at a place like this. The place is the last words of the final and the next words
  of the draft, where the two were aligned; from "です。" before the pen, "である。" follows. The same place is looked
  up in less and less detail.
- finals: how past finals went on after the last words of the answer, the longest run of them that was seen (the idea
  of suffix decoding: Oliaro et al. 2024; here all runs of up to eight words in one table).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

__all__ = ["EDITS", "END", "LONGEST", "OPENING", "House", "Option"]

LONGEST = 8
"""Words of a final that what follows is looked up by."""
EDITS = 6
"""Details in which a place of a draft is looked up."""
OPENING = -1
"""Stands for what is before the first word, and for what is behind a draft's last."""
END = -2
"""Stands for the end of a final."""
_LOOKED_UP = 2
"""Runs, and details, that are asked for their likeliest words: the longest that were seen."""
_NAMED = 2
"""Likeliest words of each."""

_Once = tuple[int, int, int]
"""One thing that followed, always: word, move, how often."""


class Option(NamedTuple):
    """A next word; by how many words the place in the draft moves with it; in how many tenths of the cases it came
    next; and of how many cases (1, 2, 3; 4: four to seven; 5: more)."""

    word: int
    move: int
    tenths: int
    cases: int


class House:
    """Mined from pairs of draft and final, both as tokens, as they are added."""

    def __init__(self) -> None:
        # What followed, by a place's hash: a count of each, or, as nearly always, one thing and how often. Two places
        # of one hash would spoil a guess, no more. There are over a hundred for each pair, so they are kept small.
        self._followed: dict[int, _Once | Counter[tuple[int, int]]] = {}
        self._same: dict[_Once, _Once] = {}
        self._options: dict[int | _Once, list[Option]] = {}

    def add(self, draft: Sequence[int], final: Sequence[int]) -> None:
        """One pair more."""
        ends = [*final, END]
        for at, place, move in _aligned(draft, ends):
            a, b = ends[at - 1] if at > 0 else OPENING, ends[at - 2] if at > 1 else OPENING
            for key in _places(a, b, draft, place):
                self._count(hash(key), ends[at], move)
        text = [OPENING, *ends]
        for at in range(1, len(text)):
            for first in range(max(0, at - LONGEST), at):
                self._count(hash((0, *text[first:at])), text[at], 0)

    def edits(self, text: Sequence[int], draft: Sequence[int], place: int) -> list[tuple[int, list[Option]]]:
        """What writers did at such a place: detail (0: most) and options. `text` is the end of the final so far."""
        found = []
        a, b = text[-1], text[-2] if len(text) > 1 else OPENING
        for detail, key in enumerate(_places(a, b, draft, place)):
            options = self._likeliest(hash(key))
            if options:
                found.append((detail, options))
                if len(found) == _LOOKED_UP:
                    break
        return found

    def finals(self, text: Sequence[int]) -> list[tuple[int, list[Option]]]:
        """How finals went on after what `text` ends with: words in common and options, the longest first."""
        found = []
        for length in range(min(LONGEST, len(text)), 0, -1):
            options = self._likeliest(hash((0, *text[-length:])))
            if options:
                found.append((length, options))
                if len(found) == _LOOKED_UP:
                    break
        return found

    def _count(self, key: int, word: int, move: int) -> None:
        had = self._followed.get(key)
        if isinstance(had, Counter):
            had[word, move] += 1
            self._options.pop(key, None)
        elif had is not None and had[:2] != (word, move):
            self._followed[key] = Counter({had[:2]: had[2], (word, move): 1})
        else:
            once = (word, move, 1 if had is None else had[2] + 1)
            self._followed[key] = self._same.setdefault(once, once)

    def _likeliest(self, key: int) -> list[Option]:
        """What followed most often; nothing if the place was never seen."""
        followed = self._followed.get(key)
        if followed is None:
            return []
        where = key if isinstance(followed, Counter) else followed
        options = self._options.get(where)
        if options is None:
            counts = followed if isinstance(followed, Counter) else Counter({followed[:2]: followed[2]})
            total = counts.total()
            cases = total if total < 4 else 4 if total < 8 else 5
            options = [Option(*what, 10 * n // total, cases) for what, n in counts.most_common(_NAMED)]
            self._options[where] = options
        return options


def _aligned(draft: Sequence[int], final: Sequence[int]) -> list[tuple[int, int, int]]:
    """For each word of `final`: its index, the place in `draft` before it, and by how much the place moves with it."""
    steps = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, draft, final, autojunk=False).get_opcodes():
        if kind == "equal":
            steps += [(j, i1 + j - j1, 1) for j in range(j1, j2)]
        else:
            steps += [(j, i1, i2 - i1 if j == j2 - 1 else 0) for j in range(j1, j2)]
            if j1 == j2 and steps:  # words left out: the place jumps over them with the word before
                at, place, move = steps[-1]
                steps[-1] = at, place, move + i2 - i1
    return steps


def _places(a: int, b: int, draft: Sequence[int], place: int) -> tuple[tuple[int, ...], ...]:
    """What identifies a place, in less and less detail: the last word of the final `a` and `b` before it, those of
    `draft` from `place`. The first number tells details, and edits from finals, apart."""
    d = draft[place] if place < len(draft) else OPENING
    e = draft[place + 1] if d != OPENING and place + 1 < len(draft) else OPENING
    return (1, b, a, d, e), (2, a, d, e), (3, b, a, d), (4, a, d), (5, d, e), (6, d)
