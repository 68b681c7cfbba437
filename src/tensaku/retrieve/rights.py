"""Who may see which data: rules in a file, read at every question, so that a change holds for the next one."""

from __future__ import annotations

import fnmatch
import hashlib
import threading
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import DataError, UsageError

__all__ = ["EVERYBODY", "Kind", "Rights", "Rule"]

EVERYBODY = "everybody"
"""Stands in a rule for whoever asks, with or without a name."""

Kind = Literal["path", "source", "fund"]
"""What a rule speaks of: documents of the index, files that models learn from, funds."""


_MANY, _PEOPLE = 1000, 50
"""Paths from which on what a person may see of them is kept, and of how many people."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Data of one kind whose name fits `name` (* also fits /) is for `who`: people, groups or "everybody"."""

    kind: Kind
    name: str
    who: frozenset[str]

    def admits(self, person: str) -> bool:
        """Whether `person` (empty: somebody without a name) is among them."""
        return EVERYBODY in self.who or (bool(person) and person in self.who)


class Rights:
    """The rules of the file `path`; None: everybody sees everything.

    The last rule of its kind that fits holds. A document that no rule fits is seen by nobody. Files and funds are free
    as long as no rule speaks of any; from the first one on, what no rule fits is nobody's. If the file is missing or
    wrong, nobody sees anything: every question raises.

    `live` names sources whose rights stand elsewhere, each with a function from a person to the paths that the person
    may see at this moment. It is asked at every question. A rule that fits such a path narrows that further.

        [groups]
        audit = ["sato", "suzuki"]
        [[rule]]
        path = "rules/*"
        who = ["everybody"]
        [[rule]]
        fund = "私募*"
        who = ["audit"]

    Every method raises UsageError if the rules cannot be read, DataError if they are wrong.
    """

    def __init__(self, path: Path | None, live: Mapping[str, Callable[[str], Collection[str]]] | None = None) -> None:
        self._path, self._live = path, dict(live or {})
        self._lock = threading.Lock()
        self._bytes = b""
        self._rules: tuple[Rule, ...] = ()
        self._fitting: dict[tuple[Kind, str], Rule | None] = {}
        self._known: dict[str, tuple[Sequence[str], NDArray[np.bool_]]] = {}

    def sees(self, person: str, paths: Sequence[str]) -> NDArray[np.bool_]:
        """For each document's path, whether `person` (empty: somebody without a name) may see it now."""
        found = self._ruled(person, paths)
        for source in self._live.keys() & set(map(_source, paths)) if self._live else ():
            allowed = self._live[source](person)
            found = found & np.asarray([_source(path) != source or path in allowed for path in paths], bool)
        return found

    def _ruled(self, person: str, paths: Sequence[str]) -> NDArray[np.bool_]:
        """What the rules of the file say."""
        if self._path is None:
            return np.ones(len(paths), bool)
        with self._reading(self._path):
            known, found = self._known.get(person, (None, np.zeros(0, bool)))
            if known is not paths:
                found = np.asarray([self._opens_path(person, path) for path in paths], bool).reshape(len(paths))
                if len(paths) >= _MANY:  # the very list of an index, which the next question brings again
                    self._known = dict(list(self._known.items())[-_PEOPLE:]) | {person: (paths, found)}
            return found

    def _opens_path(self, person: str, path: str) -> bool:
        rule = self._fit("path", path)
        return rule.admits(person) if rule is not None else _source(path) in self._live

    def opens(self, person: str, kind: Literal["source", "fund"], names: Iterable[str]) -> bool:
        """Whether `person` may see all of these files or funds now. A fund without a name is bound by no rule."""
        if self._path is None:
            return True
        with self._reading(self._path):
            return not self._binds(kind) or all(self._admits(person, kind, name) for name in names if name)

    def who(self, kind: Literal["source", "fund"], name: str) -> frozenset[str] | None:
        """Whom the rule that holds names; None if there is no bound, or everybody is named."""
        if self._path is None:
            return None
        with self._reading(self._path):
            if not name or not self._binds(kind):
                return None
            rule = self._fit(kind, name)
            people = rule.who if rule is not None else frozenset[str]()
            return None if EVERYBODY in people else people

    @property
    def given(self) -> bool:
        """Whether there is a file of rules at all."""
        return self._path is not None

    @property
    def barriers(self) -> bool:
        """Whether any rule speaks of files or funds, so that models inherit something."""
        if self._path is None:
            return False
        with self._reading(self._path):
            return self._binds("source") or self._binds("fund")

    def sha256(self) -> str:
        """The SHA-256 of the file as it stands; empty where there is none."""
        if self._path is None:
            return ""
        with self._reading(self._path):
            return hashlib.sha256(self._bytes).hexdigest()

    def within(self, person: str) -> bool:
        """Whether `person` stands inside every barrier: named by each rule about files or funds."""
        if self._path is None:
            return True
        with self._reading(self._path):
            return all(rule.admits(person) for rule in self._rules if rule.kind != "path")

    def _binds(self, kind: Kind) -> bool:
        return any(rule.kind == kind for rule in self._rules)

    def _admits(self, person: str, kind: Kind, name: str) -> bool:
        rule = self._fit(kind, name)
        return rule is not None and rule.admits(person)

    def _fit(self, kind: Kind, name: str) -> Rule | None:
        if (kind, name) not in self._fitting:
            fitting = (r for r in reversed(self._rules) if r.kind == kind and fnmatch.fnmatchcase(name, r.name))
            self._fitting[kind, name] = next(fitting, None)
        return self._fitting[kind, name]

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        """Read the file anew and hold its rules still; bytes are compared, since times of change are too coarse."""
        with self._lock:
            try:
                now = path.read_bytes()
            except OSError as error:
                what = f"the rules of who may see what cannot be read ({error.strerror}), so nothing is shown"
                raise UsageError(what, where=path, fix="Put the file back") from None
            if now != self._bytes or not self._rules:
                self._rules = tuple(_rules(now, path))
                self._bytes, self._fitting, self._known = now, {}, {}
            yield


def _source(path: str) -> str:
    return path.partition("/")[0]


def _rules(data: bytes, path: Path) -> Iterator[Rule]:
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
        kind = _kind(rule)
        who = rule.get("who") if kind is not None else None
        if kind is None or not isinstance(who, list) or not isinstance(rule[kind], str) or set(rule) != {kind, "who"}:
            raise DataError(f"rule {number} is no rule", file=path, field="rule", fix=fix)
        names: set[str] = set()
        for name in who:
            if not isinstance(name, str) or not isinstance(groups.get(name, []), list):
                raise DataError(f"rule {number} names no people", file=path, field="who", fix=fix)
            names |= {name} if name not in groups else {str(one) for one in groups[name]}
        yield Rule(kind, rule[kind], frozenset(names))


def _kind(rule: Any) -> Kind | None:
    """Which of path, source and fund a rule names: exactly one."""
    named = [kind for kind in get_args(Kind) if isinstance(rule, dict) and kind in rule]
    return named[0] if len(named) == 1 else None
