"""What a stage gets to work with, and the decorator that makes a function a stage."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

from tensaku.store.progress import Progress, Reporter, SilentReporter

__all__ = ["Bench", "Stage", "stage"]

P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Bench:
    """Where a stage works.

    Everything in `path` when the stage returns is sealed. The folder survives a killed run, so a stage looks there
    first for what it had done. `aside` survives too and is thrown away once the result is sealed: the place for
    checkpoints.
    """

    path: Path
    aside: Path
    facts: dict[str, Any] = field(default_factory=dict)
    """Goes into the manifest: numbers, text, lists and tables of such."""
    reporter: Reporter = field(default_factory=SilentReporter, repr=False)

    def progress(self, label: str, total: float | None = None) -> AbstractContextManager[Progress]:
        """A long step that counts up to `total`, or one of unknown length; call `.advance(n, note)` on it."""
        return self.reporter.task(label, total)

    def say(self, line: str) -> None:
        """Tell the person at the terminal one line."""
        self.reporter.say(line)


class Stage(Generic[P, R]):
    """A function from a bench, its own config section and its inputs to the files it leaves in the bench's folder."""

    def __init__(self, work: Callable[P, R], name: str, version: int) -> None:
        self.stage_name, self.stage_version = name, version
        self._work = work
        functools.update_wrapper(self, work)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do the work at once, without a store."""
        return self._work(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<stage {self.stage_name} version {self.stage_version}>"


def stage(*, version: int, name: str | None = None) -> Callable[[Callable[P, R]], Stage[P, R]]:
    """Make a function a stage.

    Args:
        version: raise it when the same section and inputs should give another result than before, from 1.
        name: lower-case words joined by hyphens; by default the function's name.
    """

    def wrap(work: Callable[P, R]) -> Stage[P, R]:
        chosen = name or work.__name__.strip("_").replace("_", "-")
        if not _NAME.fullmatch(chosen):
            raise ValueError(f"{chosen!r} is no name for a stage: lower-case words joined by hyphens")
        if version < 1:
            raise ValueError(f"the version of the stage {chosen!r} must be 1 or more, not {version}")
        return Stage(work, chosen, version)

    return wrap
