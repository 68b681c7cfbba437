"""Documents cut into rows of tokens for continued pre-training: every token scored, none sees another document.

A document is followed by the end-of-text token, and documents follow each other until a row is full; the one that does
not fit goes on in the next row, without what stood before the cut. Each piece starts behind the token that begins a
text, so that its first word is scored too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from torch import Tensor

from tensaku.tune.learner import DecoderLearner, Measured
from tensaku.tune.pack import Example

__all__ = ["Row", "RowLearner", "rows_of"]

Row = tuple[Example, ...]
"""Pieces of documents that go through the model together, without seeing each other."""


def rows_of(texts: Iterable[Sequence[int]], *, start: int, end: int, context: int) -> Iterator[Row]:
    """Rows of exactly `context` tokens, the last one shorter, of documents given as token ids.

    Args:
        texts: the documents, without their end tokens.
        start: the token that begins a text; it is given, and counts for no place.
        end: the token that ends one.
        context: tokens a row.
    """
    row: list[Example] = []
    free = context
    for text in texts:
        left = [*text, end]
        while left:
            piece, left = left[:free], left[free:]
            row.append(Example([start], piece))
            free -= len(piece)
            if not free:
                yield tuple(row)
                row, free = [], context
    if row:
        yield tuple(row)


class RowLearner:
    """A `DecoderLearner` whose lessons are rows."""

    def __init__(self, pieces: DecoderLearner) -> None:
        self._pieces = pieces

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor under a stable name."""
        return self._pieces.named_parameters()

    def count(self, lessons: Sequence[Row]) -> int:
        """The tokens, all of which are scored."""
        return sum(self._pieces.count(row) for row in lessons)

    def gradients(self, lessons: Sequence[Row], terms: int) -> Measured:
        """Add d(summed loss / terms) to the gradient of every parameter, a row at a time."""
        total = Measured(0.0, 0, 0)
        for row in lessons:
            total += self._pieces.gradients(row, terms)
        return total

    def loss(self, lessons: Sequence[Row]) -> Measured:
        """The loss alone."""
        total = Measured(0.0, 0, 0)
        for row in lessons:
            total += self._pieces.loss(row)
        return total

    def save(self, folder: Path, base: str) -> None:
        """Write what was learnt below `folder`."""
        self._pieces.save(folder, base)
