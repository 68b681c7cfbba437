"""Who may see which document: rules in a file, read at every question, so that a change holds for the next one."""

from __future__ import annotations

import fnmatch
import threading
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import DataError, UsageError

__all__ = ["EVERYBODY", "Rights", "Rule"]

EVERYBODY = "everybody"
"""Stands in a rule for whoever asks, with or without a name."""


_MANY, _PEOPLE = 1000, 50
"""Paths from which on what a person may see of them is kept, and of how many people."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Documents whose path fits `path` (* also fits /) are seen by `who`: people, groups or "everybody"."""

    path: str
    who: frozenset[str]


class Rights:
    """The rules of the file `path`; None: everybody sees everything.

    The last rule that fits a document holds. A document that no rule fits is seen by nobody. If the file is missing
    or wrong, nobody sees anything: `sees` raises.

    `live` names sources whose rights stand elsewhere, each with a function from a person to the paths that the person
    may see at this moment. It is asked at every question. A rule that fits such a path narrows that further.

        [groups]
        audit = ["sato", "suzuki"]
        [[rule]]
        path = "rules/*"
        who = ["everybody"]
        [[rule]]
        path = "rules/audit/*"
        who = ["audit"]
    """

    def __init__(self, path: Path | None, live: Mapping[str, Callable[[str], Collection[str]]] | None = None) -> None:
        self._path, self._live = path, dict(live or {})
        self._lock = threading.Lock()
        self._bytes = b""
        self._rules: tuple[Rule, ...] = ()
        self._fitting: dict[str, Rule | None] = {}
        self._known: dict[str, tuple[Sequence[str], NDArray[np.bool_]]] = {}

    def sees(self, person: str, paths: Sequence[str]) -> NDArray[np.bool_]:
        """For each path, whether `person` (empty: somebody without a name) may see it now.

        Raises:
            UsageError: the rules cannot be read.
            DataError: they are wrong.
        """
        found = self._ruled(person, paths)
        for source in self._live.keys() & set(map(_source, paths)) if self._live else ():
            allowed = self._live[source](person)
            found = found & np.asarray([_source(path) != source or path in allowed for path in paths], bool)
        return found

    def _ruled(self, person: str, paths: Sequence[str]) -> NDArray[np.bool_]:
        """What the rules of the file say."""
        if self._path is None:
            return np.ones(len(paths), bool)
        with self._lock:
            self._read(self._path)
            known, found = self._known.get(person, (None, np.zeros(0, bool)))
            if known is not paths:
                found = np.asarray([self._fits(path, person) for path in paths], bool).reshape(len(paths))
                if len(paths) >= _MANY:  # the very list of an index, which the next question brings again
                    self._known = dict(list(self._known.items())[-_PEOPLE:]) | {person: (paths, found)}
            return found

    def _fits(self, path: str, person: str) -> bool:
        if path not in self._fitting:
            self._fitting[path] = self._fit(path)
        rule = self._fitting[path]
        if rule is None:
            return _source(path) in self._live
        return EVERYBODY in rule.who or (bool(person) and person in rule.who)

    def _fit(self, path: str) -> Rule | None:
        return next((rule for rule in reversed(self._rules) if fnmatch.fnmatchcase(path, rule.path)), None)

    def _read(self, path: Path) -> None:
        """Read the file anew; its bytes are compared, since times of change are too coarse to trust."""
        try:
            now = path.read_bytes()
        except OSError as error:
            what = f"the rules of who may see what cannot be read ({error.strerror}), so nothing is shown"
            raise UsageError(what, where=path, fix="Put the file back") from None
        if now != self._bytes or not self._rules:
            self._rules = tuple(_rules(now, path))
            self._bytes, self._fitting, self._known = now, {}, {}


def _source(path: str) -> str:
    return path.partition("/")[0]


def _rules(data: bytes, path: Path) -> Iterable[Rule]:
    fix = 'Write [[rule]] with path = "rules/*" and who = ["everybody"]'
    try:
        told = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"the rules are no TOML ({error})", file=path, fix=fix) from None
    groups = told.get("groups", {})
    if set(told) - {"groups", "rule"} or not isinstance(groups, dict):
        raise DataError("only [groups] and [[rule]] may stand here", file=path, fix=fix)
    rules = told.get("rule", [])
    for number, rule in enumerate(rules if isinstance(rules, list) else [rules], start=1):
        who = rule.get("who") if isinstance(rule, dict) else None
        if not isinstance(who, list) or not isinstance(rule.get("path"), str) or set(rule) != {"path", "who"}:
            raise DataError(f"rule {number} is no rule", file=path, field="rule", fix=fix)
        names: set[str] = set()
        for name in who:
            if not isinstance(name, str) or not isinstance(groups.get(name, []), list):
                raise DataError(f"rule {number} names no people", file=path, field="who", fix=fix)
            names |= {name} if name not in groups else {str(one) for one in groups[name]}
        yield Rule(rule["path"], frozenset(names))
