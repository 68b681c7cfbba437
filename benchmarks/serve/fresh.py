"""A desk's drafts are new to its engine, whatever a comparison asked before."""

from __future__ import annotations

from collections.abc import Iterable

from tensaku.engines import Request
from tensaku.engines.native.engine import NativeEngine
from tensaku.records import Message

__all__ = ["instruction_alone"]


def instruction_alone(engine: NativeEngine, request: Request, adapters: Iterable[str]) -> None:
    """Let the engine know of the instruction, for each adapter, and of nothing else."""
    engine._model.cache.forget()
    only = (*request.messages[:-1], Message("user", "。"))
    for adapter in adapters:
        list(engine.submit(Request(only, adapter, max_tokens=1)))
