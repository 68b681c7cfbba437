"""How much one key may ask for: buckets that fill up again over a minute."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from tensaku.ledger import KeyRow, Limits
from tensaku.serve.errors import WireError

__all__ = ["Bucket", "Budgets"]

MINUTE = 60.0


class Bucket:
    """Holds `most` and gains as much each minute."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most, self._clock = most, clock
        self._level, self._at = float(most), clock()

    def missing(self, amount: float) -> int:
        """Whole seconds until `amount` can be taken; 0 if it can be now. More than a bucketful asks for a full one."""
        self._fill()
        lacks = min(amount, self._most) - self._level
        return max(1, math.ceil(lacks * MINUTE / self._most)) if lacks > 1e-9 else 0

    def take(self, amount: float) -> None:
        """Take `amount`, into debt if need be; a negative one is given back."""
        self._fill()
        self._level = min(self._level - amount, float(self._most))

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(float(self._most), self._level + (now - self._at) * self._most / MINUTE)
        self._at = now


class Budgets:
    """The buckets of all keys. In memory: they are full again after a restart. Used from one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[int, tuple[Limits, Bucket | None, Bucket | None]] = {}

    def take(self, key: KeyRow | None, tokens: int) -> None:
        """Take one request and `tokens` (prompt, and the longest answer) from the key's budget.

        Raises:
            WireError: 429, with the seconds after which there will be enough.
        """
        requests, words = self._of(key)
        for bucket, amount, name in ((requests, 1, "requests"), (words, tokens, "tokens")):
            if bucket is not None and (after := bucket.missing(amount)):
                message = f"this key has used up its {name} per minute; try again in {after} seconds"
                raise WireError(429, message, code="rate_limit_exceeded", after=after)
        if requests is not None:
            requests.take(1)
        if words is not None:
            words.take(tokens)

    def settle(self, key: KeyRow | None, taken: int, used: int) -> None:
        """Give back what an answer did not use."""
        _, words = self._of(key)
        if words is not None:
            words.take(used - taken)

    def _of(self, key: KeyRow | None) -> tuple[Bucket | None, Bucket | None]:
        if key is None:
            return None, None
        held = self._held.get(key.id)
        if held is None or held[0] != key.limits:
            made = [
                None if most is None else Bucket(most, self._clock)
                for most in (key.limits.requests_per_minute, key.limits.tokens_per_minute)
            ]
            held = self._held[key.id] = (key.limits, made[0], made[1])
        return held[1], held[2]
