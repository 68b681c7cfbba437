"""Watching a training: what it uses of the machine, sampled beside it and kept over time.

`usage.jsonl` holds one JSON object a line. The first of every run has `run` (from 1), `started` (UTC), `cores`,
`processor` and `energy_from` or `energy_why_not`; every line has

    seconds       since the first run began, time between runs left out
    run           which run it belongs to: more than one if the work was killed and went on
    step          the last step that was finished, if the loop tells
    cpu           cores in use since the line before, this process and its children (1.5: one and a half)
    rss_mb        their resident memory now
    available_mb  what the machine could still give
    written_mb    what they have sent to disk, over all runs
    joules        energy taken over all runs, by processors and GPUs, everything on the machine included
    gpu, gpu_mb, gpu_watts   with torch.cuda at work: mean share in use, memory held, power

What the machine does not tell is left out.
"""

from __future__ import annotations

import datetime
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tensaku.tune.machine import Energy, Gpus, Processes, available_mb, processor

__all__ = ["FILE", "Watch", "mean_over_time", "read_usage", "usage_facts"]

FILE = "usage.jsonl"
_SAMPLES = 1800.0  # a long run is looked at less often: this many lines in the first half hour, then a few a minute
_LONGEST = 60.0  # seconds between two looks at most, so that no energy counter runs over twice


class Watch:
    """Samples the machine in a thread of its own while the `with` block runs.

    A killed run's samples stay; the next goes on from their time, energy and writes. Should the file not be writable (a
    full disk), the watch ends and `fault` says why: the training is worth more than its log.

    Args:
        path: `usage.jsonl`; made if it is not there. A torn last line is cut off.
        every: seconds between samples at first; beyond half an hour they become rarer.
        clock: seconds from anywhere, going up.
        proc: where the kernel's tables are.
        powercap: where its power zones are.
    """

    def __init__(
        self,
        path: Path,
        every: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        proc: Path = Path("/proc"),
        powercap: Path = Path("/sys/class/powercap"),
        root: int | None = None,
    ) -> None:
        self.step: int | None = None
        """The last step that was finished; the loop sets it."""
        self.fault: str | None = None
        """Why the watch ended early, if it did."""
        self.cost_seconds = 0.0
        """Processor time that watching has taken."""
        self._path, self._every, self._clock, self._proc = path, every, clock, proc
        self._processes, self._energy, self._gpus = Processes(proc, root), Energy(powercap), Gpus()
        self._gpu_joules = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tensaku-watch", daemon=True)

    def __enter__(self) -> Self:
        before = _cut_torn(self._path)
        last = before[-1] if before else {}
        self._run_number = int(last.get("run", 0)) + 1
        self._seconds = float(last.get("seconds", 0.0))
        self._written, self._joules = last.get("written_mb"), last.get("joules")
        self._first = self._before = self._processes.used()
        self._began = self._asked = self._clock()
        self._append(self._header())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self.fault is None and self._clock() > self._asked:
            self._look()

    def _run(self) -> None:
        while self.fault is None:
            elapsed = self._seconds + self._clock() - self._began
            if self._over.wait(min(max(self._every, elapsed / _SAMPLES), max(self._every, _LONGEST))):
                return
            started = time.thread_time()
            self._look()
            self.cost_seconds += time.thread_time() - started

    def _look(self) -> None:
        try:
            self._append(self._sample())
        except OSError as error:
            self.fault = f"{self._path}: what the training uses is no longer written down: {error.strerror}"

    def _header(self) -> dict[str, Any]:
        why_not = self._energy.why_not
        return _known({
            "seconds": self._seconds,
            "run": self._run_number,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "cores": os.cpu_count(),
            "processor": processor(self._proc),
            "energy_from": None if why_not else self._energy.zones,
            "energy_why_not": why_not,
            "rss_mb": self._first.rss_mb,
            "available_mb": available_mb(self._proc),
            "written_mb": self._written,
            "joules": self._joules,
        })  # fmt: skip

    def _sample(self) -> dict[str, Any]:
        now, used, gpus = self._clock(), self._processes.used(), self._gpus.sample()
        span = max(now - self._asked, 1e-9)
        cpu = (
            max(used.cpu_seconds - self._before.cpu_seconds, 0.0) / span
        )  # a child that nobody waited for takes its time away
        self._gpu_joules += gpus.get("gpu_watts", 0.0) * span
        self._before, self._asked = used, now
        row = {"seconds": round(self._seconds + now - self._began, 3), "run": self._run_number, "step": self.step}
        row |= {"cpu": cpu, "rss_mb": used.rss_mb, "available_mb": available_mb(self._proc)}
        row |= {"written_mb": _more(self._written, _minus(used.written_mb, self._first.written_mb))}
        told = self._energy.joules()
        if "gpu_watts" in gpus or self._gpu_joules:
            told = (told or 0.0) + self._gpu_joules
        return _known(row | {"joules": _more(self._joules, told)} | gpus)

    def _append(self, row: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_usage(path: Path) -> list[dict[str, Any]]:
    """The samples of `usage.jsonl`, up to the first line that is torn; empty if there is no such file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return [row for row, _ in _rows(content)]


def usage_facts(path: Path) -> dict[str, Any]:
    """What `usage.jsonl` comes to: `runs`, `watched_seconds`, and, as far as they are told, `cpu_cores_mean`,
    `peak_tree_mb` (resident memory, children included), `written_mb`, `energy_joules`, `gpu_mean`, `gpu_peak_mb`."""
    rows = read_usage(path)
    if not rows:
        return {}
    facts: dict[str, Any] = {"runs": rows[-1]["run"], "watched_seconds": rows[-1]["seconds"]}
    for name, key in (("cpu_cores_mean", "cpu"), ("gpu_mean", "gpu")):
        facts[name] = mean_over_time(rows, key)
    for name, key in (("peak_tree_mb", "rss_mb"), ("gpu_peak_mb", "gpu_mb")):
        facts[name] = max((row[key] for row in rows if key in row), default=None)
    facts |= {"written_mb": rows[-1].get("written_mb"), "energy_joules": rows[-1].get("joules")}
    return _known(facts)


def mean_over_time(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """The mean of `key`, each sample counting for the time since the one before it; None if it was never told."""
    total = span = 0.0
    for before, row in itertools.pairwise(rows):
        if key in row and row["run"] == before["run"]:
            total += row[key] * (row["seconds"] - before["seconds"])
            span += row["seconds"] - before["seconds"]
    return total / span if span else None


def _cut_torn(path: Path) -> list[dict[str, Any]]:
    """What stands in the file, which then ends after its last whole line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    found = _rows(content)
    end = found[-1][1] if found else 0
    if end < len(content):
        os.truncate(path, end)
    return [row for row, _ in found]


def _rows(content: bytes) -> list[tuple[dict[str, Any], int]]:
    """Whole lines as objects, each with the place where it ends, up to the first that is not one."""
    found: list[tuple[dict[str, Any], int]] = []
    end = 0
    for line in content.splitlines(keepends=True):
        end += len(line)
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not line.endswith(b"\n") or not isinstance(row, dict) or not {"seconds", "run"} <= row.keys():
            break
        found.append((row, end))
    return found


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known; figures to three decimals."""
    return {
        key: round(value, 3) if isinstance(value, float) else value
        for key, value in values.items()
        if value is not None
    }


def _minus(now: float | None, first: float | None) -> float | None:
    return None if now is None or first is None else now - first


def _more(before: float | None, now: float | None) -> float | None:
    """What earlier runs took and what this one has; None only if neither is told."""
    return before if now is None else now + (before or 0.0)
