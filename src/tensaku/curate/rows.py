"""What readers yield, and the JSON Lines files that curation works on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from json.encoder import encode_basestring
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from tensaku.records import Drop, Pair, from_dict, unsaid

__all__ = ["Broken", "JsonlWriter", "PairFile", "Row", "read_drops", "read_jsonl"]


# Whoever splits the file by `str.splitlines` must not find these inside a record.
_LINE_BREAKS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class Row(NamedTuple):
    """One row of an outside file. `line` counts from 1 and is where a person finds it in that file."""

    line: int
    values: dict[str, Any]


class Broken(NamedTuple):
    """A line that makes no row: `reason` is counted, `detail` and `text` are kept.

    `readable` is true if only its fields do not fit, so that what follows can be trusted.
    """

    line: int
    reason: str
    detail: str
    text: str
    readable: bool = False


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file that Tensaku wrote itself."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _plain(value: Any) -> Any:
    """What JSON makes of a value that it does not know: a record field by field, anything else as it is printed."""
    if is_dataclass(value) and not isinstance(value, type):
        usual, held = unsaid(type(value)), ((name, getattr(value, name)) for name in value.__dataclass_fields__)
        return {name: one for name, one in held if name not in usual or one != usual[name]}
    return str(value)


_PLAIN = json.JSONEncoder(ensure_ascii=False, default=_plain)


def _line(record: Any) -> str:
    """`_PLAIN.encode(record)`; a record of texts alone in half its time."""
    kind: Any = type(record)
    flat = _flat(kind)
    if flat is not None and all(getattr(record, name) == value for name, value in flat.usual):
        try:
            return flat.form % tuple(map(encode_basestring, flat.texts(record)))
        except TypeError:
            pass  # a value that is no text after all
    return _PLAIN.encode(record)


class _Flat(NamedTuple):
    """A kind of record whose fields are texts, those apart that are not written while they hold their `usual` value."""

    texts: Callable[[Any], Any]
    form: str
    usual: tuple[tuple[str, Any], ...]


@cache
def _flat(kind: Any) -> _Flat | None:
    if not is_dataclass(kind):
        return None
    known: Any = kind
    usual = unsaid(known)
    said = [one for one in fields(kind) if one.name not in usual]
    if len(said) < 2 or any(one.type not in (str, "str") for one in said):
        return None
    names = [one.name for one in said]
    return _Flat(attrgetter(*names), "{" + ", ".join(f'"{name}": %s' for name in names) + "}", tuple(usual.items()))


class JsonlWriter:
    """Writes records to a JSON Lines file, one a line, counting them in `n`."""

    def __init__(self, path: Path) -> None:
        self.n, self.path = 0, path
        self._file: IO[bytes] = path.open("wb")

    def write(self, record: Any) -> None:
        """Add one record: a dataclass or a dict."""
        line = _line(record)
        for found, instead in _LINE_BREAKS.items():
            if found in line:
                line = line.replace(found, instead)
        try:
            written = line.encode("utf-8")
        except UnicodeEncodeError:
            # A lone surrogate cannot be written as UTF-8, but may stand in a row that is set aside: escape that row.
            written = json.dumps(record, default=_plain).encode("ascii")
        self._file.write(written + b"\n")
        self.n += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class PairFile:
    """The pairs of a JSON Lines file: can be walked as often as wanted, and never holds them all in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Pair]:
        for values in read_jsonl(self.path):
            yield from_dict(Pair, values)


def read_drops(path: Path) -> Iterator[Drop]:
    """The drops kept in a `drops.jsonl`."""
    for values in read_jsonl(path):
        yield from_dict(Drop, values)
