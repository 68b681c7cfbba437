"""The one file that knows two stages: the task file's sections together, and the road from sources to a release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from tensaku import curate as curation
from tensaku.config import Section
from tensaku.config import load as load_config
from tensaku.errors import ConfigError, DataError, NotFound, UsageError
from tensaku.evaluate import Evaluate, evaluate
from tensaku.govern import Gate, Release, release
from tensaku.models.base import Base, Trim, base, source_files, trim
from tensaku.plugins import engines, gates, scorers, steps
from tensaku.revise import Job
from tensaku.store import Artifact, Input, SourceFile, Store
from tensaku.text import names_from
from tensaku.tune import Tune, tune

__all__ = ["STAGES", "TASK_FILE", "Built", "Serve", "Spec", "Task", "Workspace", "build"]

TASK_FILE = "tensaku.toml"

STAGES = ("ingest", "curate", "exam", "lessons", "base", "trim", "tune", "evaluate", "release")
"""Every stage in the order of the road."""


class Task(Section):
    """The writing job."""

    name: str = Field("monthly-comment", pattern=r"^[a-z0-9][a-z0-9-]*$")
    """A short name, as in monthly-comment; clients ask for the model by it."""
    language: Literal["ja", "en"] = "ja"
    """The language of drafts and finals."""
    instruction: str = "instruction.md"
    """File with what the model is told: the same words in training, evaluation and serving."""
    names: str = "names.toml"
    """File with the names that count as facts: canonical name = list of the forms it is written in."""


class Serve(Section):
    """How the model is put to work."""

    host: str = "127.0.0.1"
    """Address to listen on; 127.0.0.1 is this machine alone."""
    port: int = Field(8080, ge=1, le=65535)
    """Port to listen on."""
    precision: Literal["int8", "fp32"] = "int8"
    """Number format of the base model's weights when it answers."""
    at_once: int = Field(8, ge=1, le=256)
    """Answers written at the same time; more wait their turn."""
    context: int = Field(2048, ge=64)
    """Most tokens of prompt and answer together."""


class Spec(Section):
    """The task file."""

    task: Task = Task()
    sources: curation.Sources = curation.Sources()
    curate: curation.Curate = curation.Curate()
    exam: curation.Exam = curation.Exam()
    lessons: curation.Lessons = curation.Lessons()
    base: Base = Base()
    trim: Trim = Trim()
    tune: Tune = Tune()
    evaluate: Evaluate = Evaluate()
    gate: Gate = Gate()
    serve: Serve = Serve()


@dataclass(frozen=True)
class Workspace:
    """A folder with a task file, and beside it `.tensaku` with everything made from it."""

    folder: Path
    spec: Spec

    @classmethod
    def open(cls, folder: Path, overrides: Sequence[str] = ()) -> Workspace:
        """Read the task file and check everything that can be checked before work.

        Raises:
            ConfigError: the task file is wrong.
            UsageError: a file it names is missing, or a part it names is unknown.
        """
        spec = load_config(folder / TASK_FILE, Spec, overrides)
        workspace = cls(folder, spec)
        workspace.check()
        return workspace

    @property
    def root(self) -> Path:
        """Where artifacts, scratch folders and the ledger are."""
        return self.folder / ".tensaku"

    @property
    def ledger_file(self) -> Path:
        """The ledger of this workspace."""
        return self.root / "ledger.sqlite"

    def check(self) -> None:
        """Resolve every file and part that the task file names."""
        faults = []
        for check in (self._sources, self._base, self.instruction, self.names, *self._parts()):
            try:
                check()
            except ConfigError as error:
                faults += error.faults
            except UsageError as error:
                faults.append(str(error))
        if faults:
            raise ConfigError(faults, where=self.folder / TASK_FILE)

    def _sources(self) -> dict[str, SourceFile]:
        return curation.files(self.spec.sources, self.folder)

    def _base(self) -> dict[str, SourceFile]:
        return source_files(self.spec.base, self.folder)

    def _parts(self) -> Iterator[Callable[[], object]]:
        """The checks of every plug-in part that is named, so that no misspelt one is found after the tuning."""
        spec = self.spec
        named = [(steps, use) for use in spec.curate.steps] + [(scorers, use) for use in spec.evaluate.scorers]
        named += [(engines, spec.evaluate.engine)] + [(gates, use) for use in spec.gate.need]
        for door, use in named:
            yield partial(door.build, use)

    def _instruction(self) -> SourceFile:
        return SourceFile(self._named("instruction"))

    def _named(self, field: Literal["instruction", "names"]) -> Path:
        path = self.folder / str(getattr(self.spec.task, field))
        if not path.is_file():
            raise UsageError("there is no such file", where=path, fix=f"Write it, or correct task.{field}")
        return path

    def instruction(self) -> str:
        """What the model is told."""
        path = self._named("instruction")
        try:
            return path.read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            raise DataError("the instruction is not UTF-8", file=path, fix="Save it as UTF-8") from None

    def names(self) -> dict[str, list[str]]:
        """The table of names that count as facts."""
        path = self._named("names")
        try:
            return names_from(path.read_text(encoding="utf-8"), where=str(path))
        except UnicodeDecodeError:
            raise DataError("the names are not UTF-8", file=path, fix="Save the file as UTF-8") from None

    def job(self, adapter: str | None, provenance: dict[str, str] | None = None) -> Job:
        """How drafts are revised here, by the adapter loaded under this name."""
        task = self.spec.task
        return Job(self.instruction(), adapter, self.names(), task.language, provenance=provenance or {})


@dataclass(frozen=True)
class Built:
    """What a run of the road left, by stage; later stages are missing where it stopped before them."""

    artifacts: dict[str, Artifact]

    def __getitem__(self, stage: str) -> Artifact:
        return self.artifacts[stage]


def build(store: Store, workspace: Workspace, until: str = "release") -> Built:
    """Walk the road up to and including the stage `until`; what is sealed already is not done again.

    Raises:
        NotFound: there is no stage of that name.
        UsageError, GateError, StageError: as the stages raise them.
    """
    if until not in STAGES:
        raise NotFound("stage", until, STAGES)
    done: dict[str, Artifact] = {}
    for stage in STAGES[: STAGES.index(until) + 1]:
        done[stage] = _one(stage, store, workspace, done)
    return Built(done)


def _one(stage: str, store: Store, workspace: Workspace, done: dict[str, Artifact]) -> Artifact:
    """Run one stage on what the stages before it left."""
    spec = workspace.spec
    instruction = workspace._instruction()
    names = SourceFile(workspace._named("names"))
    given: dict[str, Input]
    match stage:
        case "ingest":
            return store.run(curation.ingest, spec.sources, **workspace._sources())
        case "curate":
            return store.run(curation.curate, spec.curate, source=done["ingest"])
        case "exam":
            return store.run(curation.exam, spec.exam, pool=done["curate"])
        case "lessons":
            return store.run(curation.lessons, spec.lessons, pool=done["curate"], exam=done["exam"], names=names)
        case "base":
            return store.run(base, spec.base, files=workspace._base())
        case "trim":
            if spec.trim.keep == "all":
                return done["base"]
            given = {"base": done["base"], "lessons": done["lessons"], "instruction": instruction}
            return store.run(trim, spec.trim, **given)
        case "tune":
            given = {"base": done["trim"], "lessons": done["lessons"], "instruction": instruction}
            return store.run(tune, spec.tune, **given)
        case "evaluate":
            given = {"exam": done["exam"], "lessons": done["lessons"], "base": done["trim"], "adapter": done["tune"]}
            return store.run(evaluate, spec.evaluate, **given, instruction=instruction, names=names)
        case _:
            given = {"adapter": done["tune"], "evaluation": done["evaluate"], "base": done["trim"]}
            given |= {"lessons": done["lessons"], "exam": done["exam"]}
            return store.run(release, Release(task=spec.task, gate=spec.gate), **given, instruction=instruction)
