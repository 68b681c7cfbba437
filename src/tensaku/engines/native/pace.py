"""How many guessed words are worth a row, from what passes have cost."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

__all__ = ["ROW_IN_PASSES", "Pace"]

_FADE = 0.98
"""Weight of the past, per pass: a machine gets busy and idle again."""
_MOST_ROWS = 96
ROW_IN_PASSES = 0.1
"""What a row costs beside a pass, before passes have been seen (measured with 8 to 24 rows on two cores)."""


class Pace:
    """Fits seconds = a + b rows to the passes of late, and shares rows out among streams by it.

    One more row pays where the chance that its word is kept, divided by what it costs, is more than the tokens a second
    without it. Words of a stream stand in line (a word counts only if those before it are right), so chances fall
    along it, and taking the best next word again and again finds the best set.
    """

    def __init__(self) -> None:
        self._sums = [0.0] * 5  # of 1, rows, rows^2, seconds, rows * seconds

    def note(self, rows: int, seconds: float) -> None:
        """A pass of `rows` rows, all of streams that write, took that long."""
        if self._sums[0] > 5:
            a, b = self.costs()
            seconds = min(seconds, 3 * (a + b * rows))  # somebody else had the processor
        for i, value in enumerate((1.0, rows, rows * rows, seconds, rows * seconds)):
            self._sums[i] = self._sums[i] * _FADE + value

    def costs(self) -> tuple[float, float]:
        """Seconds of a pass without rows, and of a row.

        Passes of one size say nothing about what a row costs, so some of other sizes are always supposed beside them.
        """
        unit = self._sums[3] / (self._sums[0] + ROW_IN_PASSES * self._sums[1]) if self._sums[0] else 1.0
        n, rows, squares, seconds, mixed = self._sums
        for supposed in (1, 17):
            cost = unit * (1 + ROW_IN_PASSES * supposed)
            n, rows, squares = n + 2, rows + 2 * supposed, squares + 2 * supposed**2
            seconds, mixed = seconds + 2 * cost, mixed + 2 * supposed * cost
        b = (n * mixed - rows * seconds) / (n * squares - rows * rows)
        b = min(max(b, unit * ROW_IN_PASSES / 10), unit)  # noise can make it anything
        return max((seconds - b * rows) / n, 0.0), b

    def share(self, chances: Sequence[Sequence[float]]) -> list[int]:
        """Of each stream's guesses how many to verify; `chances` of a stream: that this word and all before it are
        right."""
        a, b = self.costs()
        rows, tokens = len(chances), float(len(chances))
        taken = [0] * len(chances)
        best = [(-line[0], i) for i, line in enumerate(chances) if line]
        heapq.heapify(best)
        while best and rows < _MOST_ROWS:
            chance, i = -best[0][0], best[0][1]
            if chance * (a + b * rows) <= b * tokens:
                break
            heapq.heappop(best)
            taken[i] += 1
            rows, tokens = rows + 1, tokens + chance
            if taken[i] < len(chances[i]):
                heapq.heappush(best, (-chances[i][taken[i]], i))
        return taken
