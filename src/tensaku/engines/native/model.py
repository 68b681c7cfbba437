"""One pass of the model: rows of several streams in, the most probable next word of the rows asked for out.

The pass is computed by the compiled kernel, or by torch where there is no compiler, the processor is another, or
weights stay in fp32. Both read the same cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from tensaku.engines.native.adapter import Adapter
from tensaku.engines.native.cache import PAGE, Cache, Held, pages_for
from tensaku.engines.native.compiled import library
from tensaku.engines.native.kernel_pass import KernelPass, computable
from tensaku.engines.native.torch_pass import TorchPass
from tensaku.engines.resolve import CONTEXT
from tensaku.errors import EngineError, UsageError
from tensaku.models.weights import Weights

__all__ = ["Found", "Model", "Precision", "Work"]

Precision = Literal["int8", "fp32"]


class Work(NamedTuple):
    """Run `tokens`, which follow what `place` holds; the next word is asked for after each of the last `wanted`, and
    with `scored` the scores of all words too."""

    place: Held
    adapter: Adapter | None
    tokens: Sequence[int]
    wanted: int
    scored: bool = False


class Found(NamedTuple):
    """What a work asked for: the most probable next words, and with `scored` [wanted, vocabulary] scores."""

    words: list[int]
    scores: Tensor | None


class _Pass(Protocol):
    kind: str

    def run(self, works: Sequence[Work]) -> list[Found]: ...

    def states(self, work: Work) -> Tensor: ...

    def weight(self, layer: int, part: str) -> Tensor: ...

    def prepare(self, adapter: Adapter) -> None: ...

    def seconds(self) -> dict[str, float]: ...

    def close(self) -> None: ...


class Model:
    """Weights, cache and the pass between them. Not thread-safe: one thread runs it.

    `memory` bounds keys and values, in bytes; None: as much as `slots` streams of a whole context need. `weights` take
    the place of those in the folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        precision: Precision,
        context: int | None,
        slots: int,
        threads: int,
        memory: int | None = None,
        processor: str | None = "native",
        weights: Weights | None = None,
    ) -> None:
        weights = Weights.load(folder) if weights is None else weights
        context = min(CONTEXT, weights.shape.context) if context is None else context
        if context > weights.shape.context:
            what = f"a context of {context} tokens is more than the base was made for ({weights.shape.context})"
            raise UsageError(what, where=folder, fix=f"Ask for at most {weights.shape.context}")
        self.shape = shape = weights.shape
        self.context = context
        self.page_bytes = shape.layers * shape.kv_heads * shape.head_dim * PAGE * 2 * 4
        self.cache = Cache(shape, pages=self._pages(memory, slots, folder), context=context)
        compiled = library(processor) if precision == "int8" and processor and computable(shape) else None
        self.pass_: _Pass = (
            KernelPass(compiled, weights, self.cache, context=context, threads=threads)
            if compiled is not None
            else TorchPass(weights, self.cache, precision=precision, context=context, threads=threads)
        )

    def _pages(self, memory: int | None, slots: int, folder: Path) -> int:
        whole = pages_for(self.context)
        if memory is None:
            return slots * whole
        if memory // self.page_bytes < whole:
            what = f"{memory >> 20} MB for keys and values do not hold one text of {self.context} tokens"
            fix = f"Give at least {-(-whole * self.page_bytes >> 20)} MB, or a smaller context"
            raise UsageError(what, where=folder, fix=fix)
        return min(memory // self.page_bytes, slots * whole)

    def weight(self, layer: int, part: str) -> Tensor:
        """The base's weight as it is multiplied, fp32, [out, in]. Any thread may ask."""
        return self.pass_.weight(layer, part)

    def prepare(self, adapter: Adapter) -> None:
        """Lay an adapter out as the pass reads it, so that no answer waits for that. Any thread may ask."""
        self.pass_.prepare(adapter)

    def run(self, works: Sequence[Work]) -> list[Found]:
        """What each work asks for; the places then hold the works' tokens too.

        Raises:
            EngineError: the cache has no room for them.
        """
        for work in works:
            if not self.cache.grow(work.place, len(work.place.tokens) + len(work.tokens)):
                raise EngineError("there is no room for more keys and values")
        found = self.pass_.run(works)
        for work in works:
            work.place.tokens.extend(work.tokens)
        return found

    def states(self, work: Work) -> Tensor:
        """The last hidden states of the work's wanted tokens, [wanted, hidden]; its place, which has room for them,
        then holds them too."""
        found = self.pass_.states(work)
        work.place.tokens.extend(work.tokens)
        return found

    def logits(self, works: Sequence[Work]) -> Tensor | None:
        """The scores behind `run`, [rows asked for, vocabulary], or None if none is asked for."""
        found = self.run([work._replace(scored=True) for work in works])
        scores = [one.scores for one in found if one.scores is not None and len(one.scores)]
        return torch.cat(scores) if scores else None

    def close(self) -> None:
        """Free what Python does not."""
        self.pass_.close()
