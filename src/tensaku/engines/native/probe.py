"""Which number format is faster on this machine, measured: a pass of one layer of the model's own shape, in each."""

from __future__ import annotations

import logging
import statistics
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch

from tensaku.engines.native.model import Model, Precision, Work
from tensaku.models.shape import Shape
from tensaku.models.weights import Weights, sizes_of

__all__ = ["Probed", "fastest", "probe"]

_log = logging.getLogger(__name__)
_ROWS = (1, 8)
"""A word of one answer, and one of eight or eight guessed ones."""
_TRIES = 7
_MARGIN = 1.1
"""fp32 takes four times the memory: it has to be this much faster to be worth it."""
_WORDS = 4096
"""Words of the made-up layer's vocabulary: enough for the head to count, few enough to be made at once."""

Probed = dict[Precision, float]
"""Seconds of a pass of one row and one of eight rows, together."""


def fastest(base: Path, *, threads: int, processor: str | None = "native") -> Precision:
    """The format to serve the model in `base` in: int8, unless fp32 is clearly faster here, or int8 cannot be had.

    Raises:
        UsageError: the folder is no model of a known family.
    """
    if "fbgemm" not in torch.backends.quantized.supported_engines:
        return "fp32"
    found = probe(Shape.load(base), threads=threads, processor=processor)
    chosen: Precision = "fp32" if found["fp32"] * _MARGIN < found["int8"] else "int8"
    figures = ", ".join(f"{name} {seconds * 1000:.2f} ms" for name, seconds in found.items())
    _log.info("precision: %s (one layer, 1 and 8 rows: %s)", chosen, figures)
    return chosen


def probe(shape: Shape, *, threads: int, processor: str | None = "native") -> Probed:
    """What a pass through one layer of `shape` costs in each format, by the road that the engine would take."""
    found: Probed = {}
    formats: tuple[Precision, ...] = ("int8", "fp32")
    for precision in formats:
        weights = _one_layer(shape)
        made = Model(
            Path(), precision=precision, context=64, slots=1, threads=threads, processor=processor, weights=weights
        )
        before = torch.get_num_threads()
        torch.set_num_threads(1)  # as the engine's loop does
        try:
            found[precision] = sum(_seconds(made, rows) for rows in _ROWS)
        finally:
            torch.set_num_threads(before)
            made.close()
    return found


def _seconds(model: Model, rows: int) -> float:
    taken = []
    for _ in range(_TRIES):
        place = model.cache.begin("", [0])
        began = perf_counter()
        model.run([Work(place, None, list(range(rows)), rows)])
        taken.append(perf_counter() - began)
        model.cache.release(place)
        model.cache.forget()
    return statistics.median(taken[1:])  # the first one makes room


def _one_layer(shape: Shape) -> Weights:
    """Made-up weights: how long a product takes does not depend on them."""
    words = min(shape.vocabulary, _WORDS)
    small = replace(
        shape, layers=1, vocabulary=words, windows=shape.windows[:1], thetas=shape.thetas[:1],
        rope_scales=shape.rope_scales[:1],
    )  # fmt: skip
    random = torch.Generator().manual_seed(0)

    def made(out: int, into: int) -> torch.Tensor:
        return torch.randn(out, into, generator=random) * 0.02

    sizes = {part: sizes_of(shape, part) for part in ("qkv", "o", "gate_up", "down")}
    linear = {part: made(sum(size.outs), size.into) for part, size in sizes.items()}
    names = ["input", "pre_feedforward"] + (["post_attention", "post_feedforward"] if shape.sandwich else [])
    norms = {name: torch.ones(shape.hidden) for name in names}
    if shape.qk_norm:
        norms |= {name: torch.ones(shape.head_dim) for name in ("q", "k")}
    bias = torch.zeros(sum(sizes["qkv"].outs)) if shape.qkv_bias else None
    embedding = made(words, shape.hidden)
    return Weights(small, embedding, embedding, torch.ones(shape.hidden), [linear], [norms], [bias])
