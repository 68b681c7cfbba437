"""The best that rules alone do: replacements mined from the lessons, the row that every model has to beat.

Candidates are the changes that writers made, each also with the word before and the word after it, and the other forms
of digits and signs in figures (３ to 3, ％ to %). A replacement is worth what it saves over all lessons: the character
edits to the final without it less those with it. They are taken one by one, the most saving first, each measured on
texts that those before it have already rewritten, and dropped if it saves nothing there any more, or if it does harm in
too many lessons. How much harm is too much, and how many to keep, is settled on the newest fifth of the lessons, by
replacements mined from the rest.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tensaku import text
from tensaku.records import Pair

__all__ = ["Rule", "best_rules", "rewrite"]

_SEEN = 2  # lessons that must show a replacement
_LONGEST = 24  # characters; longer stretches never come again
_MOST = 600  # candidates tried, the most often seen first
_HELD_OUT = 5
_FEWEST = 10  # lessons; of fewer none can be held out
_HARM = (0.02, 0.1, 0.3)  # shares of the lessons that a replacement alters in which it may make the text worse


class Rule(NamedTuple):
    """One replacement: every `old` becomes `new`. `saves` are character edits over all lessons."""

    old: str
    new: str
    saves: int


def rewrite(draft: str, rules: Sequence[Rule]) -> str:
    """`draft` with every replacement made, in order."""
    for rule in rules:
        draft = draft.replace(rule.old, rule.new)
    return draft


def best_rules(lessons: Sequence[Pair], advance: Callable[[float, str], None] | None = None) -> list[Rule]:
    """The replacements of `lessons` that save the most character edits on lessons that they were not mined from.

    Args:
        advance: told of each of the two rounds of mining.
    """
    ordered = sorted(lessons, key=lambda pair: (pair.as_of, pair.id))
    harm, kept = _HARM[0], None
    held = ordered[len(ordered) - len(ordered) // _HELD_OUT :] if len(ordered) >= _FEWEST else []
    if held:
        _, harm, kept = min(_best_count(_mined(ordered[: -len(held)], harm), harm, held) for harm in _HARM)
        if advance:
            advance(1, "")
    found = _mined(ordered, harm)
    if advance:
        advance(1, "")
    return found if kept is None else found[:kept]


def _best_count(rules: Sequence[Rule], harm: float, held: Sequence[Pair]) -> tuple[int, float, int]:
    """The fewest character edits to the finals of `held` that the first of `rules` leave; `harm`; how many they are."""
    texts = [pair.draft for pair in held]
    best, least = 0, sum(_distance(now, pair.final) for now, pair in zip(texts, held, strict=True))
    for count, rule in enumerate(rules, start=1):
        texts = [now.replace(rule.old, rule.new) for now in texts]
        left = sum(_distance(now, pair.final) for now, pair in zip(texts, held, strict=True))
        if left < least:
            best, least = count, left
    return least, harm, best


def _mined(lessons: Sequence[Pair], harm: float) -> list[Rule]:
    seen: Counter[tuple[str, str]] = Counter()
    for pair in lessons:
        seen.update(set(_candidates(pair.draft, pair.final)))
    common = sorted((-n, old, new) for (old, new), n in seen.items() if n >= _SEEN)[:_MOST]
    finals = [pair.final for pair in lessons]
    texts = [pair.draft for pair in lessons]
    left = [_distance(now, final) for now, final in zip(texts, finals, strict=True)]
    first = sorted((-_saved(texts, finals, left, old, new)[0], old, new) for _, old, new in common)
    rules: list[Rule] = []
    for saving, old, new in first:
        if saving >= 0:
            break
        saved, altered = _saved(texts, finals, left, old, new)
        worse = sum(distance > left[number] for number, (_, distance) in altered.items())
        if saved > 0 and worse <= harm * len(altered):
            rules.append(Rule(old, new, saved))
            for number, (now, distance) in altered.items():
                texts[number], left[number] = now, distance
    return rules


def _saved(
    texts: Sequence[str], finals: Sequence[str], left: Sequence[int], old: str, new: str
) -> tuple[int, dict[int, tuple[str, int]]]:
    """What replacing `old` saves, and by number the texts that it alters with the edits that they still need."""
    saved, altered = 0, {}
    for number, now in enumerate(texts):
        if old in now:
            then = now.replace(old, new)
            distance = _distance(then, finals[number])
            saved += left[number] - distance
            altered[number] = (then, distance)
    return saved, altered


def _distance(one: str, two: str) -> int:
    from rapidfuzz.distance import Levenshtein

    return int(Levenshtein.distance(one, two))


def _candidates(draft: str, final: str) -> Iterator[tuple[str, str]]:
    words = text.words(draft)
    starts = {word.start: number for number, word in enumerate(words)}
    ends = {word.end: number for number, word in enumerate(words)}
    for change in text.changes(draft, final, fine=True):
        before, after = ends.get(change.old_start), starts.get(change.old_end)
        left = "" if before is None else words[before].text
        right = "" if after is None else words[after].text
        for start, end in (("", ""), (left, ""), ("", right), (left, right)):
            old, new = start + change.old + end, start + change.new + end
            if old and len(old) <= _LONGEST and len(new) <= _LONGEST:
                yield old, new
        yield from _by_character(change.old, change.new)


def _by_character(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Other forms of a digit or sign, if both sides are figures: they hold for figures never seen."""
    from rapidfuzz.distance import Levenshtein

    if not (text.facts(old) and text.facts(new)):
        return
    for op in Levenshtein.opcodes(old, new):
        if op.tag == "replace":
            for at in range(op.src_start, op.src_end):
                char, to = old[at], new[op.dest_start + at - op.src_start]
                if to == unicodedata.normalize("NFKC", char) or not (char.isalnum() or to.isalnum()):
                    yield char, to
