"""Where each key of a TOML file stands: a light scanner beside tomllib, which keeps no positions."""

from __future__ import annotations

import re

__all__ = ["Loc", "line_index"]

Loc = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")|' + r"'''.*?'{3,5}(?!')|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'", re.DOTALL
)


def line_index(text: str) -> dict[Loc, int]:
    """The line (from 1) of every key, table and list item of `text`, which must be valid TOML.

    A location is the path of keys and list positions, as in `("sources", "use", 0, "path")`.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lines: dict[Loc, int] = {}
        self.counts: dict[Loc, int] = {}  # how many tables each array of tables has so far

    def document(self) -> None:
        table: Loc = ()
        while self._skip():
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Loc:
        many = self.text.startswith("[[", self.at)
        line = self._line()
        self.at += 2 if many else 1
        keys = self._keys()
        self._skip()
        self.at += 2 if many else 1
        loc = (*self._current(keys[:-1]), keys[-1])
        if many:
            self.lines.setdefault(loc, line)
            self.counts[loc] = self.counts.get(loc, 0) + 1
            loc += (self.counts[loc] - 1,)
        else:
            loc = self._current(keys)
        for n in range(1, len(loc)):
            self.lines.setdefault(loc[:n], line)
        self.lines[loc] = line
        return loc

    def _current(self, keys: list[str]) -> Loc:
        """The location of a table named in a header, where a name of an array means its newest table."""
        loc: Loc = ()
        for key in keys:
            loc += (key,)
            if loc in self.counts:
                loc += (self.counts[loc] - 1,)
        return loc

    def _pair(self, table: Loc) -> None:
        line = self._line()
        loc = table
        for key in self._keys():
            loc += (key,)
            self.lines.setdefault(loc, line)
        self._skip()
        self.at += 1  # the equals sign
        self._value(loc)

    def _value(self, loc: Loc) -> None:
        self._skip()
        mark = self.text[self.at]
        if mark == "[":
            self._items(loc)
        elif mark == "{":
            self._inline(loc)
        elif mark in "\"'":
            self._string()
        else:
            self.at = self._match(_SCALAR).end()

    def _items(self, loc: Loc) -> None:
        self.at += 1
        n = 0
        while self._skip() and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.lines[(*loc, n)] = self._line()
            self._value((*loc, n))
            n += 1
        self.at += 1

    def _inline(self, loc: Loc) -> None:
        self.at += 1
        while self._skip() and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self.at += 1
            else:
                self._pair(loc)
        self.at += 1

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip()
            if self.text[self.at] in "\"'":
                keys.append(_unquote(self._string()))
            else:
                found = self._match(_BARE)
                keys.append(found.group())
                self.at = found.end()
            self._skip()
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _string(self) -> str:
        found = self._match(_STRING)
        self.at = found.end()
        return found.group()

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"the TOML scanner lost its way at line {self._line()}")
        return found

    def _skip(self) -> bool:
        """Move past blanks, line ends and comments; False at the end of the text."""
        while self.at < len(self.text):
            if self.text[self.at] in " \t\n\r":
                self.at += 1
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return True
        return False

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1


def _unquote(written: str) -> str:
    """A quoted key as its value; escapes other than those of a quote and a backslash are rare enough to leave."""
    if written.startswith("'"):
        return written[1:-1]
    import tomllib  # only for keys in double quotes

    return str(tomllib.loads(f"k = {written}")["k"])
