from __future__ import annotations

import random

import pytest

from tensaku.engines.native.drafter import Drafter, Track
from tensaku.engines.native.house import House


def _passes(source: list[int], wanted: list[int], worth: float = 0.1, house: House | None = None) -> tuple[int, int]:
    """Passes that writing `wanted` takes, and rows in them; what is written is always `wanted`."""
    drafter, answer, passes, rows = Drafter(source, house), [-7, -7], 0, 0
    while len(answer) - 2 < len(wanted):
        left = wanted[len(answer) - 2 :]
        expected = drafter.guess(answer, 2, len(left) - 1)
        assert expected.chances == sorted(expected.chances, reverse=True)
        guess = [word for word, chance in zip(*expected, strict=True) if chance >= worth]
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


def test_there_is_an_end_to_what_is_guessed() -> None:
    source = _joined(_sentences(6))
    assert 0 < len(Drafter(source).guess([1], 1, 5).words) <= 5
    assert Drafter(source).guess([1], 1, 0) == ([], [])
    assert Drafter([]).guess([1], 1, 9) == ([], [])


def test_what_the_house_always_does_is_expected() -> None:
    """Another ending for every sentence, and a word that is always replaced: few passes once lessons showed it."""
    drafts = [[draw for s in _sentences(seed, 6) for draw in s] for seed in range(30)]
    finals = [[5000 if w == 7777 else 5001 if w % 10 == 3 else w for w in draft] for draft in drafts]
    house = House(zip(drafts[:25], finals[:25], strict=True))
    taught = [_passes(d, f, house=house)[0] for d, f in zip(drafts[25:], finals[25:], strict=True)]
    alone = [_passes(d, f)[0] for d, f in zip(drafts[25:], finals[25:], strict=True)]
    assert sum(taught) < 0.75 * sum(alone)


def test_a_sentence_of_past_finals_is_continued() -> None:
    stock = [list(range(100 * i, 100 * i + 20)) for i in range(1, 9)]
    house = House([([1, 2, 3], _joined([stock[i], stock[(i + 3) % 8]])) for i in range(8)])
    wanted = _joined([stock[5], stock[2]])
    assert _passes([1, 2, 3], wanted, house=house)[0] < len(wanted) / 4
    assert _passes([1, 2, 3], wanted)[0] == len(wanted)


def test_chances_are_learnt_from_what_came_of_guesses() -> None:
    track = Track()
    before = track.share("kind", 0.5)
    for _ in range(50):
        track.note("kind", False)
    assert track.share("kind", 0.5) < 0.1 < before
    assert track.share("other", 0.5) == before


def test_it_never_fails_whatever_the_texts() -> None:
    draw = random.Random(8)
    for _ in range(300):
        words = draw.choice([2, 4, 50])
        source = [draw.randrange(words) for _ in range(draw.randrange(40))]
        wanted = [draw.randrange(words) for _ in range(draw.randrange(1, 40))]
        _passes(source, wanted, draw.choice([0.05, 0.3, 0.6]))
