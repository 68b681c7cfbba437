"""The store itself: what has been made, and the making of what has not."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from tensaku.config import Section
from tensaku.errors import NotFound, UsageError
from tensaku.store.artifact import Artifact
from tensaku.store.bench import Stage
from tensaku.store.differences import Difference, counterparts, differences
from tensaku.store.keys import Input
from tensaku.store.progress import Reporter, reporter_for
from tensaku.store.seal import faults_of, open_artifact
from tensaku.store.work import ARTIFACTS, Work, unusable

__all__ = ["Store"]

_REF = re.compile(r"[a-z][a-z0-9-]*-[0-9a-f]{12}")  # anything else in the folder is somebody else's

_Artifacts = list[Artifact]  # inside the class, `list` is the method
_Lines = list[str]
_Differences = list[Difference]


class Store:
    """The artifacts of one workspace.

    Args:
        root: the workspace folder; made when the first work is done.
        reporter: where progress goes; by default bars on a terminal and plain lines elsewhere, on standard error.
        wait: whether work that another process is doing is waited for; if not, it is a UsageError that names it.
    """

    def __init__(self, root: Path, reporter: Reporter | None = None, *, wait: bool = True) -> None:
        self.root = Path(os.path.abspath(root))
        self.reporter = reporter or reporter_for()
        self._wait = wait

    @property
    def artifacts(self) -> Path:
        """The folder of everything sealed."""
        return self.root / ARTIFACTS

    def run(self, fn: Stage[..., Any], cfg: Section, **inputs: Input) -> Artifact:
        """The result of the stage `fn` with the section `cfg` on `inputs`: the sealed one, or worked out now.

        Raises:
            UsageError: an input or setting is wrong, the workspace cannot be written, or its sealed result is damaged.
            GateError: the stage is a check and refused.
            StageError: the work failed; its message names the scratch folder, from which the next run goes on.
        """
        work = Work(self.root, fn, cfg, inputs)
        return work.sealed() or work.do(self.reporter, wait=self._wait)

    def find(self, fn: Stage[..., Any], cfg: Section, **inputs: Input) -> Artifact | None:
        """The sealed result that `run` would return at once, or None if there is work to do."""
        return Work(self.root, fn, cfg, inputs).sealed()

    def has(self, fn: Stage[..., Any], cfg: Section, **inputs: Input) -> bool:
        """True if `run` would return at once."""
        return self.find(fn, cfg, **inputs) is not None

    def get(self, ref: str) -> Artifact:
        """The artifact with this ref or key, or the only one whose ref or key starts so.

        Raises:
            NotFound: there is none; the nearest refs are given.
            UsageError: several start so, or the one that does is damaged.
        """
        refs = self._refs()
        if ref in refs:
            return open_artifact(self.artifacts / ref)
        near = [held for held in refs if ref and any(_starts(ref, name) for name in (held, held.rpartition("-")[2]))]
        opened = [
            a
            for a in (open_artifact(self.artifacts / held) for held in near)
            if a.key.startswith(ref) or f"{a.stage}-{a.key}".startswith(ref)
        ]
        if not opened:
            raise NotFound("artifact", ref, refs, where=self.root)
        if len(opened) > 1:
            names = ", ".join(artifact.ref for artifact in opened[:8])
            raise UsageError(f"{ref!r} may mean any of {names}", where=self.root, fix="Give more of the name")
        return opened[0]

    def list(self, stage: str | None = None) -> _Artifacts:
        """Everything sealed (by `stage`, if given), oldest first. A damaged artifact is told of and left out."""
        found = []
        for ref in self._refs():
            if stage is None or ref.rpartition("-")[0] == stage:
                try:
                    found.append(open_artifact(self.artifacts / ref))
                except UsageError as error:
                    self.reporter.say(str(error))
        return sorted(found, key=lambda artifact: (artifact.manifest["ended"], artifact.ref))

    def lineage(self, ref: str) -> _Artifacts:
        """Everything that the artifact was made from, each after its own inputs, and the artifact itself as the last.

        Raises:
            NotFound: the artifact or one of its ancestors is not in this workspace.
        """
        found: dict[str, Artifact] = {}

        def visit(artifact: Artifact) -> None:
            for inner in artifact.inputs.values():
                if not inner.startswith("file:") and inner not in found:
                    visit(self.get(inner))
            found[artifact.ref] = artifact

        visit(self.get(ref))
        return [*found.values()]

    def descendants(self, ref: str) -> _Artifacts:
        """Everything that was made from the artifact, straight or by way of others, oldest first."""
        kin = {self.get(ref).ref}
        found: _Artifacts = []
        waiting = self.list()
        while new := [a for a in waiting if kin.intersection(a.inputs.values())]:
            kin.update(a.ref for a in new)
            found += new
            waiting = [a for a in waiting if a.ref not in kin]
        return sorted(found, key=lambda artifact: (artifact.manifest["ended"], artifact.ref))

    def diff(self, old: str, new: str) -> _Differences:
        """What differs between two artifacts and what was made of each: see `differences`."""
        one, other = self.get(old), self.get(new)
        return differences(one, other, counterparts(one, other, self.list()))

    def verify(self, ref: str) -> _Lines:
        """Everything in the artifact that is not as it was sealed, one line each; empty if not a byte was altered.

        Raises:
            NotFound: there is no such artifact.
        """
        refs = self._refs()
        return faults_of(self.artifacts / (ref if ref in refs else self.get(ref).ref))

    def _refs(self) -> _Lines:
        try:
            return sorted(entry.name for entry in os.scandir(self.artifacts) if _REF.fullmatch(entry.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unusable(self.root, error) from error


def _starts(asked: str, name: str) -> bool:
    """True if one starts with the other: a folder name holds only the first digits of a key."""
    return name.startswith(asked) or asked.startswith(name)
