"""The processes that share a step. One process is a group of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor

from tensaku.tune.learner import Measured

__all__ = ["Alone", "Group"]


class Group(Protocol):
    """What the loop asks of the processes that train together."""

    @property
    def rank(self) -> int:
        """This process's number, from 0; number 0 writes."""
        ...

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Make each parameter's gradient the sum over all processes (one that has none counts as zero)."""
        ...

    def sum(self, measured: Measured) -> Measured:
        """The sum over all processes."""
        ...

    def barrier(self) -> None:
        """Wait for all."""
        ...


class Alone:
    """A group of one."""

    rank, size = 0, 1

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Nothing to add."""

    def sum(self, measured: Measured) -> Measured:
        """Itself."""
        return measured

    def barrier(self) -> None:
        """Nobody to wait for."""
