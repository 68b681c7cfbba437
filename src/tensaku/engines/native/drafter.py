"""Guessing the next words of an answer from a text that it is expected to resemble, and from what the house did before.

One pass of the model over the last word and k guessed ones says which guesses were right and what follows them: a word
or more for the price of a somewhat larger pass. What comes out does not depend on the guesses (Leviathan et al. 2023
for greedy decoding; copying from a reference: Yang et al. 2023).

The answer follows its draft, but leaves words out, puts words in, replaces some, and moves sentences. So the place
in the
draft is found again whenever a guess was wrong: where the longest end of the answer stands in the draft, and of several
such places the one nearest to where the last one would have led. From there each next word is the surest of three:
the draft's
own, what the house did at such places (`House.edit`), and how its finals went on (`House.final`). How sure each is,
is learnt from what came of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from tensaku.engines.native.house import House, Step

__all__ = ["Drafter", "Guess", "Track"]

_LONGEST_MATCH = 12
_LONGEST_GUESS = 32
_LEAST_CHANCE = 0.05
_FADE = 0.995
"""Weight of the past in the share of right guesses, per guess of that kind."""


class Guess(NamedTuple):
    """Words that may come next, and of each the chance that it and all before it are right."""

    words: list[int]
    chances: list[float]


class Track:
    """How often each kind of guess was right. Shared by all answers of one adapter: they resemble each other."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[float, float]] = {}

    def share(self, kind: Hashable, expected: float) -> float:
        """The share of right guesses of a kind that was expected to be right with that share."""
        right, seen = self._seen.get(kind, (0.0, 0.0))
        return (right + 4 * expected) / (seen + 4)

    def note(self, kind: Hashable, right: bool) -> None:
        """A guess of this kind was right, or not."""
        before, seen = self._seen.get(kind, (0.0, 0.0))
        self._seen[kind] = before * _FADE + right, seen * _FADE + 1


class Drafter:
    """Follows `source` while an answer is written, and guesses what comes next; `house` says what is usual."""

    def __init__(self, source: Sequence[int], house: House | None = None, track: Track | None = None) -> None:
        self._source = list(source)
        self._house = house
        self._track = track or Track()
        self._places: dict[int, list[int]] = {}
        for place, word in enumerate(self._source):
            self._places.setdefault(word, []).append(place)
        self._next = 0  # where the answer goes on in the source, as far as known
        self._match = 0  # how many words before that agree with the end of the answer
        self._length = -1  # of the answer when `_next` was known
        self._kinds: list[Hashable] = []
        self._moves: list[tuple[int, int]] = []  # place and match after each guessed word

    def guess(self, answer: Sequence[int], start: int, most: int) -> Guess:
        """Up to `most` words that may follow `answer`, whose own words begin at index `start`."""
        if len(answer) != self._length:
            self._align(answer, start)
        text = list(answer[max(start, len(answer) - _LONGEST_MATCH - 2) :])
        place, match, chance = self._next, self._match, 1.0
        words: list[int] = []
        chances: list[float] = []
        self._kinds, self._moves = [], []
        while len(words) < min(most, _LONGEST_GUESS):
            step, share = self._best(text, place, match)
            if step is None or chance * share < _LEAST_CHANCE:
                break
            chance *= share
            copied = place < len(self._source) and step.word == self._source[place]
            place, match = place + (step.move or int(copied)), match + 1 if copied else 0
            words.append(step.word)
            chances.append(chance)
            text.append(step.word)
            self._kinds.append(step.kind)
            self._moves.append((place, match))
        return Guess(words, chances)

    def note(self, guessed: int, right: int) -> None:
        """The first `right` of `guessed` words were right."""
        for kind in self._kinds[:right]:
            self._track.note(kind, True)
        if right < guessed:
            self._track.note(self._kinds[right], False)
        if right:
            self._next, self._match = self._moves[right - 1]
        self._length = -1

    def _best(self, text: list[int], place: int, match: int) -> tuple[Step | None, float]:
        """The surest next word after `text`, the end of the answer, with `place` being where it is in the source."""
        options: list[tuple[Step, float]] = []
        if place < len(self._source):
            options.append((Step(self._source[place], 1, ("copy", min(match, 6), 0)), 0.35 + 0.08 * min(match, 7)))
        if self._house is not None:
            edit = self._house.edit(text, 0, self._source, place)
            if edit is not None:
                options.append((edit, edit.kind[1] / 10.5 * (1 - 0.4 / edit.kind[2])))
            if edit is None or edit.kind[1] < 9 or edit.kind[2] < 3:
                final = self._house.final(text, 0)
                if final is not None:
                    options.append((final, final.kind[1] / 10.5 * (1 - 1.2 / (final.kind[2] // 4 + 1))))
        best: tuple[Step | None, float] = (None, 0.0)
        for step, expected in options:
            share = min(self._track.share(step.kind, expected), 0.99)
            if share > best[1]:
                best = step, share
        return best

    def _align(self, answer: Sequence[int], start: int) -> None:
        """Set the place to go on from, and how many words before it agree with the end of the answer."""
        self._length = len(answer)
        if len(answer) == start:
            self._next = self._match = 0
            return
        best, place = 0, -1
        for candidate in self._places.get(answer[-1], ()):
            n = self._agree(answer, start, candidate)
            near = abs(candidate + 1 - self._next) < abs(place - self._next)
            if n > best or (n == best and near):
                best, place = n, candidate + 1
        if best >= 2 or (best == 1 and abs(place - self._next) <= 3):
            self._next, self._match = place, best
        else:
            # nowhere: the last word was put in; what the draft says next is taken to follow it
            self._match = 0

    def _agree(self, answer: Sequence[int], start: int, place: int) -> int:
        n, longest = 1, min(_LONGEST_MATCH, len(answer) - start, place + 1)
        while n < longest and self._source[place - n] == answer[-1 - n]:
            n += 1
        return n
