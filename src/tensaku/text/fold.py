"""Full width and half width are one: text folded to a common form, with a way back to the original offsets."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Folded", "fold"]

# Only these compatibility forms are folded. Circled numbers and superscripts are not: ① is a label, not a figure.
_TAGS = ("<wide>", "<narrow>", "<square>")
_SAME = {
    "−": "-",
    "‐": "-",
    "‑": "-",
    "–": "-",
    "—": "-",
    "△": "▲",
    "▼": "▲",
    "〜": "~",
    "∼": "~",
    "\u3000": " ",
    "\u00a0": " ",
    "\u202f": " ",
    "\u2009": " ",
    "’": "'",
    "‘": "'",
    "ヶ": "か",
    "ヵ": "か",
}
_VOICED = "\uff9e\uff9f"
_PLAIN = re.compile(r"[\x00-\x7f\u3001-\u301b\u3041-\u3094\u30a1-\u30f4\u30fb\u30fc\u4e00-\u9fff]*")


@dataclass(frozen=True, slots=True)
class Folded:
    """`text` is the folded form; character `i` of it came from `starts[i]:ends[i]` of the original."""

    text: str
    starts: tuple[int, ...] | range
    ends: tuple[int, ...] | range

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original offsets of the folded range `start:end`."""
        if start >= end:
            at = self.starts[start] if start < len(self.text) else (self.ends[-1] if self.text else 0)
            return at, at
        return self.starts[start], self.ends[end - 1]


@lru_cache(maxsize=8192)
def _char(char: str) -> str:
    if char in _SAME:
        return _SAME[char]
    if char < "\u0100" and char != "\u00a0":
        return char
    if unicodedata.decomposition(char).startswith(_TAGS):
        folded = unicodedata.normalize("NFKC", char)
        return "".join(_SAME.get(c, c) for c in folded)
    return char


@lru_cache(maxsize=4096)
def fold(text: str) -> Folded:
    """Fold width, minus signs, wave dashes, half-width katakana and squared words (㌫, ㍻) to one form each.

    The length may change (㌫ becomes パーセント); `Folded.span` leads back. Kept between calls, since what is compared
    while somebody types is folded again at each letter.
    """
    if _PLAIN.fullmatch(text):
        return Folded(text, range(len(text)), range(1, len(text) + 1))
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    i = 0
    while i < len(text):
        width = 1
        if i + 1 < len(text) and text[i + 1] in _VOICED and unicodedata.decomposition(text[i]).startswith("<narrow>"):
            # A half-width kana and its sound mark are one letter: ﾊﾟ is パ.
            joined = unicodedata.normalize("NFKC", text[i : i + 2])
            if len(joined) == 1:
                width = 2
        piece = joined if width == 2 else _char(text[i])
        for char in piece:
            out.append(char)
            starts.append(i)
            ends.append(i + width)
        i += width
    return Folded("".join(out), tuple(starts), tuple(ends))
