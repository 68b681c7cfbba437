"""Monitoring: figures a month and release, control limits, drift of what comes in, and alerts.

Control chart: individuals and moving ranges (Shewhart's XmR). From the months before the one looked at, the mean plus
and minus 2.66 times the mean moving range; 2.66 is 3 / d2 with d2 = 1.128 for ranges of two (Wheeler, Understanding
Variation, 1993). Fewer than `_LEAST` months before give no limits, and that is said.

Drift: the population stability index of a month's drafts against the first month's, sum of (p - q) ln(p / q) over the
classes, a class that is missing on one side counted as half a draft. From 0.1 on it is worth a look, from 0.25 on an
alert: the rule of thumb of credit scoring (Siddiqi, Credit Risk Scorecards, 2006).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

from tensaku.ledger import Ledger, Observed
from tensaku.text import StyleRule, violations, words

__all__ = ["FIGURES", "PSI_ALERT", "Limits", "alerts_of", "control_limits", "figures_by_month", "psi"]

PSI_ALERT = 0.25
PSI_LOOK = 0.1
_LEAST = 3

FIGURES: dict[str, tuple[str, str]] = {
    "edit_distance": ("書き手の修正量（編集距離／文字数）", "edit distance by the writer, per character"),
    "acceptance": ("提案の採用率", "share of proposed changes accepted"),
    "breaks": ("事実の警告（1件あたり）", "facts warnings an answer"),
    "style": ("文体規則の違反（1件あたり）", "breaches of the house style an answer"),
    "length": ("応答の長さ（トークン）", "length of answers, tokens"),
    "cut_off": ("長さで打ち切られた割合", "share cut off by length"),
    "seconds": ("応答時間（秒）", "seconds an answer"),
    "psi_manager": ("運用会社の構成の変化（PSI）", "drift of managers (PSI)"),
    "psi_section": ("欄の構成の変化（PSI）", "drift of sections (PSI)"),
    "psi_words": ("語彙の変化（PSI）", "drift of vocabulary (PSI)"),
}
"""Figure -> what it is called in Japanese and in English."""


class Limits(NamedTuple):
    """Where a figure ought to stay."""

    low: float
    mean: float
    high: float


def psi(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """The population stability index of two counts; 0 where one side is empty."""
    n, m = sum(before.values()), sum(now.values())
    if not n or not m:
        return 0.0
    total = 0.0
    for name in before.keys() | now.keys():
        p, q = (before.get(name, 0) or 0.5) / n, (now.get(name, 0) or 0.5) / m
        total += (q - p) * math.log(q / p)
    return total


def control_limits(before: Sequence[float]) -> Limits | None:
    """The natural limits of the months before; None if there are fewer than three."""
    if len(before) < _LEAST:
        return None
    mean = sum(before) / len(before)
    reach = 2.66 * sum(abs(b - a) for a, b in pairwise(before)) / (len(before) - 1)
    return Limits(mean - reach, mean, mean + reach)


def figures_by_month(
    ledger: Ledger, until: datetime, months: int = 24, style: Sequence[StyleRule] = ()
) -> list[dict[str, Any]]:
    """A line for each release and month (of Tokyo's calendar), oldest first: `n`, every figure that could be measured,
    its limits, and the alerts.

    Args:
        ledger: where answers and finals are.
        until: nothing after this moment counts.
        months: how far back.
        style: the house style as far as it can be checked; without rules its breaches are not counted.
    """
    rows = ledger.observed(until - timedelta(days=31 * months), until)
    grouped: dict[tuple[str, str], list[Observed]] = defaultdict(list)
    for row in rows:
        grouped[row.release, (row.at.astimezone(UTC) + timedelta(hours=9)).strftime("%Y-%m")].append(row)
    lines: list[dict[str, Any]] = []
    first: dict[str, list[Observed]] = {}
    history: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (release, month), held in sorted(grouped.items()):
        figures = _figures(held, first.setdefault(release, held), style)
        limits = {name: control_limits(history[release][name]) for name in figures}
        line = {"release": release, "month": month, "n": len(held), "figures": figures}
        line["limits"] = {name: list(found) for name, found in limits.items() if found}
        line["alerts"] = alerts_of(figures, limits)
        lines.append(line)
        for name, value in figures.items():
            history[release][name].append(value)
    return lines


def _figures(rows: Sequence[Observed], first: Sequence[Observed], style: Sequence[StyleRule]) -> dict[str, float]:
    found: dict[str, float] = {}
    distances = [
        Levenshtein.distance(row.revised, row.final) / max(1, len(row.final))
        for row in rows
        if row.revised is not None and row.final is not None
    ]
    decided = sum(row.decided for row in rows)
    seconds = [row.seconds for row in rows if row.seconds is not None]
    breaks = [row.breaks for row in rows if row.breaks is not None]
    if distances:
        found["edit_distance"] = sum(distances) / len(distances)
    if decided:
        found["acceptance"] = sum(row.accepted for row in rows) / decided
    if breaks:
        found["breaks"] = sum(breaks) / len(breaks)
    written = [row.answer for row in rows if row.answer is not None] if style else []
    if written:
        found["style"] = sum(len(violations(text, style)) for text in written) / len(written)
    found["length"] = sum(row.tokens for row in rows) / len(rows)
    found["cut_off"] = sum(row.finish == "length" for row in rows) / len(rows)
    if seconds:
        found["seconds"] = sum(seconds) / len(seconds)
    if first is not rows:
        for name in ("manager", "section"):
            sides = [Counter(v for row in side if (v := getattr(row, name)) is not None) for side in (first, rows)]
            if all(sides):
                found[f"psi_{name}"] = psi(*sides)
        then, now = _vocabulary(first), _vocabulary(rows)
        if then and now:
            found["psi_words"] = psi(*_common(then, now))
    return {name: round(value, 4) for name, value in found.items()}


def _vocabulary(rows: Sequence[Observed]) -> Counter[str]:
    return Counter(word.text for row in rows[:500] if row.draft for word in words(row.draft))


def _common(before: Counter[str], now: Counter[str], most: int = 50) -> tuple[Counter[str], Counter[str]]:
    """Both counts over the words that were most common, all others as one class: rare words come and go."""
    top = {word for word, _ in before.most_common(most)}
    sides = []
    for side in (before, now):
        kept = Counter({word: n for word, n in side.items() if word in top})
        kept[""] = side.total() - kept.total()
        sides.append(kept)
    return sides[0], sides[1]


def alerts_of(figures: Mapping[str, float], limits: Mapping[str, Limits | None]) -> list[dict[str, Any]]:
    """Every figure outside its limits, with its words."""
    found = []
    for name, value in figures.items():
        bound = limits.get(name)
        if name.startswith("psi_"):
            out, wanted = value >= PSI_ALERT, f"< {PSI_ALERT}"
        elif bound is None:
            continue
        else:
            out = not bound.low - 1e-9 <= value <= bound.high + 1e-9
            wanted = f"{bound.low:.4g} – {bound.high:.4g}"
        if out:
            japanese, english = FIGURES[name]
            found.append({"figure": name, "value": value, "wanted": wanted, "ja": japanese, "en": english})
    return found
