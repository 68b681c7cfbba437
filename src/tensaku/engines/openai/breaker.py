"""When a server fails again and again, asking is stopped for a while; then one request finds out whether it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tensaku.errors import EngineError

__all__ = ["Breaker"]


class Breaker:
    """Opens after `failures` in a row and stays open for `seconds`. Safe to use from many threads."""

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = failures, seconds, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._until = 0.0
        self._trying = False

    def check(self) -> None:
        """Let a request through, or refuse it without asking the server.

        Raises:
            EngineError: the server failed too often just now; says for how long it is left alone.
        """
        with self._lock:
            if self._failed < self._most:
                return
            left = self._until - self._clock()
            if left > 0 or self._trying:
                wait = f"for {max(left, 0):.0f} more seconds" if left > 0 else "until one request has found out"
                why = f"the server failed {self._failed} times in a row and is left alone {wait}"
                raise EngineError(why, retryable=True)
            self._trying = True

    def worked(self) -> None:
        """The server answered."""
        with self._lock:
            self._failed, self._trying = 0, False

    def broke(self) -> None:
        """The server failed or could not be reached."""
        with self._lock:
            self._failed, self._trying = self._failed + 1, False
            if self._failed >= self._most:
                self._until = self._clock() + self._seconds

    def left(self) -> None:
        """A request was given up before it showed anything of the server."""
        with self._lock:
            self._trying = False
