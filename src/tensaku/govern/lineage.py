"""What a release was made from, all the way up to the files that came from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tensaku.errors import UsageError
from tensaku.store import Artifact, SilentReporter, SourceFile, Store

__all__ = ["Ancestry", "Evidence", "ancestry", "check_kinship"]

Ancestry = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """The artifacts that a release stands on."""

    adapter: Artifact
    evaluation: Artifact
    base: Artifact
    lessons: Artifact
    exam: Artifact

    def named(self) -> dict[str, Artifact]:
        """Each by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def ancestry(inputs: Mapping[str, Artifact | SourceFile]) -> Ancestry:
    """Every artifact and outside file behind `inputs`, by ref and full key, each artifact after its own inputs.

    Raises:
        NotFound: an ancestor is not in the workspace any more.
    """
    artifacts: dict[str, Artifact] = {}
    sources: dict[str, str] = {}
    for held in inputs.values():
        if isinstance(held, SourceFile):
            sources[held.ref] = held.key
            continue
        # An artifact stands in ROOT/artifacts/REF, beside everything that it was made from.
        store = Store(held.path.parent.parent, SilentReporter())
        for artifact in store.lineage(held.ref):
            artifacts.setdefault(artifact.ref, artifact)
    for artifact in artifacts.values():
        for part in artifact.manifest["inputs"].values():
            if part["ref"].startswith("file:"):
                sources[part["ref"]] = part["key"]
    return {
        "inputs": {name: {"ref": held.ref, "key": held.key} for name, held in inputs.items()},
        "artifacts": [_entry(artifact) for artifact in artifacts.values()],
        "files": [{"path": ref.removeprefix("file:"), "sha256": key} for ref, key in sorted(sources.items())],
    }


def _entry(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "ref": artifact.ref,
        "key": artifact.key,
        "stage": artifact.stage,
        "version": manifest["version"],
        "tensaku": manifest["tensaku"],
        "started": manifest["started"],
        "ended": manifest["ended"],
        "config": manifest["config"],
        "inputs": manifest["inputs"],
    }


def check_kinship(evidence: Evidence) -> None:
    """Refuse evidence that speaks of something else than what is to be released.

    Raises:
        UsageError: the evaluation measured another adapter, base or exam; the adapter was tuned on another base or
            other lessons, or was handed the exam.
    """
    adapter, evaluation, exam = evidence.adapter, evidence.evaluation, evidence.exam
    measured, taught = list(evaluation.inputs.values()), _taught_with(adapter)
    pairs = (
        (evaluation, measured, adapter, "measured another adapter"),
        (evaluation, measured, evidence.base, "measured over another base"),
        (evaluation, measured, exam, "was not made on this exam"),
        (adapter, taught, evidence.base, "was tuned over another base"),
        (adapter, taught, evidence.lessons, "was tuned on other lessons"),
    )
    for child, inputs, parent, what in pairs:
        if parent.ref not in inputs:
            raise UsageError(
                f"{child.ref} {what}", fix=f"Expected {parent.ref} among its inputs: {', '.join(inputs) or 'none'}"
            )
    if exam.ref in taught:
        raise UsageError(f"{adapter.ref} was tuned with the exam in hand", fix="Tune on the lessons alone")


def _taught_with(adapter: Artifact) -> list[str]:
    """The inputs of what was tuned, and of every adapter that it was tuned on top of."""
    inputs = list(adapter.inputs.values())
    below = adapter.inputs.get("adapter")
    if below is not None:
        inputs += _taught_with(Store(adapter.path.parent.parent, SilentReporter()).get(below))
    return inputs
