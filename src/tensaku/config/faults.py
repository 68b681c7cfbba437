"""Pydantic's findings in the words of somebody who writes a task file."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from tensaku.config.lines import Loc
from tensaku.config.section import Section
from tensaku.errors import nearest

__all__ = ["describe", "value_fault"]

_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "string": "text in quotes",
    "bool": "true or false",
    "list": "a list, as in [1, 2]",
    "tuple": "a list, as in [1, 2]",
    "set": "a list, as in [1, 2]",
    "dict": "a table",
    "model": "a table",
    "path": "a path as text in quotes",
    "date": "a date, as in 2026-10-31",
    "datetime": "a date and time",
    "time": "a time",
}


def describe(
    error: pydantic.ValidationError,
    spec: type[Section],
    data: Mapping[str, Any],
    lines: Mapping[Loc, int],
    origins: Mapping[Loc, str],
) -> list[str]:
    """One line a fault, in the order of the file: where it stands, which key, what is wrong, what is right."""
    found: dict[tuple[int, str], None] = {}
    for fault in error.errors(include_url=False):
        loc = _real(fault["loc"], data)
        line = _nearest_line(loc, lines)
        text = _words(fault, loc, spec)
        origin = next((origins[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in origins), None)
        place = origin or (f"line {line}" if line else "")
        found[(line, f"{place}: {text}" if place else text)] = None
    return [text for _, text in sorted(found, key=lambda item: item[0])]


def value_fault(kind: str, message: str, value: Any, context: Mapping[str, Any] | None = None) -> str:
    """What is wrong with one value, from pydantic's kind of error, its message and the value."""
    context = context or {}
    if kind == "literal_error":
        expected = str(context.get("expected", ""))
        close = nearest(str(value), [word.strip("' ") for word in expected.replace(" or ", ",").split(",")], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"must be one of {expected}, not {_shown(value)}{hint}"
    if kind == "int_from_float":
        return f"must be a whole number, not {_shown(value)}"
    wanted = _WANTED.get(kind.split("_")[0])
    if wanted and kind.endswith(("_type", "_parsing", "_attributes_type")):
        return f"must be {wanted}, not {_shown(value)}"
    for start in ("Value error, ", "Assertion failed, "):
        if message.startswith(start):
            return message.removeprefix(start).rstrip(".")
    if message.startswith("Input should be "):
        return f"must be {message.removeprefix('Input should be ')}, not {_shown(value)}"
    return f"{message[:1].lower()}{message[1:]} (it is {_shown(value)})"


def _words(fault: Mapping[str, Any], loc: Loc, spec: type[Section]) -> str:
    name = ".".join(str(part) for part in loc)
    if fault["type"] == "extra_forbidden":
        return f"unknown key {name!r}{_hint(loc, spec)}"
    if fault["type"] == "missing":
        return f"the key {name!r} is missing"
    text = value_fault(fault["type"], fault["msg"], fault.get("input"), fault.get("ctx"))
    return f"{name}: {text}" if name else text


def _hint(loc: Loc, spec: type[Section]) -> str:
    """The nearest right key beside the wrong one, or the same key where it does belong."""
    key = str(loc[-1])
    beside = {name for section in _sections_at(spec, loc[:-1]) for name in section.model_fields}
    close = nearest(key, beside, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    elsewhere = [path for path in _all_keys(spec) if path.split(".")[-1] == key]
    if elsewhere:
        return f"; it belongs at {elsewhere[0]!r}"
    return f"; there is: {', '.join(sorted(beside))}" if beside else ""


def _sections_at(spec: type[Section], loc: Loc) -> list[type[Section]]:
    found = [spec]
    for part in loc:
        if isinstance(part, str):
            fields = [section.model_fields[part] for section in found if part in section.model_fields]
            found = [inner for field in fields for inner in sections_in(field.annotation)] or found
    return found


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections named anywhere in a type, as in `list[Source] | None`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, Section) else []
    return [section for inner in typing.get_args(annotation) for section in sections_in(inner)]


def _all_keys(spec: type[Section], start: str = "") -> Iterator[str]:
    for name, field in spec.model_fields.items():
        yield start + name
        for section in sections_in(field.annotation):
            yield from _all_keys(section, f"{start}{name}.")


def _real(loc: tuple[int | str, ...], data: Any) -> Loc:
    """`loc` without the labels that pydantic puts in for the members of a union."""
    real: Loc = ()
    for i, part in enumerate(loc):
        held = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if held:
            data = data[part]
            real += (part,)
        elif i == len(loc) - 1 and isinstance(data, dict):
            real += (part,)
    return real


def _nearest_line(loc: Loc, lines: Mapping[Loc, int]) -> int:
    for n in range(len(loc), 0, -1):
        if loc[:n] in lines:
            return lines[loc[:n]]
    return 0


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    return "nothing" if value is None else str(value)
