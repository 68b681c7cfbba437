"""Which models the API answers for, and what an answer says of its maker."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, overload

from tensaku.engines.protocol import Engine
from tensaku.errors import NotFound
from tensaku.retrieve import Examples
from tensaku.revise import Job

__all__ = ["BASE", "SUM", "Arm", "Lineup", "Served", "find", "fingerprint", "open_to_all", "provenance"]

Arm = Literal["champion", "challenger", ""]
"""The part a release plays: it answers, or it is tried on a share of the questions; empty for all else."""

BASE = "base"
"""The name by which the base model alone is asked for."""
SUM = "sum"
"""The name under which answers of added-up adapters are counted."""


@dataclass(frozen=True, slots=True)
class Served:
    """One release on offer. It is asked for by `release` (its ref) or by `name` (the short name of its task).

    `adapter` is the name that the engine loaded it under, None for a model that needs none. `trial` marks a release
    that nobody has approved. `created` is the time of the release in seconds since 1970. `made_by` says of its maker
    what the engine cannot know. With `examples`, past pairs are quoted before each question. With `job`, drafts can be
    revised by it. `engine` answers for it, None: the app's own. `arm` is recorded with each answer.
    """

    name: str
    release: str
    adapter: str | None
    trial: bool = False
    created: int = 0
    made_by: Mapping[str, str] = field(default_factory=dict)
    examples: Examples | None = None
    job: Job | None = None
    engine: Engine | None = None
    arm: Arm = ""
    parts: tuple[Served, ...] = ()
    """The releases whose adapters are added up in this one."""


def open_to_all(model: Served) -> bool:
    """Where there are no barriers."""
    return True


class Lineup(Sequence[Served]):
    """The releases that answer: changed as a whole while requests run, read by any thread.

    With a challenger, every question for the task's name goes to one of the two, so that the challenger has exactly its
    share over any run of questions. Either can be asked for by its release's ref as well.
    """

    def __init__(self, models: Sequence[Served] = (), share: float = 0.0, beside: Sequence[Served] = ()) -> None:
        self._lock = threading.Lock()
        self.beside = tuple(beside)
        """Models that stay whatever release answers, such as that of the documents."""
        self._now, self._share, self._owed = tuple(models), share, 0.0
        self.base = True

    @property
    def engine(self) -> Engine | None:
        """The champion's engine."""
        return self._now[0].engine if self._now else None

    def replace(self, models: Sequence[Served], share: float = 0.0, *, base: bool = True) -> None:
        """Answer with `models` from now on: the champion, and a challenger that gets `share` of the questions.

        `base` says whether the champion's engine without an adapter is the base model.
        """
        with self._lock:
            self._now, self._share, self._owed, self.base = tuple(models), share, 0.0, base

    def choose(self, name: str, sees: Callable[[Served], bool] = open_to_all) -> Served | None:
        """Who answers the next question for `name` of somebody who `sees` it, or None if it is nobody's."""
        found = [model for model in self._now if name in (model.name, model.release) and sees(model)]
        with self._lock:
            tried = next((model for model in found if model.arm == "challenger" and name != model.release), None)
            if tried is None or len(found) == 1:
                return found[0] if found else None
            self._owed += self._share
            if self._owed < 1 - 1e-9:
                return next(model for model in found if model is not tried)
            self._owed -= 1
            return tried

    @overload
    def __getitem__(self, at: int) -> Served: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Served]: ...
    def __getitem__(self, at: int | slice) -> Served | Sequence[Served]:
        return (*self._now, *self.beside)[at]

    def __len__(self) -> int:
        return len(self._now) + len(self.beside)

    def __iter__(self) -> Iterator[Served]:
        return iter((*self._now, *self.beside))


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


def find(
    models: Sequence[Served], name: str, base: bool = True, sees: Callable[[Served], bool] = open_to_all
) -> Served:
    """The model called `name`, among those that the asker `sees`.

    Raises:
        NotFound: there is none; names the nearest of what is seen.
    """
    if isinstance(models, Lineup) and name != BASE and (chosen := models.choose(name, sees)) is not None:
        return chosen
    names = dict(offered(filter(sees, models), base and sees(_BASE)))
    if name in names:
        return names[name]
    if _SUM.fullmatch(name):
        return _added(name, names)
    raise NotFound("model", name, names)


_SUM = re.compile(r"[^:+]+:\d+(\.\d+)?(\+[^:+]+:\d+(\.\d+)?){1,3}")
"""Two to four models, each with its weight: `release-a:0.7+release-b:0.3`."""


def _added(name: str, names: Mapping[str, Served]) -> Served:
    """The model that a sum of offered adapters is, each by its weight.

    Raises:
        NotFound: one of them is not offered, or brings no adapter to the same engine.
    """
    parts: list[Served] = []
    words: list[tuple[Served, str]] = []
    for part in name.split("+"):
        one, _, weight = part.partition(":")
        model = names.get(one)
        if model is None or model.adapter is None or (parts and model.engine is not parts[0].engine):
            raise NotFound("adapter", one, [n for n, known in names.items() if known.adapter is not None])
        parts.append(model)
        words.append((model, weight))
    adapter = "+".join(f"{model.adapter}:{weight}" for model, weight in words)
    release = "+".join(f"{model.release}:{weight}" for model, weight in words)
    job = parts[0].job
    if job is not None:
        told = {**job.provenance, "release": release}
        job = replace(job, adapter=adapter, provenance={k: v for k, v in told.items() if k != "arm"})
    trial = any(model.trial for model in parts)
    return Served(name, release, adapter, trial, job=job, engine=parts[0].engine, parts=tuple(parts))


def provenance(engine: Engine, model: Served) -> dict[str, str]:
    """Who answers: release, adapter and base (content hashes), engine, version, trial ("yes" or "no"), and its arm."""
    identity = engine.identity(model.adapter)
    arm = {"arm": model.arm} if model.arm else {}
    return {"release": model.release, **identity, **model.made_by, "trial": "yes" if model.trial else "no", **arm}


def fingerprint(made_by: dict[str, str]) -> str:
    """One short word for the same, as the wire's `system_fingerprint`."""
    text = "\n".join(f"{key}={made_by[key]}" for key in sorted(made_by))
    return "fp_" + hashlib.sha256(text.encode()).hexdigest()[:12]
