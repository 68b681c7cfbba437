"""Several processes of this machine train together: they are started, watched and ended here.

Each takes its part of every step's lessons; gradients are summed by gloo over loopback (data parallel). Process 0
writes the log and the checkpoints. If one of them ends before its time, all end, and the next run goes on from the last
checkpoint.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensaku.store import Bench, Input, Stage
from tensaku.tune.hearing import Hearing
from tensaku.tune.section import Tune

if TYPE_CHECKING:
    from tensaku.tune.job import Job

__all__ = ["share"]

_LOCK = "processes.lock"
_GRACE = 2.0
"""Seconds that the others get to say what happened to them once one has failed."""


def share(fn: Stage[..., Any], bench: Bench, cfg: Tune, **inputs: Input) -> None:
    """Let `tune.processes` processes do the work of `fn` together; its facts come into the bench.

    Each of them calls `fn` itself, with `group.current()` set. Inside `torchrun` they are torchrun's, with
    `tune.cluster` a cluster's.

    Raises:
        UsageError: what one of them raised, or torchrun started another number.
        StageError: what one of them raised, or one was killed.
    """
    from tensaku.tune import torchrun
    from tensaku.tune.job import Job

    job = Job.of(fn, bench, cfg, cfg.processes, inputs)
    if torchrun.inside():
        facts = torchrun.lead(job, bench.reporter)
    elif cfg.cluster:
        from tensaku.tune import cluster

        facts = cluster.lead(job, bench)
    else:
        facts = _here(job, bench)
    bench.facts.update(facts, processes=cfg.processes)


def _here(job: Job, bench: Bench) -> dict[str, Any]:
    with (
        _nobody_else(bench.aside / _LOCK) as lock,
        tempfile.TemporaryDirectory(prefix="meeting-", dir=bench.aside) as meeting,
        _Workers(job.processes) as workers,
    ):
        workers.start(job.text(), Path(meeting) / "store", lock)
        return _until_done(bench, workers.all)


@contextlib.contextmanager
def _nobody_else(path: Path) -> Iterator[int]:
    """Hold a lock that the workers hold too, by the same open file: if this process is killed, the next run waits here
    until the last of its workers is gone, and finds nobody writing into its folder."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        path.unlink(missing_ok=True)  # all workers have ended, and the store's own lock lets nobody else wait for it
        os.close(handle)


@dataclass(slots=True)
class _Worker:
    rank: int
    process: subprocess.Popen[bytes]
    hears: int  # the file descriptor of what it tells
    rest: bytes = b""

    def lines(self) -> Iterator[dict[str, Any]] | None:
        """What it has told since the last call; None once it has no more to tell."""
        got = os.read(self.hears, 1 << 16)
        if not got:
            return None
        *lines, self.rest = (self.rest + got).split(b"\n")
        return (json.loads(line) for line in lines)


class _Workers:
    """The processes; none is left when the block ends, however it ends."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.all: list[_Worker] = []

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.all:
            worker.process.kill()
        for worker in self.all:
            worker.process.wait()
            os.close(worker.hears)
            with contextlib.suppress(OSError):
                assert worker.process.stdin is not None
                worker.process.stdin.close()

    def start(self, job: str, meeting: Path, lock: int) -> None:
        """Start them all."""
        for rank in range(self.count):
            hears, tells = os.pipe()
            # -P: what lies in the working directory must not stand in for a module.
            words = [sys.executable, "-P", "-m", "tensaku.tune.worker"]
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[tells, lock])
            os.close(tells)
            self.all.append(_Worker(rank, process, hears))
            given = {"rank": rank, "job": job, "meeting": str(meeting), "tell": tells}
            with contextlib.suppress(BrokenPipeError):  # it has died already; that is seen by its end
                assert process.stdin is not None
                process.stdin.write(json.dumps(given).encode() + b"\n")
                process.stdin.flush()


def _until_done(bench: Bench, workers: list[_Worker]) -> dict[str, Any]:
    """Wait for all; the facts of process 0."""
    with selectors.DefaultSelector() as ready, ExitStack() as tasks:
        hearing = Hearing(bench, tasks)
        for worker in workers:
            ready.register(worker.hears, selectors.EVENT_READ, worker)
        deadline: float | None = None
        while ready.get_map() and (deadline is None or time.monotonic() < deadline):
            for key, _ in ready.select(None if deadline is None else max(0.0, deadline - time.monotonic())):
                worker = key.data
                lines = worker.lines()
                for line in lines or ():
                    hearing.hear(worker.rank, line)
                if lines is None:
                    ready.unregister(worker.hears)
                    worker.process.wait()
                if deadline is None and (worker.process.returncode or hearing.errors):
                    deadline = time.monotonic() + _GRACE
        if deadline is not None or hearing.facts is None:
            # Inside the block, so that a bar is shown as stopped and not as done.
            raise hearing.failure(_killed(workers, hearing))
    return hearing.facts


def _killed(workers: list[_Worker], hearing: Hearing) -> str:
    """Who ended without a word, if any did."""
    for worker in workers:
        if worker.process.poll() and worker.rank not in hearing.errors:
            named = f"process {worker.rank} of {len(workers)} (pid {worker.process.pid})"
            return f"{named} {_how(worker.process.returncode)}"
    return ""


def _how(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code} and no word why"
