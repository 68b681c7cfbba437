"""How the model does by what its writers saved: shares, minutes and groups of them, and whether to retrain."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, median
from typing import Literal

from rapidfuzz.distance import Levenshtein

from tensaku.ledger.outcomes import OutcomeRow

__all__ = ["KINDS", "Advice", "Group", "Kind", "Score", "Scores", "advise", "kind_of", "score", "scores"]

Kind = Literal["figure", "marks", "ending", "added", "removed", "wording"]
KINDS: tuple[Kind, ...] = ("figure", "marks", "ending", "added", "removed", "wording")

LONGEST_MINUTES = 60.0
"""Above this, a comment was put aside meanwhile and says nothing about the work it took."""
FEW = 3
"""Below so many comments, a month is not held against another."""


@dataclass(frozen=True, slots=True)
class Score:
    """One comment: the share of the model's characters that were rewritten (0 to 1), the minutes it took if known."""

    row: OutcomeRow
    edited: float
    minutes: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Comments that have something in common: their mean share edited, the share left as written, median minutes."""

    name: str
    n: int
    edited: float
    untouched: float
    minutes: float | None


@dataclass(frozen=True, slots=True)
class Scores:
    """All of the page. `kinds` counts the decisions on each kind of change the model proposed."""

    whole: Group
    months: Sequence[Group]
    managers: Sequence[Group]
    writers: Sequence[Group]
    kinds: Mapping[Kind, Mapping[str, int]]

    @property
    def accepted(self) -> float | None:
        """Share of all proposed changes that stand in the finals."""
        total = sum(sum(counts.values()) for counts in self.kinds.values())
        return sum(counts["accepted"] for counts in self.kinds.values()) / total if total else None


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to retrain: `new` finals since the release, and its mean share edited in its first and newest month."""

    release: str
    new: int
    wanted: int
    first: float | None
    last: float | None
    drift: float

    @property
    def enough(self) -> bool:
        """There is enough new to learn from."""
        return self.new >= self.wanted

    @property
    def drifted(self) -> bool:
        """Writers rewrite more than they did."""
        return self.first is not None and self.last is not None and self.last - self.first >= self.drift - 1e-9

    @property
    def needed(self) -> bool:
        """Either is so."""
        return self.enough or self.drifted


def kind_of(old: str, new: str) -> Kind:
    """What a change is about, told by its two texts alone."""
    plain_old, plain_new = _letters(old), _letters(new)
    if plain_old == plain_new:
        return "marks"
    if re.search(r"\d", plain_old + plain_new):
        return "figure"
    if old.strip() and new.strip() and re.fullmatch(r"[ぁ-ゖー]+", plain_old + plain_new):
        return "ending"
    if not plain_old:
        return "added"
    return "removed" if not plain_new else "wording"


def _letters(text: str) -> str:
    """Letters and digits in their plain form: what is left when marks and widths do not count."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c)[0] in "LMN").lower()


def score(row: OutcomeRow) -> Score:
    """One outcome's score. The share is Levenshtein's distance over the longer text's length."""
    minutes = (row.saved - row.asked).total_seconds() / 60
    known = minutes if 0 <= minutes <= LONGEST_MINUTES else None
    return Score(row, Levenshtein.normalized_distance(row.revision, row.final), known)


def scores(rows: Sequence[OutcomeRow]) -> Scores | None:
    """All groups, or None without an outcome. Months in order, the others with the most comments first."""
    if not rows:
        return None
    found = [score(row) for row in rows]
    kinds: dict[Kind, dict[str, int]] = {}
    for row in rows:
        for old, new, decision in row.changes:
            if decision is not None:
                counts = kinds.setdefault(kind_of(old, new), {"accepted": 0, "altered": 0, "rejected": 0})
                counts[decision] += 1
    return Scores(
        _group("", found),
        sorted(_groups(found, lambda one: one.row.as_of), key=lambda group: group.name),
        sorted(_groups(found, lambda one: one.row.manager), key=lambda group: (-group.n, group.name)),
        sorted(_groups(found, lambda one: one.row.writer), key=lambda group: (-group.n, group.name)),
        {kind: kinds[kind] for kind in KINDS if kind in kinds},
    )


def _groups(found: Sequence[Score], key: Callable[[Score], str]) -> list[Group]:
    by_name: dict[str, list[Score]] = {}
    for one in found:
        by_name.setdefault(key(one), []).append(one)
    return [_group(name, ones) for name, ones in by_name.items()]


def _group(name: str, ones: Sequence[Score]) -> Group:
    minutes = [one.minutes for one in ones if one.minutes is not None]
    untouched = sum(one.row.revision.strip() == one.row.final.strip() for one in ones) / len(ones)
    return Group(name, len(ones), fmean(one.edited for one in ones), untouched, median(minutes) if minutes else None)


def advise(rows: Sequence[OutcomeRow], releases: Mapping[str, datetime], *, wanted: int, drift: float) -> Advice | None:
    """Whether to retrain the release that wrote last; None without an outcome.

    Args:
        rows: every outcome.
        releases: when each release was made; one that is not there counts from its first revision.
        wanted: new finals from which retraining is suggested.
        drift: rise of the mean share edited (0 to 1) from which it is, too.
    """
    if not rows:
        return None
    release = max(rows, key=lambda row: row.asked).release
    own = [row for row in rows if row.release == release]
    since = releases.get(release, min(row.asked for row in own))
    months = [
        group.edited
        for group in sorted(_groups([score(row) for row in own], lambda one: one.row.as_of), key=lambda g: g.name)
        if group.n >= FEW
    ]
    several = len(months) > 1
    new = sum(row.saved >= since for row in rows)
    return Advice(release, new, wanted, months[0] if several else None, months[-1] if several else None, drift)
