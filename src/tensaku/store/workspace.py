"""The store itself: what has been made, and the making of what has not."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensaku
from tensaku.config import Section
from tensaku.errors import GateError, NotFound, StageError, UsageError
from tensaku.store.artifact import Artifact, SourceFile
from tensaku.store.bench import Bench, Stage
from tensaku.store.differences import Difference, differences
from tensaku.store.keys import SCHEMA, Input, flatten, key_of, plain, ref_of
from tensaku.store.lock import holding
from tensaku.store.progress import Reporter, reporter_for
from tensaku.store.seal import MANIFEST, faults_of, fsync_folder, hash_files, read_manifest, unseal, write_manifest

__all__ = ["Store"]

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
        return self.root / "artifacts"

    def run(self, fn: Stage[..., Any], cfg: Section, **inputs: Input) -> Artifact:
        """The result of the stage `fn` with the section `cfg` on `inputs`: the sealed one, or worked out now.

        Raises:
            UsageError: an input or setting is wrong, the workspace cannot be written, or its sealed result is damaged.
            GateError: the stage is a check and refused.
            StageError: the work failed; its message names the scratch folder, from which the next run goes on.
        """
        work = _Work(self, fn, cfg, inputs)
        return work.sealed() or work.do(self._wait)

    def find(self, fn: Stage[..., Any], cfg: Section, **inputs: Input) -> Artifact | None:
        """The sealed result that `run` would return at once, or None if there is work to do."""
        return _Work(self, fn, cfg, inputs).sealed()

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
            return self._open(ref)
        near = [held for held in refs if ref and any(_starts(ref, name) for name in (held, held.rpartition("-")[2]))]
        opened = [a for a in map(self._open, near) if a.key.startswith(ref) or f"{a.stage}-{a.key}".startswith(ref)]
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
                    found.append(self._open(ref))
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
        """What differs between two artifacts: config first, then inputs and facts, then files."""
        return differences(self.get(old), self.get(new))

    def verify(self, ref: str) -> _Lines:
        """Everything in the artifact that is not as it was sealed, one line each; empty if not a byte was altered.

        Raises:
            NotFound: there is no such artifact.
        """
        refs = self._refs()
        return faults_of(self.artifacts / (ref if ref in refs else self.get(ref).ref))

    def _refs(self) -> _Lines:
        try:
            return sorted(entry.name for entry in os.scandir(self.artifacts) if entry.is_dir() and "-" in entry.name)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable(self.root, error) from error

    def _open(self, ref: str) -> Artifact:
        path = self.artifacts / ref
        manifest = read_manifest(path)
        if ref != ref_of(manifest["stage"], manifest["key"]):
            raise UsageError(
                f"the folder holds {ref_of(manifest['stage'], manifest['key'])}", where=path, fix="Give it its own name"
            )
        return Artifact(manifest["key"], ref, manifest["stage"], path, manifest)


class _Work:
    """One run of one stage."""

    def __init__(self, store: Store, fn: Stage[..., Any], cfg: Section, inputs: Mapping[str, Input]) -> None:
        self.store, self.fn, self.cfg, self.inputs = store, fn, cfg, inputs
        self.single = dict(flatten(inputs))
        try:
            self.config = plain(cfg)
        except (TypeError, ValueError) as error:
            raise UsageError(f"a setting of the stage {fn.stage_name} cannot be kept: {error}") from error
        self.key = key_of(fn.stage_name, fn.stage_version, self.config, inputs)
        self.ref = ref_of(fn.stage_name, self.key)
        self.place = store.artifacts / self.ref
        self.scratch = store.root / "scratch" / self.ref
        self.aside = store.root / "scratch" / f"{self.ref}.aside"

    def sealed(self) -> Artifact | None:
        """The result, if it is there already."""
        try:
            if not self.place.exists():
                return None
        except OSError as error:
            raise _unusable(self.store.root, error) from error
        artifact = self.store._open(self.ref)
        if artifact.key != self.key:
            raise UsageError(f"the key is {artifact.key}, not {self.key}", where=self.place, fix="Move the folder away")
        return artifact

    def do(self, wait: bool) -> Artifact:
        """Work it out, or find that another process has done so meanwhile."""
        store = self.store
        locks = store.root / "locks"
        with contextlib.ExitStack() as held:
            try:
                for folder in (store.artifacts, self.scratch.parent, locks):
                    folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(holding(locks / f"{self.ref}.lock", self.ref, store.reporter, wait=wait))
                found = self.sealed()
                if found:
                    return found
                for folder in (self.scratch, self.aside):
                    folder.mkdir(exist_ok=True)
            except OSError as error:
                raise _unusable(store.root, error) from error
            with self._failing():
                return self._finish_old() or self._work()

    def _finish_old(self) -> Artifact | None:
        """Put in place what an earlier run had sealed but not renamed; anything less goes back to the stage."""
        if not (self.scratch / MANIFEST).exists():
            return None
        if not faults_of(self.scratch) and read_manifest(self.scratch)["key"] == self.key:
            return self._place()
        unseal(self.scratch)
        return None

    def _work(self) -> Artifact:
        unseal(self.scratch)  # a run killed while it sealed may have left files read-only
        bench = Bench(self.scratch, self.aside, reporter=self.store.reporter)
        started = _now()
        try:
            self.fn(bench, self.cfg, **self.inputs)
        except BaseException:
            for folder in (self.scratch, self.aside):
                _remove_if_empty(folder)
            raise
        for name, held in self.single.items():
            if isinstance(held, SourceFile) and held.changed():
                what = f"the input {name!r} was changed while {self.ref} read it"
                raise UsageError(what, where=held.path, fix="Run again")
        write_manifest(self.scratch, self._manifest(bench, started), self.aside / MANIFEST)
        return self._place()

    def _manifest(self, bench: Bench, started: str) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "key": self.key,
            "stage": self.fn.stage_name,
            "version": self.fn.stage_version,
            "config": self.config,
            "inputs": {name: {"ref": held.ref, "key": held.key} for name, held in self.single.items()},
            "facts": _checked_facts(bench.facts),
            "files": hash_files(self.scratch),
            "started": started,
            "ended": _now(),
            "host": _host(),
            "tensaku": tensaku.__version__,
        }

    def _place(self) -> Artifact:
        self.scratch.rename(self.place)
        fsync_folder(self.store.artifacts)
        fsync_folder(self.scratch.parent)
        shutil.rmtree(self.aside, ignore_errors=True)
        artifact = self.sealed()
        assert artifact is not None
        return artifact

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Every failure as one clear error; Ctrl-C and errors that are clear already pass through."""
        try:
            yield
        except (UsageError, GateError, StageError):
            raise
        except Exception as error:
            scratch = self.scratch if self.scratch.exists() else None
            why, fix = f"{type(error).__name__}: {error}".removesuffix(": "), None
            if isinstance(error, OSError) and error.errno in _FULL:
                why = "no space left on the disk"
            if _is_full(error, self.store.root):
                fix = "The disk is full: free some space and run again, it goes on from there"
            raise StageError(self.fn.stage_name, why, scratch=scratch, fix=fix) from error


_FULL = (errno.ENOSPC, errno.EDQUOT)
_ROOM = 1 << 20  # less than this many bytes free is a full disk, whatever a library made of it


def _starts(asked: str, name: str) -> bool:
    """True if one starts with the other: a folder name holds only the first digits of a key."""
    return name.startswith(asked) or asked.startswith(name)


def _is_full(error: BaseException, root: Path) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    with contextlib.suppress(OSError):
        return shutil.disk_usage(root).free < _ROOM
    return False


def _unusable(root: Path, error: OSError) -> UsageError:
    if error.errno in _FULL:
        return UsageError("no space left on the disk", where=root, fix="Free some and run again")
    at = f" {error.filename}" if error.filename else ""
    return UsageError(
        f"the workspace cannot be used: {error.strerror}{at}", where=root, fix="Name a folder that you may write to"
    )


def _checked_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    checked = {}
    for name, value in facts.items():
        try:
            checked[plain(name)] = plain(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the fact {name!r} cannot be kept: {error}") from error
    return checked


def _host() -> dict[str, Any]:
    return {
        "node": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cpus": len(os.sched_getaffinity(0)),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
