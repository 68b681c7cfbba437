"""The training loop: order, schedule, step, validation, checkpoint. Same inputs, same bytes, interrupted or not."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors.torch import load_file

from tensaku.errors import StageError, UsageError
from tensaku.machine import peak_memory_mb
from tensaku.tune import checkpoints
from tensaku.tune.checkpoints import write_tensors
from tensaku.tune.faults import explained
from tensaku.tune.group import Group, current
from tensaku.tune.learner import Learner, Measured
from tensaku.tune.log import Log, Step

__all__ = ["Course", "Outcome", "Places", "train"]

E = TypeVar("E")

_CHECKPOINT_SECONDS = 20.0
_CHECKPOINT_SHARE = 0.02
"""Checkpoints come no nearer than these seconds, and so far apart that writing them takes no more than this share."""

_CLIP = 1.0  # largest norm of the gradient over all parameters
_BEST = "best.safetensors"


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast to learn.

    `batch` is lessons a step; `steps` all of them; `warmup` those that rise; `validate_every` steps between two looks
    at the validation slice (0: none); `patience` looks without improvement before the end (0: no early end).
    """

    steps: int
    batch: int
    learning_rate: float
    warmup: int
    seed: int
    validate_every: int = 0
    patience: int = 0

    def rate(self, step: int) -> float:
        """Learning rate of step `step` (from 0): linear rise, then a half cosine down to nothing."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        along = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * along))


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run keeps things: `folder` what stays (loss.jsonl), `aside` checkpoints. `run` names what decides the
    result; a checkpoint of another run is refused."""

    folder: Path
    aside: Path
    run: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run was: its log; the step whose parameters were kept; whether it ended early; at which steps it was
    taken up again; seconds spent on checkpoints."""

    log: list[Step]
    kept_step: int
    early: bool
    resumed: list[int]
    checkpoint_seconds: float


def order(count: int, batch: int, step: int, seed: int) -> list[int]:
    """Which of `count` lessons step `step` sees: every pass is its own shuffle, cut on across passes."""
    picked: list[int] = []
    for at in range(step * batch, (step + 1) * batch):
        epoch, place = divmod(at, count)
        picked.append(_shuffle(count, seed + epoch)[place])
    return picked


@lru_cache(maxsize=4)
def _shuffle(count: int, seed: int) -> tuple[int, ...]:
    return tuple(torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist())


def train(
    learner: Learner[E],
    lessons: Sequence[E],
    course: Course,
    places: Places,
    advance: Callable[[float, str], object],
    *,
    validation: Sequence[E] = (),
    group: Group | None = None,
) -> Outcome:
    """Let `learner` learn `lessons`; keeps `loss.jsonl` and goes on from a checkpoint.

    `group` is the processes that share each step, by default the one that this process has joined; its process 0
    writes, and the others wait for it in the next sum. `advance(n, note)` is called after each step, and first with the
    steps that a checkpoint has behind it. With `patience`, the parameters of the best validation are put back at the
    end.

    Raises:
        StageError: the loss is not a number any more, memory or disk ran out; the last good checkpoint is kept.
        UsageError: the checkpoint is of another run.
    """
    with explained(places.folder):
        return _Run(learner, lessons, course, places, validation, group or current()).go(advance)


class _Run(Generic[E]):
    def __init__(
        self,
        learner: Learner[E],
        lessons: Sequence[E],
        course: Course,
        places: Places,
        validation: Sequence[E],
        group: Group,
    ) -> None:
        self.learner, self.lessons, self.course, self.places = learner, lessons, course, places
        self.validation, self.group = validation, group
        self.parameters = dict(learner.named_parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=course.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
        )
        self.at = checkpoints.restore(places.aside, self.parameters, self.optimizer, places.run)
        self.log = Log(places.folder / "loss.jsonl", self.at.step, writing=group.rank == 0)
        self.saving = 0.0

    def go(self, advance: Callable[[float, str], object]) -> Outcome:
        course, saved = self.course, time.perf_counter()
        done = self.at.step
        if done:
            advance(done, "taken up again")  # who watches sees the whole course
        while done < course.steps and not self._over():
            step = self._step(done)
            done += 1
            self.at = replace(self.at, step=done, run=self.places.run)
            looked = bool(course.validate_every) and bool(self.validation)
            if looked and (done % course.validate_every == 0 or done == course.steps):
                step = step.validated(self._validate(done))
            self.log.write(step)
            advance(1, self.log.note(course.steps))
            due = self.group.takes_part(time.perf_counter() - saved > self._pause())
            if due and done < course.steps and not self._over():
                self._checkpoint()
                saved = time.perf_counter()
        kept = self._put_back_best(done)
        return Outcome(self.log.steps, kept, done < course.steps, list(self.at.resumed), self.log.checkpoint_seconds)

    def _over(self) -> bool:
        return bool(self.course.patience) and self.at.worse >= self.course.patience

    def _pause(self) -> float:
        """Seconds between two checkpoints."""
        asked = os.environ.get("TENSAKU_CHECKPOINT_SECONDS")
        try:
            return float(asked) if asked else max(_CHECKPOINT_SECONDS, self.saving / _CHECKPOINT_SHARE)
        except ValueError:
            what = f"{asked!r} is no number of seconds"
            raise UsageError(what, where="TENSAKU_CHECKPOINT_SECONDS", fix="Unset it, or set it to one") from None

    def _step(self, number: int) -> Step:
        """One update; what it reports is the loss before it."""
        course, group = self.course, self.group
        picked = [self.lessons[i] for i in order(len(self.lessons), course.batch, number, course.seed)]
        terms = self.learner.count(picked)
        self.optimizer.zero_grad(set_to_none=True)
        own = picked[group.rank :: group.size]
        measured = self.learner.gradients(own, terms) if own or group.lockstep else Measured(0.0, 0, 0)
        measured = group.sum(measured)
        loss = measured.loss / terms
        if not math.isfinite(loss):
            raise self._not_a_number(number, "loss")
        group.sum_gradients(self.parameters.values())
        norm = float(group.whole(torch.nn.utils.clip_grad_norm_(self.parameters.values(), _CLIP)))
        if not math.isfinite(norm):
            raise self._not_a_number(number, "gradient")
        self.optimizer.param_groups[0]["lr"] = course.rate(number)
        self.optimizer.step()
        seconds, memory = self.log.seconds(), peak_memory_mb()
        return Step(number + 1, loss, course.rate(number), measured.tokens, seconds, memory, norm)

    def _not_a_number(self, number: int, what: str) -> StageError:
        why = f"the {what} of step {number + 1} is not a number; the last good checkpoint is of step {self._kept()}"
        fix = "Lower tune.learning_rate, or look for a lesson that is not text; then run again"
        return StageError("tune", why, scratch=self.places.folder, fix=fix)

    def _kept(self) -> int:
        return checkpoints.peek(self.places.aside).step

    def _validate(self, done: int) -> float:
        """Mean loss on the validation slice; remembers the best parameters where an early end may want them."""
        group, batch = self.group, self.course.batch
        seen = Measured(0.0, 0, 0)
        for start in range(0, len(self.validation), batch * group.size):
            own = self.validation[start + group.rank * batch :][:batch]
            if own or group.lockstep:
                seen += self.learner.loss(own)
        seen = group.sum(seen)
        loss = seen.loss / seen.scored
        best = self.at.best
        if best is None or loss < best:
            self.at = replace(self.at, best=loss, best_step=done, worse=0)
            if self.course.patience and group.takes_part(True):
                tensors = checkpoints.gathered(self.parameters, group)
                if group.rank == 0:
                    write_tensors(self.places.aside / _BEST, tensors, {"step": str(done)})
        else:
            self.at = replace(self.at, worse=self.at.worse + 1)
        return loss

    def _put_back_best(self, done: int) -> int:
        """With `patience`, the parameters of the best validation; returns the step that they are of."""
        if not self.course.patience or self.at.best is None or self.at.best_step == done:
            return done
        self.group.barrier()
        best = load_file(self.places.aside / _BEST)
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(checkpoints.put(p, best[name]))
        return self.at.best_step

    def _checkpoint(self) -> None:
        started = time.perf_counter()
        checkpoints.save(self.places.aside, self.at, self.parameters, self.optimizer, self.group)
        self.saving = time.perf_counter() - started
        self.log.checkpoint_seconds += self.saving
