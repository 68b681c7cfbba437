"""The house style as patterns: places that break it, and files that are not right."""

from __future__ import annotations

from typing import Any

import pytest

from tensaku.errors import DataError
from tensaku.sampledesk import folder
from tensaku.text import blanked, lacking, required_from, style_from, suggestions, violations

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


def test_a_rule_says_what_it_would_write() -> None:
    found = {s.text: s.write for s in suggestions("今月のBMは１２．５パーセント、残高は1234567円でした。", RULES)}
    assert found["今月"] == "当月"
    assert found["BM"] == "ベンチマーク"
    assert found["１２．５"] == "12.5"
    assert found["パーセント"] == "%"
    assert found["1234567"] == "1,234,567"
    assert found["でした。"] is None  # how the sentence then ends is a person's to say
    groups = style_from("[[rule]]\nname = 'a'\npattern = '(\\d+)％'\nwrite = '\\1 %'", "s")
    assert [s.write for s in suggestions("3％と5％", groups)] == ["3 %", "5 %"]


REQUIRED = """
[[rule]]
name = "a"
pattern = "x"
[[require]]
name = "注意"
text = "将来を 約束しません。"
sections = ["outlook"]
"""


def test_required_passages_are_looked_for_in_their_sections() -> None:
    required = required_from(REQUIRED, "s")
    assert [r.name for r in lacking("堅調。", "outlook", required)] == ["注意"]
    assert lacking("堅調。", "market", required) == []
    assert lacking("堅調。将来を約束しません。", "outlook", required) == []  # white space is no matter
    assert blanked("堅調。将来を 約束しません。", [r.text for r in required]) == "堅調。" + "\u3000" * 11
    assert [rule.name for rule in style_from(REQUIRED, "s")] == ["a"]


@pytest.mark.parametrize("row", ["name = 'a'", "name = 'a'\ntext = ''", "name = 'a'\ntext = 't'\nsections = 'x'"])
def test_required_passages_that_are_not_right(row: str) -> None:
    with pytest.raises(DataError, match="require 1"):
        required_from(f"[[require]]\n{row}", "s")
