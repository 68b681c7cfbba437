"""How far several people, or people and a judge, agree beyond chance: Cohen's kappa and Krippendorff's alpha.

Both are for answers without order among them (left, right, tie are three names). 1 is full agreement, 0 what chance
alone would give, below 0 is less than that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from tensaku.evaluate.votes import Vote

__all__ = ["Agreement", "agreement", "by_voter", "cohen", "krippendorff", "verdict_of"]


def cohen(one: Sequence[Hashable], two: Sequence[Hashable]) -> float | None:
    """Kappa of two raters who rated the same things (Cohen 1960): (seen - chance) / (1 - chance).

    None if nothing was rated, or if both gave one and the same answer throughout: then chance explains everything.
    """
    if not one:
        return None
    n = len(one)
    seen = sum(a == b for a, b in zip(one, two, strict=True)) / n
    first, second = Counter(one), Counter(two)
    chance = sum(first[answer] * second[answer] for answer in first) / n**2
    return None if chance == 1 else (seen - chance) / (1 - chance)


def krippendorff(ratings: Sequence[Sequence[Hashable]]) -> float | None:
    """Nominal alpha of any number of raters, some of whom may have left things out (Krippendorff 2011).

    1 - observed / expected disagreement, over all pairs of ratings of one thing.

    Args:
        ratings: of each thing, the ratings that it was given; those with fewer than two do not count.

    Returns:
        None if nothing was rated twice, or if only one answer was ever given.
    """
    rated = [Counter(held) for held in ratings if len(held) > 1]
    totals = sum(rated, Counter[Hashable]())
    n = totals.total()
    if n == 0 or len(totals) < 2:
        return None
    observed = sum((held.total() ** 2 - sum(c * c for c in held.values())) / (held.total() - 1) for held in rated) / n
    expected = (n * n - sum(c * c for c in totals.values())) / (n * (n - 1))
    return 1 - observed / expected


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on the same comparisons.

    `same` is the share of them on which two raters say the same (0 to 1), all pairs of raters together; `alpha` is
    Krippendorff's; `kappas` holds Cohen's kappa of every two raters with the number of comparisons both rated; `ties`
    is each rater's share of ties.
    """

    comparisons: int
    same: float | None
    alpha: float | None
    kappas: tuple[tuple[str, str, int, float | None], ...]
    ties: Mapping[str, float]

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


Key = tuple[str, str, str]


def by_voter(votes: Sequence[Vote]) -> dict[str, dict[Key, str]]:
    """What each voter says of each comparison (item and the two names, in order of the alphabet): the better, or `tie`.

    One who saw both orders and chose differently says `tie`: only what holds in both orders is an opinion.
    """
    said: dict[str, dict[Key, list[str]]] = {}
    for vote in votes:
        key = (vote.item, *sorted((vote.left, vote.right)))
        said.setdefault(vote.by, {}).setdefault(key, []).append(verdict_of(vote))  # type: ignore[arg-type]
    return {by: {key: held[0] if len(set(held)) == 1 else "tie" for key, held in of.items()} for by, of in said.items()}


def verdict_of(vote: Vote) -> str:
    """The better one's name, or `tie`."""
    return {"left": vote.left, "right": vote.right, "tie": "tie"}[vote.winner]


def agreement(votes: Sequence[Vote]) -> Agreement:
    """How far the voters of `votes` agree on the comparisons that at least two of them made."""
    said = by_voter(votes)
    keys: Counter[Key] = Counter(key for of in said.values() for key in of)
    shared = sorted(key for key, n in keys.items() if n > 1)
    # left and right of the alphabet: the names of different pairs must not count as different answers
    ratings = [[_side(of[key], key) for of in said.values() if key in of] for key in shared]
    kappas = []
    same = both = 0
    for one, two in combinations(sorted(said), 2):
        common = [key for key in said[one] if key in said[two]]
        if common:
            first, second = ([_side(said[by][key], key) for key in common] for by in (one, two))
            kappas.append((one, two, len(common), cohen(first, second)))
            same += sum(a == b for a, b in zip(first, second, strict=True))
            both += len(common)
    ties = {by: sum(answer == "tie" for answer in of.values()) / len(of) for by, of in sorted(said.items())}
    return Agreement(len(shared), same / both if both else None, krippendorff(ratings), tuple(kappas), ties)


def _side(answer: str, key: Key) -> str:
    return "tie" if answer == "tie" else "first" if answer == key[1] else "second"
