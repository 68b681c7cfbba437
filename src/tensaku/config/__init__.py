"""The task file: sections of settings, read from TOML, every fault named with its line.

Each default has one home: the field. Unknown keys are faults. All faults of a file are reported together.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from tensaku.config.faults import describe
from tensaku.config.lines import Loc, line_index
from tensaku.config.overrides import apply_overrides
from tensaku.config.reference import explain
from tensaku.config.section import Section
from tensaku.errors import ConfigError

__all__ = ["Section", "explain", "load", "settle"]

S = TypeVar("S", bound=Section)


def load(path: Path, spec: type[S], overrides: Sequence[str] = ()) -> S:
    """Read the TOML file at `path` into `spec`.

    Args:
        path: the task file, UTF-8.
        spec: the section that holds the whole file, with one field a table.
        overrides: settings that win over the file, each `key.path=VALUE` with VALUE as in TOML; a bare word is text.

    Raises:
        ConfigError: the file is missing, unreadable or no TOML, or its content breaks `spec`; `faults` holds every
            fault found, each with its line and, for an unknown key, the nearest right one.
    """
    path = Path(path)
    text = _read(path)
    return _settled(spec, _parse(text, path), line_index(text), overrides, path)


def settle(spec: type[S], overrides: Sequence[str] = ()) -> S:
    """`spec` from its defaults and `overrides` alone, as `load` reads them; for settings that no file holds.

    Raises:
        ConfigError: they break `spec`; `faults` holds every fault found.
    """
    return _settled(spec, {}, {}, overrides, None)


def _settled(
    spec: type[S], data: dict[str, Any], lines: Mapping[Loc, int], overrides: Sequence[str], where: Path | None
) -> S:
    faults, origins = apply_overrides(data, overrides)
    try:
        # JSON in strict mode: text is never taken for a number, yet lists fit tuples and text fits paths and dates.
        found = spec.model_validate_json(json.dumps(data, default=_iso), strict=True)
    except pydantic.ValidationError as error:
        faults += describe(error, spec, data, lines, origins)
    if faults:
        raise ConfigError(faults, where=where)
    return found


def _iso(value: Any) -> str:
    """TOML's dates and times as ISO text."""
    return str(value.isoformat())


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(["there is no such file"], where=path, fix="Make one with: tensaku new DIR") from None
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"], where=path) from None
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        fault = f"line {line}: byte 0x{raw[error.start]:02x} is not UTF-8"
        raise ConfigError([fault], where=path, fix="Save the file as UTF-8") from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, at = str(error).rpartition(" (at ")
        at = at.rstrip(")")
        if not what:
            what, at = str(error), ""
        if at == "end of document":
            at = f"line {text.rstrip().count(chr(10)) + 1}, end of the file"
        fault = f"{at}: not TOML: {what}" if at else f"not TOML: {what}"
        raise ConfigError([fault], where=path) from None
