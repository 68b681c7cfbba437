"""The stage that makes a release candidate, if every gate lets it through."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tensaku.errors import GateError
from tensaku.govern.changes import traits_of
from tensaku.govern.document import Sealed, candidate_card
from tensaku.govern.forms import copy_tuned, digests
from tensaku.govern.gates import GateResult, check
from tensaku.govern.lineage import Evidence, ancestry, check_kinship
from tensaku.govern.sections import Release
from tensaku.revise import form_of
from tensaku.store import Artifact, Bench, SourceFile, stage

__all__ = ["release"]


@stage(version=4)
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
    """Leave a release candidate: what was tuned (`adapter/`, plain PEFT; or `model/`; or `prompt.json` and
    `examples.jsonl`), `report.html`, `scores.json`, `gates.json`, `lineage.json`, `card.md` and the `instruction.md`
    it answers to.

    There is a candidate only if every gate says yes; if one says no, `gates.json` is left in the scratch folder.

    Raises:
        GateError: a gate said no.
        UsageError: the evaluation speaks of something else, lacks a figure, or a gate is wrong; `adapter` holds
            nothing of its form.
    """
    evidence = Evidence(adapter, evaluation, base, lessons, exam)
    check_kinship(evidence)
    results = check(cfg.gate.need, evaluation.facts)
    _write(bench.path / "gates.json", {"passed": all(r.passed for r in results), "gates": [asdict(r) for r in results]})
    _refuse_if_failed(results, bench)
    form = form_of(adapter)
    copy_tuned(adapter, form, bench.path)
    for name in ("report.html", "scores.json"):
        shutil.copyfile(evaluation.file(name), bench.path / name)
    inputs: dict[str, Artifact | SourceFile] = {**evidence.named()}
    if instruction is not None:
        inputs["instruction"] = instruction
        shutil.copyfile(instruction.path, bench.path / "instruction.md")
    _write(bench.path / "lineage.json", ancestry(inputs))
    told = instruction.path.read_text(encoding="utf-8").strip() if instruction is not None else ""
    sealed = Sealed(cfg.title, cfg.gate, evidence, results, told)
    (bench.path / "card.md").write_text(candidate_card(sealed), encoding="utf-8")
    bench.facts.update(_facts(cfg.title, evidence, results))
    words = instruction.key if instruction is not None else ""
    bench.facts.update(form=form, **digests(adapter, form), traits=traits_of(adapter, base, words))
    for result in results:
        bench.say(f"gate {result.gate}: passed ({result.measured}; wanted {result.wanted})")


def _facts(title: str, evidence: Evidence, results: list[GateResult]) -> dict[str, Any]:
    """What the ledger keeps of a candidate: its figures, and what it was made from."""
    measured = evidence.evaluation.facts
    figures = {k: v for k, v in measured.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    return {
        **figures,
        "task": title,
        "gates": {r.gate: str(r.measured) for r in results},
        "made_from": {name: held.ref for name, held in evidence.named().items()},
    }


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _refuse_if_failed(results: list[GateResult], bench: Bench) -> None:
    failed = [r for r in results if not r.passed]
    if failed:
        others = "".join(f"; {r.gate!r} too: measured {r.measured}, wanted {r.wanted}" for r in failed[1:])
        first = failed[0]
        wanted = f"{first.wanted}{others}"
        fix = f"All gates are in {bench.path / 'gates.json'}; no candidate was made"
        raise GateError(first.gate, measured=str(first.measured), wanted=wanted, fix=fix)
