"""The stage that makes a pool of pairs fit to learn and to be examined from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import tensaku.curate.alike
import tensaku.curate.personal.step
import tensaku.curate.steps  # noqa: F401  (registers the steps)
from tensaku.config import Section
from tensaku.curate.ingest import DROPS, PAIRS
from tensaku.curate.rows import JsonlWriter, PairFile
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


@stage(version=1)
def curate(bench: Bench, cfg: Curate, *, source: Artifact) -> None:
    """Take the pairs of `source` through every step; leave `pairs.jsonl` and, with the reason of each, `drops.jsonl`.

    Raises:
        NotFound, UsageError: a step or one of its settings is unknown; nothing has been done yet.
    """
    chosen = [steps.build(use) for use in cfg.steps]
    rows = PairFile(source.path / PAIRS)
    report = []
    with JsonlWriter(bench.path / DROPS) as drops:
        for number, step in enumerate(chosen):
            target = bench.aside / f"{number}.jsonl"
            report.append(_walk(bench, step, rows, target, drops))
            _forget(rows, bench.aside)
            rows = PairFile(target)
    with JsonlWriter(bench.path / PAIRS) as kept:
        datasheet = _datasheet(rows, kept)
    _forget(rows, bench.aside)
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


def _walk(bench: Bench, step: Part[Any], rows: PairFile, target: Path, drops: JsonlWriter) -> dict[str, Any]:
    tally: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with JsonlWriter(target) as kept, bench.progress(f"curate: {step.name}", None) as bar:
        for record in step(rows, tally):
            if isinstance(record, Pair):
                kept.write(record)
            else:
                reasons[record.reason] += 1
                drops.write(record)
            bar.advance(1)
    return {
        "step": step.name,
        "args": step.args,
        "before": kept.n + reasons.total(),
        "after": kept.n,
        "dropped": dict(sorted(reasons.items())),
        "noted": {name: n for name, n in sorted(tally.items()) if n},
    }


def _forget(rows: PairFile, folder: Path) -> None:
    if rows.path.parent == folder:
        rows.path.unlink()


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
