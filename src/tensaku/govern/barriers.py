"""Information barriers: a model is for those alone who may see everything that it was made from.

What it was made from is read from the sealed lineage: every outside file behind it, and every fund that its lessons,
its exam or its decisions speak of. Who may see what is said in the one file of rights that the documents have, too
(`tensaku.retrieve.rights`), and is looked up at each question.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensaku.errors import UsageError
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.snapshot import open_current
from tensaku.store import Artifact, Reporter, SilentReporter, Store

__all__ = ["Barriers", "Origin", "PersonalStore"]

_ROWS = ("ingest", "curate", "exam", "lessons", "decisions")
"""Stages whose results are rows: their funds are those that the rows name, whatever the rows were chosen from."""
_REF = re.compile(r"[a-z][a-z0-9-]*-[0-9a-f]{12}")
_HOUSE = ("instruction", "names", "style", "votes")
"""Inputs that are the house's own words and no data."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What something was made from: outside files, as the task file names them, and funds.

    What the ledger gave stands as `ledger:finals` and `ledger:decisions` among the files.
    """

    sources: frozenset[str]
    funds: frozenset[str]


class Barriers:
    """Who stands inside, for every artifact of one workspace. Safe to use from many threads.

    An artifact never changes, so its origin is read once; the rights are read at each question. An artifact that is not
    there, or whose lineage is broken, is nobody's as long as any rule speaks of files or funds.

    Args:
        root: the folder of the store, `.tensaku` in the workspace.
        rights: who may see what.
    """

    def __init__(self, root: Path, rights: Rights) -> None:
        self.rights = rights
        self._store = Store(root, SilentReporter())
        self._known: dict[str, Origin] = {}
        self._lock = threading.RLock()

    @property
    def up(self) -> bool:
        """Whether there is any barrier."""
        return self.rights.barriers

    def opens(self, person: str, ref: str) -> bool:
        """Whether `person` (empty: somebody without a name) may use and see the artifact `ref`.

        Raises:
            UsageError: the rights cannot be read.
        """
        if not self.up:
            return True
        try:
            origin = self.origin(ref)
        except UsageError:  # not there, or not whole
            return False
        return self.rights.opens(person, "source", origin.sources) and self.rights.opens(person, "fund", origin.funds)

    def opens_fund(self, person: str, fund: str) -> bool:
        """Whether `person` may see what speaks of a fund.

        Raises:
            UsageError: the rights cannot be read.
        """
        return self.rights.opens(person, "fund", [fund])

    def opens_all_on(self, person: str, exam: str) -> bool:
        """Whether `person` may see every answer that models gave to an exam, and so whatever is read blind of it."""
        if not self.up:
            return True
        answered = [one.ref for one in self._store.list() if exam in one.inputs.values()]
        return all(self.opens(person, ref) for ref in (exam, *answered))

    def opens_index(self, person: str) -> bool:
        """Whether `person` may see every document of the index, and so have it as a whole.

        Questions are answered to whoever may see any document, from those that the person may see.
        """
        if not self.rights.given:
            return True
        try:
            documents = open_current(self._store.root / "index").documents
        except UsageError:  # there is none
            return True
        paths, funds = [one["path"] for one in documents], {str(one["about"]["fund"]) for one in documents}
        return bool(self.rights.sees(person, paths).all()) and self.rights.opens(person, "fund", funds)

    def hides(self, person: str, name: str, users: Sequence[str] = ()) -> bool:
        """Whether a name must not be spoken to `person`: that of an artifact behind a barrier.

        A name that is no artifact's (a judge's, an instruction's) is hidden if every model that uses it, the `users`,
        is.
        """
        if not self.up:
            return False
        if _REF.fullmatch(name) and not name.startswith("prompt-"):
            return not self.opens(person, name)
        return bool(users) and all(self.hides(person, user) for user in users)

    def check_within(self, person: str, what: str) -> None:
        """Refuse what speaks of the whole house to whoever does not stand inside every barrier.

        Raises:
            UsageError: somebody does not; `what` names it.
        """
        if not self.rights.within(person):
            told = f"{what} tells of everything, and {person or 'who asks'!r} does not stand inside every barrier"
            raise UsageError(told, fix="Have it done by somebody whom every rule about files and funds names")

    def people(self, ref: str) -> tuple[list[str] | None, dict[str, list[str]]]:
        """Who stands inside of an artifact, in order; and for each file and fund that binds it, whom its rule names.

        None for the people: everybody.

        Raises:
            NotFound, UsageError: there is no such artifact, or the rights cannot be read.
        """
        origin = self.origin(ref)
        bound = [(f"source {name}", self.rights.who("source", name)) for name in sorted(origin.sources)]
        bound += [(f"fund {name}", self.rights.who("fund", name)) for name in sorted(origin.funds)]
        binding = {name: sorted(who) for name, who in bound if who is not None}
        if not binding:
            return None, {}
        return sorted(set.intersection(*(set(who) for who in binding.values()))), binding

    def origin(self, ref: str) -> Origin:
        """What an artifact was made from.

        Raises:
            NotFound: the artifact, or one behind it, is not there.
            UsageError: one of them is damaged.
        """
        with self._lock:
            if ref not in self._known:
                self._known[ref] = self._read(self._store.get(ref))
            return self._known[ref]

    def _read(self, artifact: Artifact) -> Origin:
        sources: set[str] = set()
        funds: set[str] = set(_funds(artifact)) if artifact.stage in _ROWS else set()
        for name, ref in artifact.inputs.items():
            inner = self._inner(ref)
            if inner is not None:
                behind = self.origin(inner)
                sources |= behind.sources
                funds |= behind.funds if artifact.stage not in _ROWS else set()
            elif artifact.stage != "base" and name not in _HOUSE:
                sources.add(self._source(artifact, name, Path(ref.removeprefix("file:"))))
        return Origin(frozenset(sources), frozenset(funds))

    def _inner(self, ref: str) -> str | None:
        """The artifact that an input is, or that holds the file it is; None for a file from outside."""
        if not ref.startswith("file:"):
            return ref
        path = Path(ref.removeprefix("file:"))
        below = path.is_relative_to(self._store.artifacts)
        return path.relative_to(self._store.artifacts).parts[0] if below else None

    def _source(self, artifact: Artifact, name: str, path: Path) -> str:
        """An outside file as the task file names it, else below the workspace, else by its whole path."""
        if (artifact.stage, name) in (("ingest", "finals"), ("decisions", "ledger")):
            return "ledger:finals" if name == "finals" else "ledger:decisions"
        if artifact.stage == "ingest":  # whose own record stays right where a workspace is moved
            return str(artifact.config["use"][int(name.removeprefix("file_")) - 1]["path"])
        folder = self._store.root.parent
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _funds(artifact: Artifact) -> Iterator[str]:
    """The fund of each row of an artifact, of those that were set aside too."""
    for name in artifact.files:
        if name.endswith(".jsonl"):
            with artifact.file(name).open(encoding="utf-8") as lines:
                yield from filter(None, (_fund(json.loads(line)) for line in lines if line.strip()))


def _fund(row: Mapping[str, Any]) -> str:
    held = row["row"] if isinstance(row.get("row"), dict) else row
    return str(held.get("fund") or "")


class PersonalStore(Store):
    """The store as one person may see it: what is behind a barrier is not there, nor is its name.

    What speaks of lineage leaves out what the person may not see. Work is done by the plain store, once the person has
    been found to stand inside.
    """

    def __init__(self, root: Path, barriers: Barriers, person: str, reporter: Reporter | None = None) -> None:
        super().__init__(root, reporter)
        self._barriers, self._person = barriers, person

    def _refs(self) -> list[str]:
        refs = super()._refs()
        return [ref for ref in refs if self._barriers.opens(self._person, ref)] if self._barriers.up else refs

    def lineage(self, ref: str) -> list[Artifact]:
        """As `Store.lineage`, without what is behind a barrier."""
        whole = Store(self.root, self.reporter).lineage(self.get(ref).ref)
        return [artifact for artifact in whole if self._barriers.opens(self._person, artifact.ref)]
