"""What processes that train together tell the one that started them, and what it hears.

A `Telling` stands in a process for the reporter; `Hearing` passes on what arrives, and finds the one error behind what
went wrong.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tensaku.errors import StageError, TensakuError, UsageError
from tensaku.store import Bench, Progress

__all__ = ["Hearing", "Telling", "told"]


def told(error: BaseException) -> dict[str, Any]:
    """An error as it is told: the user's to fix ("usage"), the work's ("failed"), or that of another ("lost")."""
    if isinstance(error, UsageError):
        return {"usage": [error.what, error.where, error.fix]}
    if isinstance(error, StageError):
        lost = isinstance(error.__cause__, RuntimeError)  # see group.py: a sum that another one never came to
        return {"lost" if lost else "failed": str(error).removeprefix(f"{error.stage}: ")}
    if not isinstance(error, TensakuError):
        traceback.print_exception(error)
    return {"failed": str(error) if isinstance(error, TensakuError) else f"{type(error).__name__}: {error}"}


class Telling:
    """A reporter, and a task's progress, that hand what they are told to `tell`, one dictionary after the other."""

    def __init__(self, tell: Callable[[dict[str, Any]], object]) -> None:
        self._tell = tell

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Telling]:
        """A long step."""
        self._tell({"task": label, "total": total})
        yield self
        self._tell({"task": None})

    def advance(self, n: float = 1, note: str = "") -> None:
        """`n` more are done."""
        self._tell({"advance": n, "note": note})

    def say(self, line: str) -> None:
        """A line for the person at the terminal."""
        self._tell({"say": line})


class Hearing:
    """Passes on what process 0 tells of its progress; keeps its facts and everybody's errors."""

    def __init__(self, bench: Bench, tasks: ExitStack) -> None:
        self.facts: dict[str, Any] | None = None
        self.errors: dict[int, dict[str, Any]] = {}
        self._bench, self._tasks = bench, tasks
        self._task: Progress | None = None

    def hear(self, rank: int, line: dict[str, Any]) -> None:
        """One thing that process `rank` tells."""
        match line:
            case {"advance": n, "note": note}:
                if self._task is not None:
                    self._task.advance(n, note)
            case {"say": words}:
                self._bench.say(words)
            case {"task": None}:
                self._tasks.close()
            case {"task": label, "total": total}:
                self._task = self._tasks.enter_context(self._bench.progress(label, total))
            case {"facts": facts}:
                self.facts = facts if rank == 0 else self.facts
            case _:
                self.errors[rank] = line

    def failure(self, otherwise: str) -> UsageError | StageError:
        """What to raise: an error that a process found itself, before `otherwise`, before the loss of another."""
        for line in self.errors.values():
            if "usage" in line:
                what, where, fix = line["usage"]
                return UsageError(what, where=where, fix=fix)
        for line in self.errors.values():
            if "failed" in line:
                return StageError("tune", line["failed"])
        fix = (
            "Run again, it goes on from the last checkpoint. If the system ended it for want of memory: set fewer "
            "tune.processes, or a smaller tune.batch"
        )
        why = otherwise or next((line["lost"] for line in self.errors.values()), "the processes ended without a result")
        return StageError("tune", why, scratch=self._bench.path, fix=fix)
