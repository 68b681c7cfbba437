"""What spoils an exam: texts that lessons give away, and texts that could not be known at their month.

Three nets, from the tightest: `exact` (a side equals one of a lesson but for width, case and white space), `near` (the
sets of runs of 5 characters have a Jaccard likeness of at least 0.8, found by MinHash, then counted exactly; Broder
1997) and `run` (50 characters in a row stand in a lesson, as in the contamination check of the GPT-4 report, 2023).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensaku.evaluate.labels import labels_of
from tensaku.evaluate.results import Results
from tensaku.evaluate.scoring import Measured
from tensaku.records import Pair
from tensaku.resampling import resamples

__all__ = [
    "CANARY",
    "CLEAN",
    "Ahead",
    "Overlap",
    "canary_of",
    "clean_scores",
    "discipline",
    "jaccard",
    "look_ahead",
    "overlaps",
    "shingles",
]

Net = Literal["exact", "near", "run"]
NETS: tuple[Net, ...] = ("exact", "near", "run")
CLEAN = NETS[-1]
"""The net that leaves the clean part of the exam: what none of the three catches."""
CANARY = "tensaku-exam-canary"
"""What stands in every file with an exam's texts: who finds it among training data has found a leak."""

_SIDES = ("draft", "final")
_NEAR, _SHINGLE, _RUN = 0.8, 5, 50
_BANDS, _ROWS = 32, 4  # two texts of likeness 0.8 share a band in 99.99 % of cases, of 0.3 in 23 %
_PRIME = (1 << 31) - 1
_DATE = re.compile(r"(?<!\d)(20\d\d)\s*(?:年\s*(\d{1,2})\s*月|[-/.](\d{1,2})(?!\d))")


class Overlap(NamedTuple):
    """One side of an exam pair that a lesson gives away: by which net, which lesson, how like (0 to 1)."""

    number: int
    side: str
    net: Net
    lesson: str
    likeness: float


class Ahead(NamedTuple):
    """A month named in a pair that is later than the pair's own."""

    number: int
    side: str
    text: str
    month: str


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def shingles(text: str, n: int = _SHINGLE) -> frozenset[str]:
    """The runs of `n` characters of a text, or the text itself if it is shorter."""
    return frozenset(text[at : at + n] for at in range(max(1, len(text) - n + 1)))


def jaccard(one: Collection[Any], two: Collection[Any]) -> float:
    """The share of what either set holds that both hold, 0 to 1; 1 for two empty ones."""
    a, b = set(one), set(two)
    return len(a & b) / len(a | b) if a or b else 1.0


def overlaps(exam: Sequence[Pair], lessons: Sequence[Pair]) -> list[Overlap]:
    """For each side of each exam pair the tightest net that a lesson is caught in, with the lesson most like it.

    Where finals are labels, drafts alone are compared: a label that lessons share gives nothing away.
    """
    found: list[Overlap] = []
    for side in _SIDES[:1] if labels_of(lessons) else _SIDES:
        asked = [_fold(getattr(pair, side)) for pair in exam]
        taught = [_fold(getattr(pair, side)) for pair in lessons]
        near = _near(asked, taught)
        runs: dict[str, int] = {}
        for at, text in enumerate(taught):
            for start in range(len(text) - _RUN + 1):
                runs.setdefault(text[start : start + _RUN], at)
        for number, text in enumerate(asked):
            if (caught := near.get(number)) is not None:
                at, likeness = caught
                net: Net = "exact" if taught[at] == text else "near"
                found.append(Overlap(number, side, net, lessons[at].id, likeness))
                continue
            pieces = (text[start : start + _RUN] for start in range(len(text) - _RUN + 1))
            known = next((runs[piece] for piece in pieces if piece in runs), None)
            if known is not None:
                found.append(
                    Overlap(number, side, "run", lessons[known].id, jaccard(shingles(text), shingles(taught[known])))
                )
    return sorted(found)


def _near(asked: Sequence[str], taught: Sequence[str]) -> dict[int, tuple[int, float]]:
    """Number in `asked` -> the most like of `taught` and its likeness, where that is at least `_NEAR`."""
    if not taught:
        return {}
    sets = [shingles(text) for text in taught]
    buckets: dict[tuple[int, bytes], list[int]] = {}
    for at, held in enumerate(sets):
        for key in _bands(held):
            buckets.setdefault(key, []).append(at)
    found: dict[int, tuple[int, float]] = {}
    for number, text in enumerate(asked):
        mine = shingles(text)
        candidates = {at for key in _bands(mine) for at in buckets.get(key, ())}
        best = max(((jaccard(mine, sets[at]), -at) for at in candidates), default=(0.0, 0))
        if best[0] >= _NEAR:
            found[number] = (-best[1], best[0])
    return found


def _bands(held: frozenset[str]) -> list[tuple[int, bytes]]:
    """The MinHash of a set, cut into bands."""
    hashed = np.fromiter((zlib.crc32(piece.encode()) for piece in held), dtype=np.uint64, count=len(held))
    lowest = ((hashed[:, None] * _FACTORS + _OFFSETS) % _PRIME).min(axis=0).astype(np.uint32)
    return [(band, lowest[band * _ROWS : (band + 1) * _ROWS].tobytes()) for band in range(_BANDS)]


def _drawn(seed: int) -> NDArray[np.uint64]:
    return np.random.default_rng(seed).integers(1, _PRIME, size=_BANDS * _ROWS, dtype=np.uint64)


_FACTORS, _OFFSETS = _drawn(1), _drawn(2)


def clean_scores(found: Sequence[Overlap], measured: Mapping[str, Measured], n: int) -> dict[str, Any]:
    """The scores on what is left of the exam of `n` pairs when what a net catches, and every tighter one, is left out.

    Returns:
        By net: `n`, how many pairs are left, `caught`, how many are not, and `rows`: row -> scorer -> figure with its
        95 % interval (`value`, `low`, `high`), of the rows that hold all pairs; no rows where nothing is left.
    """
    told: dict[str, Any] = {}
    for place, net in enumerate(NETS):
        caught = {overlap.number for overlap in found if overlap.net in NETS[: place + 1]}
        left = [number for number in range(n) if number not in caught]
        rows: dict[str, dict[str, dict[str, float]]] = {}
        for label, held in measured.items() if left else ():
            whole = next((names for row, names in held.families.items() if len(held.sums[row]) == n), ())
            drawn = resamples(len(left), held.times, held.seed, [whole[number] for number in left] if whole else ())
            for row, sums in held.sums.items():
                if len(sums) == n:
                    figure, kept = held.scorer.figure, sums[left]
                    low, high = np.percentile(figure(drawn @ kept), [2.5, 97.5])
                    told_of = {"value": float(figure(kept.sum(axis=0))), "low": float(low), "high": float(high)}
                    rows.setdefault(row, {})[label] = told_of
        told[net] = {"n": len(left), "caught": len(caught), "rows": rows}
    return told


def look_ahead(pairs: Sequence[Pair]) -> list[Ahead]:
    """Months that are named in a pair and come after its own: a forecast may name them, a report of what was cannot."""
    found = []
    for number, pair in enumerate(pairs):
        for side in _SIDES:
            for match in _DATE.finditer(unicodedata.normalize("NFKC", getattr(pair, side))):
                month = int(match[2] or match[3])
                named = f"{match[1]}-{month:02d}"
                if 1 <= month <= 12 and named > pair.as_of:
                    found.append(Ahead(number, side, match[0], named))
    return found


def canary_of(exam_key: str) -> str:
    """The canary of an exam: the same words for every exam, and a number of its own."""
    return f"{CANARY} {exam_key[:32]}"


def discipline(exam: Sequence[Pair], lessons: Sequence[Pair], results: Results, canary: str) -> dict[str, Any]:
    """Everything that spoils the exam, as plain values, for `scores.json`.

    `overlaps` and `ahead` name pair and place; `clean` holds the scores without what is caught; `newer_lessons` counts
    lessons that are not older than the oldest month of the exam; `canaries_in_lessons` those in which any exam's canary
    stands.
    """
    caught, oldest = overlaps(exam, lessons), min(pair.as_of for pair in exam)
    return {
        "canary": canary,
        "canaries_in_lessons": sum(CANARY in pair.draft + pair.final for pair in lessons),
        "newer_lessons": sum(pair.as_of >= oldest for pair in lessons),
        "overlaps": [{**one._asdict(), "id": exam[one.number].id} for one in caught],
        "clean": clean_scores(caught, results.measured, len(exam)),
        "ahead": [{**one._asdict(), "id": exam[one.number].id} for one in look_ahead(exam)],
    }
