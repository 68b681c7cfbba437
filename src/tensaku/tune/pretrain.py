"""The stage `pretrain`: a base model reads the house's documents on, before it is taught the job."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.store import Artifact, Bench, stage

if TYPE_CHECKING:
    from tensaku.models.tokenizer import Tokenizer
    from tensaku.tune.loop import Outcome
    from tensaku.tune.rows import Row, RowLearner
    from tensaku.tune.stage import Counting

__all__ = ["Pretrain", "pretrain"]

_LOOKS = 10
_OF_A_TRAINING = ("loss.jsonl", "usage.jsonl", "report.html", "drops.jsonl")
"""Files beside a base that was trained itself, which do not belong to the model."""
_BEFORE = "before.json"


class Pretrain(Section):
    """How the base model reads the house's documents."""

    epochs: float = Field(1.0, gt=0)
    """Passes over the documents."""
    learning_rate: float = Field(1e-4, gt=0)
    """Largest step size of AdamW, for every weight of the model."""
    context: int = Field(512, ge=16)
    """Tokens a row; documents stand in rows one behind the other, without seeing each other."""
    batch: int = Field(2048, ge=16)
    """Tokens a step."""
    validation: float = Field(0.05, ge=0, le=0.5)
    """Share of the documents that is held out to watch the reading by."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of the large products. `auto`: the fastest here that loses nothing, measured."""
    seed: int = 1
    """Where the shuffling starts."""


@stage(version=1)
def pretrain(bench: Bench, cfg: Pretrain, *, base: Artifact, documents: Artifact) -> None:
    """Leave a complete model folder, as `base` is, that has read `documents`; beside it `loss.jsonl`.

    Facts: those of `base`, with the new `sha256`; `pretrained_from`, `documents`, `validation_documents`, `tokens` (of
    one pass), `rows`, `held_loss_before` and `held_loss_after` (mean nats a token of the held-out documents), and those
    of every training.

    Raises:
        UsageError: there is no document, or too little text for one row.
        StageError: the loss is not a number any more, or memory or disk ran out.
    """
    from tensaku.tune.told import finish, watched

    texts = _texts(documents)
    with watched(bench) as counting:
        run = _Run(bench, cfg, base, documents, texts)
        outcome = run.go(counting)
    _as_base(bench, base)
    finish(bench, cfg, outcome, None)


def _texts(documents: Artifact) -> list[str]:
    with documents.file("documents.jsonl").open(encoding="utf-8") as file:  # str.splitlines would cut at U+2028
        texts = [json.loads(line)["text"] for line in file]
    if not texts:
        fix = "Look at what was set aside (drops.jsonl), and name more files in [documents] use"
        raise UsageError("there is no document to read", where=documents.ref, fix=fix)
    return texts


def held_out(texts: list[str], share: float) -> tuple[list[str], list[str]]:
    """(those to learn from, those held out): by the texts' hashes, so that a document added moves no other.

    Never all of them are held out.
    """
    wanted = min(round(share * len(texts)), len(texts) - 1)
    held = set(sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())[:wanted])
    return [text for text in texts if text not in held], [text for text in texts if text in held]


class _Run:
    """One training on documents."""

    def __init__(self, bench: Bench, cfg: Pretrain, base: Artifact, documents: Artifact, texts: list[str]) -> None:
        from tensaku.models.shape import Shape
        from tensaku.models.tokenizer import Tokenizer
        from tensaku.tune.arithmetic import settle

        self.bench, self.cfg, self.base = bench, cfg, base
        self.context = min(cfg.context, Shape.load(base.path).context)
        tokenizer = Tokenizer.load(base.path)
        learn, held = held_out(texts, cfg.validation)
        self.documents, self.validation_documents = len(learn), len(held)
        self.learn, self.held = self._rows(tokenizer, learn), self._rows(tokenizer, held)
        self.tokens = sum(len(piece.completion) for row in self.learn for piece in row)
        if self.tokens < self.context:
            what = f"the documents are {self.tokens} tokens together, less than one row of {self.context}"
            raise UsageError(what, where=documents.ref, fix="Name more documents, or set a smaller pretrain.context")
        self.how = settle(cfg, bench.aside, {"base": base.key, "documents": documents.key})

    def _rows(self, tokenizer: Tokenizer, texts: list[str]) -> list[Row]:
        from tensaku.tune.rows import rows_of

        tokens = (tokenizer.encode(tokenizer.plain(text)) for text in texts)
        return list(rows_of(tokens, start=tokenizer.start, end=min(tokenizer.eos), context=self.context))

    def go(self, counting: Counting) -> Outcome:
        """Train, save, and note what was found."""
        from tensaku.tune.loop import Course, Places, train
        from tensaku.tune.stage import trained

        cfg, bench = self.cfg, self.bench
        learner = self._learner()
        before = self._before(learner)
        batch = max(1, cfg.batch // self.context)
        steps = max(1, round(cfg.epochs * len(self.learn) / batch))
        every = math.ceil(steps / _LOOKS) if self.held else 0
        course = Course(steps, batch, cfg.learning_rate, max(1, min(20, steps // 10)), cfg.seed, every)
        bench.say(f"pretrain: {self.how.spoken}")
        with bench.progress("pretrain", steps) as progress:
            places = Places(bench.path, bench.aside, self.how.run)
            outcome = train(learner, self.learn, course, places, counting(progress.advance), validation=self.held)
        learner.save(bench.aside, self.base.ref)
        found = trained(outcome)
        bench.facts.update(
            {
                "method": "pretrain",
                "documents": self.documents,
                "validation_documents": self.validation_documents,
                "tokens": self.tokens,
                "rows": len(self.learn),
                "held_loss_before": before,
                "held_loss_after": found["validation_loss"],
                "trainable_parameters": sum(p.numel() for _, p in learner.named_parameters()),
                **found,
                **self.how.facts,
            }
        )
        return outcome

    def _learner(self) -> RowLearner:
        from tensaku.models.decoder import Decoder
        from tensaku.models.weights import Weights
        from tensaku.tune.full import Full
        from tensaku.tune.learner import DecoderLearner
        from tensaku.tune.rows import RowLearner

        weights = Weights.load(self.base.path)
        full = Full(weights, self.how.multiply, self.base.path)
        return RowLearner(DecoderLearner(Decoder(weights, self.context), full, 0, self.how.multiply))

    def _before(self, learner: RowLearner) -> float | None:
        """The loss on the held-out documents before anything was learnt; a run taken up again cannot measure it."""
        path = self.bench.aside / _BEFORE
        if not self.held:
            return None
        if not path.exists():
            with self.bench.progress("pretrain: before", None):
                measured = learner.loss(self.held)
            path.write_text(json.dumps(measured.loss / measured.scored), encoding="utf-8")
        return float(json.loads(path.read_text(encoding="utf-8")))


def _as_base(bench: Bench, base: Artifact) -> None:
    """Put the model where a base has it, at the top of the artifact, and say of it what is said of a base."""
    from tensaku.store.artifact import sha256_of

    own = {path.name for path in bench.path.iterdir()}
    for path in sorted((bench.aside / "model").rglob("*")):
        inside = path.relative_to(bench.aside / "model")
        if path.is_file() and inside.name not in own and inside.name not in _OF_A_TRAINING:
            (bench.path / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, bench.path / inside)
    kept = ("licence", "source", "family", "vocabulary", "parameters", "vocabulary_before", "untrimmed_sha256")
    bench.facts.update({name: base.facts[name] for name in kept if name in base.facts})
    weights = bench.path / "model.safetensors"
    bench.facts.update(pretrained_from=base.ref, sha256=sha256_of(weights), size_mb=_mb(weights))


def _mb(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 1)
