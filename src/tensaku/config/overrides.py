"""Settings given beside the task file, as in `tensaku run -s tune.epochs=1`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

from tensaku.config.lines import Loc, line_index

__all__ = ["apply_overrides"]

_OPENS_TOML = "\"'[{"


def apply_overrides(data: dict[str, Any], overrides: Iterable[str]) -> tuple[list[str], dict[Loc, str]]:
    """Set each override in `data`; the faults found, and for each key that was set the words to name it by."""
    faults: list[str] = []
    origins: dict[Loc, str] = {}
    for text in overrides:
        try:
            loc, value = _read(text)
            origins[_put(data, loc, value)] = f"override {text!r}"
        except ValueError as error:
            faults.append(f"override {text!r}: {error}")
    return faults, origins


def _read(text: str) -> tuple[list[str], Any]:
    """The key path and the value; raises ValueError with what is wrong."""
    key, equals, written = text.partition("=")
    if not equals or not key.strip():
        raise ValueError("must be KEY=VALUE, as in tune.epochs=1")
    try:
        tomllib.loads(f"{key} = 0")
        loc = max((where for where in line_index(f"{key} = 0")), key=len)
    except (ValueError, IndexError):
        raise ValueError(f"{key.strip()!r} is not a key such as tune.epochs") from None
    return [str(part) for part in loc], _value(written.strip())


def _value(written: str) -> Any:
    try:
        found = tomllib.loads(f"v = {written}")
    except tomllib.TOMLDecodeError as error:
        # A bare word is text: nobody should have to quote twice in a shell.
        if written and written[0] not in _OPENS_TOML and "\n" not in written:
            return written
        raise ValueError(f"{written!r} is not a TOML value: {error}") from None
    if list(found) != ["v"]:
        raise ValueError("must be one value")
    return found["v"]


def _put(data: dict[str, Any], keys: list[str], value: Any) -> Loc:
    loc: Loc = ()
    at: Any = data
    for i, key in enumerate(keys):
        step = _step(at, key, ".".join(keys[:i]) or "the file")
        loc += (step,)
        if i == len(keys) - 1:
            at[step] = value
        elif isinstance(at, dict):
            at = at.setdefault(step, {})
        else:
            at = at[step]
    return loc


def _step(at: Any, key: str, name: str) -> str | int:
    if isinstance(at, dict):
        return key
    if not isinstance(at, list):
        raise ValueError(f"{name} is no table")
    if not key.isdigit() or int(key) >= len(at):
        raise ValueError(f"{name} is a list of {len(at)}: give a position from 0 to {len(at) - 1}, not {key!r}")
    return int(key)
