"""The sealed index that searches read: plain arrays, each with its SHA-256 in a manifest; never changed, only replaced.

    index/current                    the name of the snapshot in use; replaced by one rename
    index/snapshots/<12 hex digits>/ manifest.json, passages.jsonl, *.npy

The name is the hash of everything in it: the same documents, read by the same settings, give the same name and bytes.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import UsageError
from tensaku.machine import available_mb
from tensaku.retrieve.catalogue import Catalogue, Kept
from tensaku.retrieve.postings import Rows, write_postings
from tensaku.retrieve.vectors import Signs, signs_needed, write_signs
from tensaku.store.seal import fsync_folder

__all__ = ["Snapshot", "faults_of", "open_current", "seal"]

_CURRENT, _FOLDER, _MANIFEST = "current", "snapshots", "manifest.json"
_FOREVER = 99999999


def _day(as_of: str) -> int:
    return int(as_of.replace("-", "")) if as_of else 0


@dataclass(frozen=True, slots=True)
class _Span:
    kept: Kept
    since: int
    until: int


def _spans(versions: list[Kept]) -> Iterator[_Span]:
    """Each version with the days on which it is the one that counts: from its own day until that of the next."""
    for _, found in groupby(versions, key=lambda kept: kept.document):
        same = list(found)  # of one document, by day
        for number, kept in enumerate(same):
            later = next((v.as_of for v in same[number + 1 :] if v.as_of > kept.as_of), "")
            yield _Span(kept, _day(kept.as_of), _day(later) if later else _FOREVER)


def seal(catalogue: Catalogue, folder: Path, settings: str, model: str, dims: int) -> str:
    """Write the snapshot of what the catalogue holds and put it to use; the former one is removed. Its name.

    `model` made the vectors, of `dims` numbers each; "none" and 0 without.
    """
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)  # a killed run left it
    scratch.mkdir(parents=True)
    _write(catalogue, scratch, dims)
    hashes = {path.name: _sha256(path) for path in sorted(scratch.iterdir())}
    told = {"settings": settings, "model": model, "dims": dims, "files": hashes}
    name = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
    (scratch / _MANIFEST).write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for path in scratch.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.chmod(0o444)
    fsync_folder(scratch)
    home = folder / _FOLDER
    home.mkdir(exist_ok=True)
    if (home / name).exists():
        shutil.rmtree(scratch)
    else:
        scratch.rename(home / name)
        fsync_folder(home)
    draft = folder / "current.part"
    with draft.open("w", encoding="utf-8") as file:
        file.write(name + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _CURRENT)
    fsync_folder(folder)
    for old in home.iterdir():
        if old.name != name:
            shutil.rmtree(old, ignore_errors=True)
    return name


def _write(catalogue: Catalogue, scratch: Path, dims: int) -> None:
    per_passage, lengths, rows, documents, places = array("q"), array("f"), array("q"), array("l"), array("q", [0])
    told: list[dict[str, Any]] = []
    terms, counts = Rows(scratch / "every-term.part", np.uint64), Rows(scratch / "every-count.part", np.uint8)
    vectors = Rows(scratch / "vectors.npy", np.int8, dims or 1)
    with (scratch / "passages.jsonl").open("wb") as file, terms, counts, vectors:
        for number, span in enumerate(_spans(catalogue.versions())):
            kept = span.kept
            about = {"path": kept.path, "document": kept.document, "as_of": kept.as_of, "about": kept.about}
            told.append({**about, "since": span.since, "until": span.until})
            for entry in catalogue.entries(kept.id):
                places.append(places[-1] + file.write(json.dumps(entry.record, ensure_ascii=False).encode() + b"\n"))
                terms.write(entry.terms)
                counts.write(entry.counts)
                vectors.write(entry.vectors)
                per_passage.append(len(entry.terms))
                lengths.append(float(entry.counts.sum()))
                rows.append(len(entry.vectors) // dims if dims else 0)
                documents.append(number)
    (scratch / "documents.json").write_text(json.dumps(told, ensure_ascii=False) + "\n", encoding="utf-8")
    np.save(scratch / "places.npy", np.asarray(places, np.int64))
    np.save(scratch / "documents.npy", np.asarray(documents, np.int32))
    np.save(scratch / "lengths.npy", np.asarray(lengths, np.float32))
    write_postings(scratch, terms, counts, np.asarray(per_passage, np.int64))
    np.save(scratch / "vector_passages.npy", np.repeat(np.arange(len(rows), dtype=np.int32), rows))
    write_signs(scratch)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Named:
    """What each document bears of one kind of name, so that a name is looked at once, however many documents bear it.

    Args:
        each: the name of each document, in order.
    """

    def __init__(self, each: Sequence[str]) -> None:
        self._names = sorted(set(each))
        number = {name: at for at, name in enumerate(self._names)}
        self._of = np.asarray([number[name] for name in each], np.int32)

    def which(self, holds: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Of each document whether `holds` says so of its name."""
        return np.asarray([holds(name) for name in self._names], bool)[self._of]


class Snapshot:
    """A sealed index, mapped or taken into memory and only read.

    Attributes:
        model: what made the vectors.
        documents: of each version its path, document, as_of, about, and the days `since` and `until` which it counts.
        paths: the path of each.
        sources, funds: the source and the fund of each.
        document_of: passage -> number of its version.
        lengths: terms of each passage.
        vectors, vector_passages: rows of 8-bit numbers (127 is 1), and the passage that each belongs to.
        signs: those of the vectors, if there are very many.
    """

    def __init__(self, folder: Path) -> None:
        self.name, self._folder = folder.name, folder
        self.manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        self.model: str = self.manifest["model"]
        self.documents: list[dict[str, Any]] = json.loads((folder / "documents.json").read_text(encoding="utf-8"))
        self.paths = [d["path"] for d in self.documents]
        self.sources, self.funds = (
            Named([str(d["about"][name]) for d in self.documents]) for name in ("source", "fund")
        )
        self.document_of = np.load(folder / "documents.npy")
        self.lengths = np.load(folder / "lengths.npy")
        self._map("r")
        self.vector_passages: NDArray[np.int32] = np.load(folder / "vector_passages.npy")
        self.signs = Signs.read(folder) if signs_needed(len(self.vector_passages)) else None
        self.since = np.asarray([d["since"] for d in self.documents], np.int64)
        self.until = np.asarray([d["until"] for d in self.documents], np.int64)
        with (folder / "passages.jsonl").open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            self._text: mmap.mmap | bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""

    def __len__(self) -> int:
        return len(self.document_of)

    @property
    def mb(self) -> float:
        """How large its files are, in MB."""
        return float(sum((self._folder / name).stat().st_size for name in self.manifest["files"])) / 1e6

    def hold(self) -> bool:
        """Take all of it into this process, so that no search waits for the disk; False where it does not fit.

        Raises:
            FileNotFoundError: it was replaced.
        """
        left = available_mb()
        if left is not None and self.mb > left:
            return False
        self._map(None)
        self._text = (self._folder / "passages.jsonl").read_bytes()
        return True

    def _map(self, mode: Literal["r"] | None) -> None:
        """Open what may be large."""
        folder = self._folder
        self._places = np.load(folder / "places.npy", mode)
        self._terms = np.load(folder / "terms.npy", mode)
        self._starts = np.load(folder / "starts.npy", mode)
        self._holders = np.load(folder / "holders.npy", mode)
        self._counts = np.load(folder / "counts.npy", mode)
        self.vectors: NDArray[np.int8] = np.load(folder / "vectors.npy", mode)

    def postings(self, term: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """The passages that hold a term, in order, and how often each does."""
        at = int(np.searchsorted(self._terms, np.uint64(term)))
        if at == len(self._terms) or int(self._terms[at]) != term:
            return np.zeros(0, np.int32), np.zeros(0, np.uint8)
        span = slice(int(self._starts[at]), int(self._starts[at + 1]))
        return np.asarray(self._holders[span]), np.asarray(self._counts[span])

    def record(self, passage: int) -> dict[str, Any]:
        """What is kept of a passage: text, headings, clause, page, places, sentences."""
        found: dict[str, Any] = json.loads(self._text[int(self._places[passage]) : int(self._places[passage + 1])])
        return found

    def passages_of(self, document: int) -> range:
        """The passages of a version, in order."""
        low, high = np.searchsorted(self.document_of, [document, document + 1])
        return range(int(low), int(high))


def open_current(folder: Path, former: Snapshot | None = None) -> Snapshot:
    """The snapshot in use: `former` itself if it still is.

    Raises:
        UsageError: nothing was indexed yet, or the index is damaged.
    """
    fix = "Make it with: tensaku index"
    for _ in range(5):  # it may be replaced between the two looks
        try:
            name = (folder / _CURRENT).read_text(encoding="utf-8").strip()
        except OSError:
            raise UsageError("there is no index yet", where=folder, fix=fix) from None
        if former is not None and former.name == name:
            return former
        try:
            return Snapshot(folder / _FOLDER / name)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"the index is damaged ({error})", where=folder, fix=fix) from None
    raise UsageError("the index is not whole", where=folder, fix=fix)


def faults_of(folder: Path) -> list[str]:
    """What of the snapshot in use is not as it was sealed; empty if not a byte."""
    home = folder / _FOLDER / open_current(folder).name
    sealed = json.loads((home / _MANIFEST).read_text(encoding="utf-8"))["files"]
    return [
        f"{name}: {'altered' if (home / name).exists() else 'missing'}"
        for name, digest in sealed.items()
        if not (home / name).exists() or _sha256(home / name) != digest
    ]
