"""What the readers share: characters that are not what they show, joining broken lines, what looks like a heading."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from tensaku.documents.faults import note
from tensaku.documents.model import Block, Note

__all__ = ["Cleaner", "bare", "is_heading", "is_item", "is_marked", "is_prose", "joined", "paragraphs", "width"]

_MISLEADING = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\ufff9-\ufffb]")
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2060-\u2064\u3164\ufeff\uffa0]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LINES = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_RADICALS = re.compile("[\u2e80-\u2fdf]")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]")

_DIGIT = "[0-9０-９一二三四五六七八九十]"
_NUMBERED = (
    rf"(?:第?{_DIGIT}{{1,3}}(?:[.．、)）章節](?![0-9０-９])|[\s\u3000]+(?=\D))"
    rf"|[(（]{_DIGIT}{{1,2}}[)）]|[①-⑳Ⅰ-Ⅻ][.．、]?)"
)
_MARK = re.compile(rf"^(?:#{{1,6}}\s+|[■□●○◆◇▼▽▶▷►◎★☆◼◾➢◉❖◯]+\s*|{_NUMBERED})[\s\u3000]*")
_BRACKETS = re.compile(
    r"^[【〔［\[〈《＜<「『≪](?P<inside>[^【】〔〕［］〈〉《》＜＞]{1,40})[】〕］\]〉》＞>」』≫][\s\u3000:：]*$"
)
_END = "。．.！？!?」』）)"
_LONGEST_HEADING = 40
_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


class Cleaner:
    """Takes out what does not show or shows falsely, and counts it, so that it can be told."""

    def __init__(self) -> None:
        self.misleading: Counter[str] = Counter()
        self.invisible = 0

    def __call__(self, text: str) -> str:
        """The text as it shows: line breaks as one, radicals of fonts as the characters they stand for."""
        text = _LINES.sub("\n", text)
        self.misleading.update(f"U+{ord(c):04X}" for c in _MISLEADING.findall(text))
        text = _MISLEADING.sub("", text)
        text, n = _INVISIBLE.subn("", text)
        text, m = _CONTROL.subn("", text)
        self.invisible += n + m
        text = _RADICALS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
        return _SPACES.sub(" ", text)

    def notes(self) -> list[Note]:
        """What was taken out."""
        found = []
        if self.misleading:
            found.append(note("misleading", ", ".join(f"{n} {c}" for c, n in self.misleading.most_common(4))))
        if self.invisible:
            found.append(note("invisible", self.invisible))
        return found


def width(text: str) -> int:
    """How wide a text is in half-width columns."""
    return sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in text)


def joined(lines: Iterable[str]) -> str:
    """Lines of one paragraph as one: without a space where Japanese is broken, with one between words of Latin letters.

    A number that was broken over two lines of Japanese becomes whole again.
    """
    text = ""
    for line in lines:
        line = line.strip(" \t\u3000")
        if text and line and _wants_space(text, line):
            text += " "
        text += line
    return text


def _wants_space(before: str, after: str) -> bool:
    left, right = before[-1], after[0]
    if not (left.isascii() and right.isascii()):
        return False
    if _JAPANESE.search(before) or _JAPANESE.search(after):
        return left.isalpha() and right.isalpha()
    return left != "-"


def is_marked(text: str) -> bool:
    """Whether a short line begins with a heading's mark or number, or stands in brackets."""
    text = text.strip(" \t\u3000")
    if not text or len(text) > _LONGEST_HEADING or "。" in text or "\t" in text or text[-1] in "、，":
        return False
    return bool(_BRACKETS.match(text) or (_MARK.match(text) and bare(text)))


def is_heading(text: str) -> bool:
    """Whether a line by itself may be a heading: short, no sentence, something to be read in it."""
    text = text.strip(" \t\u3000")
    if not text or len(text) > _LONGEST_HEADING or "。" in text or text[-1] in "、，,;；":
        return False
    return any(c.isalpha() for c in text)


def is_item(text: str) -> bool:
    """Whether a line is an item of a list or a note."""
    return _ITEM.match(text) is not None


def is_prose(text: str) -> bool:
    """Whether a text is written in sentences."""
    text = text.strip()
    return len(text) >= 8 and (text[-1] in _END or "。" in text or len(text) > _LONGEST_HEADING)


def bare(text: str) -> str:
    """A heading without its marks, number and brackets."""
    text = text.strip(" \t\u3000\n")
    while True:
        inside = _BRACKETS.match(text)
        shorter = inside["inside"] if inside is not None else _MARK.sub("", text, count=1)
        shorter = shorter.strip(" \t\u3000:：-－―─=＝■")
        if shorter == text or not shorter:
            return shorter or text
        text = shorter


_RULE = re.compile(r"^[\s\-=_*~─━―＝－＿・.]{3,}$")
_ITEM = re.compile(r"^[\s\u3000]*[・※◦‣•▪✓＊\-*]\s*")
_NARROW = 40  # half-width columns: lines of titles and addresses, not of prose
_INDENT = re.compile(r"^(?:\u3000|  +|\t)\S")


def paragraphs(text: str, place: str = "line") -> list[Block]:
    """Blocks of a text of lines: headings by their look, lines of a broken paragraph joined, tabbed lines as tables."""
    lines = [line.rstrip(" \t\u3000") for line in text.split("\n")]
    widest = max((width(line) for line in lines), default=0)
    return _Lines(lines, widest if widest <= 120 else 0, place).blocks()


class _Lines:
    def __init__(self, lines: Sequence[str], wrap: int, place: str) -> None:
        self.lines, self.wrap, self.place = lines, wrap, place
        self.found: list[Block] = []
        self.open: list[str] = []
        self.rows: list[tuple[str, ...]] = []

    def blocks(self) -> list[Block]:
        for number, line in enumerate(self.lines):
            after = self.lines[number + 1] if number + 1 < len(self.lines) else ""
            self._take(number, line, after)
        self._close(len(self.lines))
        return self.found

    def _take(self, number: int, line: str, after: str) -> None:
        if not line.strip() or _RULE.match(line):
            self._close(number)
        elif cells := _cells(line):
            self._close_paragraph(number)
            self.rows.append(cells)
        elif is_marked(line) or (self._may_begin() and self._alone(line, after)):
            self._close(number)
            level = len(line) - len(line.lstrip("#")) if line.startswith("#") else 0
            self.found.append(Block("heading", line.strip("# \t\u3000"), f"{self.place} {number + 1}", level))
        else:
            self._close_table(number)
            if self.open and self._ends_before(line):
                self._close_paragraph(number)
            self.open.append(line)

    def _may_begin(self) -> bool:
        return not self.open or self.open[-1][-1] in _END

    def _alone(self, line: str, after: str) -> bool:
        """A short line that opens something: what follows is blank, a rule, or a longer line."""
        if not is_heading(line) or len(line.strip()) > 24 or line.strip()[-1] in _END or _ITEM.match(line):
            return False
        return not after.strip() or bool(_RULE.match(after)) or width(after) > 1.5 * width(line)

    def _ends_before(self, line: str) -> bool:
        last = self.open[-1]
        if not self.wrap or _INDENT.match(line) or _ITEM.match(line):
            return True
        if (width(last) < 0.6 * self.wrap or self.wrap < _NARROW) and not re.search("[。、，,]", last):
            return True  # short by choice, not broken
        return last[-1] in _END and width(last) < 0.85 * self.wrap

    def _close(self, number: int) -> None:
        self._close_table(number)
        self._close_paragraph(number)

    def _close_paragraph(self, number: int) -> None:
        if self.open:
            start = number - len(self.open) + 1
            self.found.append(Block("paragraph", joined(self.open), f"{self.place} {start}"))
            self.open = []

    def _close_table(self, number: int) -> None:
        if self.rows:
            self.found.append(Block.table(tuple(self.rows), f"{self.place} {number - len(self.rows) + 1}"))
            self.rows = []


def _cells(line: str) -> tuple[str, ...]:
    """The cells of a line of a table drawn with tabs or bars; nothing if it is none."""
    if line.strip().startswith("|") and line.strip().endswith("|") and line.count("|") >= 3:
        return tuple(cell.strip() for cell in line.strip()[1:-1].split("|"))
    parts = line.strip("\t").split("\t")
    return tuple(cell.strip() for cell in parts) if len(parts) >= 2 and line.strip() else ()
