"""Guessing the next words of an answer from a text that it is expected to resemble, and from what the house did before.

One pass of the model over the last word and k guessed ones says which guesses were right and what follows them: a word
or more for the price of a somewhat larger pass. What comes out does not depend on the guesses (Leviathan et al. 2023
for greedy decoding; copying from a reference: Yang et al. 2023).

The answer follows its draft, but leaves words out, puts words in, replaces some, and moves sentences. So the place in
the draft is found again whenever it was lost: where the longest end of the answer stands in the draft, and of several
such places the one nearest to where the last one would have led. From there several things name a next word: the draft
at that place and at others like it, what the house did at such places (`House.edits`), how its finals went on
(`House.finals`). How far to trust each of them, and several that agree, is learnt: from the lessons when an adapter is
loaded (`study`), then from what came of every guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tensaku.engines.native.house import END, LONGEST, OPENING, House
from tensaku.engines.native.trust import (
    ABSENT,
    NEAR,
    NEAR_BY,
    OPEN,
    USED,
    Trust,
    copied,
    edited,
    ended,
    finished,
    found,
)

__all__ = ["Drafter", "Guess", "Known", "study"]

_LONGEST_MATCH = 12
_LONGEST_GUESS = 64
_LEAST_CHANCE = 0.05
_LEAST_OF_MANY = 0.02
"""Chances below these, the second times the words guessed, are worth no row whatever rows cost, so nobody looks on."""
_ELSEWHERE = 4
"""Other places in the draft that are looked at."""
_STUDIED = 400
_UNSTUDIED = 20
"""Pairs that are studied at most, the newest; and those before them that are needed to say anything."""


class Guess(NamedTuple):
    """Words that may come next, and of each the chance that it and all before it are right."""

    words: list[int]
    chances: list[float]


class Known(NamedTuple):
    """What is known before an answer begins: what the house does, if anything, and how far which sign is trusted."""

    house: House | None
    trust: Trust


class _Step(NamedTuple):
    """One guessed word: what spoke for it, how likely it was, and where the draft is followed from then on."""

    signs: list[int]
    chance: float
    place: int
    match: int


class Drafter:
    """Follows `source` while an answer is written, and guesses what comes next.

    Args:
        source: the text that the answer is expected to resemble, as tokens.
        known: what is known before.
        beside: other words that the answer may take up, such as the fund and the month that were asked about.
    """

    def __init__(self, source: Sequence[int], known: Known | None = None, beside: Sequence[int] = ()) -> None:
        self._words = len(source)
        self._source = [*source, OPENING, *beside, OPENING]
        self._house, self._trust = known or Known(None, Trust())
        self._left = Counter(source)
        self._beside = frozenset(beside)
        self._places: dict[int, list[int]] = {}
        for place, word in enumerate(self._source):
            if word != OPENING:
                self._places.setdefault(word, []).append(place)
        self._next = 0  # where the answer goes on in the source, as far as known
        self._match = 0  # how many words before that agree with the end of the answer
        self._seen = 0  # words of the answer that were looked at
        self._steps: list[_Step] = []

    def guess(self, answer: Sequence[int], start: int, most: int) -> Guess:
        """Up to `most` words that may follow `answer`, whose own words begin at index `start`."""
        self._follow(answer, start)
        text = self._end_of(answer, start)
        place, match, chance = self._next, self._match, 1.0
        words: list[int] = []
        chances: list[float] = []
        self._steps = []
        while len(words) < min(most, _LONGEST_GUESS):
            word, step = self._likeliest(text, place, match)
            if word == END or chance * step.chance < max(_LEAST_CHANCE, _LEAST_OF_MANY * len(words)):
                break
            chance *= step.chance
            words.append(word)
            chances.append(chance)
            self._steps.append(step)
            self._take(word, 1)
            text.append(word)
            place, match = (step.place, step.match) if step.match else self._again(text, step.place)
        for word in words:
            self._take(word, -1)
        return Guess(words, chances)

    def note(self, guessed: int, right: int) -> None:
        """The first `right` of `guessed` words were right."""
        for step in self._steps[:right]:
            self._trust.note(step.signs, step.chance, True)
        if right < guessed:
            self._trust.note(self._steps[right].signs, self._steps[right].chance, False)
        if right:
            self._next, self._match = self._steps[right - 1].place, self._steps[right - 1].match

    def study(self, final: Sequence[int]) -> None:
        """Learn how far to trust what, from what the final of this draft was."""
        for at, word in enumerate([*final, END]):
            self._follow(final[:at], 0)
            for candidate, signs in self._candidates(self._end_of(final[:at], 0), self._next, self._match)[0].items():
                self._trust.note(signs, self._trust.chance(signs), candidate == word)

    def _end_of(self, answer: Sequence[int], start: int) -> list[int]:
        words = list(answer[max(start, len(answer) - LONGEST) :])
        return words if len(words) == LONGEST else [OPENING, *words]

    def _likeliest(self, text: list[int], place: int, match: int) -> tuple[int, _Step]:
        """The surest next word after `text`, the end of the answer, with `place` being where it is in the source."""
        candidates, moves = self._candidates(text, place, match)
        best, chance = END, 0.0
        for word, signs in candidates.items():
            one = self._trust.chance(signs)
            if one > chance:
                best, chance = word, one
        if best == self._source[place]:
            return best, _Step(candidates[best], chance, place + 1, match + 1)
        moved = min(place + moves.get(best, 0), self._words)
        return best, _Step(candidates.get(best, []), chance, moved, 0)

    def _candidates(self, text: list[int], place: int, match: int) -> tuple[dict[int, list[int]], dict[int, int]]:
        """Words that may come next, each with the signs that speak for it; and by how much the place moves with those
        that the house would write."""
        source, signs, moves = self._source, dict[int, list[int]](), dict[int, int]()
        if source[place] != OPENING:
            signs[source[place]] = [copied(match, self._stands(source[place]))]
        for other, common in self._elsewhere(text, place):
            word = source[other]
            signs.setdefault(word, []).append(found(common, common > match, self._stands(word)))
        if self._house is not None:
            for detail, options in self._house.edits(text, source, place):
                for option in options:
                    signs.setdefault(option.word, []).append(edited(detail, option, self._stands(option.word)))
                    moves.setdefault(option.word, option.move)
            for number, (length, options) in enumerate(self._house.finals(text)):
                for option in options:
                    sign = finished(length, number == 0, option, self._stands(option.word))
                    signs.setdefault(option.word, []).append(sign)
        if END in signs:
            signs[END].append(ended(sum(n for n in self._left.values() if n > 0), self._words))
        return signs, moves

    def _elsewhere(self, text: list[int], place: int) -> list[tuple[int, int]]:
        """Other places that follow the last word of `text`, and how many words before them agree with it."""
        source, places = self._source, list[tuple[int, int]]()
        for at in self._places.get(text[-1], ()):
            if at + 1 != place and source[at + 1] != OPENING:
                places.append((at + 1, self._agree(text, at, NEAR_BY)))
                if len(places) == _ELSEWHERE:
                    break
        return places

    def _stands(self, word: int) -> int:
        left = self._left.get(word)
        if left is None:
            return NEAR if word in self._beside else ABSENT
        return OPEN if left > 0 else USED

    def _take(self, word: int, times: int) -> None:
        if word in self._left:
            self._left[word] -= times

    def _follow(self, answer: Sequence[int], start: int) -> None:
        """Take note of what was written since, and find the place to go on from."""
        written = len(answer) - start
        if written == self._seen:
            return
        for word in answer[start + self._seen :]:
            self._take(word, 1)
        self._seen = written
        self._next, self._match = self._again(answer[max(start, len(answer) - _LONGEST_MATCH) :], self._next)

    def _again(self, text: Sequence[int], near: int) -> tuple[int, int]:
        """Where `text`, the end of the answer, leads in the source, and how many words before that agree with it; the
        place nearest to `near` if there are several, and `near` itself if there is none."""
        best, place = 0, -1
        for at in self._places.get(text[-1], ()):
            common = self._agree(text, at, _LONGEST_MATCH)
            if common > best or (common == best and abs(at + 1 - near) < abs(place - near)):
                best, place = common, at + 1
        if best >= 2 or (best == 1 and abs(place - near) <= 3):
            return place, best
        return near, 0  # the last word was put in; what the draft says next is taken to follow it

    def _agree(self, text: Sequence[int], at: int, most: int) -> int:
        """How many words up to `at` in the source, up to `most`, are those that `text` ends with; its last one is."""
        common, most = 1, min(most, len(text), at + 1)
        while common < most and self._source[at - common] == text[-1 - common]:
            common += 1
        return common


def study(pairs: Iterable[tuple[Sequence[int], Sequence[int]]]) -> Known:
    """What pairs of (draft, final) say: each is studied with what those before it said, as if it were to come."""
    known, all_pairs = Known(House(), Trust()), list(pairs)
    assert known.house is not None
    for number, (draft, final) in enumerate(all_pairs):
        if number >= max(_UNSTUDIED, len(all_pairs) - _STUDIED):
            Drafter(draft, known).study(final)
        known.house.add(draft, final)
    return known
