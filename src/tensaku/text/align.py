"""Sentences set side by side, lost, or said twice: found by the character pairs that they share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from tensaku.text.fold import fold
from tensaku.text.split import Sentence, sentences

__all__ = ["aligned", "doubled", "dropped", "reordered"]

KEPT_FROM = 0.5
"""A sentence of the reference counts as kept if the text has this share of the character pairs that are its own."""
SAME_FROM = 0.90
"""Two sentences of one text count as said twice if they share this much (Dice) of their character pairs."""
MATCHED_FROM = 0.5
"""A sentence stands for another of a second text from this likeness (Dice of their character pairs)."""
_SHORTEST = 6  # characters; shorter sentences say too little to be missed
_FEW = 2  # fewer character pairs than this do not tell one sentence from another
_MARKS = re.compile(r"[\s。．.、，,！？!?「」『』（）()]+")


ALIKE_FROM = 0.25
"""Two sentences may be set side by side in a difference from this likeness (Dice of their character pairs)."""
_CELLS = 40_000  # above this many pairs of sentences only their order is used

Group = tuple[list[str], list[str]]


def aligned(old: Sequence[str], new: Sequence[str]) -> list[Group]:
    """The sentences of two texts set side by side, in order: each group is what was, and what came of it.

    One sentence may have become two or two one; a sentence without a counterpart stands alone in its group.
    """
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    same = [([s], [s]) for s in old[:head]]
    rest = [([s], [s]) for s in old[len(old) - tail :]]
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(middle_old) * len(middle_new) > _CELLS:
        return [*same, (list(middle_old), list(middle_new)), *rest]
    return [*same, *_matched(middle_old, middle_new), *rest]


def _matched(old: Sequence[str], new: Sequence[str]) -> list[Group]:
    """The best monotone matching: groups that are alike count by their length, sentences left alone count nothing."""
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    step: list[list[tuple[int, int]]] = [[(0, 1)] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        here, below, next_old = best[i], best[i + 1], old[i + 1] if i + 1 < len(old) else None
        step[i][len(new)] = (1, 0)
        for j in range(len(new) - 1, -1, -1):
            worth, way = (below[j], (1, 0)) if below[j] >= here[j + 1] else (here[j + 1], (0, 1))
            for (m, n), gain in _gains(old[i], new[j], next_old, new[j + 1] if j + 1 < len(new) else None):
                worth, way = max((worth, way), (gain + best[i + m][j + n], (m, n)))
            here[j], step[i][j] = worth, way
    return _walked(old, new, step)


@lru_cache(maxsize=1 << 14)
def _gains(old: str, new: str, next_old: str | None, next_new: str | None) -> tuple[tuple[tuple[int, int], float], ...]:
    """What each step from two sentences is worth, where it is worth anything; `None` behind the last sentence.

    Kept between calls: while somebody types, all sentences but one are the same as before.
    """
    one, two = _kinds(old), _kinds(new)
    if one and two and one.isdisjoint(two):
        return ()
    steps: list[tuple[tuple[int, int], list[frozenset[str]], list[frozenset[str]]]] = [((1, 1), [one], [two])]
    if next_old is not None:
        steps.append(((2, 1), [one, _kinds(next_old)], [two]))
    if next_new is not None:
        steps.append(((1, 2), [one], [two, _kinds(next_new)]))
    return tuple((step, gain) for step, olds, news in steps if (gain := _gain(olds, news)) > 0)


@lru_cache(maxsize=4096)
def _kinds(sentence: str) -> frozenset[str]:
    return frozenset(_pairs(sentence))


def _walked(old: Sequence[str], new: Sequence[str], step: Sequence[Sequence[tuple[int, int]]]) -> list[Group]:
    groups: list[Group] = []
    i = j = 0
    while i < len(old) or j < len(new):
        m, n = step[i][j]
        groups.append((list(old[i : i + m]), list(new[j : j + n])))
        i, j = i + m, j + n
    return groups


def _gain(old: Sequence[frozenset[str]], new: Sequence[frozenset[str]]) -> float:
    """How much two runs of sentences are worth side by side: above 0 if they are alike enough."""
    one, two = old[0] | old[-1], new[0] | new[-1]
    if len(old) + len(new) > 2:
        # Of two sentences that became one, each must be found in it.
        for part, whole in [(p, two) for p in old] if len(old) > 1 else [(p, one) for p in new]:
            if len(part & whole) * 3 < len(part):
                return 0.0
    return 2 * len(one & two) - ALIKE_FROM * (len(one) + len(two))


def _pairs(text: str) -> Counter[str]:
    plain = _MARKS.sub("", fold(text).text)
    return Counter(plain[i : i + 2] for i in range(len(plain) - 1))


def _counted(text: str) -> list[tuple[Sentence, Counter[str]]]:
    out = []
    for sentence in sentences(text):
        pairs = _pairs(sentence.text)
        if pairs.total() >= _SHORTEST - 1:
            out.append((sentence, pairs))
    return out


def dropped(draft: str, reference: str, text: str) -> list[Sentence]:
    """The sentences of `reference` whose content `text` has lost.

    What counts of a sentence is its own content: the character pairs that it took over from `draft` and that no other
    sentence of the reference has. Set phrases (ことから、投資家心理が悪化した) and words that only its author
    chose say nothing of whether the content is there. A sentence is lost if less than `KEPT_FROM` of its own is in the
    text. Give the draft itself as `reference` to look for sentences of the draft.
    """
    source, present = set(_pairs(draft)), set(_pairs(text))
    counted = _counted(reference)
    everywhere = Counter(pair for _, pairs in counted for pair in pairs)
    lost: list[Sentence] = []
    for sentence, pairs in counted:
        only = {pair for pair in pairs if everywhere[pair] == 1}
        own = next((part for part in (only & source, only, set(pairs)) if len(part) >= _FEW), set(pairs))
        if len(own & present) < KEPT_FROM * len(own):
            lost.append(sentence)
    return lost


def doubled(text: str) -> list[Sentence]:
    """The sentences of `text` that say again what an earlier one said."""
    found: list[Sentence] = []
    earlier: list[Counter[str]] = []
    for sentence, pairs in _counted(text):
        if any(2 * (pairs & other).total() / (pairs.total() + other.total()) >= SAME_FROM for other in earlier):
            found.append(sentence)
        earlier.append(pairs)
    return found


def reordered(reference: str, text: str) -> list[Sentence]:
    """The sentences of `text` that stand in another place than in `reference`: the fewest whose moving sets it right.

    Sentences are matched one to one, the most alike first; those without a counterpart have no place to be wrong.
    """
    wanted, found = _counted(reference), _counted(text)
    likeness = sorted(
        (-2 * (a & b).total() / (a.total() + b.total()), i, j)
        for i, (_, a) in enumerate(wanted)
        for j, (_, b) in enumerate(found)
    )
    place: dict[int, int] = {}
    for alike, i, j in likeness:
        if -alike >= MATCHED_FROM and j not in place and i not in place.values():
            place[j] = i
    order = sorted(place)
    kept = _longest_rising([place[j] for j in order])
    return [found[j][0] for number, j in enumerate(order) if number not in kept]


def _longest_rising(values: Sequence[int]) -> set[int]:
    """The indices of a longest rising run of `values`, gaps allowed; of several the one that ends first."""
    length, before = [1] * len(values), [-1] * len(values)
    for i, value in enumerate(values):
        for j in range(i):
            if values[j] < value and length[j] + 1 > length[i]:
                length[i], before[i] = length[j] + 1, j
    at = max(range(len(values)), key=lambda i: length[i], default=-1)
    kept: set[int] = set()
    while at >= 0:
        kept.add(at)
        at = before[at]
    return kept
