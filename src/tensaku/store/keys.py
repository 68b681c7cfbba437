"""The key of a piece of work: equal for equal work, different for different work, on every machine."""

from __future__ import annotations

import datetime
import enum
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from tensaku.config import Section
from tensaku.store.artifact import Artifact, SourceFile

__all__ = ["SCHEMA", "Input", "canonical", "flatten", "key_of", "plain", "ref_of"]

SCHEMA = 1
"""The version of the manifest and of the key; a higher one is another layout."""

Input = Artifact | SourceFile | Mapping[str, Artifact | SourceFile]
"""What a stage can be handed: one thing, or several by name."""


def plain(value: Any) -> Any:
    """`value` as what JSON can hold; sections, paths, dates, enums, sets and NumPy scalars are taken apart.

    A field of a section that is declared with `exclude=True` says where or how work is done, not what is made, and is
    left out.

    Raises:
        TypeError: it holds something else, or a table with keys that are not text.
        ValueError: a number is not finite, or text cannot be written as UTF-8.
    """
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    if isinstance(value, str):
        value.encode("utf-8")  # half a surrogate pair is no text
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {plain(_text_key(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(inner) for inner in value), key=canonical)
    if isinstance(value, Section):
        held = type(value).model_fields.items()
        return {name: plain(getattr(value, name)) for name, field in held if not field.exclude}
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return plain(value.item())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _text_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is not text")
    return key


def canonical(value: Any) -> str:
    """`value` as the one text that stands for it: keys sorted, no blanks, ASCII only."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def flatten(inputs: Mapping[str, Input]) -> Iterator[tuple[str, Artifact | SourceFile]]:
    """Each single input with its name; one inside a table is called `name.key`.

    Raises:
        TypeError: an input is neither an artifact nor a source file nor a table of such.
    """
    for name, held in inputs.items():
        if isinstance(held, Artifact | SourceFile):
            yield name, held
        elif isinstance(held, Mapping):
            yield from ((f"{name}.{key}", inner) for key, inner in flatten(held))
        else:
            raise TypeError(f"the input {name!r} is a {type(held).__name__}: neither Artifact nor SourceFile")


def key_of(stage: str, version: int, section: Mapping[str, Any], inputs: Mapping[str, Input]) -> str:
    """The key of one run; `section` as plain values. Every input counts by its own key, not by where it stands."""

    def keys(held: Input | Mapping[str, Input]) -> Any:
        return {name: keys(inner) for name, inner in held.items()} if isinstance(held, Mapping) else held.key

    work = {"schema": SCHEMA, "stage": stage, "version": version, "config": section, "inputs": keys(inputs)}
    return hashlib.sha256(canonical(work).encode("ascii")).hexdigest()


def ref_of(stage: str, key: str) -> str:
    """The short name of an artifact."""
    return f"{stage}-{key[:12]}"
