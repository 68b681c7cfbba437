"""The stage `tune`: teach a base model one writing job from its lessons."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensaku.errors import UsageError
from tensaku.machine import forget_peak_memory
from tensaku.store import Artifact, Bench, SourceFile, stage
from tensaku.tune.group import current
from tensaku.tune.processes import share
from tensaku.tune.section import Tune

if TYPE_CHECKING:
    from tensaku.tune.learner import Learner
    from tensaku.tune.lessons import Taught
    from tensaku.tune.loop import Course, Outcome
    from tensaku.tune.pack import Example

__all__ = ["tune"]

Counting = Callable[[Callable[[float, str], object]], Callable[[float, str], object]]
"""What makes a progress's `advance` tell the watch too."""

_LOOKS = 10
"""How often the held-out lessons are looked at in a run."""


@stage(version=2)
def tune(bench: Bench, cfg: Tune, *, base: Artifact, lessons: Artifact, instruction: SourceFile) -> None:
    """Leave what was learnt in the bench's folder, beside `loss.jsonl`, `usage.jsonl` and `report.html`.

    By method: `adapter/`, a plain PEFT folder (lora, qlora); `model/`, a complete model folder (full); `prompt.json`
    and `examples.jsonl` (prompt). Lessons that were set aside are in `drops.jsonl`.

    Facts: `form` ("adapter", "weights", "prompt"), `method`, `lessons`, `validation_lessons`, `too_long` (ids of those
    set aside), `duplicates` (answers that repeat another), `steps`, `tune_seconds`, `first_loss`, `last_loss` (mean of
    the last tenth), `validation_loss`, `tokens_per_second`, `peak_memory_mb`, `size_mb`, `trainable_parameters`,
    `precision`, `product`, `threads`, `matrix_gflops`, `prefix_tokens` (that all lessons share), `lesson_tokens` and
    `scored_tokens` (means of a lesson, beside the prefix), `largest_step` (tokens and scored tokens of it), and what
    the machine was used for (`watch.usage_facts`).

    Raises:
        UsageError: there is nothing to learn from, or a setting does not fit the model.
        StageError: the loss is not a number any more, or memory or disk ran out.
    """
    from tensaku.tune.told import finish, watched

    _check(cfg)
    forget_peak_memory()
    if cfg.method == "prompt":
        from tensaku.tune.prompt import search

        with watched(bench):
            search(bench, cfg, base=base, lessons=lessons, instruction=instruction)
        finish(bench, cfg, None, None)
        return
    if cfg.processes > 1 and current().size == 1:  # each of them comes through here again, in a group
        share(tune, bench, cfg, base=base, lessons=lessons, instruction=instruction)
        return
    words = instruction.path.read_text(encoding="utf-8")
    with watched(bench) as counting:
        run = _Run(bench, cfg, base, lessons, words)
        outcome = run.go(counting)
    if current().rank > 0:
        return  # what is left to be written, process 0 writes
    bench.facts.update(run.facts(outcome))
    finish(bench, cfg, outcome, run.taught.repeats)


def _check(cfg: Tune) -> None:
    """Refuse settings that contradict each other."""
    if cfg.dropout and cfg.core != "transformers":
        what = "dropout would differ between the lessons that share one computed prefix, so the own core refuses it"
        raise UsageError(what, where="tune.dropout", fix='Set it to 0, or set tune.core = "transformers"')
    if cfg.patience and not cfg.validation:
        what = "an early end needs held-out lessons to judge by"
        raise UsageError(what, where="tune.patience", fix="Set tune.validation too, as in 0.1")


class _Run:
    """One training over our own decoder."""

    def __init__(self, bench: Bench, cfg: Tune, base: Artifact, lessons: Artifact, instruction: str) -> None:
        from tensaku.models.foreign import context_of
        from tensaku.models.tokenizer import Tokenizer
        from tensaku.tune.arithmetic import settle
        from tensaku.tune.devices import place_for
        from tensaku.tune.lessons import taught

        self.bench, self.cfg, self.base = bench, cfg, base
        context = min(cfg.context, context_of(base.path))
        tokenizer = Tokenizer.load(base.path)
        self.taught: Taught = taught(tokenizer, lessons, instruction, context=context, validation=cfg.validation)
        self.taught.write_drops(bench.path)
        self.place = place_for(cfg)
        inputs = {"base": base.key, "lessons": lessons.key, "instruction": instruction}
        self.how = settle(cfg, bench.aside, inputs, self.place.device)
        self.core = "own"
        self.learner: Learner[Example] = self._learner(context)

    def _learner(self, context: int) -> Learner[Example]:
        from tensaku.tune.own import open_learner
        from tensaku.tune.pack import shared_prefix
        from tensaku.tune.transformers_learner import fallback_reason
        from tensaku.tune.transformers_learner import open_learner as open_fallback

        self.prefix = prefix = shared_prefix([*self.taught.learn, *self.taught.validation])
        if why := fallback_reason(self.cfg, self.base.path, self.place):
            how, place = self.how, self.place
            fallback = open_fallback(self.cfg, self.base.path, prefix, how.multiply, place, bf16=how.bf16)
            self.core = "transformers"
            self.bench.say(f"tune: {fallback.spoken} (since {why})")
            return fallback
        return open_learner(self.cfg, self.base.path, context, prefix, self.how.multiply)

    def go(self, counting: Counting) -> Outcome:
        """Train and save."""
        from tensaku.tune.loop import Places, train

        course = self.course()
        self.bench.say(f"tune: {self.how.spoken}")
        with self.bench.progress("tune", course.steps) as progress:
            outcome = train(
                self.learner,
                self.taught.learn,
                course,
                Places(self.bench.path, self.bench.aside, self.how.run),
                counting(progress.advance),
                validation=self.taught.validation,
                group=self.place.group,
            )
        if outcome.early:
            self.bench.say(f"tune: ended early, the held-out lessons were best at step {outcome.kept_step}")
        if self.place.group.takes_part(True):
            self.learner.save(self.bench.path, self.base.ref)
        return outcome

    def course(self) -> Course:
        """How long and how fast."""
        from tensaku.tune.loop import Course

        cfg = self.cfg
        steps = max(1, round(cfg.epochs * len(self.taught.learn) / cfg.batch))
        every = max(1, math.ceil(steps / _LOOKS)) if self.taught.validation else 0
        return Course(steps, cfg.batch, cfg.rate, max(1, min(20, steps // 10)), cfg.seed, every, cfg.patience)

    def _lengths(self, steps: int) -> dict[str, Any]:
        """How long the lessons were, as the plan asks (`plan.runs`)."""
        from tensaku.tune.loop import order

        learn, cfg = self.taught.learn, self.cfg
        own = [len(lesson.prompt) + len(lesson.completion) - 1 - self.prefix for lesson in learn]
        scored = [len(lesson.completion) for lesson in learn]
        picked = [order(len(learn), cfg.batch, step, cfg.seed) for step in range(steps)]
        largest = max(picked, key=lambda batch: sum(own[i] for i in batch))
        taken = [i for batch in picked for i in batch]
        return {
            "prefix_tokens": self.prefix,
            "lesson_tokens": _mean([own[i] for i in taken]),
            "scored_tokens": _mean([scored[i] for i in taken]),
            "largest_step": [sum(own[i] for i in largest), sum(scored[i] for i in largest)],
        }

    def facts(self, outcome: Outcome) -> dict[str, Any]:
        """What the manifest keeps."""
        return {
            "method": self.cfg.method,
            "form": "weights" if self.cfg.method == "full" else "adapter",
            "core": self.core,
            "base": self.base.ref,
            "lessons": len(self.taught.learn),
            "validation_lessons": len(self.taught.validation),
            "too_long": [drop.row["id"] for drop in self.taught.dropped],
            "duplicates": self.taught.repeats.extra,
            "trainable_parameters": sum(p.numel() for _, p in self.learner.named_parameters()),
            "size_mb": size_mb(self.bench.path),
            **trained(outcome),
            **self._lengths(len(outcome.log)),
            **self.how.facts,
        }


def trained(outcome: Outcome) -> dict[str, Any]:
    """The facts that a training's log holds."""
    log = outcome.log
    tail = log[-max(1, len(log) // 10) :]
    looks = [(s.validation_loss, s.step) for s in log if s.validation_loss is not None]
    return {
        "steps": len(log),
        "kept_step": outcome.kept_step,
        "ended_early": outcome.early,
        "resumed_at": outcome.resumed,
        "first_loss": log[0].loss,
        "last_loss": _mean([s.loss for s in tail]),
        "validation_loss": next((loss for loss, step in looks if step == outcome.kept_step), None),
        "tune_seconds": log[-1].seconds,
        "tokens_per_second": sum(s.tokens for s in log) / log[-1].seconds,
        "checkpoint_seconds": round(outcome.checkpoint_seconds, 3),
        "peak_memory_mb": max(s.memory_mb for s in log),
    }


def size_mb(folder: Path) -> float:
    """Megabytes of what was learnt, in `adapter/` or `model/`."""
    files = [f for name in ("adapter", "model") for f in (folder / name).rglob("*") if f.is_file()]
    return round(sum(f.stat().st_size for f in files) / 1e6, 3)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
