"""The fewest GPUs that hold a job, and why one step fewer does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tensaku.errors import UsageError
from tensaku.plan.anatomy import Anatomy
from tensaku.plan.job import Load, Training
from tensaku.plan.layout import ONE, Layout, layouts
from tensaku.plan.memory import KINDS, Memory, serving, training
from tensaku.plan.said import Said

__all__ = ["COUNTS", "Fit", "TooFew", "fewest", "needs", "one_machine"]

COUNTS = (1, 2, 4, 8, *range(16, 65, 8), *range(80, 129, 16), 192, 256, 384, 512, 768, 1024)
"""GPUs that are tried: one server of 1, 2, 4 or 8, then whole servers of 8."""


class TooFew(NamedTuple):
    """A number of GPUs that does not do: its best layout, what that needs, and by how much it is too much."""

    gpus: int
    layout: Layout
    memory: Memory
    missing: float
    reason: Said


class Fit(NamedTuple):
    """The fewest GPUs, how the model is split over them, and the next smaller number."""

    layout: Layout
    memory: Memory
    smaller: TooFew | None


def fewest(
    anatomy: Anatomy,
    job: Training | Load,
    room: float,
    *,
    gpus: int | None = None,
    draft: Anatomy | None = None,
) -> Fit:
    """The fewest GPUs with `room` bytes each on which the job fits even at the high end of its band.

    Args:
        gpus: take exactly so many instead.

    Raises:
        UsageError: it does not fit.
    """
    smaller: TooFew | None = None
    for count in (gpus,) if gpus else _worth_trying(anatomy, job, room, draft):
        best: tuple[Layout, Memory] | None = None
        for layout in _possible(anatomy, job, count):
            memory = needs(anatomy, job, layout, draft)
            if memory.high <= room:
                return Fit(layout, memory, smaller)
            if best is None or memory.high < best[1].high:
                best = layout, memory
        if best is None:
            continue
        smaller = _too_few(count, *best, room)
    if smaller is None:
        raise UsageError(f"{anatomy.name} cannot be split over {gpus} GPUs", fix="Ask for 1, 2, 4, 8 or whole servers")
    advice = "a smaller batch or sequence" if isinstance(job, Training) else "fewer users or shorter texts"
    raise UsageError(smaller.reason, fix=f"Take a GPU with more memory, or {advice}")


def one_machine(anatomy: Anatomy, job: Training | Load, room: float, draft: Anatomy | None = None) -> Fit:
    """The job on one processor with `room` bytes of RAM: there are no cards to split it over.

    Raises:
        UsageError: it does not fit even at the high end of its band.
    """
    memory = needs(anatomy, job, ONE, draft)
    if memory.high <= room:
        return Fit(ONE, memory, None)
    part, size = max(memory.exact.items(), key=lambda item: item[1])
    need, has, short, most = (f"{amount / 1e9:,.1f} GB" for amount in (memory.high, room, memory.high - room, size))
    reason = Said(
        f"one machine: the job needs up to {need} and its RAM is {has}, {short} too little; most of it is {part} "
        f"({most})",
        f"1 台では最大 {need} が要り、RAM は {has} なので {short} 足りません。"
        f"最も大きいのは{KINDS[part]}（{most}）です",
    )
    advice = "a smaller batch or sequence" if isinstance(job, Training) else "fewer users or shorter texts"
    raise UsageError(reason, fix=f"Say how much RAM there is (-s memory_gb=...), take {advice}, or take GPUs")


def _worth_trying(anatomy: Anatomy, job: Training | Load, room: float, draft: Anatomy | None) -> tuple[int, ...]:
    """Every number, unless not even the largest does: what a GPU cannot share out is then too much by itself."""
    most = COUNTS[-1]
    if any(needs(anatomy, job, layout, draft).high <= room for layout in _possible(anatomy, job, most)):
        return COUNTS
    return (most,)


def needs(anatomy: Anatomy, job: Training | Load, layout: Layout, draft: Anatomy | None = None) -> Memory:
    """The memory of `job` under `layout`."""
    if isinstance(job, Training):
        return training(anatomy, job, layout)
    return serving(anatomy, job, layout, draft=draft)


def _possible(anatomy: Anatomy, job: Training | Load, count: int) -> Iterator[Layout]:
    return layouts(anatomy, count, training=isinstance(job, Training))


def _too_few(count: int, layout: Layout, memory: Memory, room: float) -> TooFew:
    missing = memory.high - room
    parts = sorted(memory.exact.items(), key=lambda part: -part[1])
    name, size = parts[0]
    gpus = "1 GPU" if count == 1 else f"{count} GPUs"
    need, has, short, most = (f"{amount / 1e9:,.1f} GB" for amount in (memory.high, room, missing, size))
    reason = Said(
        f"{gpus} ({layout}): the fullest needs up to {need} and has {has}, {short} too little; most of it is {name} "
        f"({most})",
        f"GPU {count} 枚（{layout.said.ja}）では、最も埋まる GPU に最大 {need} が要り、容量は {has} なので {short} "
        f"足りません。最も大きいのは{KINDS[name]}（{most}）です",
    )
    return TooFew(count, layout, memory, missing, reason)
