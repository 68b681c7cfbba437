"""The header of a GGUF file: its fields and what it says of each tensor, without reading one.

Read here and not by the gguf package, whose reader makes an object of every word of the vocabulary (seven seconds for
Gemma's). Layout: the GGUF specification, version 2 and 3, little-endian.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["GgufHeader", "GgufMatrix"]

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


class GgufMatrix(NamedTuple):
    """A tensor of two dimensions: ggml's name of its type, and where its bytes are."""

    name: str
    kind: str
    rows: int
    columns: int
    start: int  # byte of the file
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Fields that are single values, and what is said of each tensor: name, sizes (fastest first), type, place."""

    fields: dict[str, Any]
    tensors: list[tuple[str, tuple[int, ...], int, int]]
    data: int

    @classmethod
    def read(cls, raw: mmap.mmap) -> GgufHeader:
        """The header at the beginning of `raw`.

        Raises:
            ValueError, struct.error, KeyError: it is none, or damaged.
        """
        cursor = _Cursor(raw)
        magic, version = cursor.take("4sI")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError("no little-endian GGUF of version 2 or 3")
        count, pairs = cursor.take("QQ")
        fields = {}
        for _ in range(pairs):
            name = cursor.string()
            fields[name] = cursor.value(*cursor.take("I"))
        tensors = []
        for _ in range(count):
            name = cursor.string()
            (dims,) = cursor.take("I")
            tensors.append((name, cursor.take(f"{dims}Q"), *cursor.take("IQ")))
        align = fields.get("general.alignment") or 32
        return cls(fields, tensors, -(-cursor.at // align) * align)

    def matrices(self) -> list[GgufMatrix]:
        """Those of the tensors that have two dimensions."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        found = []
        for name, sizes, number, offset in self.tensors:
            if len(sizes) == 2:
                columns, rows = sizes
                kind = GGMLQuantizationType(number)
                length, size = GGML_QUANT_SIZES[kind]
                if columns % length:
                    raise ValueError(f"a row of {name} is no whole blocks")
                found.append(
                    GgufMatrix(name, kind.name, rows, columns, self.data + offset, rows * columns // length * size)
                )
        return found


class _Cursor:
    def __init__(self, raw: mmap.mmap) -> None:
        self._raw, self.at = raw, 0

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from("<" + form, self._raw, self.at)
        self.at += struct.calcsize("<" + form)
        return found

    def string(self) -> str:
        (size,) = self.take("Q")
        found = self._raw[self.at : self.at + size]
        self.at += size
        return found.decode("utf-8")

    def value(self, kind: int) -> Any:
        """The value at the cursor; None for an array, which is passed over."""
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.take(_NUMBERS[kind])[0]
        inner, count = self.take("IQ")
        if inner in _NUMBERS:
            self.at += count * struct.calcsize("<" + _NUMBERS[inner])
            return None
        for _ in range(count):
            if inner == _STRING:  # without making a string of it
                self.at += 8 + struct.unpack_from("<Q", self._raw, self.at)[0]
            else:
                self.value(inner)
        return None
