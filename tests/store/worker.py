"""A process that works on one store, for the tests that kill, race and starve it.

usage: worker.py ROOT SECONDS     prints the ref of the result, or the error
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tensaku.config import Section
from tensaku.errors import TensakuError
from tensaku.store import Bench, PlainReporter, Store, stage

STEPS = 20
FILES = 30


class Knobs(Section):
    """How long to work."""

    size: int = 20_000
    """Bytes of each file."""


def lasting(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)


@stage(version=1)
def works(bench: Bench, cfg: Knobs) -> None:
    """Twenty steps with a checkpoint after each, then many files."""
    with (Path(os.environ["LOG"])).open("a") as log:
        log.write("entered\n")
        checkpoint = bench.aside / "step"
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        with bench.progress("works", STEPS) as bar:
            for step in range(done, STEPS):
                time.sleep(float(os.environ["SECONDS"]) / STEPS)
                log.write(f"{step}\n")
                log.flush()
                lasting(checkpoint, str(step + 1))
                bar.advance()
    for n in range(FILES):
        (bench.path / f"part-{n % 3}").mkdir(exist_ok=True)
        lasting(bench.path / f"part-{n % 3}" / f"{n}.txt", str(n) * cfg.size)
    bench.facts["steps"] = STEPS


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests started in the background inherit a deaf one
    os.environ["SECONDS"] = sys.argv[2]
    try:
        print(Store(Path(sys.argv[1]), PlainReporter(sys.stderr)).run(works, Knobs()).ref, flush=True)
    except TensakuError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
