"""What a file is, by its content. Its name is only held against that."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from tensaku.documents.faults import Unreadable
from tensaku.documents.limits import Limits
from tensaku.documents.packed import BROKEN_ZIP, check_archive

__all__ = ["ENDINGS", "kind_of", "lie"]

ENDINGS = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".xlsx": "xlsx",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".csv": "text",
    ".zip": "zip",
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"BM", b"\x00\x00\x01\x00")
_OTHERS = {
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"{\\rtf": "an RTF file",
    b"%!PS": "a PostScript file",
    b"SQLite format 3": "a database",
    b"PAR1": "a Parquet file",
}
_HTML = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|meta|table|div|p|h1)\b", re.I | re.S
)
_MACROS = re.compile(r"(?:^|/)vbaProject\.bin$|macrosheets/|(?:^|/)Basic/", re.IGNORECASE)
_HEAD = 1 << 16


def kind_of(path: Path, limits: Limits) -> str:
    """`pdf`, `docx`, `xlsx`, `html`, `text` or `zip`. Zips are looked over on the way: nothing is unpacked.

    Raises:
        Unreadable: it is empty, too large, protected, old, a picture, something else, or a hostile archive.
    """
    size = path.stat().st_size
    if size == 0:
        raise Unreadable("empty", path)
    if size > limits.file_bytes:
        raise Unreadable("too-large", path, f"{size >> 20:,} MB; {limits.file_bytes >> 20} MB are read")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"PK"):
        return _packed_kind(path, limits)
    if head.startswith(_OLE):
        raise Unreadable(_old_kind(path), path)
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(_PICTURES) or head[4:12] in (b"ftypheic", b"ftypavif") or head[8:12] == b"WEBP":
        raise Unreadable("picture", path)
    for start, name in _OTHERS.items():
        if head.startswith(start):
            raise Unreadable("unknown-kind", path, name)
    plain = head.replace(b"\x00", b"").removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    return "html" if _HTML.match(plain) else "text"


def lie(path: Path, kind: str) -> str:
    """What its name says, if that is another kind than `kind`; else nothing."""
    named = ENDINGS.get(path.suffix.lower())
    return f"{path.suffix.lower()} ({kind})" if (named or kind) != kind or (not named and path.suffix) else ""


def _packed_kind(path: Path, limits: Limits) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = check_archive(path, archive, limits)
            if any(_MACROS.search(name) for name in names):
                raise Unreadable("macros", path)
            types = archive.read("[Content_Types].xml") if "[Content_Types].xml" in names else b""
    except Unreadable:
        raise
    except (*BROKEN_ZIP, OSError) as error:
        raise Unreadable("damaged", path, str(error)) from None
    if b"macroEnabled" in types:
        raise Unreadable("macros", path)
    if "word/document.xml" in names or b"wordprocessingml.document.main" in types:
        return "docx"
    if "xl/workbook.xml" in names or b"spreadsheetml.sheet.main" in types:
        return "xlsx"
    if types or "mimetype" in names:
        raise Unreadable("unknown-kind", path, "another kind of office or book file")
    return "zip"


def _old_kind(path: Path) -> str:
    """An OLE file: its directory names, in UTF-16, say what it holds."""
    content = path.read_bytes()
    return "encrypted-office" if "EncryptedPackage".encode("utf-16-le") in content else "old-office"
