"""Reading one foreign file: in a process of its own, whose time and memory are bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from tensaku.documents.faults import Unreadable, note
from tensaku.documents.kinds import kind_of, lie
from tensaku.documents.limits import Limits
from tensaku.documents.model import ReadDocument, from_values
from tensaku.documents.packed import unpack
from tensaku.errors import MissingExtra, UsageError
from tensaku.scratch import scratch

__all__ = ["Found", "gathered", "read"]

_KILLED = -9
_OUT_OF_TIME = -24  # SIGXCPU


class Found(NamedTuple):
    """A file to be read: its name as it came in, and where its bytes are. `fault` is why it is refused unread."""

    name: str
    path: Path
    fault: Unreadable | None = None


def read(path: Path, *, name: str = "", limits: Limits | None = None) -> ReadDocument:
    """Read a file, whatever it is called: PDF, Word, Excel, HTML or text.

    Args:
        path: the file.
        name: what it is called, if `path` is only where its bytes are.
        limits: how much is read at most.

    Raises:
        Unreadable: it is not read, with the reason.
    """
    limits = limits or Limits()
    name = name or path.name
    kind = kind_of(path, limits)
    if kind == "zip":
        raise Unreadable("unknown-kind", name, "a zip in a zip")
    document = _in_child(path, kind, name, limits)
    if told := lie(Path(name), kind):
        document = replace(document, notes=(*document.notes, note("lies", told)))
    return document


def _in_child(path: Path, kind: str, name: str, limits: Limits) -> ReadDocument:
    words = [
        sys.executable,
        "-m",
        "tensaku.documents.worker",
        str(path.absolute()),
        kind,
        name,
        json.dumps(asdict(limits)),
    ]
    with scratch("read") as folder, tempfile.TemporaryFile(dir=folder) as out:
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, timeout=2 * limits.seconds,
                cwd=folder, env=_environment(str(folder)), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unreadable("too-long", name, f"over {2 * limits.seconds} seconds") from None
        out.seek(0)
        written = out.read()
    if done.returncode in (_OUT_OF_TIME, _KILLED):
        raise Unreadable("too-long", name, f"over {limits.seconds} seconds")
    try:
        answer = json.loads(written)
    except ValueError:
        raise Unreadable("reader-died", name, f"exit code {done.returncode}") from None
    if "missing" in answer:
        raise MissingExtra(answer["missing"], "documents")
    if "reason" in answer:
        raise Unreadable(answer["reason"], name, answer["detail"])
    return from_values(answer)


def _environment(folder: str) -> dict[str, str]:
    """What the child is told: where Python finds Tensaku, and nothing of the house's (no addresses, no passwords)."""
    kept = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if key in os.environ}
    places = os.pathsep.join(place for place in sys.path if place)
    return {**kept, "PYTHONPATH": places, "HOME": folder, "TMPDIR": folder, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}


@contextmanager
def gathered(paths: Iterable[Path], *, limits: Limits | None = None) -> Iterator[Iterator[Found]]:
    """The files that paths stand for: each file itself, what is in a folder or below it, what is in a zip.

    Hidden files and links that lead out of a folder are passed by. Files of a zip are copied to a temporary folder that
    is gone when the block ends.

    Raises:
        UsageError: a path is not there.
    """
    limits = limits or Limits()
    paths = list(paths)
    for path in paths:
        if not path.exists():
            raise UsageError("there is no such file or folder", where=path, fix="Correct the path")
    with scratch("ingest") as folder:
        yield _walk(paths, folder, limits)


def _walk(paths: list[Path], folder: Path, limits: Limits) -> Iterator[Found]:
    for path in paths:
        if path.is_dir():
            for file in _files(path, limits):
                yield from _opened(file, str(file.relative_to(path)), folder, limits)
        else:
            yield from _opened(path, path.name, folder, limits)


def _files(folder: Path, limits: Limits) -> list[Path]:
    """The files of a folder in the order of their names; a link is followed only to what lies in the folder."""
    home = folder.resolve()
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)
        and path.resolve().is_relative_to(home)
    ]
    if len(found) > limits.entries:
        fix = "Name the folders below it one by one"
        raise UsageError(
            f"there are {len(found):,} files in it; {limits.entries:,} are read at once", where=folder, fix=fix
        )
    return found


def _opened(path: Path, name: str, folder: Path, limits: Limits) -> Iterator[Found]:
    try:
        kind = kind_of(path, limits)
        if kind != "zip":
            yield Found(name, path)
            return
        with tempfile.TemporaryDirectory(dir=folder) as inside:
            for entry, copy in unpack(path, Path(inside), limits):
                yield Found(f"{name}/{entry}", copy)
                copy.unlink(missing_ok=True)
    except Unreadable as fault:
        yield Found(name, path, Unreadable(fault.reason, name, fault.detail))
