"""What differs between two artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tensaku.store.artifact import Artifact

__all__ = ["Difference", "differences"]


class Difference(NamedTuple):
    """One value that differs. `where` is as in `config.epochs`; a side that lacks it is None."""

    where: str
    old: Any
    new: Any


def differences(old: Artifact, new: Artifact) -> list[Difference]:
    """What differs from `old` to `new`: config first, then stage, inputs and facts, then files."""
    found: list[Difference] = []
    for part in ("config", "stage", "version", "tensaku", "inputs", "facts"):
        found += _compare(part, old.manifest[part], new.manifest[part])
    hashes = [{name: held["sha256"] for name, held in side.manifest["files"].items()} for side in (old, new)]
    return found + list(_compare("files", *hashes))


def _compare(where: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _compare(f"{where}.{name}", old.get(name), new.get(name))
    elif old != new or type(old) is not type(new):
        yield Difference(where, old, new)
