"""Tunes the tiny model through a store and kills it five times: MODEL ROOT-OF-THE-KILLED ROOT-OF-THE-WHOLE."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import torch

from tensaku.config import Section
from tensaku.models.base import Base, base, source_files
from tensaku.records import to_dict
from tensaku.store import Bench, Progress, SilentReporter, SourceFile, Store, stage
from tensaku.testing import tiny_pairs
from tensaku.tune import Tune, loop, tune


class Nothing(Section):
    """No settings."""


@stage(version=1)
def lessons(bench: Bench, cfg: Nothing) -> None:
    """A dozen pairs."""
    rows = (json.dumps(to_dict(pair), ensure_ascii=False) + "\n" for pair in tiny_pairs(12))
    (bench.path / "lessons.jsonl").write_text("".join(rows), encoding="utf-8")


class Telling(SilentReporter):
    """Says which step it is at."""

    def __init__(self, log: Path, pace: float) -> None:
        self.log, self.pace = log, pace

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Progress]:
        """A step of training is counted by what stands in the log."""
        yield self if label == "tune" else _Silent()

    def advance(self, n: float = 1, note: str = "") -> None:
        """Tell the number of the step that was just logged."""
        [log] = self.log.glob("scratch/tune-*/loss.jsonl")
        print("step", json.loads(log.read_text().splitlines()[-1])["step"], flush=True)
        time.sleep(self.pace)


class _Silent:
    def advance(self, n: float = 1, note: str = "") -> None:
        """Nothing."""


def work(root: Path, model: Path, pace: float) -> None:
    """Bring the model in and tune it."""
    loop._CHECKPOINT_SECONDS, loop._CHECKPOINT_SHARE = 0.0, 1e9
    store = Store(root, Telling(root, pace))
    cfg = Base(model=f"path:{model}")
    made = store.run(base, cfg, files=source_files(cfg, Path()))
    taught = store.run(lessons, Nothing())
    instruction = SourceFile(model.parent / "instruction.md")
    store.run(tune, Tune(epochs=12, rank=4), base=made, lessons=taught, instruction=instruction)


def begin(root: Path, model: Path, pace: float) -> tuple[int, TextIO]:
    """Do the work in a process of its own; its number and what it says."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.close(reading)
        work(root, model, pace)
        os._exit(0)
    os.close(writing)
    return child, os.fdopen(reading)


def main() -> None:
    """Kill five times, then let it end; prints where it was killed and where each run began, as JSON."""
    model, killed, whole = (Path(word) for word in sys.argv[1:])
    torch.optim.AdamW([torch.zeros(1)])  # loads now what every child would have to load
    dice = random.Random(5)
    at, first = [], []
    for kill in range(5):
        wanted = 1 + kill * 6 + dice.randrange(6)  # of 36 steps, so that each run gets further
        child, said = begin(killed, model, 0.03)
        steps = []
        for line in said:
            steps.append(int(line.split()[1]))
            if steps[-1] >= wanted:
                break
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said.close()
        at.append(steps[-1])
        first.append(steps[0])
        assert not list((killed / "artifacts").glob("tune-*")), "sealed before it was done"
    for root in (killed, whole):
        child, said = begin(root, model, 0.0)
        steps = [int(line.split()[1]) for line in said]
        assert os.waitpid(child, 0)[1] == 0
        first.append(steps[0])
    print(json.dumps({"killed_at": at, "began_at": first}))


main()
