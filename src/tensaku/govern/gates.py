"""The gates: what a release must show before it can become a candidate.

A gate is a function of the evaluation's facts that returns a `GateResult`; it comes in through the door `gates`, so a
house can bring its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensaku.errors import UsageError
from tensaku.govern.said import Saying, say
from tensaku.plugins import gates

__all__ = [
    "GateResult",
    "beats_base",
    "beats_draft",
    "beats_rules",
    "check",
    "exam_size",
    "facts_kept",
    "figure",
    "score",
]


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate found. `measured` and `wanted` are values with what is said of them, or a house's own short texts;
    `gate` and `settings` say which it was."""

    passed: bool
    measured: str | Saying
    wanted: str | Saying
    gate: str = ""
    settings: Mapping[str, Any] | None = None


def figure(facts: Mapping[str, Any], name: str) -> float:
    """The figure of that name among the evaluation's facts.

    Raises:
        UsageError: it was not measured, or is no finite number.
    """
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        known = ", ".join(sorted(k for k, v in facts.items() if isinstance(v, int | float) and not isinstance(v, bool)))
        raise UsageError(f"the evaluation did not measure {name!r}", fix=f"It measured: {known or 'nothing'}")
    if not math.isfinite(value):
        raise UsageError(f"the evaluation's {name!r} is {value}, which is no figure", fix="Evaluate again")
    return float(value)


@gates.register("beats-draft")
def beats_draft(facts: Mapping[str, Any], /, *, scorer: str = "bleu", by: float = 5.0) -> GateResult:
    """The tuned model scores at least `by` points above the untouched draft: it does more than nothing."""
    return _beats(facts, "draft", scorer, by)


@gates.register("beats-base")
def beats_base(facts: Mapping[str, Any], /, *, scorer: str = "bleu", by: float = 0.0) -> GateResult:
    """The tuned model scores at least `by` points above the base model: the tuning was worth it."""
    return _beats(facts, "base", scorer, by)


@gates.register("beats-rules")
def beats_rules(facts: Mapping[str, Any], /, *, scorer: str = "bleu", by: float = 0.0) -> GateResult:
    """The tuned model scores at least `by` points above replacements mined from the lessons: a model is needed."""
    return _beats(facts, "rules", scorer, by)


@gates.register("score")
def score(facts: Mapping[str, Any], /, *, scorer: str = "bleu", at_least: float) -> GateResult:
    """The tuned model scores `at_least` so many points."""
    tuned = figure(facts, f"{scorer}_tuned")
    if scorer in facts.get("lower_is_better", ()):
        raise UsageError(f"of {scorer} less is better", where="the gate score", fix="Use beats-draft or beats-rules")
    found = say("score", scorer=scorer, value=tuned)
    return GateResult(tuned >= at_least, found, say("least-points", bound=at_least))


@gates.register("facts-kept")
def facts_kept(facts: Mapping[str, Any], /, *, at_least: float = 0.98) -> GateResult:
    """The share of outputs (0 to 1, before the guard) that keep every fact of their draft is `at_least` this."""
    kept = figure(facts, "facts_kept")
    return GateResult(kept >= at_least, say("kept", share=kept), say("least-share", bound=at_least))


@gates.register("exam-size")
def exam_size(facts: Mapping[str, Any], /, *, at_least: int = 50) -> GateResult:
    """The exam has `at_least` so many pairs: fewer, and its figures say little."""
    n = figure(facts, "exam_n")
    return GateResult(n >= at_least, say("pairs", n=n), say("least-pairs", bound=at_least))


def _beats(facts: Mapping[str, Any], other: str, scorer: str, by: float) -> GateResult:
    tuned, rival = figure(facts, f"{scorer}_tuned"), figure(facts, f"{scorer}_{other}")
    better = rival - tuned if scorer in facts.get("lower_is_better", ()) else tuned - rival
    measured = say(f"beats-{other}", scorer=scorer, tuned=tuned, rival=rival, better=better)
    return GateResult(better >= by, measured, say("least-gain", bound=by))


def check(need: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> list[GateResult]:
    """What every gate of `need` finds, in order; all are asked, whether or not one says no.

    Raises:
        NotFound: there is no such gate.
        UsageError: a setting is wrong, a figure was not measured, or a gate answers with something else.
    """
    parts = [gates.build(use) for use in need]
    found = []
    for part in parts:
        result = part(facts)
        if not isinstance(result, GateResult):
            raise UsageError(f"the gate {part.name!r} answered {result!r}", fix="A gate returns a GateResult")
        found.append(GateResult(bool(result.passed), result.measured, result.wanted, part.name, part.args))
    return found
