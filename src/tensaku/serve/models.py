"""Which models the API answers for, and what an answer says of its maker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensaku.engines.protocol import Engine
from tensaku.errors import NotFound

__all__ = ["BASE", "Served", "find", "fingerprint", "provenance"]

BASE = "base"
"""The name by which the base model alone is asked for."""


@dataclass(frozen=True, slots=True)
class Served:
    """One release on offer. It is asked for by `release` (its ref) or by `name` (the short name of its task).

    `adapter` is the name that the engine loaded it under. `trial` marks a release that nobody has approved.
    `created` is the time of the release in seconds since 1970.
    """

    name: str
    release: str
    adapter: str | None
    trial: bool = False
    created: int = 0


_BASE = Served(name=BASE, release="", adapter=None)


def offered(models: Iterable[Served]) -> list[tuple[str, Served]]:
    """Every name that may be asked for, with its model, the base last. An earlier model keeps a contested name."""
    names: dict[str, Served] = {}
    for model in models:
        for name in (model.name, model.release):
            if name and name != BASE:
                names.setdefault(name, model)
    return [*names.items(), (BASE, _BASE)]


def find(models: Sequence[Served], name: str) -> Served:
    """The model called `name`.

    Raises:
        NotFound: there is none; names the nearest.
    """
    names = dict(offered(models))
    if name not in names:
        raise NotFound("model", name, names)
    return names[name]


def provenance(engine: Engine, model: Served) -> dict[str, str]:
    """Who answers: release, adapter and base (content hashes), engine, version, trial ("yes" or "no")."""
    identity = engine.identity(model.adapter)
    trial = "yes" if model.trial else "no"
    return {"release": model.release, **identity, "trial": trial}


def fingerprint(made_by: dict[str, str]) -> str:
    """One short word for the same, as the wire's `system_fingerprint`."""
    text = "\n".join(f"{key}={made_by[key]}" for key in sorted(made_by))
    return "fp_" + hashlib.sha256(text.encode()).hexdigest()[:12]
