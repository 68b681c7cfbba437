"""The drops of a sealed pool, for people: found by reason, read one at a time."""

from __future__ import annotations

import json
from typing import NamedTuple

from tensaku.curate.back import identity
from tensaku.curate.ingest import DROPS, PAIRS
from tensaku.records import Drop, Pair, from_dict
from tensaku.store import Artifact

__all__ = ["Dropped", "Drops"]

_FINAL = ("in-exam",)
"""Reasons that nobody's word changes: what an exam asks is never taught."""


class Dropped(NamedTuple):
    """One drop without its texts. `number` counts from 0 in the pool's file; `row` is what it is taken back by; `back`
    is whether it can be: it holds both texts, and its reason is one that people may overrule."""

    number: int
    reason: str
    row: str
    fund: str
    section: str
    manager: str
    as_of: str
    back: bool


class Drops:
    """The drops of `pool`."""

    def __init__(self, pool: Artifact) -> None:
        self.pool = pool
        self.all: list[Dropped] = []
        self._starts: list[int] = []
        start = 0
        with pool.file(DROPS).open("rb") as file:
            for line in file:
                values = json.loads(line.decode("utf-8"))
                self.all.append(_dropped(len(self.all), from_dict(Drop, values)))
                self._starts.append(start)
                start += len(line)

    def read(self, number: int) -> Drop:
        """A drop with its texts.

        Raises:
            IndexError: there is none of that number.
        """
        with self.pool.file(DROPS).open("rb") as file:
            file.seek(self._starts[number])
            return from_dict(Drop, json.loads(file.readline().decode("utf-8")))

    def partner(self, drop: Drop) -> Pair | None:
        """The pair that stayed in its place, if the pool still has it."""
        if not drop.partner:
            return None
        wanted = json.dumps(drop.partner, ensure_ascii=False).encode("utf-8")
        with self.pool.file(PAIRS).open("rb") as file:
            for line in file:
                if wanted in line:
                    pair = from_dict(Pair, json.loads(line.decode("utf-8")))
                    if pair.source == drop.partner:
                        return pair
        return None


def _dropped(number: int, drop: Drop) -> Dropped:
    row, reason = identity(drop.source, drop.reason)
    said = {name: str(drop.row.get(name) or "") for name in ("fund", "section", "manager", "as_of", "draft", "final")}
    back = reason not in _FINAL and bool(said.pop("draft").strip() and said.pop("final").strip())
    said.pop("final", None)
    return Dropped(number, reason, row, **said, back=back)
