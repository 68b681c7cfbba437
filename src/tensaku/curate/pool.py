"""The stage that makes a pool of pairs fit to learn and to be examined from."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

# Each of these registers its steps.
import tensaku.curate.alike
import tensaku.curate.common_form
import tensaku.curate.heuristics
import tensaku.curate.language
import tensaku.curate.mixing
import tensaku.curate.pairing
import tensaku.curate.personal.step
import tensaku.curate.steps  # noqa: F401
from tensaku.config import Section
from tensaku.curate.ingest import DROPS, PAIRS
from tensaku.curate.rows import JsonlWriter, PairFile
from tensaku.curate.sheet import write_sheet
from tensaku.plugins import Part, steps
from tensaku.records import Pair
from tensaku.store import Artifact, Bench, stage

__all__ = ["Curate", "curate"]


class Curate(Section):
    """What is done to the pairs before they are taught."""

    steps: tuple[dict[str, Any], ...] = (
        {"step": "repair"},
        {"step": "normalise"},
        {"step": "empty"},
        {"step": "long"},
        {"step": "identical"},
        {"step": "duplicates"},
        {"step": "twins"},
        {"step": "ids"},
    )
    """The steps in their order, each with its settings, as in { step = "twins", keep = "none" }."""


SHEET = "datasheet.html"


@stage(version=2)
def curate(bench: Bench, cfg: Curate, *, source: Artifact) -> None:
    """Take the pairs of `source` through every step.

    Leaves `pairs.jsonl`, `drops.jsonl` with the reason of each, and `datasheet.html` for people. A run that was killed
    goes on after the last step that was done.

    Raises:
        NotFound, UsageError: a step or one of its settings is unknown; nothing has been done yet.
    """
    chosen = [steps.build(use) for use in cfg.steps]
    rows = PairFile(source.path / PAIRS)
    report = []
    for number, step in enumerate(chosen):
        target = bench.aside / f"{number}.jsonl"
        report.append(_done(bench, number) or _walk(bench, step, rows, target, number))
        _forget(rows, bench.aside)
        rows = PairFile(target)
    with (bench.path / DROPS).open("wb") as drops:
        for number in range(len(chosen)):
            with (bench.aside / f"{number}.drops.jsonl").open("rb") as part:
                shutil.copyfileobj(part, drops)
    with JsonlWriter(bench.path / PAIRS) as kept:
        datasheet = _datasheet(rows, kept)
    reasons: Counter[str] = Counter()
    for entry in report:
        reasons.update(entry["dropped"])
    bench.facts.update(
        n=kept.n,
        dropped=dict(sorted(reasons.items())),
        steps=report,
        datasheet=datasheet,
        source={key: source.facts[key] for key in ("files", "n", "set_aside") if key in source.facts},
    )
    with bench.progress("curate: data sheet", None):
        page = write_sheet(bench.facts, source.path / PAIRS, bench.path / PAIRS, bench.path / DROPS)
        (bench.path / SHEET).write_text(page, encoding="utf-8")
    _forget(rows, bench.aside)


def _done(bench: Bench, number: int) -> dict[str, Any] | None:
    """The report of a step that an earlier, killed run has finished; its marker is written after all else."""
    marker = bench.aside / f"{number}.done.json"
    if not marker.is_file():
        return None
    report: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8"))
    return report


def _walk(bench: Bench, step: Part[Any], rows: PairFile, target: Path, number: int) -> dict[str, Any]:
    tally: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with (
        JsonlWriter(target) as kept,
        JsonlWriter(bench.aside / f"{number}.drops.jsonl") as drops,
        bench.progress(f"curate: {step.name}", None) as bar,
    ):
        for record in step(rows, tally):
            if isinstance(record, Pair):
                kept.write(record)
            else:
                reasons[record.reason] += 1
                drops.write(record)
            bar.advance(1)
    report = {
        "step": step.name,
        "args": step.args,
        "before": kept.n + reasons.total(),
        "after": kept.n,
        "dropped": dict(sorted(reasons.items())),
        "noted": {name: n for name, n in sorted(tally.items()) if n},
    }
    marker = bench.aside / f"{number}.done.json"
    fresh = marker.with_suffix(".new")
    fresh.write_text(json.dumps(report, ensure_ascii=False), encoding="utf-8")
    fresh.replace(marker)
    return report


def _forget(rows: PairFile, folder: Path) -> None:
    if rows.path.parent == folder:
        rows.path.unlink(missing_ok=True)


def _datasheet(rows: PairFile, kept: JsonlWriter) -> dict[str, Any]:
    """Write every pair to `kept` and say what is in them: counts by label, lengths in characters."""
    labels: dict[str, Counter[str]] = {name: Counter() for name in ("as_of", "manager", "fund", "section")}
    lengths: dict[str, list[int]] = {"draft": [], "final": []}
    families = set()
    for pair in rows:
        kept.write(pair)
        families.add(pair.family)
        for name, counter in labels.items():
            counter[getattr(pair, name)] += 1
        for side, found in lengths.items():
            found.append(len(getattr(pair, side)))
    months = labels.pop("as_of")
    return {
        "months": {"first": min(months), "last": max(months), "n": len(months)} if months else {},
        "families": len(families),
        **{name: dict(counter.most_common(50)) for name, counter in labels.items()},
        "characters": {side: _spread(found) for side, found in lengths.items()},
    }


def _spread(lengths: list[int]) -> dict[str, int]:
    if not lengths:
        return {}
    lengths.sort()
    return {"least": lengths[0], "middle": lengths[len(lengths) // 2], "most": lengths[-1]}
