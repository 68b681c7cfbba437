"""Agreement against worked examples of the literature, and against people who agree by chance or altogether."""

from __future__ import annotations

import numpy as np
import pytest

from tensaku.evaluate.agreement import agreement, by_voter, cohen, krippendorff
from tensaku.evaluate.panel import majority
from tensaku.evaluate.votes import Vote, Winner


def test_krippendorffs_own_examples() -> None:
    """K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): sections A, B and C, nominal."""
    assert krippendorff(list(zip("0100000010", "1110010000", strict=True))) == pytest.approx(0.095, abs=5e-4)
    assert krippendorff(list(zip("aabbdcccedda", "babbbcccéddd".replace("é", "e"), strict=True))) == pytest.approx(
        0.692, abs=5e-4
    )
    coders = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
    units = [[given for given in unit if given != "."] for unit in zip(*coders, strict=True)]
    assert krippendorff(units) == pytest.approx(0.743, abs=5e-4)


def test_cohens_kappa_by_a_textbook() -> None:
    """Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions (2003), table 18.1: 0.68."""
    table = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]
    rows = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    assert cohen(*zip(*rows, strict=True)) == pytest.approx(0.68, abs=5e-3)


def test_all_and_chance_and_nothing() -> None:
    random = np.random.default_rng(1)
    one, two = random.integers(0, 3, (2, 5000)).tolist()
    assert cohen(one, one) == 1
    assert krippendorff(list(zip(one, one, strict=True))) == 1
    assert cohen(one, two) == pytest.approx(0, abs=0.04)
    assert krippendorff(list(zip(one, two, strict=True))) == pytest.approx(0, abs=0.04)
    assert cohen(one, two) == pytest.approx(cohen(two, one))
    assert cohen([], []) is None
    assert cohen([1, 1], [1, 1]) is None  # chance explains everything
    assert krippendorff([[1], [2]]) is None
    assert krippendorff([[1, 1], [1, 1]]) is None


def vote(item: str, by: str, left: str, right: str, winner: Winner) -> Vote:
    return Vote(left, right, winner, item, by)


def test_votes_are_compared_whatever_stood_left() -> None:
    votes = [
        vote("1", "sato", "a", "b", "left"), vote("1", "tanaka", "b", "a", "right"),
        vote("2", "sato", "a", "b", "right"), vote("2", "tanaka", "a", "b", "right"),
        vote("3", "sato", "a", "b", "tie"), vote("3", "tanaka", "a", "b", "left"),
        vote("4", "sato", "a", "b", "left"),
    ]  # fmt: skip
    found = agreement(votes)
    assert found.comparisons == 3
    assert found.same == pytest.approx(2 / 3)
    assert [kappa[:3] for kappa in found.kappas] == [("sato", "tanaka", 3)]
    assert found.kappas[0][3] == pytest.approx(0.5)
    assert found.ties == {"sato": 0.25, "tanaka": 0}
    assert [(one.item, one.winner) for one in majority(votes)] == [
        ("1", "left"),
        ("2", "right"),
        ("3", "tie"),
        ("4", "left"),
    ]


def test_only_what_holds_in_both_orders_is_an_opinion() -> None:
    votes = [vote("1", "judge", "a", "b", "left"), vote("1", "judge", "b", "a", "left")]
    assert by_voter(votes) == {"judge": {("1", "a", "b"): "tie"}}
