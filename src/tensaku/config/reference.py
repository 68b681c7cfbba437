"""The reference page of a task file, made from the sections themselves."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from tensaku.config.faults import sections_in
from tensaku.config.section import Section

__all__ = ["explain"]

_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    type(None): "nothing",
    Any: "any value",
}


def explain(spec: type[Section]) -> str:
    """A Markdown page that names every table and key of `spec`: its type, its default and what it means."""
    return "\n".join(_tables(spec, "")).strip() + "\n"


def _tables(spec: type[Section], name: str) -> Iterator[str]:
    own = [(key, field) for key, field in spec.model_fields.items() if not _is_table(field)]
    if name:
        yield from [f"## {_heading(name)}", ""]
    if spec.__doc__:
        yield from [inspect.cleandoc(spec.__doc__), ""]
    if own:
        yield from ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        yield from (_row(key, field) for key, field in own)
        yield ""
    for key, field in spec.model_fields.items():
        inside = f"{name}.{key}" if name else key
        for section in sections_in(field.annotation):
            many = f"{inside}.NAME" if typing.get_origin(field.annotation) is dict else f"{inside}[]"
            yield from _tables(section, inside if _is_table(field) else many)


def _heading(name: str) -> str:
    """`sources.use[]` is an array of tables, which TOML writes as `[[sources.use]]`."""
    return f"[[{name.replace('[]', '')}]]" if name.endswith("[]") else f"[{name.replace('[]', '')}]"


def _is_table(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _row(key: str, field: FieldInfo) -> str:
    cells = [f"`{key}`", _type(field.annotation), _default(field), " ".join((field.description or "").split())]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(annotation: Any) -> str:
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{json.dumps(arg, ensure_ascii=False)}`" for arg in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(arg) for arg in args)
    if origin is typing.Annotated:
        return _type(args[0])
    if origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return f"table of {_type(args[1])}"
    if origin is not None and args:
        return f"list of {_type(args[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "table"
    return str(getattr(annotation, "__name__", annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    return f"`{json.dumps(value, ensure_ascii=False, default=_plain)}`"


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, Section) else str(value)
