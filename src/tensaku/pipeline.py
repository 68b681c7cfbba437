"""The one file that knows two stages: the task file's sections together, and the road from sources to a release."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import URL

from tensaku import curate as curation
from tensaku.config import Section
from tensaku.config import load as load_config
from tensaku.errors import ConfigError, DataError, NotFound, TensakuError, UsageError
from tensaku.evaluate import (
    Candidate,
    Evaluate,
    Judge,
    Ladder,
    Leaderboard,
    Rung,
    Rungs,
    answers,
    check_choices,
    check_consent,
    check_room,
    check_scorers,
    evaluate,
    ladder,
)
from tensaku.evaluate.inputs import exam_pairs, lesson_pairs
from tensaku.govern import Approval, Gate, Promotion, Release, needs_by, release
from tensaku.govern.anchors import AnchoredLedger, DailyAnchor
from tensaku.govern.barriers import Barriers
from tensaku.govern.validation import Validation
from tensaku.intake import Reports
from tensaku.intake import Road as Intake
from tensaku.ledger import Ledger
from tensaku.ledger.database import url_of
from tensaku.machine import forget_peak_memory
from tensaku.models.base import Base, Trim, base, check_trim, source_files, trim
from tensaku.plugins import engines, gates
from tensaku.retrieve import Guides
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.section import Retrieve
from tensaku.revise import Job
from tensaku.store import Artifact, Input, SourceFile, Store, frozen_bytes
from tensaku.task import Desk, Govern, LedgerPlace, Serve, Task
from tensaku.text import Required, StyleRule, names_from, required_from, style_from
from tensaku.tune import Dpo, Pretrain, Tune, dpo, pretrain, tune

__all__ = [
    "BESIDE",
    "LADDER",
    "STAGES",
    "TASK_FILE",
    "Built",
    "Spec",
    "Workspace",
    "build",
    "climb",
]

TASK_FILE = "tensaku.toml"

STAGES = (
    "ingest",
    "curate",
    "exam",
    "synthesize",
    "lessons",
    "documents",
    "base",
    "trim",
    "pretrain",
    "tune",
    "decisions",
    "dpo",
    "answers",
    "evaluate",
    "release",
)
"""Every stage in the order of the road. A stage that the task file has no use for is passed by."""

LADDER = "ladder"
"""The stage beside the road that puts several walks of it side by side."""

R = TypeVar("R")

BESIDE = (LADDER, "examine", "judge", "leaderboard", "probe", "promotion", "validation")
"""Every stage beside the road."""

_MODEL = ("base", "trim", "pretrain")
"""The stages that make the model to tune; the last one walked made the one that is tuned."""
_TUNED = ("tune", "dpo")
"""The stages that tune it; the last one walked made the one that is examined and released."""


class Spec(Section):
    """The task file."""

    task: Task = Task()
    reports: Reports = Reports()
    sources: curation.Sources = curation.Sources()
    curate: curation.Curate = curation.Curate()
    exam: curation.Exam = curation.Exam()
    synthesize: curation.Synthesize = curation.Synthesize()
    lessons: curation.Lessons = curation.Lessons()
    base: Base = Base()
    trim: Trim = Trim()
    documents: curation.Documents = curation.Documents()
    pretrain: Pretrain = Pretrain()
    tune: Tune = Tune()
    decisions: curation.Decisions = curation.Decisions()
    dpo: Dpo = Dpo()
    evaluate: Evaluate = Evaluate()
    ladder: Ladder = Ladder()
    leaderboard: Leaderboard = Leaderboard()
    judge: Judge = Judge()
    gate: Gate = Gate()
    approval: Approval = Approval()
    promotion: Promotion = Promotion()
    validation: Validation = Validation()
    serve: Serve = Serve()
    desk: Desk = Desk()
    ledger: LedgerPlace = LedgerPlace()
    retrieve: Retrieve = Retrieve()
    govern: Govern = Govern()


@dataclass(frozen=True)
class Workspace:
    """A folder with a task file, and beside it `.tensaku` with everything made from it."""

    folder: Path
    spec: Spec
    overrides: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: Path, overrides: Sequence[str] = ()) -> Workspace:
        """Read the task file and check everything that can be checked before work.

        Raises:
            ConfigError: the task file is wrong.
            UsageError: a file it names is missing, or a part it names is unknown.
        """
        workspace = cls.read(folder, overrides)
        workspace.check()
        return workspace

    @classmethod
    def read(cls, folder: Path, overrides: Sequence[str] = ()) -> Workspace:
        """Read the task file alone, for what needs none of the files that it names.

        Raises:
            ConfigError: the task file is wrong.
        """
        return cls(folder, load_config(folder / TASK_FILE, Spec, overrides), tuple(overrides))

    def altered(self, *overrides: str) -> Workspace:
        """The same workspace with more settings changed.

        Raises:
            ConfigError: a setting is wrong.
        """
        sets = (*self.overrides, *overrides)
        return Workspace(self.folder, load_config(self.folder / TASK_FILE, Spec, sets), sets)

    @property
    def root(self) -> Path:
        """Where artifacts, scratch folders and the ledger are."""
        return self.folder / ".tensaku"

    @property
    def ledger_file(self) -> Path:
        """The file of this workspace's ledger, unless it is kept elsewhere."""
        return self.root / "ledger.sqlite"

    def open_ledger(self) -> Ledger:
        """The ledger of this workspace, to be closed by the caller.

        Raises:
            UsageError: it cannot be opened, or its address holds a password.
        """
        where: Path | URL = self.ledger_file
        if place := self.spec.ledger.url:
            where = url_of(place)
            if where.password is not None:
                fix = f"Leave it out there and put it into the environment variable {self.spec.ledger.password_env}"
                raise UsageError("the ledger's address holds a password", where="ledger.url", fix=fix)
            if password := os.environ.get(self.spec.ledger.password_env):
                where = where.set(password=password)
        needs = needs_by(self.spec.approval)
        ledger = AnchoredLedger.open(where, names=self.names(), review=self.spec.desk.review, needs=needs)
        if (daily := self.daily_anchor(lambda told: print(f"tensaku: {told}", file=sys.stderr))) is not None:
            ledger.anchor_with(daily)
        return ledger

    @property
    def anchors(self) -> Path:
        """The file of anchors."""
        return self.file(self.spec.govern.anchors) or self.folder / Govern().anchors

    def daily_anchor(self, tell: Callable[[str], None]) -> DailyAnchor | None:
        """What notes the day's anchor by itself; None where the task file wants none."""
        cfg = self.spec.govern
        return DailyAnchor(self.anchors, cfg.anchor_command, tell) if cfg.anchors else None

    def check(self) -> None:
        """Resolve every file and part that the task file names."""
        faults = []
        for check in (
            self._sources,
            self._documents,
            self._unpaired,
            self._base,
            self._trim,
            self.instruction,
            self.names,
            self.style,
            self._template,
            self.guides,
            *self._parts(),
            *self._rungs(),
            *self._candidates(),
            *self._judge(),
        ):
            try:
                check()
            except ConfigError as error:
                faults += error.faults
            except UsageError as error:
                faults.append(str(error))
        if faults:
            raise ConfigError(faults, where=self.folder / TASK_FILE)

    def _template(self) -> None:
        """The house's Word file, if there is one, can be filled."""
        if (path := self.file(self.spec.desk.template)) is not None:
            from tensaku.desk.template import open_template  # Word is read only where it is asked for

            open_template(path, [*self.spec.reports.sections])

    def _sources(self) -> dict[str, SourceFile]:
        found = curation.files(self.spec.sources, self.folder)
        if self.spec.sources.finals.use:
            with self.open_ledger() as ledger:
                found["finals"] = curation.finals_file(ledger, self.root / "finals")
        return found

    def _base(self) -> dict[str, SourceFile]:
        return source_files(self.spec.base, self.folder)

    def _documents(self) -> dict[str, SourceFile]:
        return curation.document_files(self.spec.documents, self.folder)

    def _decided(self) -> SourceFile:
        """What the writers decided, as a file."""
        with self.open_ledger() as ledger:
            return curation.slice_file(ledger, self.root / "decisions")

    def _unpaired(self) -> SourceFile | None:
        return curation.finals_source(self.spec.synthesize, self.folder)

    def _step_files(self) -> dict[str, SourceFile]:
        return curation.step_files(self.spec.curate, self.folder)

    def _topics(self) -> SourceFile:
        """The taxonomy that made-up pairs are about, as a file."""
        with self.open_ledger() as ledger:
            return curation.topics_file(ledger, self.root / "topics")

    def _taken_back(self) -> SourceFile | None:
        """What people took back of what curation set aside, as a file; None where nobody did."""
        if not self.spec.ledger.url and not self.ledger_file.is_file():
            return None
        with self.open_ledger() as ledger:
            return curation.taken_back_file(ledger, self.root / "taken-back")

    def _trim(self) -> None:
        check_trim(self.spec.base.model, self.spec.trim, self.folder)

    def _parts(self) -> Iterator[Callable[[], object]]:
        """The checks of every plug-in part that is named, so that no misspelt one is found after the tuning."""
        spec = self.spec
        yield partial(check_scorers, spec.evaluate.scorers, spec.task.language)
        for number in range(len(spec.curate.steps)):  # each by itself, so that all faults are told together
            alone = curation.Curate(steps=spec.curate.steps[number : number + 1])
            yield partial(curation.step_files, alone, self.folder)
        named = [(gates, use) for use in spec.gate.need]
        named += [(engines, use) for use in (*spec.evaluate.engines(), spec.serve.engine_for())]
        if spec.synthesize.engine:
            named.append((engines, spec.synthesize.engine))
        for door, use in named:
            yield partial(door.build, use)
        for use in spec.evaluate.engines():
            yield partial(check_consent, use, spec.evaluate.consent, where="[evaluate] consent")

    def _rungs(self) -> Iterator[Callable[[], object]]:
        """The checks of the ladder: every base model is there and is another one, every method's settings are right."""
        bases = self.spec.ladder.bases
        for model in bases:
            yield partial(source_files, Base(model=model), self.folder)
        if len({_place(model, self.folder) for model in bases}) < len(bases):
            yield _refuse_equal_bases
        for method in self.spec.ladder.settings:
            yield partial(self._rung, "", method)

    def _candidates(self) -> Iterator[Callable[[], object]]:
        """The checks of the leaderboard: every candidate's files are there, its settings right, its consent given."""
        for name, candidate in self.spec.leaderboard.candidates.items():
            yield partial(self.candidate, candidate)
            if candidate.base:
                yield partial(source_files, Base(model=candidate.base), self.folder)
            if candidate.adapter:
                yield partial(self.adapter_files, candidate)
            if candidate.engine:
                yield partial(engines.build, candidate.engine)
            if not candidate.method:  # one that is tuned here is examined by [evaluate], with its consent
                where, engine = (
                    f"[leaderboard.candidates.{name}] consent",
                    candidate.engine or self.spec.evaluate.engine,
                )
                yield partial(check_consent, engine, candidate.consent, where=where)

    def _judge(self) -> Iterator[Callable[[], object]]:
        """The checks of the judge: its settings are right, its consent is given."""
        engine = self.spec.judge.engine
        if engine:
            yield partial(engines.build, engine)
            yield partial(check_consent, engine, self.spec.judge.consent, where="[judge] consent")

    def candidate(self, candidate: Candidate) -> Workspace:
        """The workspace for one candidate of the leaderboard: its base, its method and its settings."""
        told = {"tune.method": candidate.method} if candidate.method else {}
        told |= {"base.model": candidate.base} if candidate.base else {}
        sets = {**told, **{f"tune.{key}": value for key, value in candidate.settings.items()}}
        return self.altered(*(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sets.items()))

    def adapter_files(self, candidate: Candidate) -> dict[str, SourceFile]:
        """The files of a candidate's adapter.

        Raises:
            UsageError: there is no adapter in that folder.
        """
        folder = self.folder / Path(candidate.adapter).expanduser()
        files = {name: folder / name for name in ("adapter_config.json", "adapter_model.safetensors")}
        for path in files.values():
            if not path.is_file():
                raise UsageError("there is no such file", where=path, fix="Name a folder with an adapter of PEFT")
        return {name: SourceFile(path) for name, path in files.items()}

    def _rung(self, model: str, method: str) -> Workspace:
        """The workspace for one rung of the ladder: another method, its settings, and another base if one is named."""
        sets = [f"base.model={json.dumps(model, ensure_ascii=False)}"] if model else []
        told = {"method": method, **self.spec.ladder.settings.get(method, {})}
        return self.altered(*sets, *(f"tune.{key}={json.dumps(value)}" for key, value in told.items()))

    def _instruction(self) -> SourceFile:
        return SourceFile(self._named("instruction"))

    def _named(self, field: Literal["instruction", "names", "style"]) -> Path:
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

    def style(self) -> list[StyleRule]:
        """The house style as far as it can be checked."""
        return self._styled(style_from) if self.spec.task.style else []

    def required(self) -> list[Required]:
        """The passages that a published text must hold, such as disclaimers."""
        return self._styled(required_from) if self.spec.task.style else []

    def _styled(self, read: Callable[[str, str], R]) -> R:
        path = self._named("style")
        try:
            return read(path.read_text(encoding="utf-8"), str(path))
        except UnicodeDecodeError:
            raise DataError("the house style is not UTF-8", file=path, fix="Save the file as UTF-8") from None

    def rights(self, live: Mapping[str, Callable[[str], Collection[str]]] | None = None) -> Rights:
        """Who may see which documents, files and funds, as `retrieve.rights` says; `live` as for `Rights`."""
        return Rights(self.file(self.spec.retrieve.rights), live)

    def barriers(self) -> Barriers:
        """Who may use and see which model of this workspace."""
        return Barriers(self.root, self.rights())

    @contextlib.contextmanager
    def road(self) -> Iterator[Intake]:
        """The road on which managers' reports come in, with the ledger open and the files kept beside it."""
        with self.open_ledger() as ledger:
            yield Intake(ledger, self.spec.reports, self.root / "reports")

    def file(self, name: str) -> Path | None:
        """The file that the task file calls `name`, seen from its folder; None for an empty name."""
        return self.folder / Path(name).expanduser() if name else None

    def evaluation(self) -> Evaluate:
        """How models are examined, answers held to the draft's numbers as the task has it unless said otherwise."""
        said = self.spec.evaluate
        held = self.spec.task.facts_safe if said.facts_safe is None else said.facts_safe
        return said.model_copy(update={"facts_safe": held})

    def job(self, provenance: Mapping[str, str] | None = None) -> Job:
        """How drafts are revised here, by the base model alone; `Tuned.job` says how by a tuned one."""
        names, language = self.names(), self.spec.task.language
        return Job(
            self.instruction(),
            names=names,
            language=language,
            provenance=provenance or {},
            facts_safe=self.spec.task.facts_safe,
            style=self.style(),
            required=self.required(),
            guides=self.guides(),
            choices=self.spec.task.choices,
        )

    def guides(self) -> Guides | None:
        """The rules of writing and the terms that are put before a draft; None: the task has it otherwise.

        Raises:
            UsageError: a file that the task names is not there.
            DataError: it cannot be read.
        """
        task = self.spec.task
        files = [self.folder / Path(name).expanduser() for name in task.guides]
        return Guides.read(files, self.names(), task.guided) if files else None

    def _guides(self) -> dict[str, Input]:
        """The same as an input of a stage: a file that is called by its content."""
        guides = self.guides()
        if guides is None:
            return {}
        return {"guides": frozen_bytes(guides.dumped().encode(), self.root / "guides", "guides", ".json")}


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
    road = Road(store, workspace)
    road.walk(until)
    if until not in road.done:
        what = f"the task file has no use for the stage {until!r}"
        raise UsageError(what, where=workspace.folder / TASK_FILE, fix=_USE[until])
    return Built(road.done)


_USE = {
    "synthesize": "Say in [synthesize] make what is to be made up",
    "documents": "Name the house's documents in [documents] use",
    "pretrain": "Name the house's documents in [documents] use",
    "decisions": 'Set tune.method = "dpo"',
    "dpo": 'Set tune.method = "dpo"',
}
"""What makes a stage that was passed by useful."""


class Road:
    """One walk: a method a stage, each run on what the stages before it left; None where there is no use for it."""

    def __init__(self, store: Store, workspace: Workspace) -> None:
        self.store, self.workspace, self.spec = store, workspace, workspace.spec
        self.instruction = workspace._instruction()
        self.names = SourceFile(workspace._named("names"))
        self.done: dict[str, Artifact] = {}

    def walk(self, until: str) -> None:
        """Run every stage that there is a use for, up to `until`."""
        for stage in STAGES[: STAGES.index(until) + 1]:
            made: Artifact | None = getattr(self, stage)()
            if made is not None:
                self.done[stage] = made

    def ingest(self) -> Artifact:
        return self.store.run(curation.ingest, self.spec.sources, **self.workspace._sources())

    def curate(self) -> Artifact:
        given: dict[str, Input] = {"source": self.done["ingest"]}
        if back := self.workspace._taken_back():
            given["taken_back"] = back
        if files := self.workspace._step_files():
            given["files"] = files
        return self.store.run(curation.curate, self.spec.curate, **given)

    def exam(self) -> Artifact:
        return self.store.run(curation.exam, self.spec.exam, pool=self.done["curate"])

    def synthesize(self) -> Artifact | None:
        cfg = self.spec.synthesize
        if not cfg.make:
            return None
        given: dict[str, Input] = {"pool": self.done["curate"], "exam": self.done["exam"]}
        given |= {"instruction": self.instruction, "names": self.names, "topics": self.workspace._topics()}
        if finals := self.workspace._unpaired():
            given["finals"] = finals
        if cfg.engine:
            given["base"] = self.base()
        return self.store.run(curation.synthesize, cfg, **given)

    def lessons(self) -> Artifact:
        given = {"pool": self.done["curate"], "exam": self.done["exam"]}
        if "synthesize" in self.done:
            given["made"] = self.done["synthesize"]
        return self.store.run(curation.lessons, self.spec.lessons, **given, names=self.names)

    def documents(self) -> Artifact | None:
        if not self.spec.documents.use:
            return None
        files = self.workspace._documents()
        return self.store.run(curation.documents, self.spec.documents, files=files, exam=self.done["exam"])

    def base(self) -> Artifact:
        return self.store.run(base, self.spec.base, files=self.workspace._base())

    def trim(self) -> Artifact:
        if self.spec.trim.keep == "all":
            return self.done["base"]
        given: dict[str, Input] = {"base": self.done["base"], "lessons": self.done["lessons"]}
        if "documents" in self.done:
            given["documents"] = self.done["documents"]
        return self.store.run(trim, self.spec.trim, **given, instruction=self.instruction)

    def pretrain(self) -> Artifact | None:
        if "documents" not in self.done:
            return None
        return self.store.run(pretrain, self.spec.pretrain, base=self.model, documents=self.done["documents"])

    def tune(self) -> Artifact:
        given: dict[str, Input] = {"base": self.model, "lessons": self.done["lessons"], "instruction": self.instruction}
        cfg = self.spec.tune
        if cfg.method == "dpo":  # which learns on from what lora has taught
            cfg = cfg.model_copy(update={"method": "lora"})
        if not self.store.has(tune, cfg, **given):
            _check_exam(self.workspace, self.done)
        return self.store.run(tune, cfg, **given)

    def decisions(self) -> Artifact | None:
        if self.spec.tune.method != "dpo":
            return None
        decided = self.workspace._decided()
        return self.store.run(curation.decisions, self.spec.decisions, ledger=decided, exam=self.done["exam"])

    def dpo(self) -> Artifact | None:
        if "decisions" not in self.done:
            return None
        given = {"base": self.model, "adapter": self.done["tune"], "decisions": self.done["decisions"]}
        return self.store.run(dpo, self.spec.dpo, **given, instruction=self.instruction)

    def answers(self) -> Artifact:
        given: dict[str, Input] = {"exam": self.done["exam"], "base": self.model}
        given |= {"adapter": _last(self.done, _TUNED), "instruction": self.instruction, "names": self.names}
        given |= self.workspace._guides()
        cfg = self.workspace.evaluation().answering(self.spec.task.choices)
        return self.store.run(answers, cfg, **given)

    def evaluate(self, **said: Input) -> Artifact:
        """`said`: what people and a judge say of the outputs, `votes` and `judged`; no part of the road."""
        given: dict[str, Input] = {name: self.done[name] for name in ("exam", "lessons")} | said
        given |= {"base": self.model, "adapter": _last(self.done, _TUNED), "answered": self.done["answers"]}
        if self.spec.task.style:
            given["style"] = SourceFile(self.workspace._named("style"))
        cfg = self.workspace.evaluation()
        return self.store.run(evaluate, cfg, **given, instruction=self.instruction, names=self.names)

    def release(self) -> Artifact:
        given: dict[str, Input] = {name: self.done[name] for name in ("lessons", "exam")}
        given |= {"adapter": _last(self.done, _TUNED), "base": self.model, "evaluation": self.done["evaluate"]}
        cfg = Release(task=self.spec.task, gate=self.spec.gate)
        return self.store.run(release, cfg, **given, instruction=self.instruction)

    @property
    def model(self) -> Artifact:
        """The model to tune."""
        return _last(self.done, _MODEL)


def _last(done: Mapping[str, Artifact], stages: Sequence[str]) -> Artifact:
    """What the last of `stages` that was walked left."""
    return next(done[stage] for stage in reversed(stages) if stage in done)


def _check_exam(workspace: Workspace, done: Mapping[str, Artifact]) -> None:
    """Find out before the tuning what would stop the examination after it."""
    model = _last(done, _MODEL)
    if choices := workspace.spec.task.choices:
        for pairs in (lesson_pairs(done["lessons"]), exam_pairs(done["exam"])):
            check_choices(choices, pairs)
    check_room(done["exam"], workspace.instruction(), workspace.spec.evaluate.engines(), model.path)


def climb(store: Store, workspace: Workspace) -> Artifact:
    """Walk every rung of the ladder up to its examination, and put them side by side; the sealed ladder.

    Rungs are every method on every candidate of base model, on the same lessons and the same exam. A rung that fails is
    kept with its reason, and the others go on.

    Raises:
        UsageError, StageError: what all rungs share could not be made.
    """
    exam = build(store, workspace, "lessons")["exam"]
    cfg = workspace.spec.ladder
    plan = [(model, method) for model in cfg.bases or [workspace.spec.base.model] for method in cfg.methods]
    found: list[Rung] = []
    tuned: dict[str, Artifact] = {}
    evaluations: dict[str, Artifact] = {}
    for number, (model, method) in enumerate(plan, start=1):
        store.reporter.say(f"ladder, rung {number} of {len(plan)}: {method} on {model}")
        failed = ""
        forget_peak_memory()  # no rung is told another's
        try:
            rung = workspace._rung(model, method)
            until = "dpo" if method == "dpo" else "tune"
            tuned[str(number)] = build(store, rung, until)[until]
            evaluations[str(number)] = build(store, rung, "evaluate")["evaluate"]
        except TensakuError as error:
            failed = str(error)
            store.reporter.say(f"ladder, rung {number} of {len(plan)} failed: {failed}")
        found.append(Rung(base=model, method=method, failed=failed))
    return store.run(ladder, Rungs(rungs=tuple(found)), exam=exam, tuned=tuned, evaluations=evaluations)


def _place(model: str, folder: Path) -> str:
    """`model` with the file or folder it names written in one way."""
    kind, colon, name = model.partition(":")
    if kind in ("path", "gguf"):
        return kind + colon + str((folder / Path(name).expanduser()).resolve())
    return model


def _refuse_equal_bases() -> None:
    raise UsageError("two candidates are the same model", where="[ladder] bases", fix="Name every base model once")
