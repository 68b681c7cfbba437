"""What was tuned, in whatever form: which model an engine is opened on, what it loads, how it is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from tensaku.engines.protocol import Engine
from tensaku.errors import UsageError
from tensaku.models.fingerprint import sealed_weights_hash
from tensaku.retrieve import Examples
from tensaku.retrieve.examples import EXAMPLES, PROMPT
from tensaku.revise.asking import Job
from tensaku.revise.question import messages
from tensaku.store import Artifact

__all__ = ["FORMS", "Form", "Tuned", "form_of"]

Form = Literal["adapter", "weights", "prompt"]
"""What tuning leaves: matrices beside the base, a model of its own, or examples to quote."""
FORMS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True)
class Tuned:
    """A tuned model as its artifact, or a release of it, holds it.

    `model` is the folder that the engine is opened on: the base, or for weights a model of its own. `made_by` goes into
    every answer's provenance beside what the engine says: `weights` and the `base` they were made from, or `prompt`.
    """

    form: Form
    folder: Path
    model: Path
    made_by: Mapping[str, str] = field(default_factory=dict)
    examples: Examples | None = None
    lessons: Path | None = None
    """What it was taught, as far as the store still has it: an engine may guess answers from it."""

    @classmethod
    def of(cls, artifact: Artifact, base: Artifact) -> Tuned:
        """What `artifact` (made by tuning, or a release) holds, over the model in `base`.

        Raises:
            UsageError: its form is not known, or it does not hold what its form says.
        """
        form = form_of(artifact)
        if form == "adapter":
            return cls(form, artifact.path, base.path, lessons=_lessons(artifact))
        if form == "weights":
            hashed = sealed_weights_hash(artifact, "model")
            if not hashed:
                raise UsageError(f"{artifact.ref} holds no model/", where=artifact.path, fix="Tune again")
            made_by = {"weights": hashed, "base": str(base.facts.get("sha256", ""))}
            return cls(form, artifact.path, artifact.path / "model", made_by)
        examples = Examples.load(artifact.path)
        digests = "".join(artifact.manifest["files"][name]["sha256"] for name in (PROMPT, EXAMPLES))
        made_by = {"prompt": hashlib.sha256(digests.encode("ascii")).hexdigest()}
        return cls(form, artifact.path, base.path, made_by, examples)

    def job(self, job: Job, name: str) -> Job:
        """How it is asked: `job`, with the adapter that was loaded under `name` or with the examples."""
        adapter = name if self.form == "adapter" else None
        return replace(job, adapter=adapter, examples=self.examples, provenance={**self.made_by, **job.provenance})

    def load(self, engine: Engine, name: str, instruction: str) -> None:
        """Make an engine that was opened on `model` ready to answer.

        Raises:
            UsageError: the adapter is none for this base, or not one example fits into the engine's context.
        """
        if self.form == "adapter":
            engine.load_adapter(name, self.folder / "adapter")
            learn = getattr(engine, "learn", None)
            if learn is not None and self.lessons is not None:
                learn(name, _pairs(self.lessons))
        if self.examples is not None and self.examples.k:
            self._check_room(engine, instruction)

    def _check_room(self, engine: Engine, instruction: str) -> None:
        """Refuse a context in which even the shortest pair could not be quoted for a draft as short."""
        assert self.examples is not None
        pair = min(self.examples.pairs, key=lambda pair: len(pair.draft) + len(pair.final), default=None)
        if pair is None:
            raise UsageError("the prompt has no pairs to quote", where=self.folder / EXAMPLES, fix="Tune again")
        asked = messages(
            instruction, pair.draft, fund=pair.fund, section=pair.section, as_of=pair.as_of, examples=[pair]
        )
        taken = engine.measure(asked)
        if taken >= engine.context:
            what = (
                f"the prompt's examples do not fit: the shortest draft with the shortest example takes {taken:,} "
                f"tokens, and the engine's context holds {engine.context:,} with the answer"
            )
            fix = "Raise the context (serve.context, evaluate.engine) or shorten the instruction"
            raise UsageError(what, where=self.folder, fix=fix)


def _lessons(artifact: Artifact) -> Path | None:
    """The lessons that an adapter, or a release of it, was taught."""
    path = artifact.path.parent / artifact.inputs.get("lessons", "") / "lessons.jsonl"
    return path if path.exists() else None


def _pairs(lessons: Path) -> Iterator[tuple[str, str]]:
    with lessons.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["draft"], row["final"]


def form_of(artifact: Artifact) -> Form:
    """The form of what `artifact` holds; an adapter, if it does not say.

    Raises:
        UsageError: it is none that is known.
    """
    found = artifact.facts.get("form", "adapter")
    for form in FORMS:
        if found == form:
            return form
    what = f"{artifact.ref} has the form {found!r}; known: {', '.join(FORMS)}"
    raise UsageError(what, where=artifact.path, fix="Use the Tensaku that made it")
