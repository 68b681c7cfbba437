"""Making a folder final: everything on disk, every file's hash in the manifest, the manifest last."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensaku.errors import UsageError
from tensaku.store.artifact import Artifact, sha256_of
from tensaku.store.keys import SCHEMA, ref_of

__all__ = [
    "MANIFEST",
    "faults_of",
    "fsync_folder",
    "hash_files",
    "open_artifact",
    "read_manifest",
    "unseal",
    "write_manifest",
]

MANIFEST = "manifest.json"


def hash_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Bring every file of `folder` to disk; its POSIX path, SHA-256 and size in bytes.

    Raises:
        ValueError: the folder holds something that is neither file nor folder, or a manifest of its own.
        OSError: a file cannot be read or brought to disk.
    """
    files = {}
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST:
            raise ValueError(f"the stage wrote a file called {MANIFEST}, which is the store's own")
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ValueError(f"{name} is neither a file nor a folder")
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            files[name] = {"sha256": sha256_of(path), "bytes": os.fstat(handle).st_size}
        finally:
            os.close(handle)
    for inner, _, _ in os.walk(folder):
        fsync_folder(Path(inner))
    return files


def write_manifest(folder: Path, manifest: dict[str, Any], draft: Path) -> None:
    """Make every file of `folder` read-only and put the manifest in, whole or not at all, by way of `draft`."""
    for name in manifest["files"]:
        (folder / name).chmod(0o444)
    sealed = {**manifest, "seal": _seal(manifest)}
    draft.unlink(missing_ok=True)  # a killed run may have left one that is read-only
    with draft.open("w", encoding="utf-8") as file:
        file.write(_text(sealed))
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(0o444)
    draft.rename(folder / MANIFEST)
    fsync_folder(folder)


def unseal(folder: Path) -> None:
    """Give a scratch folder back to its stage: no manifest, every file writable."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in _walk(folder):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a sealed folder.

    Raises:
        UsageError: it is missing, cannot be read or was altered by even one byte.
    """
    path = folder / MANIFEST
    fix = f"Move {folder} away and run again: it will be made anew"
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise UsageError("there is no manifest, so this is no sealed artifact", where=path, fix=fix) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the manifest cannot be read: {error}", where=path, fix=fix) from None
    try:
        manifest = json.loads(text)
        whole = isinstance(manifest, dict) and manifest.get("seal") == _seal(manifest) and text == _text(manifest)
    except (ValueError, RecursionError):
        whole = False
    if not whole:
        raise UsageError("the manifest is damaged", where=path, fix=fix)
    if manifest.get("schema") != SCHEMA:
        what = f"the manifest has schema {manifest.get('schema')}, this Tensaku reads {SCHEMA}"
        raise UsageError(what, where=path, fix="Use the Tensaku that made it")
    return dict(manifest)


def open_artifact(folder: Path) -> Artifact:
    """The artifact sealed in `folder`.

    Raises:
        UsageError: the manifest is missing or damaged, or the folder bears another artifact's name.
    """
    manifest = read_manifest(folder)
    ref = ref_of(manifest["stage"], manifest["key"])
    if ref != folder.name:
        raise UsageError(f"the folder holds {ref}", where=folder, fix="Give it its own name")
    return Artifact(manifest["key"], ref, manifest["stage"], folder, manifest)


def faults_of(folder: Path) -> list[str]:
    """What was altered in a sealed folder since it was sealed, one line each; empty if not a byte."""
    try:
        files = read_manifest(folder)["files"]
    except UsageError as error:
        return [error.what]
    found = {path.relative_to(folder).as_posix(): path for path in _walk(folder)}
    faults = [f"{name}: not in the manifest" for name in sorted(set(found) - set(files) - {MANIFEST})]
    for name, held in sorted(files.items()):
        path = found.get(name)
        if path is None:
            faults.append(f"{name}: missing")
        elif path.is_symlink():
            faults.append(f"{name}: replaced by a link")
        elif path.stat().st_size != held["bytes"]:
            faults.append(f"{name}: {path.stat().st_size} bytes, sealed with {held['bytes']}")
        elif sha256_of(path) != held["sha256"]:
            faults.append(f"{name}: altered")
    return faults


def fsync_folder(folder: Path) -> None:
    """Bring the names in `folder` to disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _walk(folder: Path) -> Iterator[Path]:
    """Everything in `folder` that is not itself a folder, in a fixed order; links are not followed."""
    for here, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted([*names, *(f for f in folders if (Path(here) / f).is_symlink())]):
            yield Path(here) / name


def _raise(error: OSError) -> None:
    raise error


def _seal(manifest: dict[str, Any]) -> str:
    body = {name: value for name, value in manifest.items() if name != "seal"}
    return hashlib.sha256(_text(body).encode("utf-8", "surrogatepass")).hexdigest()


def _text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
