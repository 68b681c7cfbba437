from __future__ import annotations

import random

import pytest

from tensaku.engines.native.drafter import Drafter, Known, study


def _passes(source: list[int], wanted: list[int], worth: float = 0.1, known: Known | None = None) -> tuple[int, int]:
    """Passes that writing `wanted` takes, and rows in them; what is written is always `wanted`."""
    drafter, answer, passes, rows = Drafter(source, known), [-7, -7], 0, 0
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
    drafts = [[draw for s in _sentences(seed, 6) for draw in s] for seed in range(60)]
    finals = [[5000 if w == 7777 else 5001 if w % 10 == 3 else w for w in draft] for draft in drafts]
    known = study(zip(drafts[:50], finals[:50], strict=True))
    taught = [_passes(d, f, known=known)[0] for d, f in zip(drafts[50:], finals[50:], strict=True)]
    alone = [_passes(d, f)[0] for d, f in zip(drafts[50:], finals[50:], strict=True)]
    assert sum(taught) < 0.4 * sum(alone)


def test_a_sentence_of_past_finals_is_continued() -> None:
    stock = [list(range(100 * i, 100 * i + 20)) for i in range(1, 9)]
    known = study([([1, 2, 3], _joined([stock[i], stock[(i + 3) % 8]])) for i in range(8)])
    wanted = _joined([stock[5], stock[2]])
    assert _passes([1, 2, 3], wanted, known=known)[0] < len(wanted) / 4
    assert _passes([1, 2, 3], wanted)[0] == len(wanted)


def test_words_beside_the_draft_are_taken_up() -> None:
    """The fund and the month stand in the question, not in the draft; a final begins with them."""
    drafts = _sentences(3, 40)
    beside = [[20_000 + 10 * i + j for j in range(8)] for i in range(40)]
    finals = [b + d for b, d in zip(beside, drafts, strict=True)]
    trust = study(zip(drafts, finals, strict=True)).trust
    with_them, without = (
        Drafter(drafts[7], Known(None, trust), words).guess([-7, beside[7][0]], 1, 30).words[:3]
        for words in (beside[7], [])
    )
    assert with_them == beside[7][1:4]
    assert not set(without) & set(beside[7])


def test_it_stops_where_finals_end() -> None:
    """Finals leave the greeting at the end out: nothing of it is guessed once lessons showed that."""
    drafts = [_joined([*_sentences(seed, 2), list(range(5000, 5013))]) for seed in range(60)]
    known = study([(draft, draft[:26]) for draft in drafts[:50]])
    for draft in drafts[50:]:
        guess = Drafter(draft, known).guess([-7, *draft[:20]], 1, 40)
        assert guess.words == draft[20:26]


def test_lessons_say_how_sure_a_copy_is() -> None:
    """Where every other word is another one, nobody expects long copies; where all are copied, they are."""
    drafts = [_joined(_sentences(seed, 3)) for seed in range(60)]
    copies = study([(draft, draft) for draft in drafts])
    others = study([(draft, [w if at % 2 else w + 3000 for at, w in enumerate(draft)]) for draft in drafts])
    new = _joined(_sentences(99, 3))
    sure, unsure = (Drafter(new, known).guess([-7, new[0]], 1, 30).chances for known in (copies, others))
    assert sure[5] > 0.9
    assert len(unsure) < 6


def test_what_was_right_is_noted() -> None:
    """Guesses that are wrong again and again are made no more, and those that are right are made with more trust."""
    source = list(range(40))
    wrong, right = Known(None, study([]).trust), Known(None, study([]).trust)
    before = Drafter(source, wrong).guess([-7], 1, 10).chances[0]
    for _ in range(30):
        for known, good in ((wrong, 0), (right, 10)):
            drafter = Drafter(source, known)
            drafter.note(len(drafter.guess([-7], 1, 10).words), min(good, len(drafter.guess([-7], 1, 10).words)))
    assert (Drafter(source, wrong).guess([-7], 1, 10).chances or [0.0])[0] < before / 3
    assert Drafter(source, right).guess([-7], 1, 10).chances[0] > before


def test_it_never_fails_whatever_the_texts() -> None:
    draw = random.Random(8)
    for _ in range(300):
        words = draw.choice([2, 4, 50])
        source = [draw.randrange(words) for _ in range(draw.randrange(40))]
        wanted = [draw.randrange(words) for _ in range(draw.randrange(1, 40))]
        _passes(source, wanted, draw.choice([0.05, 0.3, 0.6]))
