"""How far each sign that a word comes next can be trusted.

A sign is, for instance, "the draft says so, and the three words before agreed with it". Several may speak for one
word, and what they say together is learnt from what came next: the chance is 1 / (1 + exp(-sum of their weights))
(logistic regression), and each outcome moves the weights, the rarer a sign the more (AdaGrad: Duchi et al. 2011, with
a past that fades).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from tensaku.engines.native.house import EDITS, LONGEST, Option

__all__ = [
    "ABSENT",
    "MATCH",
    "NEAR",
    "NEAR_BY",
    "OPEN",
    "USED",
    "Trust",
    "copied",
    "edited",
    "ended",
    "finished",
    "found",
]

ABSENT, NEAR, OPEN, USED = range(4)
"""Whether a word stands: nowhere; beside the draft alone; in the draft, more often than in the answer so far; in the
draft, as often as in the answer or less."""

MATCH = 7
"""The most words before a place that agree with the answer and are told apart."""
NEAR_BY = 4
"""The same of words before another place."""
_TENTHS, _CASES, _STANDS, _EIGHTHS = 11, 6, 4, 9

# where each kind of sign begins in the table of weights
_COPIED = 0
_FOUND = _COPIED + (MATCH + 1) * _STANDS
_EDITED = _FOUND + (NEAR_BY + 1) * 2 * _STANDS
_FINISHED = _EDITED + EDITS * _TENTHS * _CASES * _STANDS
_ENDED = _FINISHED + 2 * (LONGEST + 1) * _TENTHS * _CASES * _STANDS
_ALL = _ENDED + _EIGHTHS

_BASE = -1.5
"""What speaks against any word, before anything speaks for it."""
_RATE = 0.5
_FIRM = 0.3
_FADE = 0.9995
"""Weight of the past, per outcome of a sign: what comes in may become other texts, and is learnt then as well."""
_SURE = 30.0
_CLEAR = 0.003
"""An outcome that was expected but for this much teaches nothing."""


def copied(match: int, stands: int) -> int:
    """The draft has the word at the place reached; `match` words before the place agree with the answer."""
    return _COPIED + min(match, MATCH) * _STANDS + stands


def found(match: int, better: bool, stands: int) -> int:
    """The word follows the same `match` words elsewhere in the draft; `better`: more than at the place reached."""
    return _FOUND + (min(match, NEAR_BY) * 2 + better) * _STANDS + stands


def edited(detail: int, option: Option, stands: int) -> int:
    """Writers wrote the word at such a place, looked up in that detail."""
    return _EDITED + ((detail * _TENTHS + option.tenths) * _CASES + option.cases) * _STANDS + stands


def finished(length: int, longest: bool, option: Option, stands: int) -> int:
    """Finals went on with the word after the last `length` words; `longest`: there are no longer ones in common."""
    way = length + longest * (LONGEST + 1)
    return _FINISHED + ((way * _TENTHS + option.tenths) * _CASES + option.cases) * _STANDS + stands


def ended(left: int, words: int) -> int:
    """`left` of the draft's `words` are not in the answer yet."""
    return _ENDED + left * (_EIGHTHS - 1) // max(words, 1)


class Trust:
    """The weights of all signs. Shared by all answers of one adapter: they resemble each other."""

    def __init__(self) -> None:
        self._weights = _priors()
        self._squares = [_FIRM] * _ALL

    def copy(self) -> Trust:
        """Another that begins with these weights."""
        other = Trust()
        other._weights, other._squares = self._weights[:], self._squares[:]
        return other

    def chance(self, signs: Iterable[int]) -> float:
        """The chance, in (0, 1), that the word they speak for comes next."""
        weights, total = self._weights, _BASE
        for sign in signs:
            total += weights[sign]
        return 1.0 / (1.0 + math.exp(-total)) if -_SURE < total < _SURE else float(total > 0)

    def note(self, signs: Iterable[int], chance: float, right: bool) -> None:
        """The word that they speak for came next, or did not; `chance` is what was thought of it."""
        missed = right - chance
        if -_CLEAR < missed < _CLEAR:
            return
        for sign in signs:
            self._squares[sign] = self._squares[sign] * _FADE + missed * missed
            self._weights[sign] += _RATE * missed / math.sqrt(self._squares[sign])


def _priors() -> list[float]:
    """What is thought before anything was seen: the longer a match and the more cases agree, the surer."""
    weights = [0.0] * _ALL
    for stands in range(_STANDS):
        for match in range(MATCH + 1):
            weights[copied(match, stands)] = _logit(0.35 + 0.08 * match)
        for match in range(NEAR_BY + 1):
            weights[found(match, True, stands)] = weights[found(match, False, stands)] = 0.3 * match
        for tenths in range(_TENTHS):
            for cases in range(1, _CASES):
                option = Option(0, 0, tenths, cases)
                sure = _logit(min(max(tenths / 10.5 * (1 - 0.4 / cases), 0.05), 0.95)) / 2
                for detail in range(EDITS):
                    weights[edited(detail, option, stands)] = sure
                for length in range(1, LONGEST + 1):
                    weights[finished(length, True, option, stands)] = sure - 1 / length
                    weights[finished(length, False, option, stands)] = (sure - 1 / length) / 2
    return weights


def _logit(chance: float) -> float:
    return math.log(chance / (1 - chance)) - _BASE
