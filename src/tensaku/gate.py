"""Gate and validation on a workspace: what is held against what, and the result in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tensaku.comparing import lay_out, outputs_of, votes_file, votes_on
from tensaku.errors import UsageError
from tensaku.evaluate import Entry, Judge, Judging, check_consent, judge
from tensaku.govern.changes import changes_between, plain
from tensaku.govern.probe import Probe, probe
from tensaku.govern.promotion import Promoting, Promotion, promotion
from tensaku.govern.validation import note_validation, validation
from tensaku.ledger import SYSTEM, FilingRow, Ledger
from tensaku.options import artifact_of
from tensaku.pipeline import Workspace
from tensaku.store import Artifact, Input, Reporter, SourceFile, Store

__all__ = ["check_standard", "lay_out_gate", "run_gate", "run_validation"]


def run_gate(folder: Path, ref: str, by: str, sets: Sequence[str], probed: int, reporter: Reporter) -> Artifact:
    """Probe a release, hold it against the champion, seal the result and note it in the ledger.

    What it must show stands in `[promotion]` of the task file; `sets` changes it for this once.

    Raises:
        NotFound: no such artifact or person.
        UsageError: it is no release, a setting is wrong, the champion was measured on another exam, a judge is asked
            for and none is named, or another standard than the task file's is not set by the second line.
    """
    workspace = Workspace.open(folder)
    store = Store(workspace.root, reporter)
    release = _release(workspace, ref, by)
    rules = _settings(workspace.spec.promotion, sets)
    with workspace.open_ledger() as ledger:
        row = ledger.release(release.ref)
        other = rules != workspace.spec.promotion or probed < Probe.model_fields["n"].default
        check_standard(ledger, release.ref, other, by)
        match = _matched(store, ledger, release)
        base = store.get(release.inputs["base"])
        inputs: dict[str, Input] = {"challenger": release, "evaluation": match.ours}
        inputs["exam"] = store.get(match.ours.inputs["exam"])
        inputs["probe"] = store.run(
            probe,
            Probe(n=probed, engine=workspace.spec.serve.engine_for(base.path)),
            adapter=store.get(release.inputs["adapter"]),
            base=base,
            lessons=store.get(release.inputs["lessons"]),
            instruction=SourceFile(release.file("instruction.md")),
        )
        if match.theirs is not None:
            inputs["champion"] = match.theirs
        if rules.judge:
            inputs["judged"] = _judged(store, workspace, release, match)
        if rules.readers and (votes := _read(workspace, ledger, release, match)) is not None:
            inputs["read"] = votes
        champion = ledger.release(match.champion) if match.champion else None
        changed = changes_between(ledger, champion, row, workspace.spec.approval.data) if champion is not None else []
        cfg = Promoting(**rules.model_dump(), changes=tuple(plain(changed)), other=match.other)
        made = store.run(promotion, cfg, **inputs)
        content = {
            "passed": made.facts["passed"],
            "failed": made.facts["failed"],
            "artifact": made.ref,
            "champion": match.champion,
        }
        standing = ledger.standing("gate").get(release.ref)
        if standing is None or dict(standing.content) != content:
            ledger.file("gate", release.ref, content, by or SYSTEM)
    return made


@dataclass(frozen=True)
class _Match:
    """What is held against what: the evaluations of both, and what the rival is called."""

    ours: Artifact
    theirs: Artifact | None
    champion: str

    @property
    def other(self) -> str:
        """The rival's name: the champion's, or the untouched draft's."""
        return self.champion or "draft"

    def rows(self, release: Artifact) -> dict[str, tuple[Artifact, str]]:
        """Where the outputs of the challenger and of a champion stand; those of the draft are always there."""
        held = {release.ref: (self.ours, "tuned")}
        return held if self.theirs is None else held | {self.champion: (self.theirs, "tuned")}


def _release(workspace: Workspace, ref: str, by: str) -> Artifact:
    found = artifact_of(workspace, ref, by)
    if found.stage != "release":
        raise UsageError(f"{found.ref} is no release", where=workspace.root, fix="See: tensaku list release")
    return found


def _matched(store: Store, ledger: Ledger, release: Artifact) -> _Match:
    ours, now = store.get(release.inputs["evaluation"]), ledger.deployed()
    if now is None or now.champion == release.ref:
        return _Match(ours, None, "")
    theirs = store.get(store.get(now.champion).inputs["evaluation"])
    if theirs.inputs["exam"] != ours.inputs["exam"]:
        fix = "Evaluate both on one exam: tensaku run evaluate, with the same [exam] section and sources"
        raise UsageError(f"{theirs.ref} and {ours.ref} are of different exams", fix=fix)
    return _Match(ours, theirs, now.champion)


def _judged(store: Store, workspace: Workspace, release: Artifact, match: _Match) -> Artifact:
    """What the judge of the task file says of challenger and rival, in both orders."""
    asked = workspace.spec.judge
    if not asked.engine:
        fix = "Name one in [judge] engine, or set promotion.judge = false"
        raise UsageError("the gate asks for a judge, and the task file names none", where=workspace.folder, fix=fix)
    candidates = {release.ref: match.ours} | ({match.champion: match.theirs} if match.theirs is not None else {})
    entries = tuple(Entry(name=name, row="tuned") for name in candidates)
    cfg = Judging(entries=entries, **{name: getattr(asked, name) for name in Judge.model_fields})
    return store.run(
        judge,
        cfg,
        exam=store.get(match.ours.inputs["exam"]),
        base=store.get(release.inputs["base"]),
        instruction=SourceFile(release.file("instruction.md")),
        candidates=candidates,
    )


def lay_out_gate(folder: Path, ref: str, n: int, by: str, reporter: Reporter) -> tuple[int, str]:
    """Lay a challenger's outputs out beside the champion's, or the untouched drafts, to be read blind at the desk.

    Args:
        folder: the workspace.
        ref: the release.
        n: of how many drafts, evenly over the exam; 0 is all.
        by: who does this.
        reporter: where progress goes.

    Returns:
        How many comparisons are new, and what the challenger is held against.

    Raises:
        NotFound, UsageError: as `run_gate`.
    """
    workspace = Workspace.open(folder)
    store = Store(workspace.root, reporter)
    release = _release(workspace, ref, by)
    with workspace.open_ledger() as ledger:
        match = _matched(store, ledger, release)
        exam = store.get(match.ours.inputs["exam"])
        new = lay_out(exam, outputs_of(exam, match.rows(release)), (release.ref, match.other), n)
        return ledger.add_comparisons(new, by), match.other


def _read(workspace: Workspace, ledger: Ledger, release: Artifact, match: _Match) -> SourceFile | None:
    """The votes of people who did not build the challenger, on just these outputs; a file named by its content."""
    builder = ledger.release(release.ref).tuned_by
    cast = [vote for vote in ledger.votes() if vote.by != builder]
    exam = Store(workspace.root).get(match.ours.inputs["exam"])
    return votes_file(workspace.root, votes_on(cast, exam, match.rows(release)))


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
    folder: Path, ref: str, by: str, exam: Path | None, n: int | None, seed: int | None, reporter: Reporter
) -> tuple[Artifact, list[FilingRow]]:
    """Test a release as the second line does, and put the result and its findings on record.

    Args:
        folder: the workspace.
        ref: the release.
        by: a person of the second line who had no part in building it; checked before any work.
        exam: the second line's own drafts, JSON lines; None: those of the release's exam.
        n: how many of them; None: as `[validation]` of the task file says.
        seed: which stress; the same.
        reporter: where progress goes.

    Raises:
        NotFound, UsageError, DataError: no such release, the person may not, or the exam is none.
    """
    workspace = Workspace.open(folder)
    store = Store(workspace.root, reporter)
    release = _release(workspace, ref, by)
    with workspace.open_ledger() as ledger:
        ledger.check_validator(release.ref, by)
        said = workspace.spec.validation
        check_consent(said.paraphraser, said.consent, where="[validation] consent")
        engine = workspace.spec.serve.engine_for(store.get(release.inputs["base"]).path)
        chosen = {name: value for name, value in (("n", n), ("seed", seed)) if value is not None}
        cfg = said.model_copy(update={"engine": engine, **chosen})
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


def _settings(rules: Promotion, sets: Sequence[str]) -> Promotion:
    """The gate's settings: those of the task file, changed by `name=value`.

    Raises:
        UsageError: there is no such setting, or it cannot have that value.
    """
    values: dict[str, object] = dict(rules.model_dump())
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals or name not in Promotion.model_fields:
            known = ", ".join(Promotion.model_fields)
            raise UsageError(f"{text!r} is no setting of the gate", fix=f"Known are {known}, as in margin=0.5")
        values[name] = value
    try:
        return Promotion.model_validate(values, strict=False)
    except ValueError as bad:
        what = str(bad).splitlines()[-2].strip()
        raise UsageError(f"a setting of the gate is wrong: {what}", fix="See docs") from None
