"""The stage `documents`: the house's own texts, read for continued pre-training and for the vocabulary.

Read are text (.txt, .md), PDF, Word, Excel and HTML (a file is a document) and .jsonl (a line with a field `text` is
one), in any encoding that Japanese houses use. What cannot be read is set aside with its reason, for one bad file in
thousands is no reason to stop; that nothing at all could be read is.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pydantic

from tensaku.config import Section
from tensaku.curate.ingest import DROPS
from tensaku.curate.overlap import fold
from tensaku.curate.rows import JsonlWriter, PairFile
from tensaku.curate.split import EXAM
from tensaku.documents import Unreadable, read
from tensaku.documents.encoding import detect
from tensaku.errors import DataError, UsageError
from tensaku.records import Document, Drop
from tensaku.store import Artifact, Bench, SourceFile, stage

__all__ = ["DOCUMENTS", "Documents", "document_files", "documents"]

DOCUMENTS = "documents.jsonl"
_ENDINGS = (".txt", ".md", ".jsonl")
_READ = (".pdf", ".docx", ".xlsx", ".html", ".htm")
_SPACE_AT_END = re.compile(r"[ \t\u3000]+$", re.MULTILINE)
_BLANK = re.compile(r"\n{3,}")
_KEPT_CONTROLS = "\n\t"
_LEAST_TELLING = 12  # folded characters from which an exam text found inside a document cannot be chance


class Documents(Section):
    """The house's documents: what the base model reads before it is taught the job."""

    use: tuple[str, ...] = ()
    """Files, as in ["docs/*.txt", "old/**/*.pdf"]: text, PDF, Word, Excel, HTML, and .jsonl with `text`."""
    least: int = pydantic.Field(50, ge=1)
    """Characters below which a document is set aside as too short."""


def document_files(cfg: Documents, folder: Path) -> dict[str, SourceFile]:
    """The files that `cfg.use` names, as `file_1`, `file_2` ... in order of their paths.

    Raises:
        UsageError: an entry names no file.
    """
    found: set[Path] = set()
    for pattern in cfg.use:
        whole = Path(pattern).expanduser()
        start, inside = (
            (Path(whole.anchor), whole.relative_to(whole.anchor)) if whole.is_absolute() else (folder, whole)
        )
        try:
            files = {path for path in start.glob(inside.as_posix()) if path.is_file()}
        except (ValueError, NotImplementedError) as error:
            raise UsageError(f"{pattern!r} is no pattern of files ({error})", where="[documents] use") from None
        if not files:
            fix = "Correct it, or take it out; * stands for part of a name, ** for folders between"
            raise UsageError(f"{pattern!r} names no file", where=folder, fix=fix)
        found |= files
    return {f"file_{number}": SourceFile(path) for number, path in enumerate(sorted(found), 1)}


class _Text(NamedTuple):
    text: str
    source: str


@stage(version=2)
def documents(bench: Bench, cfg: Documents, *, files: Mapping[str, SourceFile], exam: Artifact) -> None:
    """Leave `documents.jsonl`, a document a line (`id`, `text`, `source`), and `drops.jsonl`.

    Set aside: files of another kind (`ending`), that are not text (`not-text`), empty (`empty`) or cannot be read
    (`unreadable`); lines that are no JSON object with a `text` (`no-text`); texts too short (`short`), the same as an
    earlier one but for width, case and white space (`duplicate`), or holding a draft or a final of the exam
    (`holds-exam`).

    Raises:
        UsageError: no document is left.
    """
    work = _Reading(cfg, [text for pair in PairFile(exam.path / EXAM) for text in (pair.draft, pair.final)])
    characters = 0
    with JsonlWriter(bench.path / DOCUMENTS) as kept, bench.progress("read documents", len(files)) as progress:
        for held in files.values():
            for document in work.documents(held.path):
                kept.write(document)
                characters += len(document.text)
            progress.advance(1, "")
    with JsonlWriter(bench.path / DROPS) as drops:
        for drop in work.dropped:
            drops.write(drop)
    reasons = dict(sorted(Counter(drop.reason for drop in work.dropped).items()))
    if not kept.n:
        counts = ", ".join(f"{reason} {n}" for reason, n in reasons.items()) or "no file"
        fix = "Give files with the house's own text, or lower documents.least"
        raise UsageError(f"no document can be read ({counts})", where="[documents] use", fix=fix)
    bench.facts.update(n=kept.n, files=len(files), characters=characters, dropped=reasons)


class _Reading:
    """Reads files one after the other, remembering what was read."""

    def __init__(self, cfg: Documents, asked: Sequence[str]) -> None:
        self.cfg = cfg
        self.asked = [text for text in map(fold, asked) if len(text) >= _LEAST_TELLING]
        self.seen: set[bytes] = set()
        self.dropped: list[Drop] = []

    def documents(self, path: Path) -> Iterator[Document]:
        """The documents of one file that are fit to be read."""
        for found in self._texts(path):
            text = _tidied(found.text)
            folded = fold(text)
            key = hashlib.blake2b(folded.encode(), digest_size=16).digest()
            if len(text) < self.cfg.least:
                self._drop("short", found.source, f"{len(text)} characters, {self.cfg.least} are asked for", text)
            elif key in self.seen:
                self._drop("duplicate", found.source, "the same text was read before", text)
            elif any(text in folded for text in self.asked):
                self._drop("holds-exam", found.source, "it holds a text of the exam", text)
            else:
                self.seen.add(key)
                yield Document(hashlib.sha256(text.encode()).hexdigest()[:16], text, found.source)

    def _drop(self, reason: str, source: str, detail: str, text: str = "") -> None:
        self.dropped.append(Drop(reason, source, detail, {"text": text} if text else {}))

    def _texts(self, path: Path) -> Iterator[_Text]:
        """What stands in a file, as it stands there."""
        ending = path.suffix.lower()
        if ending in _READ:
            try:
                yield _Text(read(path).text, path.name)
            except Unreadable as fault:
                self._drop("unreadable", path.name, fault.what)
            return
        if ending not in _ENDINGS:
            self._drop("ending", path.name, f"{ending or 'no ending'}: only {', '.join((*_ENDINGS, *_READ))} are read")
            return
        if path.stat().st_size == 0:
            self._drop("empty", path.name, "the file is empty")
            return
        try:
            content = path.read_text(encoding=detect(path))
        except (DataError, UnicodeError) as error:
            self._drop("not-text", path.name, str(error))
            return
        if _is_binary(content):
            self._drop("not-text", path.name, "it is full of characters that no text has")
        elif ending == ".jsonl":
            yield from self._lines(path, content)
        else:
            yield _Text(content, path.name)

    def _lines(self, path: Path, content: str) -> Iterator[_Text]:
        for number, line in enumerate(content.split("\n"), 1):  # str.splitlines would cut at U+2028
            source = f"{path.name}:{number}"
            if not line.strip():
                continue
            try:
                text = json.loads(line)["text"]
                text.encode("utf-8")  # half a surrogate pair is no text
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                self._drop("no-text", source, f"no JSON object with a text ({type(error).__name__})", line[:1000])
            else:
                yield _Text(text, source)


def _is_binary(content: str) -> bool:
    """Whether a hundredth of the first characters is control, private or unassigned: some bytes decode as anything."""
    head = content[: 1 << 16]
    odd = sum(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") and c not in "\n\r\t\f" for c in head)
    return "\x00" in head or odd * 100 > len(head)


def _tidied(text: str) -> str:
    """Line ends as one, no control characters, no white space at line ends, no more than one blank line together."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    text = "".join(c for c in text if c in _KEPT_CONTROLS or unicodedata.category(c) not in ("Cc", "Cs"))
    text = text.replace("\ufeff", "")
    return _BLANK.sub("\n\n", _SPACE_AT_END.sub("", text)).strip()
