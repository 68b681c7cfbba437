"""How much of a foreign file is read at most."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one file. Beyond them it is refused with a message, never half read."""

    file_bytes: int = 50 * MB
    unpacked_bytes: int = 200 * MB
    """All parts of a zip or Office file together."""
    unpacked_times: int = 200
    """How many times its packed size one part of over a megabyte may have."""
    entries: int = 2000
    """Files in a zip, parts of an Office file, files in a folder."""
    pages: int = 300
    cells: int = 200_000
    """Cells of a workbook that hold something."""
    characters: int = 2_000_000
    seconds: int = 60
    """Of the reading process, by its own clock and by the wall's twice that."""
    memory_bytes: int = 2048 * MB
    """Address space of the reading process."""
