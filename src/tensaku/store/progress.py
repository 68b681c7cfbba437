"""How long work shows itself: bars on a terminal, plain lines elsewhere, nothing in tests."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

__all__ = ["PlainReporter", "Progress", "Reporter", "RichReporter", "SilentReporter", "reporter_for"]


class Progress(Protocol):
    """One long step while it runs."""

    def advance(self, n: float = 1, note: str = "") -> None:
        """`n` more are done; `note` is a few words shown beside the count. May be called from any thread."""


class Reporter(Protocol):
    """Where progress and remarks go."""

    def task(self, label: str, total: float | None = None) -> AbstractContextManager[Progress]:
        """A long step that counts up to `total`, or one of unknown length."""

    def say(self, line: str) -> None:
        """Tell the person at the terminal one line."""


class _Count:
    """A count that calls back on each advance."""

    def __init__(self, tell: Callable[[float, str], None]) -> None:
        self._tell = tell

    def advance(self, n: float = 1, note: str = "") -> None:
        self._tell(n, note)


class SilentReporter:
    """Says nothing."""

    def task(self, label: str, total: float | None = None) -> AbstractContextManager[Progress]:
        """A step nobody watches."""
        return nullcontext(_Count(lambda n, note: None))

    def say(self, line: str) -> None:
        """Nothing."""


class PlainReporter:
    """One line when a step starts and ends, and at most one every `every` seconds between.

    Args:
        stream: where the lines go; standard error if None.
        every: seconds.
        clock: seconds from anywhere, going up.
    """

    def __init__(
        self, stream: TextIO | None = None, *, every: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._every, self._clock = stream, every, clock
        self._lock = threading.Lock()

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Progress]:
        """A step told in lines."""
        started = told = self._clock()
        done = 0.0
        self.say(f"{label} ...")

        def tell(n: float, note: str) -> None:
            nonlocal done, told
            with self._lock:
                done += n
                due = self._clock() - told >= self._every
                if due:
                    told = self._clock()
            if due:
                self.say(f"{label}: {_share(done, total)} in {_span(told - started)}{f', {note}' if note else ''}")

        try:
            yield _Count(tell)
        except BaseException:
            self.say(f"{label}: stopped at {_share(done, total)} after {_span(self._clock() - started)}")
            raise
        self.say(f"{label}: done in {_span(self._clock() - started)}")

    def say(self, line: str) -> None:
        """Write one line."""
        print(line, file=self._stream or sys.stderr, flush=True)


class RichReporter:
    """A bar for every step that runs, on a terminal. Writes to standard error, so that output can be piped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: RichProgress | None = None
        self._open = 0

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Progress]:
        """A step shown as a bar."""
        live = self._enter()
        number = live.add_task(label, total=total, note="")

        def tell(n: float, note: str) -> None:
            live.update(number, advance=n, note=note)

        try:
            yield _Count(tell)
            live.update(number, completed=total if total is not None else 1, total=total if total is not None else 1)
        finally:
            self._leave()

    def say(self, line: str) -> None:
        """Write one line above the bars."""
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def _enter(self) -> RichProgress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        with self._lock:
            if self._live is None:
                self._live = Progress(
                    TextColumn("{task.description}", markup=False),
                    BarColumn(bar_width=30),
                    TaskProgressColumn(),
                    TimeElapsedColumn(),
                    TimeRemainingColumn(elapsed_when_finished=False),
                    TextColumn("{task.fields[note]}", markup=False),
                    console=Console(stderr=True),
                )
                self._live.start()
            self._open += 1
            return self._live

    def _leave(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0 and self._live is not None:
                self._live.stop()
                self._live = None


def reporter_for(stream: TextIO | None = None) -> Reporter:
    """Bars if standard error (or `stream`) is a terminal, else plain lines."""
    stream = stream or sys.stderr
    return RichReporter() if stream is sys.stderr and stream.isatty() else PlainReporter(stream)


def _share(done: float, total: float | None) -> str:
    if not total:
        return f"{done:g}"
    return f"{done:g} of {total:g} ({100 * done / total:.0f} %)"


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
