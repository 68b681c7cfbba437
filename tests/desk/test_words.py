"""Both languages say the same things."""

from __future__ import annotations

import re

import pytest

from tensaku.desk.words import WORDS, counted, month_name


def test_both_languages_have_the_same_words() -> None:
    english = {key for key in WORDS["en"] if not key.endswith("_one")}
    assert set(WORDS["ja"]) == english


@pytest.mark.parametrize("key", sorted(WORDS["ja"]))
def test_both_languages_name_the_same_values(key: str) -> None:
    names = [set(re.findall(r"{(\w+)}", WORDS[language][key])) for language in ("ja", "en")]
    assert names[0] == names[1]


def test_months_and_numbers() -> None:
    assert month_name("2026-04", "ja") == "2026年4月"
    assert month_name("2026-04", "en") == "Apr 2026"
    assert counted(WORDS["en"], "changes", 1) == "1 change"
    assert counted(WORDS["en"], "changes", 1200) == "1,200 changes"
    assert counted(WORDS["ja"], "changes", 1) == "変更 1か所"
