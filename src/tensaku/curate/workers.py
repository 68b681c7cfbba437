"""Processes that take shards through steps: `python -m tensaku.curate.workers` reads the steps, then a shard a line.

Words go to and fro as JSON, a line each; pairs never do, since every process reads and writes its own shards. A process
whose parent is gone finds its input at an end and stops at once.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from tensaku.curate.shards import Shard
from tensaku.machine import cores
from tensaku.plugins import Part, steps

__all__ = ["Workers"]

Work = tuple[Shard, Path]


class Workers:
    """As many processes as there are cores, at most `shards`; none where one would do or a step is ours alone."""

    def __init__(self, parts: Sequence[Part[Any]], back: Collection[tuple[str, str]], shards: int) -> None:
        many = min(cores(), shards) if all(steps.is_anywhere(part.name) for part in parts) else 0
        told = {"steps": [{"step": part.name, **part.args} for part in parts], "back": sorted(back)}
        words = [sys.executable, "-m", "tensaku.curate.workers"]
        self._processes = [
            subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
            )
            for _ in range(many if many > 1 else 0)
        ]
        for process in self._processes:
            _say(process, told)
        self._todo: deque[Work] = deque()
        self._done: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._alive = len(self._processes)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._todo.clear()
        for process in self._processes:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()

    def share(self, work: Sequence[Work]) -> Iterator[Work]:
        """Hand out the work; each piece comes back when it is done, or when nobody is left to do it."""
        if not self._processes:
            yield from work
            return
        self._todo.extend(work)
        for process in self._processes:
            threading.Thread(target=self._feed, args=(process,), daemon=True).start()
        for _ in work:
            yield self._done.get()

    def _feed(self, process: subprocess.Popen[str]) -> None:
        while True:
            try:
                piece = self._todo.popleft()
            except IndexError:
                return
            shard, target = piece
            answered = _say(process, {"shard": [str(shard.path), *shard[1:]], "target": str(target)}) and _heard(
                process
            )
            self._done.put(piece)
            if not answered:
                break
        with self._lock:
            self._alive -= 1
            if not self._alive:
                while self._todo:
                    self._done.put(self._todo.popleft())


def _say(process: subprocess.Popen[str], words: object) -> bool:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(words, default=str) + "\n")
        process.stdin.flush()
    except (OSError, ValueError):
        return False
    return True


def _heard(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    try:
        return process.stdout.readline() == "done\n"
    except (OSError, ValueError):
        return False


def _listen(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(1)  # the parent is gone: the next run does this shard


def main() -> None:
    """Do what comes in on the standard input until it ends."""
    import tensaku.curate.pool  # noqa: F401  (registers the steps)
    from tensaku.curate.walk import walk_shard

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    parts = [steps.build(use) for use in told["steps"]]
    back = {(row, reason) for row, reason in told["back"]}
    while True:
        work = json.loads(lines.get())
        path, start, end, n = work["shard"]
        walk_shard(parts, Shard(Path(path), start, end, n), Path(work["target"]), back)
        print("done", flush=True)


if __name__ == "__main__":
    main()
