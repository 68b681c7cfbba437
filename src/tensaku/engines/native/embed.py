"""Texts as vectors: the mean of the last hidden states of a text's tokens, brought to length 1.

A model that was trained to write says little by it of what a text means; it is offered for clients that ask for it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from torch import Tensor

from tensaku.engines.native.adapter import Adapter
from tensaku.engines.native.cache import Held
from tensaku.engines.native.model import Model, Work
from tensaku.errors import EngineError

__all__ = ["Embedding"]


class Embedding:
    """Vectors of `texts` (token ids, none empty), made by the engine's loop between its steps, a chunk at a time."""

    def __init__(self, texts: Sequence[Sequence[int]], adapter: Adapter | None) -> None:
        self._texts, self._adapter = texts, adapter
        self._sums: list[Tensor] = []
        self._place: Held | None = None
        self._done = threading.Event()
        self._why: str | None = None

    def step(self, model: Model, rows: int) -> bool:
        """Read up to `rows` tokens more; True when all has been read. Waits where the cache has no room."""
        text, place = self._texts[len(self._sums) - (self._place is not None)], self._place
        if place is None:
            place = Held(self._adapter.hash if self._adapter else "", model.context)
            if not model.cache.grow(place, len(text)):
                return False
            self._place = place
            self._sums.append(torch.zeros(model.shape.hidden, dtype=torch.float64))
        at = len(place.tokens)
        tokens = text[at : at + rows]
        states = model.states(Work(place, self._adapter, tokens, len(tokens)))
        self._sums[-1] += states.double().sum(0)  # token by token, so that chunks add up to the same
        if len(place.tokens) == len(text):
            self._leave(model)
        if self._place is None and len(self._sums) == len(self._texts):
            self._done.set()
        return self._done.is_set()

    def _leave(self, model: Model) -> None:
        """Give the pages back unnamed: whoever found them would miss these tokens' states."""
        if self._place is not None:
            self._place.tokens.clear()
            model.cache.release(self._place)
            self._place = None

    def fail(self, why: str) -> None:
        """End it with an error that `wait` raises."""
        if not self._done.is_set():
            self._why = why
            self._done.set()

    def wait(self) -> list[list[float]]:
        """The vectors, in the order of the texts.

        Raises:
            EngineError: the engine failed, or was closed.
        """
        self._done.wait()
        if self._why is not None:
            raise EngineError(self._why, retryable=True)
        means = [total / len(text) for total, text in zip(self._sums, self._texts, strict=True)]
        return [(mean / mean.norm().clamp_min(1e-12)).float().tolist() for mean in means]
