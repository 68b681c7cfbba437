"""Gate and validation on a workspace: what is held against what, and the result in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tensaku.errors import UsageError
from tensaku.govern.probe import Probe, probe
from tensaku.govern.promotion import Promotion, promotion
from tensaku.govern.validation import Validation, note_validation, validation
from tensaku.ledger import SYSTEM, FilingRow, Ledger
from tensaku.options import artifact_of
from tensaku.pipeline import Workspace
from tensaku.store import Artifact, Reporter, SourceFile, Store

__all__ = ["check_standard", "run_gate", "run_validation"]


def run_gate(folder: Path, ref: str, by: str, sets: Sequence[str], probed: int, reporter: Reporter) -> Artifact:
    """Probe a release, hold it against the champion, seal the result and note it in the ledger.

    Raises:
        NotFound: no such artifact or person.
        UsageError: it is no release, a setting is wrong, the champion was measured on another exam, or another standard
            than the house's is not set by the second line.
    """
    workspace = Workspace.open(folder)
    store = Store(workspace.root, reporter)
    release = artifact_of(workspace, ref, by)
    if release.stage != "release":
        raise UsageError(f"{release.ref} is no release", where=store.root, fix="See: tensaku list release")
    cfg = _settings(sets)
    with workspace.open_ledger() as ledger:
        ledger.release(release.ref)
        check_standard(ledger, release.ref, bool(sets) or probed < Probe.model_fields["n"].default, by)
        now = ledger.deployed()
        held = store.get(now.champion) if now is not None and now.champion != release.ref else None
        found = store.run(
            probe,
            Probe(n=probed, engine=workspace.spec.serve.engine_for(store.get(release.inputs["base"]).path)),
            adapter=store.get(release.inputs["adapter"]),
            base=store.get(release.inputs["base"]),
            lessons=store.get(release.inputs["lessons"]),
            instruction=SourceFile(release.file("instruction.md")),
        )
        inputs = {"challenger": release, "evaluation": store.get(release.inputs["evaluation"]), "probe": found}
        if held is not None:
            inputs["champion"] = store.get(held.inputs["evaluation"])
        made = store.run(promotion, cfg, **inputs)
        content = {
            "passed": made.facts["passed"],
            "failed": made.facts["failed"],
            "artifact": made.ref,
            "champion": held.ref if held is not None else "",
        }
        standing = ledger.standing("gate").get(release.ref)
        if standing is None or dict(standing.content) != content:
            ledger.file("gate", release.ref, content, by or SYSTEM)
    return made


def check_standard(ledger: Ledger, ref: str, other: bool, by: str) -> None:
    """Let only the second line hold a release to `other` settings than the house's: the newest result counts.

    Raises:
        UsageError: nobody is named, or the person is not of the second line, or built it.
    """
    if not other:
        return
    if not by:
        fix = "Name somebody of the second line who had no part in building it: --by NAME"
        raise UsageError("another standard than the house's is the second line's to set", fix=fix)
    ledger.check_validator(ref, by)


def run_validation(
    folder: Path, ref: str, by: str, exam: Path | None, n: int, seed: int, reporter: Reporter
) -> tuple[Artifact, list[FilingRow]]:
    """Test a release as the second line does, and put the result and its findings on record.

    Args:
        folder: the workspace.
        ref: the release.
        by: a person of the second line who had no part in building it; checked before any work.
        exam: the second line's own drafts, JSON lines; None: those of the release's exam.
        n: how many of them.
        seed: which stress.
        reporter: where progress goes.

    Raises:
        NotFound, UsageError, DataError: no such release, the person may not, or the exam is none.
    """
    workspace = Workspace.open(folder)
    store = Store(workspace.root, reporter)
    release = artifact_of(workspace, ref, by)
    if release.stage != "release":
        raise UsageError(f"{release.ref} is no release", where=store.root, fix="See: tensaku list release")
    with workspace.open_ledger() as ledger:
        ledger.check_validator(release.ref, by)
        cfg = Validation(n=n, seed=seed, engine=workspace.spec.serve.engine_for(store.get(release.inputs["base"]).path))
        made = store.run(
            validation,
            cfg,
            adapter=store.get(release.inputs["adapter"]),
            base=store.get(release.inputs["base"]),
            exam=SourceFile(exam or store.get(release.inputs["exam"]).file("exam.jsonl")),
            instruction=SourceFile(release.file("instruction.md")),
            names=SourceFile(workspace.folder / workspace.spec.task.names),
        )
        return made, note_validation(ledger, release.ref, made, cfg.least, by)


def _settings(sets: Sequence[str]) -> Promotion:
    """The gate's settings, from `name=value`.

    Raises:
        UsageError: there is no such setting, or it cannot have that value.
    """
    values: dict[str, object] = {}
    known: dict[str, object] = dict(Promotion.model_fields)
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise UsageError(
                f"{text!r} is no setting of the gate", fix=f"Known are {', '.join(known)}, as in margin=0.5"
            )
        values[name] = value
    try:
        return _lax(Promotion, values)
    except ValueError as bad:
        raise UsageError(
            f"a setting of the gate is wrong: {str(bad).splitlines()[-2].strip()}", fix="See docs"
        ) from None


def _lax(kind: type[Promotion], values: dict[str, object]) -> Promotion:
    return kind.model_validate(values, strict=False)
