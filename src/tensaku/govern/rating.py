"""The rule that rates a model: materiality times complexity, both from 1 to 3.

Materiality: what a wrong answer would do. Inside use is 1; a proposal for publication that a person settles is 2; text
that goes out without a reader is 3. One more, up to 3, from `MANY` answers in thirty days on.
Complexity: how hard it is to see why it answers as it does. A prompt or an index is 1, a judge or an adapter over a
model is 2, weights of one's own or a base of `LARGE` parameters and more is 3.
From 6 on the rating is high, from 3 on medium, else low. The rating says how often the model is validated again.

The scales are this project's choice; a firm's own policy outranks them, and the second line may override each rating
with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

__all__ = ["LARGE", "MANY", "MONTHS", "RATINGS", "USES", "Rating", "rate"]

Level = Literal["low", "medium", "high"]
RATINGS: tuple[Level, ...] = ("low", "medium", "high")
USES = {"internal": 1, "proposal": 2, "unread": 3}
"""What a model is used for: inside the house, a proposal that a person settles, text that nobody reads before."""
MANY = 1000
LARGE = 1_000_000_000
MONTHS: dict[str, int] = {"low": 36, "medium": 24, "high": 12}
"""Months until a model of that rating has to be validated again."""

_COMPLEXITY = {"prompt": 1, "index": 1, "judge": 2, "adapter": 2, "release": 2, "base": 2, "weights": 3}


class Rating(NamedTuple):
    """Both factors, what they come to, and why."""

    materiality: int
    complexity: int
    level: Level
    reason: str


def rate(kind: str, content: Mapping[str, Any], answers: int) -> Rating:
    """The rating by rule.

    Args:
        kind: of the model: base, adapter, weights, prompt, index, judge or release.
        content: its inventory entry; `use_class` is one of `USES`, `facts` holds `parameters` and `form`.
        answers: how many it has given in the last thirty days.
    """
    use = str(content.get("use_class") or "proposal")
    busy = answers >= MANY
    materiality = min(3, USES.get(use, 2) + busy)
    facts = content.get("facts") or {}
    form = str(facts.get("form") or "")
    complexity = _COMPLEXITY.get(form if kind == "release" and form else kind, 2)
    if kind == "base" and (facts.get("parameters") or 0) >= LARGE:
        complexity = 3
    product = materiality * complexity
    level: Level = "high" if product >= 6 else "medium" if product >= 3 else "low"
    reason = (
        f"use {use}{f', {answers} answers in 30 days' if busy else ''}: {materiality}; {form or kind}: {complexity}"
    )
    return Rating(materiality, complexity, level, f"{reason}; {materiality} x {complexity} = {product}")
