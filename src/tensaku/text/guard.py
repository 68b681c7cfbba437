"""The facts guard: does a text keep the facts of its draft?

How each kind is compared, and why:

- **number, percent, unit**: every figure of the draft must stand in the text as often as in the draft, and none may be
  new. A repeat does not count: if a figure stands twice in one surrounding (the same names and words near it), once is
  enough, since writers merge such sentences; the same figure said of two different things must stand twice.
  A fall is the same with a sign and in words (▲3.2%, 3.2%下落); where only the sentence around speaks of a fall
  (値下がりしました。率は3.2%でした), it equals 3.2%下落 too, as it is not sure what the words refer to; never ▲3.2%.
  Two figures that changed places are found by their surroundings (see `binding`).
- **date**: compared as a set. 3月 is covered by 2026年3月 and the other way round; the smallest unit given must
  survive, so 2026年3月 is not covered by 2026年, and nothing may contradict. 同月 and 当月 are no facts.
- **name**: compared as a set of canonical names. How often a name is repeated is style. Two names that changed places
  from one sentence to another are found by what is said of them.
- **negation**: compared by count. Which word negates is style; that a predicate is negated is not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from tensaku.records import Fact, FactBreak, Verdict
from tensaku.text.binding import Context, contexts, nearness, similarity
from tensaku.text.dates import Date, parse_date
from tensaku.text.extract import Names, facts, quantities, written
from tensaku.text.split import Sentence, sentences
from tensaku.text.standing import alike, plausible

__all__ = ["compare", "lost"]

SAME_SURROUNDING = 0.35
"""From this similarity (0 to 1) two equal figures are taken as one fact said twice."""
NEAR_WEIGHT = 1.0
"""What the likeness of the sentences around is worth beside that of the clause."""
REACH = 40
"""How many figures further on in the text a figure may have changed places with."""
SWAP_MARGIN = 0.12
"""By how much the crosswise fit of two figures must beat the straight one before they are taken as swapped."""
NAME_SWAP_MARGIN = 0.4
"""The same for two names. It is larger, since there is often little said of a name."""
NAME_PLACES = 12
"""How many places of a name are looked at for this."""
_SIGNED = re.compile(r"[-−－‐–—▲△▼]|マイナス|ﾏｲﾅｽ|minus|negative", re.IGNORECASE)
ORDER_WEIGHT = 0.10
"""What keeping the order within one sentence is worth beside the surroundings."""


class _Side(NamedTuple):
    """One text with its facts, and the surroundings of its figures and of its names."""

    facts: list[Fact]
    figures: list[Context]
    names: list[Context]

    def of(self, kind: str) -> list[Fact]:
        """The facts of one kind."""
        return [fact for fact in self.facts if fact.kind == kind]


@lru_cache(maxsize=256)
def _side(text: str, names: tuple[tuple[str, tuple[str, ...]], ...]) -> _Side:
    """Kept between calls: while somebody types, the draft is the same as before. Nobody may change what is kept."""
    found = facts(text, dict(names))
    return _Side(found, *contexts(text, found))


def compare(draft: str, text: str, names: Names | None = None, *, as_of: str = "") -> Verdict:
    """Say which facts of `draft` are missing from `text` and which of `text` are new.

    Args:
        draft: the text whose facts must survive.
        text: its revision.
        names: the house's table of names.
        as_of: the month that the draft speaks of, `YYYY-MM`. With it the text may name that month although the draft
            says 当月, and a year that the draft leaves out must be the right one.

    Returns:
        A verdict whose `kept` is True if nothing was lost, altered or invented. The offsets of missing facts are in
        `draft`, those of added facts in `text`.
    """
    table = written(names or {})
    old, new = _side(draft, table), _side(text, table)
    missing: list[Fact] = []
    added: list[Fact] = []
    for lost, found in (
        _figures(old.figures, new.figures),
        _dates(old.of("date"), new.of("date"), as_of),
        _names(old.names, new.names),
        _negations(old.of("negation"), new.of("negation")),
    ):
        missing += lost
        added += found
    return Verdict(
        (
            *(FactBreak("missing", f) for f in sorted(missing, key=lambda f: f.start)),
            *(FactBreak("added", f) for f in sorted(added, key=lambda f: f.start)),
        )
    )


def lost(draft: str, verdict: Verdict) -> list[Sentence]:
    """The sentences of `draft` that have figures or dates, of which `verdict` finds none in the text.

    Most often it was left out; or its only figure was altered.
    """
    missing = {(b.fact.start, b.fact.end) for b in verdict.breaks if b.what == "missing"}
    if not missing:
        return []
    held = [(f.start, f.end) for f in quantities(draft)]
    found: list[Sentence] = []
    for sentence in sentences(draft):
        own = [span for span in held if sentence.start <= span[0] < sentence.end]
        if own and missing.issuperset(own):
            found.append(sentence)
    return found


Found = tuple[list[Fact], list[Fact]]
Match = tuple[Context, Context]


def _figures(olds: Sequence[Context], news: Sequence[Context]) -> Found:
    matches, spare_old, spare_new = _matched(olds, news)
    missing = [c.fact for c in spare_old if not _repeats(c, [m[0] for m in matches])]
    added = [c.fact for c in spare_new if not _repeats(c, [m[1] for m in matches])]
    for one, two in _swapped(matches):
        for pair in (one, two):
            if pair[0].fact not in missing:
                missing.append(pair[0].fact)
            if pair[1].fact not in added:
                added.append(pair[1].fact)
    return missing, added


def _keys(context: Context) -> set[str]:
    """What a figure is found by: the values that it may also be written as, and falls by words and by signs alike."""
    value = context.fact.value
    keys = alike(value)
    if context.falls and not value.startswith("-"):
        keys.add(f"~{value}")  # a fall by the words of its sentence, which only a fall in words may match
    elif value.startswith("-") and not _SIGNED.match(context.fact.text):
        keys.add(f"~{value[1:]}")
    return keys


def _matched(olds: Sequence[Context], news: Sequence[Context]) -> tuple[list[Match], list[Context], list[Context]]:
    """Pair equal figures, those in the most similar surroundings first; and what is left over on either side."""
    by_key: dict[str, set[int]] = defaultdict(set)
    for j, context in enumerate(news):
        for key in _keys(context):
            by_key[key].add(j)
    scored: list[tuple[float, int, int]] = []
    for i, context in enumerate(olds):
        for j in set().union(*(by_key[key] for key in _keys(context))):
            scored.append((-_fit(context, news[j]), i, j))
    free_old, free_new = set(range(len(olds))), set(range(len(news)))
    matches: list[Match] = []
    for _, i, j in sorted(scored):
        if i in free_old and j in free_new:
            free_old.remove(i)
            free_new.remove(j)
            matches.append((olds[i], news[j]))
    return matches, [olds[i] for i in sorted(free_old)], [news[j] for j in sorted(free_new)]


def _repeats(context: Context, others: Sequence[Context]) -> bool:
    """Is this figure one of `others` said again?"""
    return any(
        other.fact.value == context.fact.value and similarity(context, other) >= SAME_SURROUNDING for other in others
    )


def _fit(one: Context, two: Context) -> float:
    return similarity(one, two) + NEAR_WEIGHT * nearness(one, two)


def _unit(fact: Fact) -> str:
    return fact.value.lstrip("-0123456789./")


def _swapped(matches: Sequence[Match]) -> list[tuple[Match, Match]]:
    """Pairs of matches that fit clearly better when their figures change places."""
    ordered = sorted(matches, key=lambda match: match[1].fact.start)
    fits = [_fit(*match) for match in ordered]
    found: list[tuple[Match, Match]] = []
    for i, one in enumerate(ordered):
        for j in range(i + 1, min(i + 1 + REACH, len(ordered))):
            two = ordered[j]
            if one[0].fact.value == two[0].fact.value or _unit(one[0].fact) != _unit(two[0].fact):
                continue
            straight = fits[i] + fits[j]
            crossed = _fit(one[0], two[1]) + _fit(two[0], one[1])
            if one[0].sentence == two[0].sentence and one[1].sentence == two[1].sentence:
                kept = (one[0].fact.start < two[0].fact.start) == (one[1].fact.start < two[1].fact.start)
                straight, crossed = straight + ORDER_WEIGHT * 2 * kept, crossed + ORDER_WEIGHT * 2 * (not kept)
            if crossed - straight > SWAP_MARGIN:
                found.append((one, two))
    return found


def _parsed(found: Sequence[Fact]) -> list[tuple[Fact, Date]]:
    return [(fact, date) for fact in found if (date := parse_date(fact.value)) is not None]


def _dates(old: Sequence[Fact], new: Sequence[Fact], as_of: str) -> Found:
    olds, news = _parsed(old), _parsed(new)
    known = [date for _, date in olds]
    given = [date for date in known if date.year is not None]
    if as_of:
        year, month = as_of.split("-")[:2]
        known.append(Date(int(year), int(month)))
        given.append(Date(int(year), int(month)))
    missing = [fact for fact, date in olds if not any(date.within(other) for _, other in news)]
    added = [
        fact for fact, date in news if not any(date.within(other) and plausible(date, other, given) for other in known)
    ]
    return missing, added


def _names(olds: Sequence[Context], news: Sequence[Context]) -> Found:
    """Names that one side lacks, each at its first place; and names that changed places."""
    said: dict[str, list[Context]] = defaultdict(list)
    says: dict[str, list[Context]] = defaultdict(list)
    for contexts_of, side in ((olds, said), (news, says)):
        for context in contexts_of:
            side[context.fact.value].append(context)
    missing = [of[0].fact for name, of in said.items() if name not in says]
    added = [of[0].fact for name, of in says.items() if name not in said]
    shared = [name for name in said if name in says]
    for i, one in enumerate(shared):
        for two in shared[i + 1 :]:
            if _names_swapped(said[one], said[two], says[one], says[two]):
                missing += [of[0].fact for of in (said[one], said[two]) if of[0].fact not in missing]
                added += [of[0].fact for of in (says[one], says[two]) if of[0].fact not in added]
    return missing, added


def _names_swapped(
    one_old: Sequence[Context], two_old: Sequence[Context], one_new: Sequence[Context], two_new: Sequence[Context]
) -> bool:
    """Is clearly said of one name what was said of the other? Names that share a sentence are left alone: FOMCではFRBが
    may well become FRBはFOMCで."""
    for one, two in ((one_old, two_old), (one_new, two_new)):
        if {c.sentence for c in one} & {c.sentence for c in two}:
            return False

    def fit(old: Sequence[Context], new: Sequence[Context]) -> float:
        some = new[:NAME_PLACES]
        return sum(max(_fit(a, b) for a in old[:NAME_PLACES]) for b in some) / len(some)

    straight = fit(one_old, one_new) + fit(two_old, two_new)
    return fit(one_old, two_new) + fit(two_old, one_new) - straight > NAME_SWAP_MARGIN


def _negations(old: Sequence[Fact], new: Sequence[Fact]) -> Found:
    """The negations that one side has more of: those whose words the other side lacks come first."""
    more, fewer = (old, new) if len(old) >= len(new) else (new, old)
    words = [fact.text for fact in fewer]
    unmatched: list[Fact] = []
    for fact in more:
        if fact.text in words:
            words.remove(fact.text)
        else:
            unmatched.append(fact)
    extra = unmatched[: len(more) - len(fewer)]
    return (extra, []) if len(old) > len(new) else ([], extra)
