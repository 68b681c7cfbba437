"""The doors through which parts come in: source, step, scorer, engine, gate.

A part is a function or class that registers under a name, either by decorator (`@gates.register("beats-draft")`) or, in
a package of your own, by an entry point of the group `tensaku.<door>`, as in

    [project.entry-points."tensaku.scorers"]
    our-score = "our_package.scores:our_score"

The task file names a part with its settings: `{ gate = "beats-draft", by = 5.0 }`. Settings are the part's keyword
parameters; positional-only parameters are handed to it at work.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Generic, TypeVar

import pydantic

from tensaku.config.faults import value_fault
from tensaku.errors import NotFound, TensakuError, UsageError, nearest

__all__ = ["Door", "NamedFile", "Part", "engines", "gates", "scorers", "sources", "steps"]


class _NamesAFile:
    """The mark of a setting that names a file."""


NamedFile = typing.Annotated[str, _NamesAFile()]
"""The type of a setting that names a file whose content decides what the part does; "" names none. What a step names
so is seen from the workspace and is an input of its stage: another content makes another artifact."""

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part chosen by name, with its settings checked: calling it calls `call` with what it is given and `args`."""

    name: str
    args: dict[str, Any]
    call: T = field(repr=False)

    def __call__(self, *given: Any) -> Any:
        """Call the part with the positional arguments `given` and its settings."""
        return self.call(*given, **self.args)  # type: ignore[operator]


class Door(Generic[T]):
    """One kind of part, by name. `kind` is the word that names a part in the task file, as in `{ gate = "..." }`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.group = f"tensaku.{kind}s"
        self._parts: dict[str, T] = {}

    def register(self, name: str) -> Callable[[F], F]:
        """A decorator that makes a function or class known as `name`.

        Raises:
            UsageError: another part has that name already.
        """

        def remember(part: F) -> F:
            held = self._parts.get(name)
            if held is not None and _origin(held) != _origin(part):
                raise UsageError(
                    f"two parts want to be the {self.kind} {name!r}: {_origin(held)} and {_origin(part)}",
                    fix="Rename one of them",
                )
            self._parts[name] = typing.cast(T, part)
            return part

        return remember

    def names(self) -> list[str]:
        """Every name that `get` would find, sorted."""
        return sorted({*self._parts, *(point.name for point in metadata.entry_points(group=self.group))})

    def get(self, name: str) -> T:
        """The part called `name`.

        Raises:
            NotFound: there is none; the nearest names are given.
            UsageError: the part's package cannot be imported, or two packages offer the name.
        """
        if name not in self._parts:
            self._parts[name] = self._enter(name)
        return self._parts[name]

    def is_anywhere(self, name: str) -> bool:
        """True if another process finds the part by its name: it is ours, or a package offers it."""
        ours = getattr(self._parts.get(name), "__module__", "").startswith("tensaku.")
        return ours or bool(metadata.entry_points(group=self.group, name=name))

    def build(self, use: Mapping[str, Any]) -> Part[T]:
        """The part that `use` names, with its other keys as settings, checked before any work starts.

        Args:
            use: as in the task file, `{"gate": "beats-draft", "by": 5.0}`.

        Raises:
            NotFound: no part has that name.
            UsageError: the key `kind` is missing, a setting is unknown, missing or of the wrong type.
        """
        name = use.get(self.kind)
        if not isinstance(name, str):
            shown = json.dumps(dict(use), ensure_ascii=False, default=str)
            raise UsageError(f"{shown} names no {self.kind}", fix=f'Write {{ {self.kind} = "NAME" }}')
        call = self.get(name)
        args = {key: value for key, value in use.items() if key != self.kind}
        return Part(name, _checked(call, args, f"{self.kind} {name!r}"), call)

    def files(self, use: Mapping[str, Any]) -> dict[str, str]:
        """The settings of `use` that name files, and what they name, as written.

        Raises:
            NotFound, UsageError: as `build` does.
        """
        part = self.build(use)
        hints = _hints(part.call)
        return {key: value for key, value in part.args.items() if value and _names_a_file(hints.get(key))}

    def _enter(self, name: str) -> T:
        points = list({point.value: point for point in metadata.entry_points(group=self.group, name=name)}.values())
        if not points:
            raise NotFound(self.kind, name, self.names())
        if len(points) > 1:
            rivals = " and ".join(point.value for point in points)
            raise UsageError(f"two packages offer the {self.kind} {name!r}: {rivals}", fix="Uninstall one of them")
        try:
            return typing.cast(T, points[0].load())
        except TensakuError:
            raise
        except Exception as error:  # a foreign package may fail in any way while it is imported
            raise self._broken(name, points[0], error) from error

    def _broken(self, name: str, point: metadata.EntryPoint, error: Exception) -> UsageError:
        return UsageError(
            f"the {self.kind} {name!r} cannot be loaded: {type(error).__name__}: {error}",
            where=point.value,
            fix="Repair or uninstall the package that offers it",
        )


def _origin(part: Any) -> str:
    return f"{getattr(part, '__module__', '?')}.{getattr(part, '__qualname__', part)}"


def _checked(call: Any, args: dict[str, Any], where: str) -> dict[str, Any]:
    """`args` in the types that the signature of `call` asks for."""
    parameters = inspect.signature(call).parameters.values()
    settings = {p.name: p for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    hints = _hints(call)
    checked = {}
    for key, value in args.items():
        if key in settings:
            checked[key] = _fitted(key, value, hints.get(key, Any), where)
        elif takes_any:
            checked[key] = value
        else:
            close = nearest(key, settings, n=1)
            fix = f"Did you mean {close[0]!r}?" if close else f"It takes: {', '.join(settings) or 'nothing'}"
            raise UsageError(f"unknown setting {key!r}", where=where, fix=fix)
    for p in settings.values():
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in checked:
            raise UsageError(f"the setting {p.name!r} is missing", where=where)
    return checked


def _hints(call: Any) -> dict[str, Any]:
    target = inspect.getattr_static(call, "__init__") if isinstance(call, type) else call
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, TypeError):  # a type imported for the type checker only: that part checks its settings itself
        return {}


def _names_a_file(hint: Any) -> bool:
    return any(isinstance(mark, _NamesAFile) for mark in getattr(hint, "__metadata__", ()))


def _fitted(key: str, value: Any, hint: Any, where: str) -> Any:
    try:
        adapter = pydantic.TypeAdapter(hint)
    except pydantic.errors.PydanticSchemaGenerationError:
        return value
    try:
        try:
            written = json.dumps(value)
        except TypeError:
            return adapter.validate_python(value)
        return adapter.validate_json(written, strict=True)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        fault = value_fault(first["type"], first["msg"], first.get("input"), first.get("ctx"))
        raise UsageError(f"{key} {fault}", where=where) from None


sources: Door[Callable[..., Any]] = Door("source")
"""What rows come from: a reader of files."""
steps: Door[Callable[..., Any]] = Door("step")
"""What is done to rows."""
scorers: Door[Callable[..., Any]] = Door("scorer")
"""What an output is measured by."""
engines: Door[Callable[..., Any]] = Door("engine")
"""What runs a model."""
gates: Door[Callable[..., Any]] = Door("gate")
"""What a release must pass."""
