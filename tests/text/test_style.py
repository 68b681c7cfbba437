"""The house style as patterns: places that break it, and files that are not right."""

from __future__ import annotations

from typing import Any

import pytest

from tensaku.errors import DataError
from tensaku.sampledesk import folder
from tensaku.text import style_from, violations

RULES = style_from((folder() / "style.toml").read_text(encoding="utf-8"), "style.toml")


def test_places_in_order() -> None:
    text = "今月のBMは▲1.2％でした。"
    found = violations(text, RULES)
    assert [text[v.start : v.end] for v in found] == [v.text for v in found] == ["今月", "BM", "▲", "％", "でした。"]


def test_the_house_keeps_its_own_rules_and_the_managers_do_not(pairs: list[dict[str, Any]]) -> None:
    assert [v for pair in pairs for v in violations(pair["final"], RULES)] == []
    broken = {v.rule for pair in pairs for v in violations(pair["draft"], RULES)}
    assert broken == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("rule = 3", "holds no rules"),
        ("[[rule]]\nname = 'a'", "takes name, pattern, say"),
        ("[[rule]]\nname = 'a'\npattern = '('", "not right"),
        ("[[rule]]\nname = 'a'\npattern = 'x*'", "matches nothing at all"),
        ("[[rule]]\nname = 'a'\npattern = 'x'\n[[rule]]\nname = 'a'\npattern = 'y'", "two rules"),
        ("[[rule]\n", "not TOML"),
        ("[[rule]]\nname = 'a'\npattern = 3", "must be text"),
    ],
)
def test_files_that_are_not_right(toml: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        style_from(toml, "style.toml")
