"""The stage `ladder`: several ways to fit a model, and several models to fit, side by side on the same exam."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pydantic

from tensaku.config import Section
from tensaku.errors import NotFound
from tensaku.evaluate.report.rungs import write_page
from tensaku.store import Artifact, Bench, stage

__all__ = ["METHODS", "Ladder", "Rung", "Rungs", "ladder"]

METHODS = ("prompt", "lora", "qlora", "full", "dpo")
"""Every method that may be a rung."""

_RESULT = ("adapter/", "model/", "prompt.json", "examples.jsonl")


class Ladder(Section):
    """What `tensaku run tune --ladder` puts side by side: every method on every base model."""

    methods: tuple[str, ...] = ("prompt", "lora", "full")
    """The methods of tuning, each as in [tune] method."""
    bases: tuple[str, ...] = ()
    """The candidates of base model, each as in [base] model; empty: the one of [base]."""
    settings: dict[str, dict[str, Any]] = pydantic.Field(default_factory=dict)
    """What a method is told otherwise than [tune] says, as in { full = { learning_rate = 1e-4 } }."""

    @pydantic.field_validator("methods")
    @classmethod
    def _are_methods(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError(f"must name at least one method; there is: {', '.join(METHODS)}")
        _known(value)
        _once(value)
        return value

    @pydantic.field_validator("bases")
    @classmethod
    def _are_different(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        _once(value)
        return value

    @pydantic.field_validator("settings")
    @classmethod
    def _are_of_methods(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        _known(value)
        if any("method" in settings for settings in value.values()):
            raise ValueError("must not change the method itself")
        return value


def _known(methods: Any) -> None:
    for method in methods:
        if method not in METHODS:
            raise ValueError(f"must name methods of tuning: {NotFound('method', method, METHODS)}")


def _once(names: tuple[str, ...]) -> None:
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ValueError(f"must name each once, and names {twice!r} twice")


class Rung(Section):
    """One rung: a method on a base model, and why it failed if it did."""

    base: str
    """The base model, as in [base] model."""
    method: str
    """The method, as in [tune] method."""
    failed: str = ""
    """Why there is no result."""


class Rungs(Section):
    """Every rung, in order."""

    rungs: tuple[Rung, ...]
    """Numbered from 1, as the inputs are."""


@stage(version=2)
def ladder(
    bench: Bench,
    cfg: Rungs,
    *,
    exam: Artifact,
    tuned: Mapping[str, Artifact],
    evaluations: Mapping[str, Artifact],
) -> None:
    """Leave `ladder.json` and `ladder.html`: every rung with what it cost, and the rows that it has to beat.

    Those are the untouched draft, the best that rules alone do, and each base model untuned.

    Args:
        tuned: the result of tuning for each rung that has one, by its number.
        evaluations: the same for its examination.

    Facts: `exam_n`, `scorer` (the first one, by which rungs are measured), `best` (method and base of the best rung),
    `failed` (number of rungs that failed).
    """
    numbered = [(str(number), rung) for number, rung in enumerate(cfg.rungs, start=1)]
    measured = {
        number: json.loads(a.file("scores.json").read_text(encoding="utf-8")) for number, a in evaluations.items()
    }
    scorer = next((next(iter(found["rows"]["draft"]["scores"])) for found in measured.values()), "")
    rows: list[dict[str, Any]] = []
    told: set[str] = set()
    for number, rung in numbered:
        if number in measured:
            for row, base in (("draft", ""), ("rules", ""), ("base", rung.base)):
                if row + base not in told:
                    told.add(row + base)
                    rows.append({"row": row, "base": base, **_figures(measured[number], row, scorer)})
    for number, rung in numbered:
        line: dict[str, Any] = {"row": "tuned", "base": rung.base, "method": rung.method, "failed": rung.failed}
        if number in tuned:
            line |= _cost(tuned[number])
        if number in measured:
            line |= {"evaluation": evaluations[number].ref, **_figures(measured[number], "tuned", scorer)}
        rows.append(line)
    rows.sort(key=lambda row: ("draft", "rules", "base", "tuned").index(row["row"]))
    done = [row for row in rows if "score" in row and row["row"] == "tuned"]
    lower = any(scorer in found["lower_is_better"] for found in measured.values())
    best = max(done, key=lambda row: -float(row["score"]) if lower else float(row["score"]), default=None)
    for line in rows:
        line["best"] = line is best
    found = {"exam": exam.ref, "exam_n": exam.facts["n"], "scorer": scorer, "rows": rows}
    (bench.path / "ladder.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    write_page(bench.path / "ladder.html", found)
    bench.facts.update(
        exam_n=exam.facts["n"],
        scorer=scorer,
        best=None if best is None else f"{best['method']} on {best['base']}",
        failed=sum(bool(rung.failed) for rung in cfg.rungs),
    )


def _figures(found: Mapping[str, Any], row: str, scorer: str) -> dict[str, Any]:
    """The score of a row with its interval, its gain over the untouched draft, and the facts that it kept."""
    held = found["rows"][row]
    score = held["scores"][scorer]
    gain = next((g for g in found["gains"] if (g["scorer"], g["row"], g["over"]) == (scorer, row, "draft")), None)
    return {
        "n": held["findings"]["n"],
        "score": score["value"],
        "low": score["low"],
        "high": score["high"],
        "gain": None if gain is None else gain["value"],
        "gain_low": None if gain is None else gain["low"],
        "gain_high": None if gain is None else gain["high"],
        "facts_kept": held["findings"]["facts_kept"],
        "answer_tokens_per_second": held["tokens_per_second"],
    }


def _cost(tuned: Artifact) -> dict[str, Any]:
    """What a result cost: seconds, memory at the peak, and its size, both in megabytes."""
    facts = tuned.facts
    size = sum(held["bytes"] for name, held in tuned.manifest["files"].items() if name.startswith(_RESULT))
    return {
        "tuned": tuned.ref,
        "form": facts.get("form", "adapter"),
        "seconds": facts.get("tune_seconds"),
        "memory_mb": facts.get("peak_memory_mb"),
        "size_mb": facts.get("size_mb", round(size / 1e6, 3)),
    }
