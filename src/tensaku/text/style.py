"""The house style as far as it can be checked: patterns that a published text must not hold."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tensaku.errors import DataError

__all__ = [
    "Required",
    "StyleRule",
    "Suggestion",
    "Violation",
    "blanked",
    "lacking",
    "required_from",
    "style_from",
    "suggestions",
    "violations",
]

_TURNS = ("half-width", "thousands")
_KEYS = {"name", "pattern", "say", "write", "turn"}


@dataclass(frozen=True, slots=True)
class StyleRule:
    """One rule: its name, the regular expression of what breaks it, and what to write instead.

    `write` puts it right, with `\\1` for the pattern's groups; `turn` does so where a replacement cannot be spelt:
    `half-width` (NFKC), `thousands` (a comma every three digits). A rule with neither is put right by hand.
    """

    name: str
    pattern: re.Pattern[str]
    say: str
    write: str | None = None
    turn: str = ""

    def fix(self, found: re.Match[str]) -> str | None:
        """What to put in the place of a match, or None if a person has to decide."""
        if self.turn == "half-width":
            return unicodedata.normalize("NFKC", found.group())
        if self.turn == "thousands":
            return f"{int(found.group()):,}" if found.group().isdecimal() else None
        return found.expand(self.write) if self.write is not None else None


@dataclass(frozen=True, slots=True)
class Required:
    """A passage that a published text must hold, word for word but for width and white space; `sections`: in which
    sections alone, empty for all."""

    name: str
    text: str
    sections: tuple[str, ...] = ()


class Violation(NamedTuple):
    """A place that breaks a rule; `start` and `end` are character offsets."""

    rule: str
    text: str
    start: int
    end: int


class Suggestion(NamedTuple):
    """A place that breaks a rule, what the rule says, and what it would put there (None: nothing by itself)."""

    rule: str
    say: str
    text: str
    start: int
    end: int
    write: str | None


def style_from(toml: str, where: str) -> list[StyleRule]:
    """The rules of a file of tables `[[rule]]` with `name`, `pattern` and, if wanted, `say` and `write` or `turn`.

    Tables `[[require]]` of the same file are read by `required_from`.

    Raises:
        DataError: it is no TOML, a rule lacks a name or a pattern, two have one name, or a pattern is not right.
    """
    table = _table(toml, where)
    table.pop("require", None)
    rows = table.pop("rule", [])
    if table or not isinstance(rows, list) or not rows:
        raise DataError("the house style holds no rules", file=where, fix="Write tables [[rule]] with name and pattern")
    found: dict[str, StyleRule] = {}
    for number, row in enumerate(rows, start=1):
        rule = _rule(row, f"{where}, rule {number}")
        if rule.name in found:
            raise DataError(f"two rules are called {rule.name!r}", file=where, fix="Rename one of them")
        found[rule.name] = rule
    return list(found.values())


def _table(toml: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"the house style is not TOML: {error}", file=where, fix="Correct the file") from None


def required_from(toml: str, where: str) -> list[Required]:
    """The passages of a house style's tables `[[require]]` with `name`, `text` and, if wanted, `sections`.

    Raises:
        DataError: the file is no TOML, or a table is not as it should be.
    """
    found: list[Required] = []
    rows = _table(toml, where).get("require", [])
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], start=1):
        place = f"{where}, require {number}"
        if not isinstance(row, dict) or set(row) - {"name", "text", "sections"} or not {"name", "text"} <= set(row):
            fix = 'Write name = "..." and text = "..."'
            raise DataError("a required passage takes name, text and sections", file=place, fix=fix)
        sections = row.get("sections", [])
        words = [row["name"], row["text"], *(sections if isinstance(sections, list) else [None])]
        if not all(isinstance(word, str) and word.strip() for word in words):
            fix = 'Write sections = ["outlook"]'
            raise DataError("name and text must be text, sections a list of texts", file=place, fix=fix)
        found.append(Required(row["name"], row["text"], tuple(sections)))
    return found


def lacking(text: str, section: str, required: Sequence[Required]) -> list[Required]:
    """The passages that a text of that section must hold and does not."""
    bare = _bare(text)
    return [r for r in required if (not r.sections or section in r.sections) and _bare(r.text) not in bare]


def blanked(text: str, passages: Sequence[str]) -> str:
    """`text` with the house's own passages blanked out, every other character where it was.

    What they say (a negation, a number) is no fact of the comment, and must not count as one that the draft lacks.
    """
    for passage in passages:
        text = text.replace(passage, "\u3000" * len(passage))
    return text


def _bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def _rule(row: object, where: str) -> StyleRule:
    if not isinstance(row, dict) or set(row) - _KEYS or not {"name", "pattern"} <= set(row):
        raise DataError(
            "a rule takes name, pattern, say, write and turn", file=where, fix='Write name = "..." and pattern = "..."'
        )
    if not all(isinstance(value, str) and (value or key == "write") for key, value in row.items()):
        raise DataError("all that a rule says must be text", file=where, fix='Write name = "..." and pattern = "..."')
    try:
        pattern = re.compile(row["pattern"])
    except re.error as error:
        raise DataError(f"the pattern of {row['name']!r} is not right: {error}", file=where, fix="Correct it") from None
    if pattern.search("") is not None:
        raise DataError(
            f"the pattern of {row['name']!r} matches nothing at all", file=where, fix="Let it need a letter"
        )
    if "turn" in row and ("write" in row or row["turn"] not in _TURNS):
        what = f"turn of {row['name']!r} must be one of {', '.join(_TURNS)}, and stands without write"
        raise DataError(what, file=where, fix="Correct it")
    try:
        pattern.sub(row.get("write", ""), "")
    except (re.error, IndexError) as error:
        raise DataError(f"write of {row['name']!r} is not right: {error}", file=where, fix="Correct it") from None
    return StyleRule(row["name"], pattern, row.get("say", ""), row.get("write"), row.get("turn", ""))


def suggestions(text: str, rules: Sequence[StyleRule]) -> list[Suggestion]:
    """`violations` with what each rule says and would write instead."""
    found = [Suggestion(r.name, r.say, m.group(), *m.span(), r.fix(m)) for r in rules for m in r.pattern.finditer(text)]
    return sorted(found, key=lambda s: (s.start, s.end, s.rule))


def violations(text: str, rules: Sequence[StyleRule]) -> list[Violation]:
    """Every place of `text` that breaks one of `rules`, in order."""
    found = [Violation(rule.name, m.group(), *m.span()) for rule in rules for m in rule.pattern.finditer(text)]
    return sorted(found, key=lambda v: (v.start, v.end, v.rule))
