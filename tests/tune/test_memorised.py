"""Curves that must warn and curves that must not."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from tensaku.tune.memorised import Repeats, repeats, verdict

Curve = Callable[[float], float]


def rows(
    training: Curve, validation: Curve | None, n: int = 400, noise: float = 0.2, seed: int = 1
) -> list[dict[str, Any]]:
    """A log of `n` steps; curves over the share that is done; validation every twentieth step."""
    chance = random.Random(seed)
    found: list[dict[str, Any]] = []
    for step in range(1, n + 1):
        row: dict[str, Any] = {"step": step, "loss": training(step / n) * math.exp(chance.gauss(0, noise))}
        if validation and step % max(1, n // 20) == 0:
            row["validation_loss"] = validation(step / n) * (1 + chance.gauss(0, 0.005))
        found.append(row)
    return found


def fall(to: float, start: float = 2.5, speed: float = 8) -> Curve:
    return lambda x: to + (start - to) * math.exp(-speed * x)


def turn(to: float, at: float, slope: float, speed: float = 8) -> Curve:
    return lambda x: fall(to, speed=speed)(x) + slope * max(0.0, x - at)


@pytest.mark.parametrize("seed", range(5))
def test_validation_rises_while_training_falls(seed: int) -> None:
    found = verdict(rows(fall(0.08, speed=5), turn(0.4, 0.4, 0.5), seed=seed))
    assert found is not None
    assert found.signs == ("rising",)
    assert "検証の損失は" in found.japanese
    assert "tune.patience" in found.japanese
    assert "the lessons are being memorised" in found.english


def test_nothing_is_lost_on_lessons_but_much_on_others() -> None:
    found = verdict(rows(fall(0.01), fall(0.4)))
    assert found is not None
    assert found.signs == ("gap",)
    assert "next to nothing" in found.english


def test_both_signs_are_one_sentence() -> None:
    found = verdict(rows(fall(0.005), turn(0.4, 0.4, 0.8)))
    assert found is not None
    assert found.signs == ("rising", "gap")
    assert found.english.count("memorised") == 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "training", "validation"),
    [
        ("both fall", fall(0.2), fall(0.3)),
        ("a copy-heavy job well learnt", fall(0.02), fall(0.04)),
        ("validation flat", fall(0.1, speed=4), fall(0.35, speed=20)),
        ("the run diverges", lambda x: 1 + 4 * x, lambda x: 1.5 + 4 * x),
        ("a tiny rise of a tiny loss", fall(0.01, speed=4), turn(0.03, 0.4, 0.012, speed=30)),
        ("dearer, but not four times", fall(0.045, speed=20), fall(0.16, speed=20)),
        ("no validation", fall(0.001), None),
    ],
)
def test_nothing_to_warn_of(name: str, training: Curve, validation: Curve | None, seed: int) -> None:
    assert verdict(rows(training, validation, seed=seed)) is None, name


def test_one_value_over_the_line_is_noise() -> None:
    log = rows(fall(0.1, speed=4), fall(0.3))
    log[-1]["validation_loss"] *= 1.2
    assert verdict(log) is None
    log[-21]["validation_loss"] *= 1.2
    assert verdict(log) is not None


def test_what_came_after_the_step_that_was_kept_does_not_count() -> None:
    log = rows(fall(0.08, speed=5), turn(0.4, 0.4, 0.5))
    best = min((row for row in log if "validation_loss" in row), key=lambda row: row["validation_loss"])["step"]
    assert verdict(log, kept_step=best) is None
    assert verdict(log, kept_step=400) is not None


def test_repeated_answers() -> None:
    assert repeats(["はい。", "はい。\n", "いいえ。", "別の答え。"]) == Repeats(4, 1)
    found = verdict([], Repeats(1204, 300))
    assert found is not None
    assert found.signs == ("repeated",)
    assert "1,204 件のうち 300 件" in found.japanese
    assert verdict([], Repeats(1204, 100)) is None
    assert verdict([], Repeats(1, 0)) is None
    assert repeats([]) == Repeats(0, 0)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_short_logs(n: int) -> None:
    assert verdict(rows(fall(0.2), fall(0.3), n=n)) is None


def test_a_loss_that_is_not_a_number_says_nothing() -> None:
    log = rows(fall(0.2), fall(0.3))
    log[-1] |= {"loss": math.nan, "validation_loss": math.nan}
    assert verdict(log) is None
