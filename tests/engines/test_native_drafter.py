from __future__ import annotations

import random

import pytest

from tensaku.engines.native.drafter import Drafter


def _passes(source: list[int], wanted: list[int], worth: float = 0.1) -> tuple[int, int]:
    """Passes that writing `wanted` takes, and rows in them; what is written is always `wanted`."""
    drafter, answer, passes, rows = Drafter(source), [-7, -7], 0, 0
    while len(answer) - 2 < len(wanted):
        left = wanted[len(answer) - 2 :]
        guess = drafter.guess(answer, 2, worth, len(left) - 1)
        assert len(guess) <= len(left) - 1
        right = 0
        while right < len(guess) and guess[right] == left[right]:
            right += 1
        drafter.note(len(guess), right)
        answer += left[: right + 1]
        passes, rows = passes + 1, rows + 1 + len(guess)
    return passes, rows


def _sentences(seed: int, n: int = 10, length: int = 12) -> list[list[int]]:
    draw = random.Random(seed)
    return [[draw.randrange(1000) for _ in range(length)] + [7777] for _ in range(n)]


def _joined(sentences: list[list[int]]) -> list[int]:
    return [word for sentence in sentences for word in sentence]


def test_a_copy_takes_few_passes() -> None:
    text = _joined(_sentences(1))
    passes, _ = _passes(text, text)
    assert passes <= len(text) / 8


@pytest.mark.parametrize("change", ["moved", "deleted", "inserted", "replaced"])
def test_it_finds_the_place_again(change: str) -> None:
    sentences = _sentences(2)
    text = _joined(sentences)
    if change == "moved":
        wanted = _joined(sentences[5:] + sentences[:5])
    elif change == "deleted":
        wanted = _joined(sentences[:2] + sentences[4:7] + sentences[8:])
    elif change == "inserted":
        wanted = _joined([[*s[:6], 5001, 5002, *s[6:]] for s in sentences])
    else:
        wanted = _joined([[*s[:5], 6001, *s[6:]] for s in sentences])
    passes, _ = _passes(text, wanted)
    assert passes < len(wanted) / 3


def test_a_text_that_does_not_help_costs_little() -> None:
    draw = random.Random(4)
    wanted = [draw.randrange(10_000, 20_000) for _ in range(200)]
    passes, rows = _passes(_joined(_sentences(5)), wanted, worth=0.3)
    assert passes == 200
    assert rows < 1.2 * 200


def test_a_dearer_row_is_guessed_less() -> None:
    source = _joined(_sentences(6))
    assert len(Drafter(source).guess([1], 1, 0.05, 99)) > len(Drafter(source).guess([1], 1, 0.5, 99)) > 0
    assert Drafter(source).guess([1], 1, 0.05, 0) == []
    assert Drafter([]).guess([1], 1, 0.05, 9) == []


def test_it_never_fails_whatever_the_texts() -> None:
    draw = random.Random(8)
    for _ in range(300):
        words = draw.choice([2, 4, 50])
        source = [draw.randrange(words) for _ in range(draw.randrange(40))]
        wanted = [draw.randrange(words) for _ in range(draw.randrange(1, 40))]
        _passes(source, wanted, draw.choice([0.05, 0.3, 0.6]))
