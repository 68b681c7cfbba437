"""The stage that makes a release candidate, if every gate lets it through."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tensaku.errors import GateError, UsageError
from tensaku.govern.card import write_card
from tensaku.govern.gates import GateResult, check
from tensaku.govern.lineage import Evidence, ancestry, check_kinship
from tensaku.govern.sections import Release
from tensaku.store import Artifact, Bench, SourceFile, stage
from tensaku.store.artifact import sha256_of

__all__ = ["release"]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_FILES = (ADAPTER_CONFIG, "adapter_model.safetensors")


@stage(version=1)
def release(
    bench: Bench,
    cfg: Release,
    *,
    adapter: Artifact,
    evaluation: Artifact,
    base: Artifact,
    lessons: Artifact,
    exam: Artifact,
    instruction: SourceFile | None = None,
) -> None:
    """Leave a release candidate: `adapter/` (plain PEFT), `report.html`, `scores.json`, `gates.json`, `lineage.json`,
    `card.md` and the `instruction.md` it answers to.

    There is a candidate only if every gate says yes; if one says no, `gates.json` is left in the scratch folder.

    Raises:
        GateError: a gate said no.
        UsageError: the evaluation speaks of something else, lacks a figure, or a gate is wrong; the adapter is none.
    """
    evidence = Evidence(adapter, evaluation, base, lessons, exam)
    check_kinship(evidence)
    results = check(cfg.gate.need, evaluation.facts)
    _write(bench.path / "gates.json", {"passed": all(r.passed for r in results), "gates": [asdict(r) for r in results]})
    _refuse_if_failed(results, bench)
    _copy_adapter(adapter, bench.path / "adapter")
    for name in ("report.html", "scores.json"):
        shutil.copyfile(evaluation.file(name), bench.path / name)
    inputs: dict[str, Artifact | SourceFile] = {**evidence.named()}
    if instruction is not None:
        inputs["instruction"] = instruction
        shutil.copyfile(instruction.path, bench.path / "instruction.md")
    _write(bench.path / "lineage.json", ancestry(inputs))
    (bench.path / "card.md").write_text(write_card(cfg.title, cfg.gate, evidence, results), encoding="utf-8")
    bench.facts.update(_facts(cfg.title, evidence, results, bench.path))
    for result in results:
        bench.say(f"gate {result.gate}: passed ({result.measured}; wanted {result.wanted})")


def _facts(title: str, evidence: Evidence, results: list[GateResult], folder: Path) -> dict[str, Any]:
    """What the ledger keeps of a candidate: its figures, and what it was made from."""
    measured = evidence.evaluation.facts
    figures = {k: v for k, v in measured.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    return {
        **figures,
        "task": title,
        "gates": {r.gate: r.measured for r in results},
        "made_from": {name: held.ref for name, held in evidence.named().items()},
        "adapter_sha256": sha256_of(folder / "adapter" / "adapter_model.safetensors"),
    }


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _refuse_if_failed(results: list[GateResult], bench: Bench) -> None:
    failed = [r for r in results if not r.passed]
    if failed:
        others = "".join(f"; {r.gate!r} too: measured {r.measured}, wanted {r.wanted}" for r in failed[1:])
        first = failed[0]
        wanted = first.wanted + others
        fix = f"All gates are in {bench.path / 'gates.json'}; no candidate was made"
        raise GateError(first.gate, measured=first.measured, wanted=wanted, fix=fix)


def _copy_adapter(adapter: Artifact, target: Path) -> None:
    """Copy the PEFT folder of `adapter`, and nothing else of it, so that the release stands without its ancestors."""
    folders = [adapter.path / "adapter", adapter.path]
    found = next((folder for folder in folders if (folder / ADAPTER_CONFIG).is_file()), None)
    if found is None:
        what = f"{adapter.ref} holds no {ADAPTER_CONFIG}"
        raise UsageError(what, where=adapter.path, fix="Tune by a method that makes an adapter")
    target.mkdir(exist_ok=True)
    for name in ADAPTER_FILES:
        if not (found / name).is_file():
            raise UsageError(f"{adapter.ref} holds no {name}", where=found, fix="Tune again")
        shutil.copyfile(found / name, target / name)
