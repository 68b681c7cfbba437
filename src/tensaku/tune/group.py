"""The processes that share a step. One process is a group of its own."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tensaku.errors import StageError

if TYPE_CHECKING:  # whoever only starts the processes need not load torch
    from torch import Tensor

    from tensaku.tune.learner import Measured

__all__ = [
    "LOOPBACK",
    "TIMEOUT",
    "Alone",
    "Distributed",
    "Group",
    "Sharded",
    "current",
    "first_then_others",
    "joined",
    "together",
]

TIMEOUT = datetime.timedelta(minutes=30)
"""How long a process waits for the others: longer than the longest checkpoint takes to write. One that has died is
noticed at once; this is for one that stands still."""

LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
"""The network interface that leads nowhere but back."""

_BUCKET = 1 << 23
"""Numbers that are summed in one go: 32 MB, large enough that the latency of a message does not count."""


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

    @property
    def lockstep(self) -> bool:
        """Whether all must go through every pass together, one that has no lesson of its own too."""
        ...

    def takes_part(self, wish: bool) -> bool:
        """Whether this process has a part in what process 0 does if it wishes to: its `wish` is what counts."""
        ...

    def whole(self, tensor: Tensor) -> Tensor:
        """A parameter, or what the optimiser keeps for one, as a tensor of its own."""
        ...


class Alone:
    """A group of one."""

    rank, size = 0, 1
    lockstep = False

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Nothing to add."""

    def sum(self, measured: Measured) -> Measured:
        """Itself."""
        return measured

    def barrier(self) -> None:
        """Nobody to wait for."""

    def takes_part(self, wish: bool) -> bool:
        """As wished."""
        return wish

    def whole(self, tensor: Tensor) -> Tensor:
        """Itself."""
        return tensor.detach()


class Distributed:
    """The processes of torch.distributed's default group, which must have been joined.

    Every method raises a StageError where another process is gone.
    """

    lockstep = False

    def __init__(self) -> None:
        from torch import distributed

        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Sum in flat buckets, one message each; large gradients go without a copy."""
        import torch

        small: list[Tensor] = []
        held = 0
        for p in parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
            if p.grad.numel() >= _BUCKET and p.grad.is_contiguous():
                _reduce(p.grad)
                continue
            small.append(p.grad)
            held += p.grad.numel()
            if held >= _BUCKET:
                _reduce_flat(small)
                small, held = [], 0
        _reduce_flat(small)

    def sum(self, measured: Measured) -> Measured:
        """The sum, in fp64; every process gets the same bits."""
        import torch

        total = torch.tensor(measured, dtype=torch.float64)
        _reduce(total)
        loss, scored, tokens = total.tolist()
        return type(measured)(loss, int(scored), int(tokens))

    def barrier(self) -> None:
        """Wait for all."""
        import torch

        _reduce(torch.zeros(1))  # a sum of nothing: gloo's own barrier waits without noticing who has died

    def takes_part(self, wish: bool) -> bool:
        """Process 0 as it wishes, alone."""
        return wish and self.rank == 0

    def whole(self, tensor: Tensor) -> Tensor:
        """Itself: each process holds all of it."""
        return tensor.detach()


class Sharded(Distributed):
    """The processes of the default group, each holding its part of every parameter (a `DTensor`)."""

    lockstep = True

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Nothing left to do: FSDP2 sums them on the way back."""

    def takes_part(self, wish: bool) -> bool:
        """What process 0 wishes, everywhere: whatever gathers tensors needs all of them."""
        import torch

        told = torch.tensor([float(wish and self.rank == 0)])
        _reduce(told)
        return bool(told)

    def most(self, count: int) -> int:
        """The largest `count` that any process has."""
        import torch

        counts = torch.zeros(self.size)
        counts[self.rank] = count
        _reduce(counts)
        return int(counts.max())

    def whole(self, tensor: Tensor) -> Tensor:
        """All parts together, on the processor; every process must ask."""
        with together():
            full: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
        return full.detach().cpu()


@contextmanager
def together() -> Iterator[None]:
    """Inside, torch lets processes speak to one another by itself; that one of them is gone is said as such.

    Raises:
        StageError: another process is gone.
    """
    from torch.distributed import DistError

    try:
        yield
    except RuntimeError as error:
        if isinstance(error, DistError) or "gloo" in str(error):
            raise _gone(error) from error
        raise


def _gone(error: RuntimeError) -> StageError:
    return StageError("tune", f"another process of the group is gone ({error})")


def _reduce(tensor: Tensor) -> None:
    from torch import distributed

    try:
        distributed.all_reduce(tensor)
    except RuntimeError as error:
        raise _gone(error) from error


def _reduce_flat(gradients: list[Tensor]) -> None:
    import torch

    if not gradients:
        return
    flat = torch.cat([g.reshape(-1) for g in gradients])
    _reduce(flat)
    for g, summed in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        g.copy_(summed.view_as(g))


_joined: list[Group] = []


def current() -> Group:
    """The group that this process has joined; a group of one if none."""
    return _joined[-1] if _joined else Alone()


@contextmanager
def joined(group: Group) -> Iterator[None]:
    """Let `group` be the current one while the body runs."""
    _joined.append(group)
    try:
        yield
    finally:
        _joined.pop()


@contextmanager
def first_then_others(group: Group) -> Iterator[None]:
    """Process 0 goes through the body before all others do: what it decides and leaves in a file, they find there."""
    if group.rank > 0:
        group.barrier()
    yield
    if group.rank == 0:
        group.barrier()
