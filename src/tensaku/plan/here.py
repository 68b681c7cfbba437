"""What a training or a server takes on this very machine, by Tensaku's own core, from measured constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tensaku.engines.resolve import PRECISION
from tensaku.errors import UsageError
from tensaku.plan.anatomy import Anatomy
from tensaku.plan.answer import Ask
from tensaku.plan.calibrate import ANOTHER, FASTER, SLOWER, Constants
from tensaku.plan.job import Load, Method
from tensaku.plan.layout import ONE
from tensaku.plan.own import (
    OwnServing,
    OwnTraining,
    serving_sizes,
    serving_work,
    training_sizes,
    training_work,
    traits_of,
)
from tensaku.plan.speed import expected_tokens, steps

__all__ = ["HERE", "Here", "plan_here"]

HERE = "this-machine"
"""The name by which the machine at hand is asked for."""


@dataclass(frozen=True)
class Here:
    """Peak memory of the process in bytes, and seconds: of a step and of the whole training, or of `users` answers.

    `memory_band` and `time_band` are the largest relative errors so far, in runs that the constants were not fitted
    to. `parts`: what the memory is for. `outside`: what this has that no fitted run had, so that the bands do not cover
    it.
    """

    model: str
    method: Method
    parts: dict[str, float]
    peak: float
    seconds: float
    steps: int
    memory_band: float
    time_band: float
    gflops: float
    constants: str
    outside: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """As plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "hardware": HERE,
            "whole_seconds": self.seconds * self.steps,
        }

    def lines(self) -> list[str]:
        """As a page of text."""
        found = [f"{self.model}, {self.method}, on this machine (a plain product reaches {self.gflops:,.0f} GFLOP/s)"]
        found += [f"  {name:<28}{size / 1e9:>10,.2f} GB" for name, size in self.parts.items()]
        found.append(
            f"  {'peak of the process':<28}{self.peak / 1e9:>10,.2f} GB   within {100 * self.memory_band:.0f} % so far"
        )
        what = f"{self.steps} steps of {self.seconds:,.2f} s" if self.method != "serve" else "from prompts to ends"
        found.append(
            f"  time  {self.seconds * self.steps:,.1f} s ({what})   within {100 * self.time_band:.0f} % so far"
        )
        found.append(f"  constants: {self.constants}")
        machine = [word for word in self.outside if word in (ANOTHER, FASTER, SLOWER)]
        if others := [word for word in self.outside if word not in machine]:
            found.append(f"  no run that they were fitted to had {', '.join(others)}: the bands do not cover this")
        found += [
            f"  they are of {_ELSEWHERE[word]}: the bands do not cover this machine until tensaku plan --calibrate "
            "was run on it"
            for word in machine
        ]
        return found


_ELSEWHERE = {
    ANOTHER: "another processor",
    FASTER: "a processor of less than half of this speed",
    SLOWER: "a processor of more than twice this speed",
}


def plan_here(
    anatomy: Anatomy,
    method: Method,
    ask: Ask,
    constants: Mapping[str, Constants],
    source: str,
    gflops: float,
    *,
    processor: str = "",
) -> Here:
    """The plan of one training or of one round of answers.

    Args:
        constants: by kind, from `runs.constants_of`; `source` says where from.
        gflops: of a plain product on this machine, now.
        processor: what it calls itself; empty: unknown.

    Raises:
        UsageError: the own core does not do this.
    """
    kind = "serve" if method == "serve" else "tune"
    if method in ("load", "dpo", "pretrain"):
        what = f"{method} on this machine is not planned: no run of it was measured"
        raise UsageError(what, fix="Plan lora, qlora, full or serve, or another --gpu")
    if kind not in constants:
        raise UsageError(f"no constants of the kind {kind} were fitted", fix="Run: tensaku plan --calibrate")
    known = constants[kind]
    _check_asked(ask, kind)
    asked: OwnTraining | OwnServing
    if kind == "tune":
        run = ask.train
        each = run.sequence - run.prefix
        asked = OwnTraining(method, run.batch, run.prefix, each, max(1, round(run.scored * each)), run.rank)
        sizes, work = training_sizes(anatomy, asked), training_work(anatomy, asked)
        count = steps(run, ONE)
    else:
        asked = _answers(ask.serve)
        sizes, work, count = serving_sizes(anatomy, asked), serving_work(anatomy, asked), 1
    return Here(
        anatomy.name,
        method,
        sizes,
        known.peak(sizes, anatomy.vocabulary),
        known.seconds(work, gflops),
        count,
        known.memory_band,
        known.time_band,
        gflops,
        source,
        known.outside(traits_of(asked), sizes, work, processor=processor, gflops=gflops),
    )


def _answers(load: Load) -> OwnServing:
    """The engine with as many places as there are users, each as long as a prompt and its answer."""
    users = max(1, load.users)
    precision = load.precision if "precision" in load.model_fields_set else PRECISION
    if precision not in ("int8", "fp32"):
        what = f"our own engine does not serve in {precision} on a processor"
        raise UsageError(what, where="serve.precision", fix="Ask for int8 or fp32, or another --gpu")
    accepted = rejected = 0.0
    if load.accepted:
        passes = (load.answer - 1) / expected_tokens(load.accepted, load.drafted)
        accepted = load.answer - 1 - passes
        rejected = passes * load.drafted - accepted
    return OwnServing(
        precision, users, load.length, users, load.prompt - load.prefix, load.answer, load.adapters, load.rank,
        accepted, rejected,
    )  # fmt: skip


_FOR_GPUS = {
    "train": ("precision", "recompute"),
    "serve": ("cache", "rate", "first_goal", "answer_goal"),
}
"""Settings that our own core has not: it computes in fp32 and keeps everything; one round is planned, no queue."""


def _check_asked(ask: Ask, kind: str) -> None:
    """Settings that mean something for GPUs alone are refused, rather than left out in silence."""
    section = "train" if kind == "tune" else "serve"
    given = sorted(ask.model_fields_set - {section})
    given += [f"{section}.{name}" for name in _FOR_GPUS[section] if name in getattr(ask, section).model_fields_set]
    if given:
        what = f"{', '.join(given)} cannot be set for a plan on this machine"
        raise UsageError(what, fix="Leave it out, or name another --gpu")
