"""Why a file is not read, and what may be odd about one that is: each has a code, a sentence and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensaku.documents.model import Note
from tensaku.errors import DataError

__all__ = ["NOTES", "REASONS", "Unreadable", "note"]

REASONS: dict[str, tuple[str, str]] = {
    "empty": ("the file is empty", "Ask for it again"),
    "too-large": ("the file is too large ({detail})", "Split it, or send the comment alone"),
    "too-many": ("there is too much in it ({detail})", "Send the pages that hold the comment"),
    "too-long": ("reading it took too long ({detail})", "Save it again in its program, or send the text alone"),
    "too-big-inside": ("unpacked it would be far larger than it looks ({detail})", "Do not open it; ask who sent it"),
    "path-outside": ("it names a place outside its own folder ({detail})", "Do not unpack it; ask who sent it"),
    "entities": (
        "its XML defines entities, which no office program writes ({detail})",
        "Do not open it; ask who sent it",
    ),
    "encrypted-pdf": ("the PDF is protected by a password", "Ask for it without one, or save it again without"),
    "encrypted-office": ("the Office file is protected by a password", "Open it, save it without one, send it again"),
    "encrypted-zip": ("the zip is protected by a password", "Unpack it and bring in the files"),
    "macros": ("the Office file carries macros", "Save it as .docx or .xlsx, which have none, and bring in that"),
    "old-office": ("this is an Office file of before 2007", "Save it as .docx or .xlsx"),
    "scanned": (
        "its pages are pictures of paper (scanned), which are not readable yet",
        "Ask for the file it was printed from",
    ),
    "picture": ("this is a picture, which is not readable yet", "Ask for the file it was made from"),
    "unknown-kind": ("this is no PDF, Word, Excel, HTML or text file ({detail})", "Bring in one of those"),
    "damaged": ("the file is damaged ({detail})", "Save it again in its program, or ask for it again"),
    "no-text": ("there is no text in it", "See whether it is the right file"),
    "not-text": ("its text is in no known encoding ({detail})", "Save it as UTF-8"),
    "reader-died": ("its reader broke off ({detail})", "Save it again in its program, or send the text alone"),
}
"""Code -> what is wrong, and what to do."""

NOTES: dict[str, tuple[str, bool]] = {
    "lies": ("it is named {detail}", False),
    "vertical": ("vertical text on page {detail}", True),
    "scanned-pages": ("scanned pages, not readable yet: {detail}", True),
    "ocr-layer": ("text under the picture of a scanned page, as a machine guessed it: page {detail}", True),
    "hidden": ("text that is not shown was left out: {detail}", True),
    "misleading": ("characters that change how text looks were taken out: {detail}", True),
    "invisible": ("characters without a width were taken out: {detail}", False),
    "unmapped": ("characters of a font that does not say which they are: {detail}", True),
    "tracked": ("tracked changes were read as accepted: {detail}", True),
    "text-boxes": ("text in shapes was read after the cells: {detail}", True),
    "no-value": ("formulas without a saved value: {detail}", True),
    "footnotes": ("footnotes were left out: {detail}", False),
    "cut": ("text beyond the limit was left out: {detail}", True),
}
"""Code -> what a reader is told, and whether a person must look."""


class Unreadable(DataError):
    """A file that is not read. `reason` is a key of `REASONS`."""

    def __init__(self, reason: str, file: str | Path, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        what, fix = REASONS[reason]
        super().__init__(what.format(detail=detail), file=file, fix=fix)

    def values(self) -> dict[str, Any]:
        """What the reading process hands to its parent."""
        return {"reason": self.reason, "detail": self.detail}


def note(code: str, detail: object) -> Note:
    """A note by its code."""
    words, grave = NOTES[code]
    return Note(code, words.format(detail=detail), grave)
