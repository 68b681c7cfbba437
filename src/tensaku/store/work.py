"""One run of one stage: from the key to the sealed result, through whatever may go wrong."""

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
from tensaku.errors import GateError, StageError, UsageError
from tensaku.machine import processor
from tensaku.store.artifact import Artifact, SourceFile
from tensaku.store.bench import Bench, Stage
from tensaku.store.keys import SCHEMA, Input, flatten, key_of, plain, ref_of
from tensaku.store.lock import holding
from tensaku.store.progress import Reporter
from tensaku.store.seal import (
    MANIFEST,
    faults_of,
    fsync_folder,
    hash_files,
    open_artifact,
    read_manifest,
    unseal,
    write_manifest,
)

__all__ = ["ARTIFACTS", "Work", "unusable"]

ARTIFACTS = "artifacts"
"""The folder of everything sealed, below the root."""


class Work:
    """One run of one stage: `key` and `ref` name it, `sealed` finds its result, `do` makes it."""

    def __init__(self, root: Path, fn: Stage[..., Any], cfg: Section, inputs: Mapping[str, Input]) -> None:
        self.root, self.fn, self.cfg, self.inputs = root, fn, cfg, inputs
        self.single = dict(flatten(inputs))
        try:
            self.config = plain(cfg)
        except (TypeError, ValueError) as error:
            raise UsageError(f"a setting of the stage {fn.stage_name} cannot be kept: {error}") from error
        self.key = key_of(fn.stage_name, fn.stage_version, self.config, inputs)
        self.ref = ref_of(fn.stage_name, self.key)
        self.place = root / ARTIFACTS / self.ref
        self.scratch = root / "scratch" / self.ref
        self.aside = root / "scratch" / f"{self.ref}.aside"

    def sealed(self) -> Artifact | None:
        """The result, if it is there already."""
        try:
            if not self.place.exists():
                return None
        except OSError as error:
            raise unusable(self.root, error) from error
        artifact = open_artifact(self.place)
        if artifact.key != self.key:
            raise UsageError(f"the key is {artifact.key}, not {self.key}", where=self.place, fix="Move the folder away")
        return artifact

    def do(self, reporter: Reporter, *, wait: bool) -> Artifact:
        """Work it out, or find that another process has done so meanwhile. Raises as `Store.run` does."""
        locks = self.root / "locks"
        with contextlib.ExitStack() as held:
            try:
                for folder in (self.place.parent, self.scratch.parent, locks):
                    folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(holding(locks / f"{self.ref}.lock", self.ref, reporter, wait=wait))
                found = self.sealed()
                if found:
                    return found
                for folder in (self.scratch, self.aside):
                    folder.mkdir(exist_ok=True)
            except OSError as error:
                raise unusable(self.root, error) from error
            with self._failing():
                return self._finish_old() or self._work(reporter)

    def _finish_old(self) -> Artifact | None:
        """Put in place what an earlier run had sealed but not renamed; anything less goes back to the stage."""
        if not (self.scratch / MANIFEST).exists():
            return None
        if not faults_of(self.scratch) and read_manifest(self.scratch)["key"] == self.key:
            return self._place()
        unseal(self.scratch)
        return None

    def _work(self, reporter: Reporter) -> Artifact:
        unseal(self.scratch)  # a run killed while it sealed may have left files read-only
        bench = Bench(self.scratch, self.aside, reporter=reporter)
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
        fsync_folder(self.place.parent)
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
            if _is_full(error, self.root):
                fix = "The disk is full: free some space and run again, it goes on from there"
            raise StageError(self.fn.stage_name, why, scratch=scratch, fix=fix) from error


_FULL = (errno.ENOSPC, errno.EDQUOT)
_ROOM = 1 << 20  # less than this many bytes free is a full disk, whatever a library made of it


def _is_full(error: BaseException, root: Path) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    with contextlib.suppress(OSError):
        return shutil.disk_usage(root).free < _ROOM
    return False


def unusable(root: Path, error: OSError) -> UsageError:
    """What to tell somebody whose workspace cannot be read or written."""
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
        "processor": processor(),
        "python": platform.python_version(),
        "cpus": len(os.sched_getaffinity(0)),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
