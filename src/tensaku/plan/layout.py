"""How a model is split over GPUs, and which of its numbers one GPU then holds.

Tensor parallelism cuts every matrix of a layer, and embedding and head by words (Shoeybi et al. 2019); norms and biases
stand on each GPU. Pipeline parallelism gives each stage whole layers. Data parallelism repeats all of it, except what
ZeRO shards (Rajbhandari et al. 2020): stage 1 the optimiser's states, 2 the gradients too, 3 the weights too. FSDP with
full sharding is stage 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tensaku.plan.anatomy import Anatomy, Piece
from tensaku.plan.said import Said

__all__ = ["ONE", "Layout", "cut", "layouts", "share", "stages"]

_NODE = 8
"""GPUs of one server: tensors are not cut across servers, where the link is slow."""
_TENSOR = (1, 2, 4, 8)
_PIPELINE = (1, 2, 4, 8, 16)


class Layout(NamedTuple):
    """GPUs along each way of splitting, and the ZeRO stage (0: nothing is sharded)."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    zero: int = 0

    @property
    def gpus(self) -> int:
        """How many GPUs it takes."""
        return self.tensor * self.pipeline * self.data

    def __str__(self) -> str:
        ways = (("tensor", self.tensor), ("pipeline", self.pipeline), ("data", self.data))
        named = [f"{name} {count}" for name, count in ways if count > 1]
        if self.zero:
            named.append("ZeRO 3 (FSDP)" if self.zero == 3 else f"ZeRO {self.zero}")
        return ", ".join(named) or "one GPU, nothing split"

    @property
    def said(self) -> Said:
        """The same, in Japanese too."""
        ways = (("テンソル", self.tensor), ("パイプライン", self.pipeline), ("データ", self.data))
        named = [f"{name}並列 {count}" for name, count in ways if count > 1]
        if self.zero:
            named.append("ZeRO 3（FSDP）" if self.zero == 3 else f"ZeRO {self.zero}")
        return Said(str(self), "、".join(named) or "GPU 1 枚、分割なし")


ONE = Layout()
"""One GPU, nothing split."""


def share(count: int, ways: int) -> int:
    """The largest part of `count` things given out over `ways`."""
    return -(-count // ways)


def stages(anatomy: Anatomy, layout: Layout) -> Iterator[tuple[int, int, tuple[Piece, ...]]]:
    """For each stage of the pipeline: its number, its layers, its tensors before they are cut.

    The first stage has the embedding, the last one the head; where the model ties them and there are several stages,
    both have a copy. What belongs to no layer else (positions, final norm, what looks at pictures) is at the first,
    norms at the last.
    """
    pipeline = layout.pipeline
    base, extra = divmod(anatomy.layers, pipeline)
    at = 0
    layered = [piece for piece in anatomy.pieces if piece.layer is not None]
    outside = [piece for piece in anatomy.pieces if piece.layer is None]
    ends = [piece for piece in outside if _at_end(piece)]
    for stage in range(pipeline):
        count = base + (1 if stage < extra else 0)
        held = [piece for piece in layered if piece.layer is not None and at <= piece.layer < at + count]
        if stage == 0:
            held += [piece for piece in outside if not _at_end(piece)]
        if stage == pipeline - 1:
            held += ends
            if stage and anatomy.tied and anatomy.decodes:
                held += [piece for piece in outside if piece.part == "embedding"]
        yield stage, count, tuple(held)
        at += count


def _at_end(piece: Piece) -> bool:
    return piece.part == "head" or piece.name.startswith(("model.norm", "ln_f", "norm", "output_norm", "pooler"))


def cut(piece: Piece, layout: Layout) -> int:
    """Numbers of `piece` on one GPU of its stage before data parallelism: the largest share."""
    if piece.part in ("small", "vision"):
        return piece.numbers
    return share(piece.numbers, layout.tensor)


def layouts(anatomy: Anatomy, gpus: int, *, training: bool) -> Iterator[Layout]:
    """Every layout on so many GPUs that the model allows, the simplest first.

    Serving splits by tensor and pipeline and repeats the whole; training shards as well.
    """
    found = []
    for tensor in _TENSOR:
        if tensor > min(gpus, _NODE) or gpus % tensor or anatomy.heads % tensor:
            continue
        rest = gpus // tensor
        for pipeline in _PIPELINE:
            if rest % pipeline or pipeline > anatomy.layers:
                continue
            data = rest // pipeline
            if training and data > 1:
                found += [Layout(tensor, pipeline, data, zero) for zero in (0, 1, 2, 3) if zero < 2 or pipeline == 1]
            else:
                found.append(Layout(tensor, pipeline, data))
    return iter(sorted(found, key=_simplicity))


def _simplicity(layout: Layout) -> tuple[int, int, int, int]:
    """Data parallel before sharded, sharded before cut tensors, cut tensors before a pipeline."""
    return (layout.pipeline, layout.tensor, layout.zero, -layout.data)
