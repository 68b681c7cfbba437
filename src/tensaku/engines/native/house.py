"""What a house's lessons say about how its drafts become finals: replacements, and how its finals go on.

Mined once, when an adapter is loaded; used to guess, never to decide. Two sources, each of which names a next word and
how sure it is:

- edits: what writers of finals did at a place like this. The place is the last words of the final and the next words
  of the
  draft, where the two were aligned; from "です。" before the pen, "である。" follows. The same place is looked up in
  less and less detail until it was seen.
- finals: how past finals went on after the longest run of words that they have in common with the answer (the idea
  of suffix decoding: Oliaro et al. 2024; here by bisection in the sorted contexts instead of a tree).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from struct import Struct
from typing import NamedTuple

__all__ = ["House", "Step"]

_CONTEXT = 12
"""Words of context that finals are looked up by."""
_PACK = Struct(f"<{_CONTEXT}I")
_NOTHING = 0xFFFFFFFF
_MOST = 24
"""Occurrences that a continuation is counted over."""
_OPENING = -1
"""Stands for what is before the first word and behind the last."""

_Key = tuple[int, ...]


class Step(NamedTuple):
    """A next word, by how many words the place in the draft moves with it, and a name for how it was found."""

    word: int
    move: int
    kind: tuple[str, int, int]


class House:
    """Mined from `pairs` of (draft, final), both as tokens."""

    def __init__(self, pairs: Iterable[tuple[Sequence[int], Sequence[int]]]) -> None:
        counts: dict[_Key, Counter[tuple[int, int]]] = defaultdict(Counter)
        contexts: list[tuple[bytes, int]] = []
        for draft, final in pairs:
            for at, place, move in _aligned(draft, final):
                for key in _keys(final, at, draft, place):
                    counts[key][final[at], move] += 1
            contexts += [(_context(final, at), word) for at, word in enumerate(final)]
        self._edits = {key: _likeliest(found) for key, found in counts.items()}
        contexts.sort()
        self._contexts = [context for context, _ in contexts]
        self._next = [word for _, word in contexts]

    def edit(self, answer: Sequence[int], start: int, draft: Sequence[int], place: int) -> Step | None:
        """What writers did at such a place: `answer` from index `start` on is the final so far."""
        written = answer[max(start, len(answer) - 2) :]
        for level, key in enumerate(_keys(written, len(written), draft, place)):
            found = self._edits.get(key)
            if found is not None:
                word, move, share, seen = found
                return Step(word, move, (f"edit{level}", share, seen))
        return None

    def final(self, answer: Sequence[int], start: int) -> Step | None:
        """How finals went on after what `answer` ends with."""
        context = _context(answer[max(start, len(answer) - _CONTEXT) :], min(len(answer) - start, _CONTEXT))
        at = bisect_left(self._contexts, context)
        same = max(
            (_common(self._contexts[i], context) for i in (at - 1, at) if 0 <= i < len(self._contexts)), default=0
        )
        if same < 2:
            return None
        part = context[: 4 * same]
        first = bisect_left(self._contexts, part)
        words: Counter[int] = Counter()
        for i in range(first, min(first + _MOST, len(self._contexts))):
            if not self._contexts[i].startswith(part):
                break
            words[self._next[i]] += 1
        word, n = words.most_common(1)[0]
        total = words.total()
        return Step(word, 0, ("final", 10 * n // total, min(same, 6) * 4 + min(total, 3)))


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


def _keys(final: Sequence[int], at: int, draft: Sequence[int], place: int) -> list[_Key]:
    """What identifies a place, in less and less detail: the words of `final` before `at`, those of `draft` from
    `place`."""
    a = final[at - 1] if at > 0 else _OPENING
    b = final[at - 2] if at > 1 else _OPENING
    d = draft[place] if place < len(draft) else _OPENING
    e = draft[place + 1] if place + 1 < len(draft) else _OPENING
    return [(b, a, d, e), (a, d, e, 0, 0), (b, a, d), (a, d), (d, e, 0, 0, 0, 0), (d,)]


def _likeliest(found: Counter[tuple[int, int]]) -> tuple[int, int, int, int]:
    (word, move), n = found.most_common(1)[0]
    total = found.total()
    return word, move, 10 * n // total, min(total, 4)


def _context(final: Sequence[int], at: int) -> bytes:
    """The words before `at`, the last one first."""
    before = list(final[max(0, at - _CONTEXT) : at])[::-1]
    return _PACK.pack(*before, *[_NOTHING] * (_CONTEXT - len(before)))


def _common(a: bytes, b: bytes) -> int:
    n = 0
    while n < _CONTEXT and a[4 * n : 4 * n + 4] == b[4 * n : 4 * n + 4]:
        n += 1
    return n
