"""The stage that makes pairs up: generate, filter, critique, cap."""

from __future__ import annotations

import random
import tomllib
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pydantic

from tensaku import text
from tensaku.config import Section
from tensaku.curate.ingest import DROPS, PAIRS
from tensaku.curate.made import MADE
from tensaku.curate.mapping import Fault, Mapper
from tensaku.curate.read_text import read_jsonl as read_lines
from tensaku.curate.rows import Broken, JsonlWriter, PairFile, read_jsonl
from tensaku.curate.split import EXAM, Guard
from tensaku.curate.steps import drop
from tensaku.curate.synthetic import prompts
from tensaku.curate.synthetic.judging import judged
from tensaku.curate.synthetic.making import METHODS, Method, asked, by_rules, from_answers, questions
from tensaku.curate.synthetic.prompts import Topic
from tensaku.curate.synthetic.voices import mine
from tensaku.engines import open_engine
from tensaku.engines.asks import Asked, ask_all
from tensaku.engines.consent import check_consent
from tensaku.errors import DataError, UsageError
from tensaku.records import Drop, Pair
from tensaku.revise.question import language_of
from tensaku.store import Artifact, Bench, SourceFile, frozen_file, stage

if TYPE_CHECKING:
    from tensaku.ledger import Ledger

__all__ = ["Synthesize", "finals_source", "given_topics", "synthesize", "topics_file"]


class Synthesize(Section):
    """Pairs made up from the lessons; they carry a mark for ever and are never in an exam."""

    make: dict[Method, pydantic.PositiveInt] = pydantic.Field(default_factory=dict)
    """How many of each kind are tried, as in { errors = 400 }. errors: finals put into a manager's wording, by rules
    mined from the lessons. back: a model writes the draft of a final. paraphrase: a model words a draft anew. topics: a
    model makes a pair on a topic of the taxonomy. Empty: none are made."""
    most: float = pydantic.Field(1.0, gt=0, le=10)
    """The most made-up pairs that are kept, for each real lesson."""
    finals: str = ""
    """A JSON Lines file of published comments without drafts: final, fund, section, as_of. They become pairs."""
    engine: dict[str, Any] = pydantic.Field(default_factory=dict)
    """The engine that is asked, as in { engine = "openai", url = "http://host:8000/v1" }; "native" takes the base
    model."""
    consent: str = ""
    """Who allowed, and when, that drafts and comments leave this machine: needed if the engine is elsewhere."""
    least_grade: int = pydantic.Field(4, ge=1, le=5)
    """The least grade, 1 to 5, that the engine's critique gives to a pair that is kept. Pairs made by rules are graded
    too where there is an engine."""
    max_tokens: int = pydantic.Field(600, ge=16, le=4096)
    """Longest answer of the engine."""
    at_once: int = pydantic.Field(8, ge=1, le=256)
    """Questions asked at the same time."""
    seed: int = 0
    """Chooses what is made from what."""

    @pydantic.model_validator(mode="after")
    def _is_told_whole(self) -> Synthesize:
        asks = [name for name in self.make if name != "errors"]
        if asks and not self.engine:
            raise ValueError(f"{asks[0]} needs an engine to ask")
        return self


def finals_source(cfg: Synthesize, folder: Path) -> SourceFile | None:
    """The file of comments without drafts, if one is named.

    Raises:
        UsageError: it is not there; or the engine is elsewhere, and nobody allowed it.
    """
    if cfg.make and cfg.engine:
        check_consent(cfg.engine, cfg.consent, where="[synthesize] consent")
    if not cfg.finals:
        return None
    path = folder / Path(cfg.finals).expanduser()
    if not path.is_file():
        raise UsageError("there is no such file", where=path, fix="Correct synthesize.finals")
    return SourceFile(path)


def given_topics() -> list[Topic]:
    """The topics that come with Tensaku."""
    held = tomllib.loads((resources.files(__package__ or "") / "taxonomy.toml").read_text(encoding="utf-8"))["topic"]
    return [Topic(**row) for row in held]


def topics_file(ledger: Ledger, folder: Path) -> SourceFile:
    """The taxonomy as a file in `folder`: the topics that come with Tensaku, and those that people have approved."""
    rows = [topic._asdict() for topic in given_topics()]
    rows += [{name: getattr(row, name) for name in Topic._fields} for row in ledger.topics() if row.state == "approved"]
    return frozen_file(rows, folder, "topics")


@stage(version=1)
def synthesize(  # noqa: PLR0913  its inputs
    bench: Bench,
    cfg: Synthesize,
    *,
    pool: Artifact,
    exam: Artifact,
    instruction: SourceFile,
    names: SourceFile,
    topics: SourceFile,
    finals: SourceFile | None = None,
    base: Artifact | None = None,
) -> None:
    """Leave `made.jsonl`, the pairs that may be taught beside the real ones, and `drops.jsonl`.

    Only what the stage `lessons` would teach is made from. Answers of a model are kept as they come, so that a killed
    run goes on after the last.

    Args:
        finals: comments without drafts.
        base: the base model, for an engine that runs here.

    Raises:
        DataError: a line of `finals` makes no final.
        EngineError: the model did not answer.
    """
    held_back = list(PairFile(exam.path / EXAM))
    guard = Guard(held_back, labels=False)
    lessons = [pair for pair in PairFile(pool.path / PAIRS) if guard.check(pair) is None]
    loose = _finals(finals, guard) if finals is not None else []
    table = text.names_from(names.path.read_text(encoding="utf-8"), where=str(names.path))
    work = _Work(bench, cfg, base, instruction.path.read_text(encoding="utf-8").strip())
    made: list[Pair] = []
    with JsonlWriter(bench.path / DROPS) as drops:
        counts: Counter[str] = Counter()

        def kept(rows: Sequence[Pair | Drop]) -> list[Pair]:
            for row in rows:
                if isinstance(row, Drop):
                    counts[row.reason] += 1
                    drops.write(row)
            return [row for row in rows if isinstance(row, Pair)]

        unpaired = kept(loose)
        for method in (method for method in METHODS if method in cfg.make):
            made += kept(work.make(method, lessons, unpaired, topics))
        made = kept(list(judged(made, lessons, held_back, table)))
        made = kept(work.critique(made))
        made = kept(_capped(made, int(cfg.most * len(lessons)), cfg.seed))
    with JsonlWriter(bench.path / MADE) as file:
        for pair in made:
            file.write(pair)
    by_method = Counter(pair.source.split(":")[1] for pair in made)
    bench.facts.update(n=len(made), real=len(lessons), methods=dict(sorted(by_method.items())))
    bench.facts.update(dropped=dict(sorted(counts.items())), unpaired=len(unpaired), asked=dict(cfg.make))


def _finals(file: SourceFile, guard: Guard) -> list[Pair | Drop]:
    """The comments without drafts as pairs whose draft is not there yet; those that the exam asks are set aside."""
    found: list[Pair | Drop] = []
    for row in read_lines(file.path):
        if isinstance(row, Broken):
            raise DataError(row.detail, file=file.path, line=row.line)
        fill = {"draft": ""} if "manager" in row.values else {"draft": "", "manager": "?"}
        told = Mapper(fill=fill).pair(row.values, f"{file.path.name}:{row.line}")
        if isinstance(told, Fault):
            raise DataError(told.detail, file=file.path, line=row.line, field=told.field)
        if not told.final.strip():
            raise DataError("the final is empty", file=file.path, line=row.line, field="final")
        found.append(guard.check(told) or told)
    return found


def _capped(made: Sequence[Pair], most: int, seed: int) -> list[Pair | Drop]:
    """At most `most` of the pairs, chosen by seed; the rest is `capped`."""
    chosen = set(random.Random(seed).sample(range(len(made)), min(most, len(made))))  # noqa: S311  seeded by design
    return [pair if n in chosen else drop(pair, "capped", f"{most} are the most") for n, pair in enumerate(made)]


class _Work:
    """Making and grading with one engine."""

    def __init__(self, bench: Bench, cfg: Synthesize, base: Artifact | None, task: str) -> None:
        self.bench, self.cfg, self.base, self.task = bench, cfg, base, task
        self.language: Literal["ja", "en"] = "ja" if language_of(task) == "ja" else "en"

    def make(
        self, method: Method, lessons: Sequence[Pair], finals: Sequence[Pair], topics: SourceFile
    ) -> list[Pair | Drop]:
        """As many pairs of one kind as are wanted, not yet judged."""
        count, seed = self.cfg.make[method], self.cfg.seed
        if method == "errors":
            dice = random.Random(seed)  # noqa: S311  seeded by design
            return list(by_rules([*finals, *lessons], mine(lessons), count, dice))
        known = [Topic(**row) for row in read_jsonl(topics.path)]
        plans = questions(method, count, lessons, finals, known, seed)
        return list(from_answers(plans, self._said(method, [asked(plan, self.language) for plan in plans])))

    def critique(self, made: Sequence[Pair]) -> list[Pair | Drop]:
        """The pairs that the engine grades well enough; all of them where there is none."""
        if not self.cfg.engine:
            return list(made)
        said = self._said(
            "critique", [Asked(pair.id, prompts.critique(pair, self.task, self.language)) for pair in made]
        )
        found: list[Pair | Drop] = []
        for pair in made:
            grade = prompts.grade_of(said[pair.id]["text"])
            if grade is None:
                found.append(drop(pair, "not-graded", "the critique gives no plain grade"))
            elif grade < self.cfg.least_grade:
                found.append(drop(pair, "low-grade", f"the critique grades it {grade} of 5"))
            else:
                found.append(pair)
        return found

    def _said(self, label: str, asks: list[Asked]) -> Any:
        folder = self.base.path if self.base is not None else Path()
        return ask_all(
            self.bench,
            f"synthesize-{label}",
            lambda: open_engine(self.cfg.engine, folder),
            asks,
            self.cfg.max_tokens,
            self.cfg.at_once,
        )
