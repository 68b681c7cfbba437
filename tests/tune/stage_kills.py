"""Tunes the tiny model through a store in processes of its own and kills them at random moments.

    stage_kills.py once MODEL ROOT SETTINGS             tune once, saying "step N" as it goes
    stage_kills.py kill MODEL FOLDER SETTINGS KILLS     kill so often; what came of it, as JSON

A round is one piece of work in a workspace of its own: started, killed after a random time, started again, until it is
sealed; then the next one begins, until there were so many kills.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tensaku.config import Section
from tensaku.errors import TensakuError
from tensaku.models.base import Base, base, source_files
from tensaku.records import to_dict
from tensaku.store import Artifact, Bench, Progress, SilentReporter, SourceFile, Store, stage
from tensaku.testing import tiny_pairs
from tensaku.tune import Tune, learner, tune


class Nothing(Section):
    """No settings."""


@stage(version=1)
def lessons(bench: Bench, cfg: Nothing) -> None:
    """A dozen pairs."""
    rows = (json.dumps(to_dict(pair), ensure_ascii=False) + "\n" for pair in tiny_pairs(12))
    (bench.path / "lessons.jsonl").write_text("".join(rows), encoding="utf-8")


class Telling(SilentReporter):
    """Says which step it is at."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Progress]:
        """A step of training is counted by what stands in the log."""
        yield self if label == "tune" else _Silent()

    def advance(self, n: float = 1, note: str = "") -> None:
        """Tell the number of the step that was just logged."""
        [log] = self.root.glob("scratch/tune-*/loss.jsonl")
        step = len(log.read_text().splitlines())
        print("step", step, flush=True)
        if os.environ.get("STARVE_AT") == str(step):
            vars(learner)["cross_entropy"] = _starved  # as the step finds it


def _starved(*_: object, **__: object) -> None:
    """Asks, in the middle of a step, for more than any machine has: the refusal is the allocator's own.

    A limit on the address space would be met by whatever library asks next, and some of those end in a segmentation
    fault, which tests them and not us.
    """
    torch.empty(1 << 50, dtype=torch.uint8)


class _Silent:
    def advance(self, n: float = 1, note: str = "") -> None:
        """Nothing."""


def work(root: Path, model: Path, settings: dict[str, Any]) -> None:
    """Bring the model in and tune it."""
    store = Store(root, Telling(root))
    cfg = Base(model=f"path:{model}")
    made = store.run(base, cfg, files=source_files(cfg, Path()))
    instruction = root.parent / "instruction.md"
    instruction.write_text("公表文に直してください。\n", encoding="utf-8")
    given: dict[str, Any] = {"base": made, "lessons": store.run(lessons, Nothing())}
    store.run(tune, Tune(**{"rank": 4} | settings), **given, instruction=SourceFile(instruction))


def begin(root: Path, model: Path, settings: dict[str, Any], said: Path) -> int:
    """Do the work in a process of its own, which writes what it says into the file; its number."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        work(root, model, settings)
        os._exit(0)
    return child


def sealed(root: Path) -> Artifact | None:
    """The result, if it is there."""
    return next(iter(Store(root, SilentReporter()).list("tune")), None)


def moment(root: Path) -> str:
    """What the killed process was at, by what it left."""
    for aside in root.glob("scratch/tune-*.aside"):
        folder = aside.with_suffix("")
        if (folder / "manifest.json").exists() or (aside / "manifest.json").exists():
            return "sealing"
        if list(aside.glob("*.new")):
            return "writing a checkpoint"
        if (folder / "adapter").exists() or (folder / "model").exists():
            return "saving the result"
        if (aside / "checkpoint.safetensors").exists():
            return "in a step"
        return "before the first checkpoint"
    return "sealed" if sealed(root) else "before the work"


def content(made: Artifact) -> list[bytes]:
    """What must be the same: every file but the seconds, and the log without them."""
    names = [name for name in made.files if name.endswith((".safetensors", "config.json", "drops.jsonl"))]
    log = [json.loads(line) for line in made.file("loss.jsonl").read_text().splitlines()]
    kept = [{k: row.get(k) for k in ("step", "loss", "lr", "tokens", "grad_norm", "validation_loss")} for row in log]
    return [*(made.file(name).read_bytes() for name in names), json.dumps(kept).encode()]


def _wait(dice: random.Random, span: float, steps: int, said: Path, child: int) -> None:
    """Until a random moment of the whole work, or every other time of its last tenth, where the result is sealed."""
    if dice.random() < 0.5:
        time.sleep(dice.uniform(0, 0.7 * span))
        return
    last = f"step {dice.randint(round(0.9 * steps), steps)}\n"
    ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while last not in said.read_text() and os.waitid(os.P_PID, child, ended) is None:
        time.sleep(0.001)
    time.sleep(dice.uniform(0, 0.06))


def kill(folder: Path, model: Path, settings: dict[str, Any], kills: int) -> dict[str, Any]:
    """Kill `kills` times; when, in which moments, and how many of the results are those of a whole run."""
    said, dice = folder / "said", random.Random(kills)
    started = time.monotonic()
    assert os.waitpid(begin(folder / "whole", model, settings, said), 0)[1] == 0
    span = time.monotonic() - started
    steps = len(said.read_text().splitlines())
    whole = sealed(folder / "whole")
    assert whole is not None
    moments: list[str] = []
    same: list[bool] = []
    redone = 0
    while len(moments) < kills or not same:
        root, reached = folder / f"round-{len(same)}", 0
        while sealed(root) is None:
            said.write_text("")
            child = begin(root, model, settings, said)
            if len(moments) < kills:
                _wait(dice, span, steps, said, child)
                os.kill(child, signal.SIGKILL)
            if os.waitpid(child, 0)[1] == signal.SIGKILL:  # else it was done before
                moments.append(moment(root))
            numbers = [int(line.split()[1]) for line in said.read_text().splitlines() if line.startswith("step ")]
            if numbers:
                redone += max(0, reached - numbers[0] + 1)
                reached = numbers[-1]
        made = sealed(root)
        assert made is not None
        same.append(content(made) == content(whole) and Store(root, SilentReporter()).verify(made.ref) == [])
        shutil.rmtree(root)
    tally = {name: moments.count(name) for name in sorted(set(moments))}
    return {"kills": len(moments), "moments": tally, "same": same, "steps": steps, "steps_done_twice": redone}


def main() -> None:
    """Do what the words say."""
    what, model, folder, settings = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4])
    if what == "once":
        try:
            work(folder, model, settings)
        except TensakuError as error:
            sys.exit(f"{type(error).__name__}: {error}")
        return
    os.environ["TENSAKU_CHECKPOINT_SECONDS"] = "0"
    folder.mkdir(parents=True, exist_ok=True)
    torch.optim.AdamW([torch.zeros(1)])  # loads now what every child would have to load
    print(json.dumps(kill(folder, model, settings, int(sys.argv[5]))))


main()
