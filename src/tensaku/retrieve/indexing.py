"""Documents into the index: only what changed is read, what is gone is taken out, what is broken is named."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tensaku.errors import DataError, UsageError
from tensaku.models.embed import Embedder
from tensaku.retrieve.blocks import READERS, Block, read_blocks
from tensaku.retrieve.catalogue import Catalogue, Entry, Known
from tensaku.retrieve.chunk import Chunk, chunks, spans
from tensaku.retrieve.snapshot import open_current, seal
from tensaku.retrieve.words import number_of, terms_of
from tensaku.store import Reporter, SilentReporter
from tensaku.store.lock import holding

__all__ = ["Collection", "Indexed", "Text", "Texts", "dated", "index", "take_out"]

_FORM = 1
"""Raised when passages, terms or vectors are made otherwise, so that everything is read anew."""

_TRIES = 3
_TICK = 2_000_000_000
"""Nanoseconds."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder of documents: `name` (a source to filter by) and the fund it speaks of, if it is one."""

    name: str
    folder: Path
    fund: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A document that is no file: `path` within its source, and the day `as_of` (`YYYY-MM-DD`) from which it counts."""

    path: str
    title: str
    text: str
    fund: str = ""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Texts:
    """A source of documents that are no files."""

    name: str
    texts: tuple[Text, ...]


@dataclass
class Indexed:
    """What a run of `index` did. `faults` says of each file that could not be read why, `notes` of each that was read
    what a person should look at, such as text that its pages do not show; `passages` is the sum now.
    """

    read: int = 0
    unchanged: int = 0
    removed: int = 0
    passages: int = 0
    documents: int = 0
    snapshot: str = ""
    faults: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)


_DATES = (
    re.compile(
        r"(?<!\d)(20\d\d|19\d\d)[-_./年]?(0[1-9]|1[0-2]|(?<=[-_./年])[1-9])[-_./月]?(0[1-9]|[12]\d|3[01])?日?(?!\d)"
    ),
)


def dated(path: str) -> tuple[str, str]:
    """The document that a file is a version of, and the day (`YYYY-MM-DD`) its name bears, or an empty one.

    規程_2026-03-01.md and 規程_2026-09.md are versions of 規程.md; a month counts from its first day.
    """
    at = PurePosixPath(path)
    for pattern in _DATES:
        found = pattern.search(at.stem)
        if found:
            year, month, day = found[1], int(found[2]), int(found[3] or 1)
            rest = (at.stem[: found.start()] + at.stem[found.end() :]).strip(" _-.()（）") or at.parent.name
            try:
                return str(at.with_name(rest + at.suffix)), datetime.date(int(year), month, day).isoformat()
            except ValueError:
                continue
    return path, ""


def take_out(home: Path, gone: Callable[[str], bool], reporter: Reporter | None = None) -> int:
    """Take every document whose path is `gone` out of the index in `home`, off the disk too; how many those were.

    Waits for a run of `index` that is at work. Without an index there is nothing to do.

    Raises:
        UsageError: the index is damaged.
    """
    if not (home / "current").exists() and not (home / "catalogue.db").exists():
        return 0
    reporter = reporter or SilentReporter()
    with holding(home / "lock", "the index", reporter, wait=True), Catalogue(home / "catalogue.db") as catalogue:
        paths = [path for path in catalogue.files() if gone(path)]
        for path in paths:
            catalogue.forget(path)
        if paths and (home / "current").exists():
            former = open_current(home).manifest
            seal(catalogue, home, former["settings"], former["model"], former["dims"])
        catalogue.clean()
    return len(paths)


def index(
    collections: Iterable[Collection | Texts],
    home: Path,
    embedder: Embedder | None,
    *,
    size: int = 400,
    most_mb: float = 64.0,
    today: datetime.date | None = None,
    reporter: Reporter | None = None,
) -> Indexed:
    """Bring the index in `home` to what the collections hold now, and seal it.

    A file is read if its size or time of change differ from what was noted, and entered if its content does. A changed
    file whose name bears no date becomes a new version that counts from `today`; the former one answers questions about
    days before. A file that is gone takes all its versions with it. A broken file keeps its last good version.

    Args:
        collections: what to index.
        home: the index's folder.
        embedder: makes the vectors; None leaves them out.
        size: characters of a passage.
        most_mb: larger files are named and left out, in MiB.
        today: the day of this run.
        reporter: told how far it is.

    Raises:
        UsageError: another process indexes, or a collection's folder is not there.
        EngineError: the embeddings did not come; what was entered before is kept.
    """
    told, reporter = list(collections), reporter or SilentReporter()
    for one in told:
        if isinstance(one, Collection) and not one.folder.is_dir():
            raise UsageError("there is no such folder", where=one.folder, fix="See [retrieve] in the task file")
    home.mkdir(parents=True, exist_ok=True)
    model = embedder.name if embedder else "none"
    settings = f"form={_FORM} size={size} model={model}"
    with (
        holding(home / "lock", "the index", reporter, wait=False),
        Catalogue(home / "catalogue.db") as catalogue,
        reporter.task("index the documents"),
    ):
        catalogue.set_settings(settings)
        work = _Work(catalogue, embedder, size, int(most_mb * 2**20), today or datetime.date.today())
        work.run(told)
        done = work.done
        versions = catalogue.versions()
        done.documents = len({kept.document for kept in versions})
        dims = embedder.passages(["x"]).shape[1] if embedder else 0
        done.snapshot = seal(catalogue, home, settings, model, dims)
        done.passages = sum(kept.about["passages"] for kept in versions)
        catalogue.clean()
    return done


class _Work:
    def __init__(
        self, catalogue: Catalogue, embedder: Embedder | None, size: int, most: int, today: datetime.date
    ) -> None:
        self._catalogue, self._embedder, self._size, self._most = catalogue, embedder, size, most
        self._today = today.isoformat()
        self.done = Indexed()

    def run(self, collections: list[Collection | Texts]) -> None:
        known, seen = self._catalogue.files(), set()
        for one in collections:
            if isinstance(one, Texts):
                for text in one.texts:
                    seen.add(f"{one.name}/{text.path}")
                    self._text(one.name, text, known.get(f"{one.name}/{text.path}"))
                continue
            for name, path in _files(one.folder):
                at = f"{one.name}/{name}"
                seen.add(at)
                try:
                    self._file(one, at, path, known.get(at))
                except DataError as error:
                    self.done.faults[at] = error.what
                    former = known.get(at) or Known(-1, -1, "")
                    self._catalogue.touch(at, Known(-1, -1, former.sha256, error.what))
        for gone in sorted(set(known) - seen):
            self._catalogue.forget(gone)
            self.done.removed += 1

    def _file(self, one: Collection, at: str, path: Path, known: Known | None) -> None:
        try:
            held = path.stat()
        except OSError as error:
            raise DataError(f"it cannot be read ({error.strerror})", file=at) from None
        if known is not None and (known.size, known.changed) == (held.st_size, held.st_mtime_ns) and not known.fault:
            self.done.unchanged += 1
            return
        data, held = _steady(at, path, self._most)
        # A file written this moment may be written again within the same tick of its clock: it is looked at next time.
        fresh = time.time_ns() - held.st_mtime_ns < _TICK
        now = Known(held.st_size, -1 if fresh else held.st_mtime_ns, hashlib.sha256(data).hexdigest())
        if known is not None and known.sha256 == now.sha256 and self._catalogue.dates(at):
            self._catalogue.touch(at, now)
            self.done.unchanged += 1
            return
        document, as_of = dated(at)
        former = self._catalogue.dates(at)
        if not as_of and former:  # a file without a date in its name was written over
            as_of = self._today
        notes: list[str] = []
        entries = self._entries(at, data, notes)
        if notes:
            self.done.notes[at] = notes
        about: dict[str, Any] = {
            "source": one.name,
            "fund": one.fund,
            "title": PurePosixPath(document).stem,
            "passages": len(entries),
        }
        self._catalogue.put(at, now, document, as_of, about, entries)
        self.done.read += 1

    def _text(self, source: str, text: Text, known: Known | None) -> None:
        at, told = f"{source}/{text.path}", json.dumps(asdict(text), ensure_ascii=False).encode()
        now = Known(len(told), 0, hashlib.sha256(told).hexdigest())
        if known == now:
            self.done.unchanged += 1
            return
        found = [Block("heading", text.title, 1, 0, 1), Block("paragraph", text.text, 1, 1)]
        entries = [self._entry(chunk, text.title) for chunk in chunks(found, self._size)]
        about = {"source": source, "fund": text.fund, "title": text.title, "passages": len(entries), "file": False}
        if known is not None:
            self._catalogue.forget(at)
        self._catalogue.put(at, now, at, text.as_of, about, entries)
        self.done.read += 1

    def _entries(self, at: str, data: bytes, notes: list[str]) -> list[Entry]:
        title = PurePosixPath(dated(at)[0]).stem
        return [self._entry(chunk, title) for chunk in chunks(read_blocks(at, data, notes), self._size)]

    def _entry(self, chunk: Chunk, title: str) -> Entry:
        above = chunk.title or title
        found = Counter(number_of(term) for term in terms_of(f"{above}\n{chunk.text}"))
        terms = np.asarray(sorted(found), np.uint64)
        counts = np.asarray([min(found[int(term)], 255) for term in terms], np.uint8)
        pieces = spans(chunk.text)
        texts = [f"{above}\n{chunk.text[start:end]}" for start, end in pieces]
        vectors = np.zeros(0, np.int8)
        if self._embedder is not None and texts:
            rows = self._embedder.passages(texts)
            vectors = np.clip(np.rint(rows * 127), -127, 127).astype(np.int8).reshape(-1)
        record = {
            "text": chunk.text,
            "headings": list(chunk.headings),
            "clause": chunk.clause,
            "page": chunk.page,
            "place": [chunk.first, chunk.last, chunk.start],
            "sentences": [list(piece) for piece in pieces],
        }
        return Entry(record, terms, counts, vectors)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every document of a folder in a fixed order; links and hidden files are passed by."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            path = Path(here) / name
            if not name.startswith((".", "~$")) and path.suffix.lower() in READERS and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path


def _steady(at: str, path: Path, most: int) -> tuple[bytes, os.stat_result]:
    """A file's bytes, of one moment of its life.

    Raises:
        DataError: it is too large, cannot be read, or went on changing.
    """
    for _ in range(_TRIES):
        try:
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise DataError("it is no file", file=at)
                if before.st_size > most:
                    what = f"it has {before.st_size / 2**20:,.0f} MiB, more than retrieve.most_mb allows"
                    raise DataError(what, file=at, fix="Divide it, or raise retrieve.most_mb")
                data = file.read(most + 1)
                after = path.stat()
        except OSError as error:
            raise DataError(f"it cannot be read ({error.strerror})", file=at) from None
        same = (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)
        if same and len(data) == before.st_size:
            return data, after
    raise DataError("it changed while it was read", file=at, fix="Index again when it is finished")
