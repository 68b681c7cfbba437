"""The stage `leaderboard`: candidates side by side, all measured anew from their stored outputs, without a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import tensaku.evaluate.labels  # registers scorers
import tensaku.evaluate.scorers  # noqa: F401  (the same)
from tensaku.config import Section
from tensaku.evaluate.checks import check_scorers
from tensaku.evaluate.costs import Costs
from tensaku.evaluate.discipline import CLEAN, canary_of, discipline
from tensaku.evaluate.entries import Entry, entry_costs, read_row
from tensaku.evaluate.groups import DIMENSIONS, apart, groups, letters, ordered, parts, trials
from tensaku.evaluate.inputs import exam_pairs, lesson_pairs, mined_rules, names_in, style_in
from tensaku.evaluate.measuring import constant, measured, ruled, untouched
from tensaku.evaluate.panel import panel, votes_in
from tensaku.evaluate.report.board import write_board
from tensaku.evaluate.results import Results
from tensaku.evaluate.scoring import Measured, lower_is_better
from tensaku.evaluate.sheet import write_sheet
from tensaku.store import Artifact, Bench, SourceFile, stage

__all__ = ["Board", "Entry", "leaderboard"]


class Board(Section):
    """What is put side by side, and by what."""

    entries: tuple[Entry, ...]
    """Every candidate."""
    scorers: tuple[dict[str, Any], ...]
    """As in [evaluate]; the first one decides on order and groups."""
    resamples: int
    """As in [evaluate]."""
    seed: int
    """As in [evaluate]."""
    alpha: float
    """As in [leaderboard]."""
    judge_failed: str = ""
    """Why the judge of the task file said nothing."""


@stage(version=4)
def leaderboard(  # noqa: PLR0913  (its inputs are what a leaderboard depends on)
    bench: Bench,
    cfg: Board,
    *,
    exam: Artifact,
    lessons: Artifact,
    candidates: Mapping[str, Artifact],
    names: SourceFile | None = None,
    style: SourceFile | None = None,
    judged: Artifact | None = None,
    votes: SourceFile | None = None,
) -> None:
    """Leave `leaderboard.json`, `leaderboard.csv` and `leaderboard.html`.

    Args:
        candidates: by the name of each entry that did not fail, what `evaluate` or `examine` left.
        judged: what a judge said of these outputs.
        votes: what people said of them, a `Vote` a line.

    Facts: `exam_n`, `scorer`, `order` (best first, the untouched draft and the rules among them), `groups` (those that
    cannot be told apart), `clean_n` (exam pairs that no lesson gives away) and `clean_order`, `failed`,
    `judge_failed` (why, or empty).

    Raises:
        UsageError: outputs are of another exam, or not every draft of it was answered.
    """
    pairs, known = exam_pairs(exam), names_in(names)
    rules = mined_rules(bench, lessons)
    rows = {"draft": untouched(pairs), "rules": ruled(pairs, rules, known)}
    if (majority := constant(lesson_pairs(lessons), pairs, known)) is not None:
        rows["majority"] = majority
    costs: dict[str, Costs] = {}
    for entry in cfg.entries:
        if not entry.failed:
            artifact = candidates[entry.name]
            rows[entry.name] = read_row(artifact, entry, pairs, known)
            costs[entry.name] = entry_costs(artifact, entry, rows[entry.name])
    measures = {label: part() for label, part in check_scorers(cfg.scorers).items()}
    results = measured(measures, rows, pairs, known, style_in(style), cfg.resamples, cfg.seed, costs)
    results.rules = rules
    results.discipline = discipline(pairs, lesson_pairs(lessons), results, canary_of(exam.key))
    found = _found(results, cfg, exam)
    people = [] if votes is None else votes_in(votes.path)
    found["panel"] = panel(people, judged, cfg.resamples, cfg.seed)
    (bench.path / "leaderboard.json").write_text(
        json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    rows_found = {row["name"]: row for row in found["rows"]}
    told = {
        "about": {name: row["about"] for name, row in rows_found.items()},
        "groups": {name: " ".join(letters(row["groups"])) for name, row in rows_found.items()},
    }
    write_sheet(bench.path / "leaderboard.csv", rows_found, results.discipline["clean"][CLEAN], told)
    write_board(bench.path / "leaderboard.html", found, results)
    bench.facts.update(
        exam_n=len(pairs),
        scorer=found["scorer"],
        order=found["order"],
        groups=found["groups"],
        clean_n=found["clean"]["n"],
        clean_order=found["clean"]["order"],
        failed=sum(bool(entry.failed) for entry in cfg.entries),
        judge_failed=cfg.judge_failed,
    )


def _found(results: Results, cfg: Board, exam: Artifact) -> dict[str, Any]:
    first = results.measured[results.first]
    order, p_values = ordered(first), apart(first, cfg.alpha)
    same = groups(order, p_values, cfg.alpha)
    entries = {entry.name: entry for entry in cfg.entries}
    scores = results.scores()
    clean = results.discipline["clean"][CLEAN]
    rows = []
    for name in order:
        entry = entries.get(name)
        member = [number for number, group in enumerate(same) if name in group]
        alike = {other for number in member for other in same[number]}
        places = sorted(order.index(other) + 1 for other in alike)
        rows.append(
            {
                "name": name,
                "about": entry.about if entry else "",
                "consent": entry.consent if entry else "",
                "groups": member,
                "rank": [places[0], places[-1]],
                **scores["rows"][name],
                "clean": clean["rows"].get(name, {}),
                "gains": [gain._asdict() for gain in results.gains if gain.row == name],
            }
        )
    by = {
        dimension: [part._asdict() for part in parts(first, results.pairs, dimension, cfg.resamples)]
        for dimension in DIMENSIONS
    }
    return {
        "exam": exam.ref,
        "exam_n": len(results.pairs),
        "months": exam.facts.get("months", {}),
        "scorer": results.first,
        "lower_is_better": scores["lower_is_better"],
        "signatures": {label: held.scorer.signature() for label, held in results.measured.items()},
        "alpha": cfg.alpha,
        "resamples": cfg.resamples,
        "trials": trials(first, cfg.alpha),
        "order": order,
        "groups": [list(group) for group in same],
        "rows": rows,
        "clean": {"n": clean["n"], "caught": clean["caught"], "order": _clean_order(clean, first)},
        "discipline": scores["discipline"],
        "apart": [{"better": one, "worse": two, "p": p} for (one, two), p in p_values.items()],
        "by": by,
        "reference": scores["reference"],
        "style": list(results.style),
        "rules": [list(rule) for rule in results.rules],
        "judge_failed": cfg.judge_failed,
        "failed": [{"name": entry.name, "why": entry.failed} for entry in cfg.entries if entry.failed],
    }


def _clean_order(clean: Mapping[str, Any], first: Measured) -> list[str]:
    """The rows by their score on the clean part, the best first; empty where nothing is left of the exam."""
    sign = 1 if lower_is_better(first.scorer) else -1
    figures = {name: held[first.label]["value"] for name, held in clean["rows"].items()}
    return sorted(figures, key=lambda name: (sign * figures[name], name))
