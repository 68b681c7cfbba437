"""Sentences: where they end, and that nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.text import sentences


def cut(text: str) -> list[str]:
    return [s.text for s in sentences(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("上昇した。下落した。", ["上昇した。", "下落した。"]),
        ("本当か？はい！そうです。", ["本当か？", "はい！", "そうです。"]),
        ("彼は「上がる。」と述べた。次の文。", ["彼は「上がる。」と述べた。", "次の文。"]),
        ("「そうだ。」彼は去った。", ["「そうだ。」", "彼は去った。"]),
        ("市場は（注。後述）続伸した。次。", ["市場は（注。後述）続伸した。", "次。"]),
        ("閉じない「括弧。次の文。", ["閉じない「括弧。", "次の文。"]),
        ("見出し\n本文です。", ["見出し\n", "本文です。"]),
        ("一段落。\n\n二段落。", ["一段落。\n\n", "二段落。"]),
        ("騰落率は3.2%でした．次に", ["騰落率は3.2%でした．", "次に"]),
        ("３．２％上昇した。", ["３．２％上昇した。"]),
        ("It rose 3.2 percent. The U.S. economy grew.", ["It rose 3.2 percent. ", "The U.S. economy grew."]),
        ("Mr. Smith voted. So did Ms. Jones.", ["Mr. Smith voted. ", "So did Ms. Jones."]),
        ('He said "No." Then he left.', ['He said "No." ', "Then he left."]),
        ("The Open\nMarket Committee met. It\nagreed.", ["The Open\nMarket Committee met. ", "It\nagreed."]),
        ("どうして！？わからない。", ["どうして！？", "わからない。"]),
        ("", []),
        ("  ", ["  "]),
    ],
)
def test_sentence_ends(text: str, found: list[str]) -> None:
    assert cut(text) == found


@given(st.one_of(st.text(max_size=80), st.text(alphabet="。！？.「」（）()\n aA1市場\"'．", max_size=60)))
@settings(deadline=None, max_examples=500)
def test_nothing_is_lost(text: str) -> None:
    found = sentences(text)
    assert "".join(s.text for s in found) == text
    assert all(text[s.start : s.end] == s.text for s in found)
    assert all(s.text.strip() for s in found) or len(found) == 1


def test_a_very_long_text_takes_no_quadratic_time() -> None:
    text = "「市場は上昇した\n" * 12_000
    start = time.process_time()
    assert len(sentences(text)) == 12_000
    assert time.process_time() - start < 5


def test_real_statements(real_data: Callable[[str], Path]) -> None:
    for file in sorted((real_data("fomc_statements") / "statements").glob("*.txt")):
        text = file.read_text(encoding="utf-8", errors="replace")
        found = sentences(text)
        assert "".join(s.text for s in found) == text
        assert not [s.text for s in found if s.text.rstrip().endswith((" U.S.", " Mr.", " Ms.", " St."))], file.name
    text = (real_data("fomc_statements") / "statements" / "20060131.txt").read_text(encoding="utf-8")
    assert " ".join(cut(text)[0].split()) == (
        "The Federal Open Market Committee decided today to raise its target for the federal funds rate "
        "by 25 basis points to 4-1/2 percent."
    )


def test_real_comments(real_data: Callable[[str], Path]) -> None:
    for name in ("formal", "informal"):
        for line in (real_data("pastel_jp") / "Formality" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            assert "".join(cut(line)) == line
