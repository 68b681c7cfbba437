"""A course: the steps that every variant takes, and the timing of them. What all variants share, and nothing more.

A variant is a module with `run(course, watch)`; `python -m benchmarks.tune.hf COURSE.json RESULT.json` runs one. This
module needs the standard library alone, so that no variant carries another's packages.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Course", "Lesson", "Watch", "main"]


class Lesson(NamedTuple):
    """One pair as token ids; the loss is over the completion alone, its end token included."""

    prompt: list[int]
    completion: list[int]

    @property
    def ids(self) -> list[int]:
        """All of it."""
        return self.prompt + self.completion


@dataclass(frozen=True)
class Course:
    """What is to be done, the same for every variant.

    Args:
        model: folder in Hugging Face form.
        adapter: PEFT folder with the first values of LoRA, or None to train all weights.
        rank, alpha: of LoRA, as that folder has them.
        precision: "fp32" or "bf16" (products in bf16, weights and optimiser in fp32).
        batches: the lessons of each step.
        rates: the learning rate of each step.
        beta2, clip: of AdamW (betas (0.9, beta2), eps 1e-8, no weight decay), and the gradient's largest norm.
        save_every: steps between two saved adapters; 0: none is saved.
        folder: where the variant may write.
        options: what is asked of this variant alone.
    """

    model: str
    adapter: str | None
    precision: str
    batches: list[list[Lesson]]
    rates: list[float]
    folder: str
    rank: int = 16
    alpha: int = 32
    beta2: float = 0.99
    clip: float = 1.0
    save_every: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Course:
        """What `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        values["batches"] = [[Lesson(*pair) for pair in batch] for batch in values["batches"]]
        return cls(**values)


class Watch:
    """Takes the time of every step, all of it: choosing the rows, both passes, the optimiser. Saving is not counted."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self.losses: list[float] = []
        self.seconds: list[float] = []
        self.saved: list[dict[str, Any]] = []
        self._since = 0.0

    def start(self) -> None:
        """Call when the model is ready and the first step begins."""
        self._since = time.perf_counter()

    def step(self, loss: float, save: Callable[[Path], object] | None = None) -> None:
        """Call when a step has ended, with the mean loss (nats a token) before its update."""
        self.seconds.append(time.perf_counter() - self._since)
        self.losses.append(loss)
        done = len(self.losses)
        if save is not None and self._course.save_every and done % self._course.save_every == 0:
            folder = Path(self._course.folder) / f"step-{done}"
            save(folder)
            self.saved.append({"step": done, "seconds": sum(self.seconds), "folder": str(folder)})
        self._since = time.perf_counter()


_PACKAGES = ("torch", "transformers", "peft", "trl")


def main(run: Callable[[Course, Watch], None]) -> None:
    """The command line of one variant: read the course, take it, write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("course", type=Path)
    parser.add_argument("result", type=Path)
    options = parser.parse_args()
    course = Course.read(options.course)
    watch = Watch(course)
    run(course, watch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result: dict[str, Any] = {"losses": watch.losses, "seconds": watch.seconds, "saved": watch.saved, "peak_mb": peak}
    result["versions"] = dict(_versions())
    options.result.write_text(json.dumps(result), encoding="utf-8")


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        with _ignoring_missing():
            yield name, importlib.metadata.version(name)


@contextmanager
def _ignoring_missing() -> Iterator[None]:
    try:
        yield
    except importlib.metadata.PackageNotFoundError:
        return
