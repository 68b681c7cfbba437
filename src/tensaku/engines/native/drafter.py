"""Guessing the next words of an answer from a text that it is expected to resemble.

One pass of the model over the last word and k guessed ones says which guesses were right and what follows them: a word
or more for the price of a somewhat larger pass. What comes out does not depend on the guesses (Leviathan et al. 2023
for greedy decoding; copying from a reference: Yang et al. 2023).

The answer follows its draft, but leaves words out, puts words in, replaces some, and moves sentences. So the place in
the draft is found again at each step: where the longest end of the answer stands in it, and of several such places the
one nearest to where the last one would have led. How much is guessed follows from how often guesses of that kind were
right, and from what a row costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["Drafter"]

_LONGEST_MATCH = 12
_LONGEST_GUESS = 24
_SURE = 3
"""From this many equal words on, a place counts as found."""
_FADE = 0.9
"""Weight of the past in the share of right guesses, per pass."""


class _Rate:
    """The share of right guesses, from what it was taken to be and what came of it."""

    def __init__(self, share: float, weight: float) -> None:
        self._right, self._all = share * weight, weight

    @property
    def share(self) -> float:
        return self._right / self._all

    def note(self, right: int, wrong: int) -> None:
        self._right = self._right * _FADE + right
        self._all = self._all * _FADE + right + wrong


class Drafter:
    """Follows `source` while an answer is written, and guesses what comes next."""

    def __init__(self, source: Sequence[int]) -> None:
        self._source = list(source)
        self._places: dict[int, list[int]] = {}
        for place, word in enumerate(self._source):
            self._places.setdefault(word, []).append(place)
        self._next = 0  # where the answer goes on in the source, as far as known
        self._rates = {True: _Rate(0.85, 8.0), False: _Rate(0.35, 4.0)}
        self._kind = True

    def guess(self, answer: Sequence[int], start: int, worth: float, most: int) -> list[int]:
        """Up to `most` words that may follow `answer`, whose own words begin at index `start`.

        A word is guessed if the chance that it and those before it are right is at least `worth`.
        """
        match = self._align(answer, start)
        self._kind = match >= min(_SURE, len(answer) - start)
        return self._source[self._next : self._next + min(most, self._length(worth))]

    def note(self, guessed: int, right: int) -> None:
        """The first `right` of `guessed` words were right."""
        if guessed:
            self._rates[self._kind].note(right, int(right < guessed))
        self._next += right

    def _length(self, worth: float) -> int:
        share = min(self._rates[self._kind].share, 0.98)
        return min(_LONGEST_GUESS, int(math.log(worth) / math.log(share)))

    def _align(self, answer: Sequence[int], start: int) -> int:
        """Set the place to go on from; returns how many words before it agree with the end of the answer."""
        if len(answer) == start:
            self._next = 0
            return 0
        best, place = 0, -1
        for candidate in self._places.get(answer[-1], ()):
            n = self._agree(answer, start, candidate)
            near = abs(candidate + 1 - self._next) < abs(place - self._next)
            if n > best or (n == best and near):
                best, place = n, candidate + 1
        # nowhere: the last word was put in or replaced one; take it as a replacement
        self._next = place if best else self._next + 1
        return best

    def _agree(self, answer: Sequence[int], start: int, place: int) -> int:
        n, longest = 1, min(_LONGEST_MATCH, len(answer) - start, place + 1)
        while n < longest and self._source[place - n] == answer[-1 - n]:
            n += 1
        return n
