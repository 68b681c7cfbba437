"""How long answers take under load: a simulation of one server that writes several answers in each pass.

Requests come at random (Poisson) or, with no rate given, each user asks again as soon as an answer is whole. A prompt
is read as soon as a place is free, before the answers under way go on; then each pass writes for all of them at once.
Time jumps from one event to the next, so an hour of load takes a moment.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Latency", "capacity", "simulate"]


class Latency(NamedTuple):
    """Seconds to the first word and to the whole answer: of 50, 95 and 99 in 100 requests. `busy` is the share of time
    at work, `capacity` the requests a second that can be answered at most. `stable` is False where more arrive than
    that: waiting then grows without end, and no percentile means anything (nan)."""

    first: tuple[float, float, float]
    whole: tuple[float, float, float]
    busy: float
    capacity: float
    requests: int
    stable: bool


_NONE = (math.nan, math.nan, math.nan)


def capacity(prompt: float, one_pass: float, passes: float, slots: int) -> float:
    """Requests a second that a server with all `slots` at work answers at most; `one_pass`: seconds of its pass."""
    return slots / (slots * prompt + passes * one_pass)


def simulate(
    *,
    prompt: float,
    one_pass: Callable[[int], float],
    passes: float,
    slots: int,
    rate: float,
    requests: int = 2000,
    varied: bool = True,
    seed: int = 1,
) -> Latency:
    """Latency of one server.

    Args:
        prompt: seconds to read a prompt, above 0; the first word is there then.
        one_pass: seconds of a pass with so many answers under way.
        passes: passes after the prompt that an answer takes, on average.
        slots: answers under way at once.
        rate: requests a second; 0: `slots` users who ask one after the other.
        requests: how many are simulated; the first tenth is not counted.
        varied: whether answers differ in length, evenly between half and one and a half of `passes`.
        seed: of the draws.
    """
    most = capacity(prompt, one_pass(slots), passes, slots)
    if rate >= most:
        return Latency(_NONE, _NONE, 1.0, most, 0, False)
    return _Server(prompt, one_pass, passes, slots, rate, varied, seed).run(requests, most)


class _Server:
    def __init__(
        self,
        prompt: float,
        one_pass: Callable[[int], float],
        passes: float,
        slots: int,
        rate: float,
        varied: bool,
        seed: int,
    ) -> None:
        self.prompt, self.slots, self.rate = prompt, slots, rate
        self._passes, self._varied = passes, varied
        self._random = random.Random(seed)  # noqa: S311 - arrivals, no secrets
        self._step = [0.0, *(one_pass(count) for count in range(1, slots + 1))]
        self.now = self.worked = 0.0
        self.waiting: deque[float] = deque()
        self.running: list[list[float]] = []  # [passes left, arrived, first word]
        self.next = self._random.expovariate(rate) if rate else math.inf
        self.done: list[tuple[float, float]] = []

    def run(self, requests: int, most: float) -> Latency:
        if not self.rate:
            self.waiting.extend([0.0] * self.slots)
        while len(self.done) < requests:
            self._arrivals()
            if self.waiting and len(self.running) < self.slots:
                self._read()
            elif self.running:
                self._write()
            else:
                self.now = self.next
        counted = self.done[len(self.done) // 10 :]
        firsts, wholes = zip(*counted, strict=True)
        return Latency(_of(firsts), _of(wholes), self.worked / self.now, most, len(counted), True)

    def _arrivals(self) -> None:
        while self.next <= self.now:
            self.waiting.append(self.next)
            self.next += self._random.expovariate(self.rate)

    def _read(self) -> None:
        arrived = self.waiting.popleft()
        self._spend(self.prompt)
        length = self._passes * (self._random.uniform(0.5, 1.5) if self._varied else 1.0)
        self.running.append([max(0.0, length), arrived, self.now])
        self._finish()

    def _write(self) -> None:
        step = self._step[len(self.running)]
        count = max(1, math.ceil(min(left for left, _, _ in self.running)))
        if len(self.running) < self.slots and self.next < math.inf and step > 0:
            count = max(1, min(count, math.ceil((self.next - self.now) / step)))
        self._spend(count * step)
        for answer in self.running:
            answer[0] -= count
        self._finish()

    def _finish(self) -> None:
        for answer in [answer for answer in self.running if answer[0] <= 0]:
            self.running.remove(answer)
            _, arrived, first = answer
            self.done.append((first - arrived, self.now - arrived))
            if not self.rate:
                self.waiting.append(self.now)

    def _spend(self, seconds: float) -> None:
        self.now += seconds
        self.worked += seconds


def _of(values: tuple[float, ...]) -> tuple[float, float, float]:
    ordered = sorted(values)

    def at(part: float) -> float:
        return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]

    return at(0.50), at(0.95), at(0.99)
