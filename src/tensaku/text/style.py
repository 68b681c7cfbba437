"""The house style as far as it can be checked: patterns that a published text must not hold."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tensaku.errors import DataError

__all__ = ["StyleRule", "Violation", "style_from", "violations"]


@dataclass(frozen=True, slots=True)
class StyleRule:
    """One rule: its name, the regular expression of what breaks it, and what to write instead."""

    name: str
    pattern: re.Pattern[str]
    say: str


class Violation(NamedTuple):
    """A place that breaks a rule; `start` and `end` are character offsets."""

    rule: str
    text: str
    start: int
    end: int


def style_from(toml: str, where: str) -> list[StyleRule]:
    """The rules of a file of tables `[[rule]]` with `name`, `pattern` and, if wanted, `say`.

    Raises:
        DataError: it is no TOML, a rule lacks a name or a pattern, two have one name, or a pattern is not right.
    """
    try:
        table = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"the house style is not TOML: {error}", file=where, fix="Correct the file") from None
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


def _rule(row: object, where: str) -> StyleRule:
    if not isinstance(row, dict) or set(row) - {"name", "pattern", "say"} or not {"name", "pattern"} <= set(row):
        raise DataError("a rule takes name, pattern and say", file=where, fix='Write name = "..." and pattern = "..."')
    if not all(isinstance(value, str) and value for value in row.values()):
        raise DataError("name, pattern and say must be text", file=where, fix='Write name = "..." and pattern = "..."')
    try:
        pattern = re.compile(row["pattern"])
    except re.error as error:
        raise DataError(f"the pattern of {row['name']!r} is not right: {error}", file=where, fix="Correct it") from None
    if pattern.search("") is not None:
        raise DataError(
            f"the pattern of {row['name']!r} matches nothing at all", file=where, fix="Let it need a letter"
        )
    return StyleRule(row["name"], pattern, row.get("say", ""))


def violations(text: str, rules: Sequence[StyleRule]) -> list[Violation]:
    """Every place of `text` that breaks one of `rules`, in order."""
    found = [Violation(rule.name, m.group(), *m.span()) for rule in rules for m in rule.pattern.finditer(text)]
    return sorted(found, key=lambda v: (v.start, v.end, v.rule))
