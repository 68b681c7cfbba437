"""The report: one HTML file that needs nothing else, to be read on a screen or on paper.

Everything that comes from data passes through `markupsafe`, so a draft with markup in it shows as the text it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tensaku.evaluate.report import doings, origins, sections
from tensaku.evaluate.report.outputs import every_output, filter_rules
from tensaku.evaluate.report.panel import panel_section
from tensaku.evaluate.report.pieces import row_words
from tensaku.evaluate.report.worst import worst_outputs
from tensaku.evaluate.results import Results
from tensaku.report import Line, grid, line_chart, page, section
from tensaku.store import Artifact

__all__ = ["write_report"]


def write_report(path: Path, results: Results, lineage: Mapping[str, Artifact], worst: int) -> None:
    """Write the report of one evaluation.

    Args:
        lineage: the artifacts that went in, by the name of the input.
        worst: how many of the worst outputs are shown.
    """
    exam, lessons, adapter = lineage["exam"], lineage["lessons"], lineage["adapter"]
    shown = ["tuned", *(row for row in results.rows if row not in ("draft", "tuned"))]  # drafts stand beside each
    parts = [
        sections.opening(results, exam.facts),
        sections.score_section(results),
        sections.fact_section(results),
        doings.edit_section(results),
        doings.style_section(results),
        doings.cost_section(results),
        panel_section(results.panel, row_words),
        worst_outputs(results, worst),
        _loss(adapter),
        _search(adapter),
        origins.data_section(exam.facts, lessons.facts),
        origins.discipline_section(results),
        origins.lineage_section(lineage, results),
        doings.rule_section(results.rules),
        sections.reading_section(results),
        every_output(results, shown),
    ]
    style = resources.files("tensaku.evaluate.report").joinpath("style.css").read_text(encoding="utf-8")
    style += filter_rules(results, shown)
    path.write_text(page("添削 評価報告書 Tensaku evaluation", parts, style), encoding="utf-8")


def _loss(adapter: Artifact) -> Markup:
    """The course of training, if the adapter's maker kept it."""
    log = adapter.path / "loss.jsonl"
    if not log.is_file():
        return Markup()
    steps: list[dict[str, Any]] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    if len(steps) < 2:
        return Markup()
    losses = Line([(step["step"], step["loss"]) for step in steps], ("学習", "training"), smooth=True)
    rates = Line([(step["step"], step.get("lr")) for step in steps], style="second")
    charts = line_chart(("損失", "Loss, nats a token"), [losses], wide=True)
    charts += line_chart(("学習率", "Learning rate"), [rates], wide=True, height=110)
    body = Markup('<div class="plots">{}</div>').format(charts)
    return section("学習の経過", "Training", body + sections.training_facts(adapter.facts))


def _search(adapter: Artifact) -> Markup:
    """What quoting how many examples in which order was worth, if that was searched."""
    told = adapter.path / "prompt.json"
    if not told.is_file():
        return Markup()
    found: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    rows = [[row["k"], row["order"], f"{row['score']:.1f}"] for row in found.get("searched", ())]
    table = grid(["例の数 k", "順 order", found.get("measure", "")], rows, numbers_from=2) if rows else Markup()
    chosen = Markup("<p>下書きに似た過去の対を {} 件引く（{}）。<small>{} past pairs are quoted, {}. {}</small></p>")
    note = chosen.format(found["k"], found["order"], found["k"], found["order"], found.get("note", ""))
    return section("引用する例", "Examples quoted", note + table)
