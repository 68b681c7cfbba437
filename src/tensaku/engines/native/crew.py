"""How many threads a pass is shared among, from what passes have cost of late."""

from __future__ import annotations

from tensaku.engines.native.pace import ROW_IN_PASSES

__all__ = ["Crew"]

_NEW = 0.25
"""Weight of the newest pass in what a number of threads is said to cost."""
_TRY_AFTER, _TRY_AT_MOST = 40, 1280
"""Passes between two tries of another number of threads: at first, and after many tries in vain."""
_BETTER = 0.95
"""What another number must cost beside the present one: for less, nothing is changed."""


class Crew:
    """All threads on a machine of one's own; fewer while others use its processors.

    Threads of a pass wait for each other some hundred times. If another program holds one processor of two, each wait
    can last a time slice of the system, and two threads write a tenth of what one writes. So from time to time one pass
    is shared among another number, and the cheaper stays. No result depends on it.

    Args:
        threads: the most there are.
    """

    def __init__(self, threads: int) -> None:
        self._sizes = [threads]
        while self._sizes[-1] > 1:
            self._sizes.append(self._sizes[-1] // 2)
        self._costs: dict[int, float] = {}
        self._now = 0  # place in _sizes
        self._passes, self._wait, self._side = 0, _TRY_AFTER, 1

    def next(self) -> int:
        """How many threads the next pass takes."""
        self._passes += 1
        if len(self._sizes) == 1 or self._passes < self._wait:
            return self._sizes[self._now]
        self._passes, self._wait = 0, min(2 * self._wait, _TRY_AT_MOST)
        return self._sizes[self._neighbour()]

    def note(self, threads: int, rows: int, seconds: float) -> None:
        """A pass of `rows` rows on `threads` threads took that long."""
        cost = seconds / (1 + ROW_IN_PASSES * rows)
        present = self._sizes[self._now]
        before = self._costs.get(threads, cost)
        # a single try says what that number costs now; of the present one, one slow pass alone says little
        self._costs[threads] = cost if threads != present else before + _NEW * (min(cost, 3 * before) - before)
        self._costs.setdefault(present, cost)
        best = min(self._costs, key=self._costs.__getitem__)
        if best != present and self._costs[best] < _BETTER * self._costs[present]:
            self._now = self._sizes.index(best)
            self._passes, self._wait = 0, _TRY_AFTER

    def _neighbour(self) -> int:
        """The next smaller and the next larger number, in turns."""
        self._side = -self._side
        at = self._now + self._side
        return at if 0 <= at < len(self._sizes) else self._now - self._side
