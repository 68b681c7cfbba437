"""How many guessed words are worth a row, from what passes have cost."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

__all__ = ["Pace"]

_FADE = 0.98
"""Weight of the past, per pass: a machine gets busy and idle again."""
_MOST_ROWS = 96


class Pace:
    """Fits seconds = a + b rows to the passes of late, and shares rows out among streams by it.

    One more row pays where the chance that its word is kept, divided by what it costs, is more than the tokens a second
    without it. Words of a stream stand in line (a word counts only if those before it are right), so chances fall along it,
    and taking the best next word again and again finds the best set.
    """

    def __init__(self) -> None:
        # as if 20 passes of 1 and of 17 rows had been seen, a row costing a tenth of a pass
        self._sums = [40.0, 360.0, 5800.0, 0.0, 0.0]  # of 1, rows, rows^2, seconds, rows * seconds
        self._sums[3:] = [20 * (1.1 + 2.7) * 2e-3, 20 * (1.1 + 17 * 2.7) * 2e-3]

    def note(self, rows: int, seconds: float) -> None:
        """A pass of `rows` rows, all of streams that write, took that long."""
        a, b = self.costs()
        seconds = min(seconds, 4 * (a + b * rows))  # somebody else had the processor
        for i, value in enumerate((1.0, rows, rows * rows, seconds, rows * seconds)):
            self._sums[i] = self._sums[i] * _FADE + value

    def costs(self) -> tuple[float, float]:
        """Seconds of a pass without rows, and of a row."""
        n, rows, squares, seconds, mixed = self._sums
        spread = n * squares - rows * rows
        b = (n * mixed - rows * seconds) / spread if spread > 1e-6 * n * squares else 0.0
        mean = seconds / n
        b = min(max(b, mean * 1e-3), mean * n / rows)  # noise can make it negative, or more than all
        return max(mean - b * rows / n, 0.0), b

    def share(self, chances: Sequence[Sequence[float]]) -> list[int]:
        """Of each stream's guesses how many to verify; `chances` of a stream: that this word and all before it are right."""
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
