"""Zips and the Office files that are zips: looked over before they are read, unpacked to names of our own."""

from __future__ import annotations

import lzma
import re
import shutil
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tensaku.documents.faults import Unreadable
from tensaku.documents.limits import MB, Limits

__all__ = ["BROKEN_ZIP", "check_archive", "check_xml", "entry_name", "unpack"]

BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    EOFError,
    RuntimeError,
    ValueError,
)
"""What the standard library raises for a zip that is no good."""
_XML = (".xml", ".rels")
_DOCTYPE = ("<!doctype", "<!entity")
_PASSED_BY = re.compile(r"(?:^|/)(?:__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|~\$|\.)")


def entry_name(entry: zipfile.ZipInfo) -> str:
    """An entry's name as whoever packed it saw it: Windows in Japan writes Shift_JIS and does not say so."""
    if entry.flag_bits & 0x800:
        return entry.filename
    raw = entry.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "cp932"):
        try:
            return unicodedata.normalize("NFC", raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    return entry.filename


def check_archive(path: Path, archive: zipfile.ZipFile, limits: Limits) -> list[str]:
    """The names in an archive, after looking it over without unpacking it.

    Raises:
        Unreadable: too many entries, far larger unpacked, a password, a name that leaves its folder.
    """
    entries = archive.infolist()
    if len(entries) > limits.entries:
        raise Unreadable("too-many", path, f"{len(entries):,} files; {limits.entries:,} are read")
    total = sum(entry.file_size for entry in entries)
    if total > limits.unpacked_bytes:
        raise Unreadable("too-big-inside", path, f"{total / MB:,.0f} MB from {path.stat().st_size / MB:,.1f} MB")
    for entry in entries:
        name = entry_name(entry)
        if _leaves(name):
            raise Unreadable("path-outside", path, name)
        if entry.flag_bits & 1:
            raise Unreadable("encrypted-zip", path)
        if entry.file_size > MB and entry.file_size > limits.unpacked_times * max(entry.compress_size, 1):
            raise Unreadable("too-big-inside", path, f"{name}: {entry.file_size / entry.compress_size:,.0f} times")
    return [entry_name(entry) for entry in entries]


def check_xml(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an Office file any of whose XML parts declares entities: its readers would have to be trusted with them.

    Raises:
        Unreadable: a part has a document type.
    """
    for entry in archive.infolist():
        if entry.filename.lower().endswith(_XML) and _defines_entities(archive.read(entry)):
            raise Unreadable("entities", path, entry.filename)


def _leaves(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/"))
    return parts.is_absolute() or ".." in parts.parts or bool(re.match(r"[A-Za-z]:", name)) or "\x00" in name


def _defines_entities(content: bytes) -> bool:
    """Looked for in every byte order: a declaration in UTF-16 is one too."""
    folded = content.lower()
    return any(word.encode(form) in folded for word in _DOCTYPE for form in ("ascii", "utf-16-le", "utf-16-be"))


def unpack(path: Path, folder: Path, limits: Limits) -> Iterator[tuple[str, Path]]:
    """The files of a zip, each with its name inside it, copied one by one to names of our own in `folder`.

    Raises:
        Unreadable: the zip is damaged or hostile.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(path, archive, limits)
            for number, entry in enumerate(archive.infolist()):
                name = entry_name(entry)
                if entry.is_dir() or _PASSED_BY.search(name):
                    continue
                target = folder / f"{number:05d}"
                with archive.open(entry) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, MB)
                yield name, target
    except BROKEN_ZIP as error:
        raise Unreadable("damaged", path, str(error)) from None
