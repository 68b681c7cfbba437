from __future__ import annotations

import itertools
import math
import random

import pytest

from tensaku.engines.native.house import EDITS, LONGEST, Option
from tensaku.engines.native.trust import ABSENT, MATCH, OPEN, USED, Trust, copied, edited, ended, finished, found

_STANDS = range(ABSENT, USED + 1)
_OPTIONS = [Option(0, 0, tenths, cases) for tenths in range(11) for cases in range(1, 6)]


def test_every_sign_has_a_weight_of_its_own() -> None:
    signs = [copied(match, stands) for match in range(MATCH + 1) for stands in _STANDS]
    signs += [found(match, better, stands) for match in range(1, 5) for better in (False, True) for stands in _STANDS]
    signs += [edited(d, o, s) for d, o, s in itertools.product(range(EDITS), _OPTIONS, _STANDS)]
    lengths = [(n, longest) for n in range(1, LONGEST + 1) for longest in (True, False)]
    signs += [finished(*way, o, s) for way, o, s in itertools.product(lengths, _OPTIONS, _STANDS)]
    signs += [ended(left, 8) for left in range(9)]
    assert len(set(signs)) == len(signs)
    trust = Trust()
    assert all(0 < trust.chance([sign]) < 1 for sign in signs)
    assert copied(99, OPEN) == copied(MATCH, OPEN)


def test_longer_matches_and_surer_options_are_trusted_more_from_the_start() -> None:
    trust = Trust()
    chances = [trust.chance([copied(match, OPEN)]) for match in range(MATCH + 1)]
    assert chances == sorted(chances)
    seldom, often = Option(0, 0, 3, 5), Option(0, 0, 10, 5)
    assert trust.chance([edited(0, seldom, OPEN)]) < trust.chance([edited(0, often, OPEN)])
    assert trust.chance([finished(2, True, often, OPEN)]) < trust.chance([finished(6, True, often, OPEN)])


@pytest.mark.parametrize(("one", "other"), [(0.9, 0.4), (0.2, 0.7)])
def test_chances_become_the_shares_that_were_seen(one: float, other: float) -> None:
    """Two signs, one alone or both: the chance of each comes near the share in which the word came next."""
    trust, draw = Trust(), random.Random(5)
    alone, both = [copied(3, OPEN)], [copied(3, OPEN), edited(2, _OPTIONS[30], OPEN)]
    for _ in range(4000):
        for signs, share in ((alone, one), (both, other)):
            trust.note(signs, trust.chance(signs), draw.random() < share)
    assert trust.chance(alone) == pytest.approx(one, abs=0.1)
    assert trust.chance(both) == pytest.approx(other, abs=0.1)


def test_texts_may_become_others() -> None:
    """What was right ten thousand times and is wrong from now on is soon trusted no more."""
    trust, signs = Trust(), [copied(2, OPEN)]
    for n in range(10_000):
        trust.note(signs, trust.chance(signs), n % 10 > 0)
    assert trust.chance(signs) > 0.8
    for _ in range(150):
        trust.note(signs, trust.chance(signs), False)
    assert trust.chance(signs) < 0.4


def test_a_copy_learns_by_itself() -> None:
    trust = Trust()
    other = trust.copy()
    for _ in range(20):
        other.note([copied(0, OPEN)], other.chance([copied(0, OPEN)]), False)
    assert trust.chance([copied(0, OPEN)]) == Trust().chance([copied(0, OPEN)])
    assert other.chance([copied(0, OPEN)]) < trust.chance([copied(0, OPEN)])


def test_many_signs_at_once_give_a_chance_all_the_same() -> None:
    trust = Trust()
    sure = [copied(MATCH, OPEN)] * 50
    assert trust.chance(sure) == 1.0
    assert trust.chance([edited(0, Option(0, 0, 0, 1), OPEN)] * 80) in (0.0, pytest.approx(0.0))
    assert math.isfinite(trust.chance([]))
