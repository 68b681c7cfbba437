"""From the name in a task file to a running engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from tensaku import plugins
from tensaku.engines.protocol import Engine
from tensaku.errors import MissingExtra
from tensaku.models.shape import Shape

__all__ = ["CONTEXT", "context_of", "open_engine"]

CONTEXT = 2048
"""Most tokens of prompt and answer together in our own engine, if nobody says."""


@plugins.engines.register("native")
def _native(
    base: Path,
    /,
    *,
    precision: Literal["int8", "fp32"] = "int8",
    context: int | None = None,
    slots: int = 8,
    threads: int | None = None,
) -> Engine:
    """Our own engine, in this process: int8, many adapters in one batch."""
    try:
        from tensaku.engines.native.engine import NativeEngine
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("torch", "tune") from None
    return NativeEngine(base, precision=precision, context=context, slots=slots, threads=threads)


def open_engine(spec: str | Mapping[str, Any], base: Path, **options: Any) -> Engine:
    """The engine that `spec` names, over the base model in the folder `base`.

    Args:
        spec: a name ("native"), or a mapping as in the task file: `{ engine = "native", precision = "fp32" }`.
        base: the folder of the base model.
        options: settings over those in `spec`.

    Raises:
        NotFound: no engine has that name; the nearest ones are given.
        UsageError: a setting is unknown or out of range, or `base` is no model.
    """
    use = {"engine": spec} if isinstance(spec, str) else dict(spec)
    return cast(Engine, plugins.engines.build(use | options)(base))


def context_of(spec: Mapping[str, Any], base: Path) -> int | None:
    """The context that the engine which `spec` names will have over `base`; None where only the engine knows."""
    if spec.get("engine") != "native":
        return None
    asked = spec.get("context")
    return int(asked) if asked is not None else min(CONTEXT, Shape.load(base).context)
