"""From the name in a task file to a running engine."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

from tensaku import plugins
from tensaku.engines.protocol import Engine
from tensaku.errors import MissingExtra, UsageError
from tensaku.models.shape import Shape, UnknownFamily

__all__ = ["CONTEXT", "PRECISION", "SLOTS", "context_of", "open_engine"]

CONTEXT = 2048
"""Most tokens of prompt and answer together in our own engine, if nobody says."""
SLOTS = 8
"""Answers that our own engine writes at the same time, if nobody says."""
PRECISION: Literal["int8"] = "int8"
"""How our own engine holds the weights, if nobody says."""

_log = logging.getLogger(__name__)


@contextmanager
def _needing(extra: str, *modules: str) -> Iterator[None]:
    """Where one of `modules` is not installed, say which extra brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in modules:
            raise
        raise MissingExtra(error.name, extra) from None


@plugins.engines.register("native")
def _native(
    base: Path,
    /,
    *,
    precision: Literal["auto", "int8", "fp32"] = PRECISION,
    context: int | None = None,
    slots: int = SLOTS,
    threads: int | None = None,
    memory_mb: int | None = None,
    chunk: int = 128,
) -> Engine:
    """Our own engine, in this process: int8, many adapters in one batch."""
    with _needing("tune", "torch"):
        from tensaku.engines.native.engine import NativeEngine
    return NativeEngine(
        base, precision=precision, context=context, slots=slots, threads=threads, memory_mb=memory_mb, chunk=chunk
    )


@plugins.engines.register("transformers")
def _transformers(base: Path, /, *, context: int | None = None) -> Engine:
    """Models that the native engine does not compute: Transformers in fp32, one answer at a time."""
    with _needing("tune", "torch", "transformers", "peft"):
        from tensaku.engines.transformers_engine import TransformersEngine

        return TransformersEngine(base, context=context)


@plugins.engines.register("openai")
def _openai(
    base: Path,
    /,
    *,
    url: str,
    model: str | None = None,
    key_env: str = "",
    api_version: str | None = None,
    context: int | None = None,
    connect_seconds: float = 5.0,
    read_seconds: float = 120.0,
    retries: int = 2,
    at_once: int = 32,
    failures: int = 5,
    pause_seconds: float = 10.0,
    adapters: Literal["load", "served"] = "load",
    local_root: str = "",
    remote_root: str = "",
    prediction: bool = False,
    can: list[str] | None = None,
) -> Engine:
    """Another server that speaks OpenAI's wire: vLLM, NIM, Azure, another Tensaku."""
    settings = {name: value for name, value in locals().items() if name != "base"}
    with _needing("serve", "openai", "httpx", "tokenizers"):
        from tensaku.engines.openai import OpenAIEngine

        return OpenAIEngine(base, **settings)


def open_engine(spec: str | Mapping[str, Any], base: Path, **options: Any) -> Engine:
    """The engine that `spec` names, over the base model in the folder `base`.

    Args:
        spec: a name ("native"), or a mapping as in the task file: `{ engine = "native", precision = "fp32" }`. Where
            native is asked for a base that it does not compute, `transformers` answers in its place, and says so.
        base: the folder of the base model.
        options: settings over those in `spec`.

    Raises:
        NotFound: no engine has that name; the nearest ones are given.
        UsageError: a setting is unknown or out of range, or `base` is no model.
    """
    use = {"engine": spec} if isinstance(spec, str) else dict(spec)
    use |= options
    if use.get("engine") == "native":
        use = _for_base(use, base)
    return cast(Engine, plugins.engines.build(use)(base))


def _for_base(use: dict[str, Any], base: Path) -> dict[str, Any]:
    """`use`, or what stands in for the native engine."""
    plugins.engines.build(use)  # wrong settings are refused first, whoever answers
    try:
        Shape.load(base)
    except UnknownFamily as error:
        _log.warning("engine: transformers (fp32, one answer at a time), since %s", error.what)
        return {"engine": "transformers"} | {k: v for k, v in use.items() if k == "context"}
    except UsageError:
        pass  # the engine says it better
    return use


def context_of(spec: Mapping[str, Any], base: Path) -> int | None:
    """The context that the engine which `spec` names will have over `base`; None where only the engine knows."""
    if spec.get("engine") not in ("native", "transformers"):
        return None
    asked = spec.get("context")
    if asked is not None:
        return int(asked)
    try:
        return min(CONTEXT, Shape.load(base).context)
    except UnknownFamily:
        from tensaku.models.foreign import context_of as of_base

        return min(CONTEXT, of_base(base))
