"""Which encoding a text file is in. Strict trials over the whole file: no character is ever replaced in silence.

The order: a byte order mark; ISO-2022-JP by its escapes; UTF-16 without a mark by its zero bytes; UTF-8; then EUC-JP
and cp932 (Shift_JIS as Windows writes it), told apart by what they make of the bytes. Anything else has to be named by
the user; charset-normalizer only words the hint.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import NamedTuple

from tensaku.errors import DataError

__all__ = ["damaged_utf8", "detect", "require"]

CHUNK = 1 << 20
JUDGED = 4
"""How many chunks are looked at to tell EUC-JP and cp932 apart."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with that one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = {
    b"PK\x03\x04": ("a workbook or another ZIP archive", "excel"),
    b"PAR1": ("a Parquet file", "parquet"),
}
_ISO2022 = re.compile(rb"\x1b\$[@B]|\x1b\(J")
_KANA = re.compile(r"[ぁ-んァ-ヶ]")
_ODD = re.compile(r"[\uff61-\uff9f\ue000-\uf8ff\u0080-\u009f]")  # half-width katakana, private use, C1 controls


class _Trial(NamedTuple):
    encoding: str
    failed_line: int | None  # None: the whole file decodes
    multibyte: int  # characters beyond ASCII read before the end or the failure
    seen: int  # of them, those that were judged
    kana: int
    odd: int

    @property
    def plausible(self) -> bool:
        """Japanese prose has kana everywhere and hardly any half-width katakana or private characters."""
        return self.failed_line is None and self.kana > self.odd and self.kana * 20 >= self.seen


def detect(path: Path) -> str:
    """The Python codec name of a text file's encoding.

    Raises:
        DataError: the file is in none of the encodings tried, or breaks off from its own; with the line.
    """
    with path.open("rb") as file:
        head = file.read(CHUNK)
    for mark, (kind, reader) in _OTHERS.items():
        if head.startswith(mark):
            raise DataError(f"this is {kind}, not a text file", file=path, fix=f'Say source = "{reader}" for it')
    for mark, name in _BOMS:
        if head.startswith(mark):
            return require(path, name)
    if _ISO2022.search(head):
        return require(path, "iso2022_jp_2")
    if (utf16 := _utf16_without_mark(head)) is not None:
        return require(path, utf16)
    utf8 = _try(path, "utf-8")
    if utf8.failed_line is None:
        return "utf-8"
    if utf8.multibyte >= 4:  # other encodings fail at their first character, so this is UTF-8 with a fault
        raise _undecodable(path, utf8, head)
    trials = [_try(path, name) for name in ("euc_jp", "cp932")]
    good = [trial for trial in trials if trial.plausible]
    if good:
        return min(good, key=lambda trial: trial.odd).encoding
    raise _undecodable(path, max([utf8, *trials], key=lambda trial: trial.multibyte), head)


def require(path: Path, encoding: str) -> str:
    """`encoding`, after checking that the whole file decodes in it.

    Raises:
        DataError: there is no such encoding, or the file is not in it; with the line.
    """
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise DataError(
            f"unknown encoding {encoding!r}", file=path, field="encoding", fix="Use a name such as utf-8, cp932, euc_jp"
        ) from None
    trial = _try(path, encoding)
    if trial.failed_line is not None:
        raise DataError(
            f"the text is not {encoding}",
            file=path,
            line=trial.failed_line,
            fix="Give its true encoding, or save it as UTF-8",
        )
    return encoding


def _try(path: Path, encoding: str) -> _Trial:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    lines, multibyte, seen, kana, odd, judged = 1, 0, 0, 0, 0, 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                before = error.object[: error.start]
                lines += before.count(b"\n")
                good = before.decode(encoding, "ignore")
                return _Trial(encoding, lines, multibyte + _beyond_ascii(good), seen, kana, odd)
            lines += text.count("\n")
            multibyte += _beyond_ascii(text)
            if judged < JUDGED:  # the bytes may be of many encodings, but its first megabytes show a file's language
                kana += len(_KANA.findall(text))
                odd += len(_ODD.findall(text))
                judged, seen = judged + 1, multibyte
            if not chunk:
                return _Trial(encoding, None, multibyte, seen, kana, odd)


def _beyond_ascii(text: str) -> int:
    return 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))


def _utf16_without_mark(head: bytes) -> str | None:
    """UTF-16 text with line breaks and ASCII punctuation has zeros on one side of its byte pairs."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if even + odd == 0 or len(head) < 4:
        return None
    if (even + odd) * 10 < len(head) and _is_utf8(head):  # a few zero bytes embedded in other text
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return True


def damaged_utf8(path: Path) -> bool:
    """Whether the file is UTF-8 but for some of its lines: other encodings fail at their first character."""
    trial = _try(path, "utf-8")
    return trial.failed_line is not None and trial.multibyte >= 4


def _undecodable(path: Path, trial: _Trial, head: bytes) -> DataError:
    from charset_normalizer import from_bytes

    best = from_bytes(head[: 1 << 16]).best()
    hint = f'Perhaps it is {best.encoding}: then say encoding = "{best.encoding}"' if best else "Save it as UTF-8"
    if trial.encoding == "utf-8" and trial.multibyte >= 4:
        return DataError(
            "a byte here is not UTF-8, though the text before is",
            file=path,
            line=trial.failed_line,
            fix="Save the file as UTF-8 again",
        )
    return DataError(
        "the text is in none of UTF-8, UTF-16, Shift_JIS, EUC-JP, ISO-2022-JP",
        file=path,
        line=trial.failed_line,
        fix=hint,
    )
