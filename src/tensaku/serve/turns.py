"""Who is next: a bounded queue before the engine, served round and round by caller."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from dataclasses import dataclass

from tensaku.serve.errors import WireError

__all__ = ["Turns"]

_LONGEST_AFTER = 60
_OWN = 0.75
"""Share of the line that one caller may fill: others still find a place."""
_TYPICAL = 5.0
"""Seconds that an answer is taken to last before the first one was measured."""


@dataclass(eq=False, slots=True)
class _Waiting:
    weight: int
    most: int
    granted: asyncio.Future[None]


class Turns:
    """`slots` answers at once, `waiting` more in line. Used from one event loop.

    Callers get their turn one after another, whatever number of requests each has in line: one that sends a hundred
    delays another's single request by one answer. Within a caller, first come, first served.
    """

    def __init__(self, slots: int, waiting: int) -> None:
        self.slots, self._most_waiting = slots, waiting
        self._lines: dict[str, deque[_Waiting]] = {}
        """Callers with somebody in line; the first key is who is next."""
        self._running: Counter[str] = Counter()
        self._typical = _TYPICAL

    @property
    def running(self) -> int:
        """Slots that are taken."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return sum(len(line) for line in self._lines.values())

    @property
    def after(self) -> int:
        """Whole seconds after which a refused client may find a place."""
        return min(_LONGEST_AFTER, max(1, math.ceil(self._typical * (self.waiting + 1) / self.slots)))

    async def take(self, who: str, weight: int = 1, most: int | None = None) -> None:
        """Wait for `weight` slots; give them back with `leave`. Cancelling gives up the place in line.

        Args:
            who: the caller.
            weight: slots wanted together, at most all of them.
            most: slots that this caller may hold at once.

        Raises:
            WireError: 429, the line is full, or this caller's share of it.
        """
        own = len(self._lines.get(who, ()))
        full = self.waiting >= self._most_waiting or own >= math.ceil(_OWN * self._most_waiting)
        if full and not (self._fits(weight) and not self._lines):
            message = f"{self.waiting} requests are waiting already; try again in {self.after} seconds"
            raise WireError(429, message, code="queue_full", after=self.after)
        granted = asyncio.get_running_loop().create_future()
        place = _Waiting(weight, self.slots if most is None else most, granted)
        self._lines.setdefault(who, deque()).append(place)
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._give_back(who, weight)
            else:
                self._drop(who, place)
            self._grant()
            raise

    def leave(self, who: str, weight: int = 1, seconds: float | None = None) -> None:
        """Give slots back; `seconds` is how long the answer took, if it was whole."""
        if seconds is not None:
            self._typical += 0.2 * (seconds - self._typical)
        self._give_back(who, weight)
        self._grant()

    def _give_back(self, who: str, weight: int) -> None:
        self._running[who] -= weight
        if self._running[who] <= 0:
            del self._running[who]

    def _drop(self, who: str, place: _Waiting) -> None:
        line = self._lines.get(who)
        if line is not None and place in line:
            line.remove(place)
            if not line:
                del self._lines[who]

    def _fits(self, weight: int) -> bool:
        return self.running + weight <= self.slots

    def _grant(self) -> None:
        for who in list(self._lines):
            line = self._lines[who]
            place = line[0]
            if self._running[who] + place.weight > max(place.most, place.weight):
                continue  # the caller's own bound: others need not wait for it
            if not self._fits(place.weight):
                return  # whoever is next waits for room, and nobody overtakes
            line.popleft()
            del self._lines[who]
            if line:
                self._lines[who] = line  # to the end of the round
            self._running[who] += place.weight
            place.granted.set_result(None)
            if line:
                self._grant()
                return
