"""Which models the API answers for, and what an answer says of its maker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tensaku.engines.protocol import Engine
from tensaku.errors import NotFound
from tensaku.retrieve import Examples

__all__ = ["BASE", "Served", "find", "fingerprint", "provenance"]

BASE = "base"
"""The name by which the base model alone is asked for."""


@dataclass(frozen=True, slots=True)
class Served:
    """One release on offer. It is asked for by `release` (its ref) or by `name` (the short name of its task).

    `adapter` is the name that the engine loaded it under, None for a model that needs none. `trial` marks a release
    that nobody has approved. `created` is the time of the release in seconds since 1970. `made_by` says of its maker
    what the engine cannot know. With `examples`, past pairs are quoted before each question.
    """

    name: str
    release: str
    adapter: str | None
    trial: bool = False
    created: int = 0
    made_by: Mapping[str, str] = field(default_factory=dict)
    examples: Examples | None = None


_BASE = Served(name=BASE, release="", adapter=None)


def offered(models: Iterable[Served], base: bool = True) -> list[tuple[str, Served]]:
    """Every name that may be asked for, with its model, the base (if it is there) last.

    An earlier model keeps a contested name; the base's is nobody else's.
    """
    names: dict[str, Served] = {}
    for model in models:
        for name in (model.name, model.release):
            if name and name != BASE:
                names.setdefault(name, model)
    return [*names.items(), *([(BASE, _BASE)] if base else [])]


def find(models: Sequence[Served], name: str, base: bool = True) -> Served:
    """The model called `name`.

    Raises:
        NotFound: there is none; names the nearest.
    """
    names = dict(offered(models, base))
    if name not in names:
        raise NotFound("model", name, names)
    return names[name]


def provenance(engine: Engine, model: Served) -> dict[str, str]:
    """Who answers: release, adapter and base (content hashes), engine, version, trial ("yes" or "no")."""
    identity = engine.identity(model.adapter)
    trial = "yes" if model.trial else "no"
    return {"release": model.release, **identity, **model.made_by, "trial": trial}


def fingerprint(made_by: dict[str, str]) -> str:
    """One short word for the same, as the wire's `system_fingerprint`."""
    text = "\n".join(f"{key}={made_by[key]}" for key in sorted(made_by))
    return "fp_" + hashlib.sha256(text.encode()).hexdigest()[:12]
