"""What differs between two artifacts, and between what was later made of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tensaku.store.artifact import Artifact

__all__ = ["Difference", "counterparts", "differences"]


class Difference(NamedTuple):
    """One value that differs. `where` is as in `config.epochs`; a side that lacks it is None; `change` is new less
    old if both are numbers."""

    where: str
    old: Any
    new: Any
    change: float | None = None


def differences(old: Artifact, new: Artifact, later: Sequence[tuple[Artifact, Artifact]] = ()) -> list[Difference]:
    """What differs from `old` to `new`, in the order in which people ask.

    First what was chosen (config), then what came of it: figures, then other facts, then the figures of `later` work
    done alike on both, as in `evaluate.bleu_tuned`. Then where it comes from: inputs, stage, versions. Files last.
    """
    found = _compared("config", old, new)
    facts = _compared("facts", old, new)
    found += [fact for fact in facts if fact.change is not None] + [fact for fact in facts if fact.change is None]
    for one, other in later:
        compared = _compare(one.stage, one.facts, other.facts)
        found += [fact for fact in compared if fact.change is not None]
    for part in ("inputs", "stage", "version", "tensaku"):
        found += _compared(part, old, new)
    hashes = [{name: held["sha256"] for name, held in side.manifest["files"].items()} for side in (old, new)]
    return found + list(_compare("files", *hashes))


def counterparts(old: Artifact, new: Artifact, made: Sequence[Artifact]) -> list[tuple[Artifact, Artifact]]:
    """Work done alike on both, by whatever way: same stage, version, settings and inputs, but for what differs between
    `old` and `new` themselves, what went into them, and earlier counterparts. Of each stage the newest.

    Args:
        made: everything sealed, oldest first.
    """
    swap = {key: new.manifest["inputs"][name]["key"] for name, key in _keys(old).items() if name in new.inputs}
    swap[old.key] = new.key
    touched = {old.key}
    work = {_work(artifact, _keys(artifact)): artifact for artifact in made}
    found: dict[str, tuple[Artifact, Artifact]] = {}
    for artifact in made:
        keys = _keys(artifact)
        if touched.isdisjoint(keys.values()):
            continue
        other = work.get(_work(artifact, {name: swap.get(key, key) for name, key in keys.items()}))
        if other is not None and other.key != artifact.key:
            swap[artifact.key] = other.key
            touched.add(artifact.key)
            found[artifact.stage] = (artifact, other)
    return list(found.values())


def _keys(artifact: Artifact) -> dict[str, str]:
    return {name: held["key"] for name, held in artifact.manifest["inputs"].items()}


def _work(artifact: Artifact, keys: Mapping[str, str]) -> str:
    """What decided an artifact, as text that is equal for equal work."""
    held = artifact.manifest
    return repr((held["stage"], held["version"], sorted(held["config"].items()), sorted(keys.items())))


def _compared(part: str, old: Artifact, new: Artifact) -> list[Difference]:
    return list(_compare(part, old.manifest[part], new.manifest[part]))


def _compare(where: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _compare(f"{where}.{name}", old.get(name), new.get(name))
    elif old != new or type(old) is not type(new):
        yield Difference(where, old, new, new - old if _is_number(old) and _is_number(new) else None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
