"""What people add to named sections of the model document. Each text is an entry of the ledger; none is overwritten.

A text is about one release. The document of the next release of the same task shows it too, said to be carried over,
until somebody writes that section anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tensaku.errors import NotFound, UsageError
from tensaku.govern.changes import approved_before
from tensaku.govern.document.words import PARTS
from tensaku.ledger import FilingRow, Ledger, ReleaseRow

__all__ = ["LONGEST", "Text", "add_text", "texts_of"]

LONGEST = 20_000
"""Characters of one text; longer ones belong into a file of their own that the text names."""


@dataclass(frozen=True, slots=True)
class Text:
    """What stands in a section: in Japanese, in English, or both; `carried` names the earlier release it is about."""

    part: str
    ja: str
    en: str
    row: FilingRow
    carried: str = ""

    def words(self, language: Literal["ja", "en"]) -> str:
        """The text to be read in a language: the other one where there is none in it."""
        return (self.ja or self.en) if language == "ja" else (self.en or self.ja)


def add_text(
    ledger: Ledger, ref: str, part: str, words: str, by: str, language: Literal["ja", "en", "both"] = "both"
) -> FilingRow:
    """Write the text of a section of a release's document; it stands in every document made from now on.

    Args:
        ledger: where it is kept, with who and when.
        ref: the release.
        part: the section, one of `PARTS`.
        words: paragraphs between empty lines; lines that begin with "- " are points. Empty: the text is taken out,
            one that was carried over too.
        by: a person of the first or second line.
        language: of the words; "both" stands in either document, and replaces what either had.

    Raises:
        NotFound: no such release, section or person.
        UsageError: the text is too long, the person may not, or there is nothing to take out.
    """
    if part not in PARTS:
        raise NotFound("section", part, PARTS)
    words = words.replace("\r\n", "\n").strip()
    if len(words) > LONGEST:
        what = f"the text has {len(words):,} characters, and a section takes {LONGEST:,}"
        raise UsageError(what, fix="Shorten it, or name the file that it stands in")
    row = ledger.release(ref)
    held = next((text for text in texts_of(ledger, row, approved_before(ledger, row)) if text.part == part), None)
    if not words and held is None:
        raise UsageError(f"nobody has added to {part!r} yet", where=ref, fix="Write the text")
    old = (held.ja, held.en) if held is not None else ("", "")
    made = {"ja": (words, old[1]), "en": (old[0], words), "both": (words, "")}[language]
    content = {"about": ref, "section": part, "ja": made[0], "en": made[1]}
    return ledger.file("text", f"{ref}:{part}", content, by)


def texts_of(ledger: Ledger, row: ReleaseRow, before: ReleaseRow | None, at: datetime | None = None) -> list[Text]:
    """The texts of a release's document, in the order of its sections.

    Where nobody wrote about this release, the text about `before` stands, if there is one.
    """
    standing = ledger.standing("text", at=at)
    found = []
    for part in PARTS:
        own = standing.get(f"{row.ref}:{part}")
        other = standing.get(f"{before.ref}:{part}") if before is not None else None
        held = own or other
        if held is not None and (held.content["ja"] or held.content["en"]):
            carried = "" if own is not None or before is None else before.ref
            found.append(Text(part, held.content["ja"], held.content["en"], held, carried))
    return found
