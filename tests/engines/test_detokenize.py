from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.engines.detokenize import Detokenizer, StopScanner
from tensaku.models.tokenizer import Tokenizer

BROKEN = "\N{REPLACEMENT CHARACTER}"


@pytest.fixture(scope="module")
def tokenizer(tiny: Callable[..., Any]) -> Tokenizer:
    return Tokenizer.load(tiny().folder)


@pytest.fixture(scope="module")
def byte_level() -> Callable[[Sequence[int]], str]:
    """A decoder of the other kind (Llama 3, Qwen): each token is some bytes, here exactly one."""
    return lambda ids: bytes(ids).decode("utf-8", errors="replace")


def _pieces(decode: Callable[[Sequence[int]], str], ids: Sequence[int]) -> list[str]:
    detokenizer = Detokenizer(decode)
    return [detokenizer.feed(i) for i in ids] + [detokenizer.flush()]


@pytest.mark.parametrize(
    "text", ["日本株は鰻登り", "a 𠮷野家 b", "  two  spaces ", "絵文字👩‍👧も", "▲1.2%", "が\u3099"]
)
def test_pieces_join_to_the_text_and_none_is_half_a_character(tokenizer: Tokenizer, text: str) -> None:
    pieces = _pieces(tokenizer.decode, tokenizer.encode(text))
    assert "".join(pieces) == text
    assert not any(BROKEN in piece for piece in pieces)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_survives_byte_by_byte(text: str) -> None:
    ids = list(text.encode("utf-8", errors="ignore"))
    pieces = _pieces(lambda some: bytes(some).decode("utf-8", errors="replace"), ids)
    assert "".join(pieces) == bytes(ids).decode("utf-8")


def test_what_never_becomes_a_character_is_shown_as_such(tokenizer: Tokenizer) -> None:
    whole = tokenizer.encode("鰻")
    assert len(whole) == 3
    assert _pieces(tokenizer.decode, [*tokenizer.encode("a"), *whole[:2]]) == ["a", "", "", BROKEN * 2]
    assert "".join(_pieces(tokenizer.decode, [*whole, whole[0]])) == "鰻" + BROKEN
    stray = _pieces(tokenizer.decode, [whole[0], *tokenizer.encode("株")])
    assert "".join(stray) == BROKEN + "株"


def test_special_tokens_have_no_text(tokenizer: Tokenizer) -> None:
    ids = [2, *tokenizer.encode("株式"), 3, *tokenizer.encode("鰻")]
    assert "".join(_pieces(tokenizer.decode, ids)) == tokenizer.decode(ids)


def _scan(stops: Sequence[str], pieces: Sequence[str]) -> tuple[list[str], bool]:
    scanner = StopScanner(stops)
    shown = []
    for piece in pieces:
        text, stopped = scanner.feed(piece)
        shown.append(text)
        if stopped:
            return shown, True
    return [*shown, scanner.flush()], False


def test_a_stop_string_over_several_pieces_is_never_shown() -> None:
    assert _scan(["終わり"], ["上昇。終", "わ", "りです"]) == (["上昇。", "", ""], True)
    assert _scan(["終わり"], ["上昇。終", "わ", "る"]) == (["上昇。", "", "終わる", ""], False)
    assert _scan(["終わり"], ["終わ"]) == (["", "終わ"], False)
    assert _scan([], ["終わり"]) == (["終わり", ""], False)


@given(
    st.text(alphabet="ab", max_size=30),
    st.lists(st.text(alphabet="ab", min_size=1, max_size=4), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_the_text_before_the_first_stop_string_is_shown(text: str, stops: list[str], draw: random.Random) -> None:
    cuts = sorted(draw.sample(range(len(text) + 1), min(5, len(text) + 1)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    shown, stopped = _scan(stops, pieces)
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    assert stopped == bool(ends)
    if not ends:
        assert "".join(shown) == text
    else:  # as soon as one is complete, the answer ends before it
        first = min(ends)
        assert not any(stop in "".join(shown) for stop in stops)
        assert text[:first].startswith("".join(shown))
