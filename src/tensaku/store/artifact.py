"""What a stage takes in: sealed artifacts and files from outside."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tensaku.errors import DataError, NotFound

__all__ = ["Artifact", "SourceFile", "sha256_of"]

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hex digits. Raises OSError if it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class Artifact:
    """A sealed result: the folder `path` with its `manifest`.

    `key` is 64 hex digits made from everything that decided the result; `ref` is its short name, as in
    `tune-3fa9c1d2b0aa`.
    """

    key: str
    ref: str
    stage: str
    path: Path
    manifest: dict[str, Any] = field(repr=False, compare=False)

    @property
    def facts(self) -> dict[str, Any]:
        """What the stage found out while it worked, as plain values."""
        return dict(self.manifest["facts"])

    @property
    def config(self) -> dict[str, Any]:
        """The section that the stage was run with, as plain values."""
        return dict(self.manifest["config"])

    @property
    def inputs(self) -> dict[str, str]:
        """The name of each input and the ref of the artifact, or `file:PATH`, that it was."""
        return {name: held["ref"] for name, held in self.manifest["inputs"].items()}

    @property
    def files(self) -> list[str]:
        """The files it holds, as sorted POSIX paths below `path`; the manifest is not among them."""
        return sorted(self.manifest["files"])

    def file(self, name: str) -> Path:
        """The path of the file called `name`.

        Raises:
            NotFound: the artifact holds no such file.
        """
        if name not in self.manifest["files"]:
            raise NotFound("file", name, self.manifest["files"], where=self.ref)
        return self.path / name


@dataclass(frozen=True)
class SourceFile:
    """A file from outside the workspace as an input: `key` is the SHA-256 of its content, wherever it stands."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(os.path.abspath(self.path)))

    @cached_property
    def key(self) -> str:
        """The SHA-256 of the content, read once.

        Raises:
            DataError: the file is missing or cannot be read.
        """
        try:
            before = self.stamp()
            key = sha256_of(self.path)
            self.__dict__["_stamp"] = before
        except FileNotFoundError:
            raise DataError("there is no such file", file=self.path) from None
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", file=self.path) from None
        return key

    @property
    def ref(self) -> str:
        """How a manifest names it: `file:PATH`."""
        return f"file:{self.path}"

    def stamp(self) -> tuple[int, int, int]:
        """What changes when somebody writes to the file: inode, size in bytes, time of the last write in ns."""
        status = self.path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns

    def changed(self) -> bool:
        """True if the file is no longer the one that `key` was computed from."""
        try:
            return bool(self.__dict__.get("_stamp") not in (None, self.stamp()))
        except OSError:
            return True
