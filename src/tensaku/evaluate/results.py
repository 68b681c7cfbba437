"""What an evaluation found out: the rows, their scores and findings, and what of it goes where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tensaku.evaluate.costs import Costs
from tensaku.evaluate.decoding import Answer
from tensaku.evaluate.findings import FactFate, Finding
from tensaku.evaluate.rewriting import Rule
from tensaku.evaluate.scoring import Gain, Measured, lower_is_better
from tensaku.records import Pair, Score

__all__ = ["COMPULSORY", "MODELLESS", "Results", "Row"]

COMPULSORY = ("draft", "rules")
"""The rows of every table that no model made: the draft untouched, and the best that replacements alone do."""
MODELLESS = (*COMPULSORY, "majority")
"""Every row that no model made; `majority` only where finals are labels."""


@dataclass
class Row:
    """One contestant: its answers by number in the exam, and what was measured of them.

    `scores` holds a figure for each scorer, `single` the same figure for each output alone.
    """

    name: str
    answers: dict[int, Answer]
    findings: dict[int, Finding] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)
    single: dict[str, dict[int, float]] = field(default_factory=dict)
    kinds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    @property
    def tokens_per_second(self) -> float:
        """Tokens written in a second while this row was answered, all answers together; 0 if nothing was timed."""
        seconds = sum(answer.seconds for answer in self.answers.values())
        return sum(answer.tokens for answer in self.answers.values()) / seconds if seconds > 0 else 0.0

    @property
    def cut_off(self) -> int:
        """Answers that ran into the limit on their length."""
        return sum(answer.finish == "length" for answer in self.answers.values())

    def line(self, number: int) -> dict[str, Any]:
        """Everything about one output, as plain values."""
        answer, finding = self.answers[number], self.findings[number]
        return {
            "text": answer.text,
            "finish": answer.finish,
            "kept": finding.verdict.kept,
            "breaks": [
                {"what": found.what, "kind": found.fact.kind, "value": found.fact.value, "text": found.fact.text}
                | {"start": found.fact.start, "end": found.fact.end}
                for found in finding.verdict.breaks
            ],
            "facts": [{"what": fate.what, "kind": fate.kind, **_sides(fate)} for fate in finding.fates],
            "dropped": list(finding.dropped),
            "doubled": list(finding.doubled),
            "exact": finding.exact,
            "reordered": list(finding.reordered),
            "edits": {**asdict(finding.edits.counts), "overdone": finding.edits.overdone},
            "strokes": finding.edits.strokes,
            "style": [list(found) for found in finding.style],
            "scores": {label: round(figures[number], 2) for label, figures in self.single.items()},
            "provenance": answer.provenance,
            "tokens": answer.tokens,
            "read": answer.read,
            "seconds": round(answer.seconds, 4),
        }


def _sides(fate: FactFate) -> dict[str, Any]:
    """Where a fact stands on either side: what is written, and the offsets."""
    sides = (("draft", fate.draft), ("output", fate.output))
    return {side: [fact.text, fact.start, fact.end] for side, fact in sides if fact is not None}


@dataclass
class Results:
    """All rows of one exam.

    `reference_kept` is the share of the house's finals that keep every fact of their draft; `style` names the rules of
    the house style that are checked, `rules` are the replacements of the row `rules`, `panel` is what people and a
    judge say of the outputs.
    """

    pairs: Sequence[Pair]
    rows: dict[str, Row]
    gains: list[Gain] = field(default_factory=list)
    reference_kept: float = 0.0
    reference_kinds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    reference_style: Mapping[str, int] = field(default_factory=dict)
    style: Sequence[str] = ()
    rules: Sequence[Rule] = ()
    measured: dict[str, Measured] = field(default_factory=dict)
    discipline: dict[str, Any] = field(default_factory=dict)
    panel: dict[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The label of the scorer that comes first."""
        return next(iter(self.rows["draft"].scores))

    def worst(self, n: int) -> list[int]:
        """The numbers of the `n` worst of `tuned`: broken facts, then sentences lost or repeated, then score."""
        row = self.rows["tuned"]
        lower = lower_is_better(self.measured[self.first].scorer)
        figures = {number: -value if lower else value for number, value in row.single[self.first].items()}

        def rank(number: int) -> tuple[bool, bool, float, int]:
            finding = row.findings[number]
            return finding.verdict.kept, finding.whole, figures[number], number

        return sorted((number for number in row.answers if not row.findings[number].exact), key=rank)[:n]

    def scores(self) -> dict[str, Any]:
        """Everything measured, for `scores.json`."""
        return {
            "exam_n": len(self.pairs),
            "rows": {
                name: {
                    "scores": {label: asdict(score) for label, score in row.scores.items()},
                    "findings": row.summary,
                    "facts_by_kind": row.kinds,
                    "cut_off": row.cut_off,
                    "tokens_per_second": round(row.tokens_per_second, 2),
                    "costs": asdict(row.costs),
                }
                for name, row in self.rows.items()
            },
            "gains": [gain._asdict() for gain in self.gains],
            "lower_is_better": [label for label, held in self.measured.items() if lower_is_better(held.scorer)],
            "reference": {
                "facts_kept": self.reference_kept,
                "facts_by_kind": self.reference_kinds,
                "style": self.reference_style,
            },
            "discipline": self.discipline,
            "panel": self.panel,
            "style": list(self.style),
            "rules": [list(rule) for rule in self.rules],
        }

    def facts(self) -> dict[str, Any]:
        """The figures that other stages and the terminal read."""
        tuned, base = self.rows["tuned"], self.rows["base"]
        facts: dict[str, Any] = {"exam_n": len(self.pairs)}
        for name, row in self.rows.items():
            for label, score in row.scores.items():
                facts[f"{label.replace('-', '_')}_{name}"] = round(score.value, 2)
        return facts | {
            "facts_kept": round(tuned.summary["facts_kept"], 4),
            "facts_kept_base": round(base.summary["facts_kept"], 4),
            "facts_kept_reference": round(self.reference_kept, 4),
            "dropped_sentences": tuned.summary["dropped_sentences"],
            "doubled_sentences": tuned.summary["doubled_sentences"],
            "exact": round(tuned.summary["exact"], 4),
            "edits": tuned.summary["edits"],
            "over_editing": round(tuned.summary["over_editing"], 4),
            "reordered_sentences": tuned.summary["reordered_sentences"],
            "style_violations": {name: sum(row.summary["style"].values()) for name, row in self.rows.items()}
            | {"reference": sum(self.reference_style.values())},
            "rules": len(self.rules),
            "costs": {name: asdict(row.costs) for name, row in self.rows.items() if row.costs.seconds is not None},
            "lower_is_better": [
                label.replace("-", "_") for label, held in self.measured.items() if lower_is_better(held.scorer)
            ],
            "cut_off": tuned.cut_off,
            "base_n": len(base.answers),
            "decode_tokens_per_second": round(tuned.tokens_per_second, 2),
            "signatures": {label: score.signature for label, score in tuned.scores.items()},
            "intervals": {
                label: {name: _interval(row, label) for name, row in self.rows.items()} for label in tuned.scores
            },
            "gains": [gain._asdict() for gain in self.gains],
        }


def _interval(row: Row, label: str) -> list[float]:
    score = row.scores[label]
    return [round(score.low or 0.0, 2), round(score.high or 0.0, 2)]
