"""The stage that makes a pool of pairs fit to learn and to be examined from."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic

# Each of these registers its steps.
import tensaku.curate.alike
import tensaku.curate.classes
import tensaku.curate.common_form
import tensaku.curate.heuristics
import tensaku.curate.language
import tensaku.curate.mixing
import tensaku.curate.pairing
import tensaku.curate.personal.step
import tensaku.curate.semantic
import tensaku.curate.steps  # noqa: F401
from tensaku.config import Section
from tensaku.curate.back import identities
from tensaku.curate.ingest import DROPS, PAIRS
from tensaku.curate.rows import JsonlWriter
from tensaku.curate.shards import Shards, cut
from tensaku.curate.sheet import write_sheet
from tensaku.curate.spread import Cluster
from tensaku.curate.walk import Stretch, stretches
from tensaku.errors import UsageError
from tensaku.plugins import steps
from tensaku.store import Artifact, Bench, SourceFile, stage

__all__ = ["Curate", "curate", "step_files"]


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

    cluster: Literal["", "ray"] = pydantic.Field("", exclude=True)
    """Where the steps that look at each pair by itself are done: on this machine, or in the Ray cluster that
    RAY_ADDRESS names (none named: a Ray of this machine). The pool is the same one, wherever it was made."""


SHEET = "datasheet.html"


def step_files(cfg: Curate, folder: Path) -> dict[str, SourceFile]:
    """The files that the steps name, seen from `folder`, by the number of the step and its setting.

    Raises:
        NotFound, UsageError: a step or one of its settings is wrong, or such a file is not there.
    """
    found = {}
    for number, use in enumerate(cfg.steps, 1):
        for setting, name in steps.files(use).items():
            path = folder / Path(name).expanduser()
            if not path.is_file():
                fix = f"Correct {setting} in step {use['step']!r}"
                raise UsageError("there is no such file", where=path, fix=fix)
            found[f"step_{number}_{setting}"] = SourceFile(path)
    return found


def _files_of(number: int, use: Mapping[str, Any], files: Mapping[str, SourceFile]) -> dict[str, str]:
    """The settings of one step that name files of `files`, with the paths where they are."""
    named = {setting: files.get(f"step_{number}_{setting}") for setting in use}
    return {setting: str(file.path) for setting, file in named.items() if file is not None}


@stage(version=3)
def curate(
    bench: Bench,
    cfg: Curate,
    *,
    source: Artifact,
    taken_back: SourceFile | None = None,
    files: Mapping[str, SourceFile] | None = None,
) -> None:
    """Take the pairs of `source` through every step.

    Leaves `pairs.jsonl`, `drops.jsonl` with the reason of each, and `datasheet.html` for people. A run that was killed
    goes on with the shards that are not done; a step that looks at all pairs together begins anew.

    Args:
        taken_back: the drops that people took back, as `curate.taken_back_file` writes them: such pairs stay.
        files: the files that the steps name, as `step_files` finds them; without it the steps look for them themselves.

    Raises:
        NotFound, UsageError: a step or one of its settings is unknown; nothing has been done yet.
    """
    placed = [_files_of(number, use, files or {}) for number, use in enumerate(cfg.steps, 1)]
    chosen = [steps.build({**use, **paths}) for use, paths in zip(cfg.steps, placed, strict=True)]
    back = frozenset(identities(taken_back))
    rows = Shards(cut(source.path / PAIRS), bench.aside)
    report: list[dict[str, Any]] = []
    walked: list[Stretch] = []
    with Cluster() as cluster:
        for number, parts in enumerate(stretches(chosen)):
            stretch = Stretch(bench, number, parts, back, cluster if cfg.cluster else None)
            rows, done = stretch.walk(rows)
            report += done
            if walked:
                walked[-1].forget()
            walked.append(stretch)
    with (bench.path / DROPS).open("wb") as drops:
        for path in (path for stretch in walked for path in stretch.drops):
            with path.open("rb") as part:
                shutil.copyfileobj(part, drops)
    with JsonlWriter(bench.path / PAIRS) as kept:
        datasheet = _datasheet(rows, kept)
    for entry, use, paths in zip(report, cfg.steps, placed, strict=True):  # the report says what the task file says
        entry["args"] |= {setting: use[setting] for setting in paths}
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
    if back:
        kept_back = sum(entry.get("taken_back", 0) for entry in report)
        bench.facts["taken_back"] = {"asked": len(back), "kept": kept_back}
    with bench.progress("curate: data sheet", None):
        page = write_sheet(bench.facts, source.path / PAIRS, bench.path / PAIRS, bench.path / DROPS)
        (bench.path / SHEET).write_text(page, encoding="utf-8")


def _datasheet(rows: Shards, kept: JsonlWriter) -> dict[str, Any]:
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
