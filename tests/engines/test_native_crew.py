"""The number of threads follows what passes cost, on a machine that others use too."""

from __future__ import annotations

import random

import pytest

from tensaku.engines.native.crew import Crew


def _passes(crew: Crew, seconds: dict[int, float], n: int, noise: float = 0.0) -> list[int]:
    """The numbers of threads of `n` passes of one to twenty rows; `seconds`: what one row costs with each."""
    chance, taken = random.Random(1), []
    for _ in range(n):
        threads, rows = crew.next(), chance.randint(1, 20)
        crew.note(threads, rows, seconds[threads] * (1 + 0.1 * rows) * (1 + noise * chance.random()))
        taken.append(threads)
    return taken


def test_a_quiet_machine_keeps_all_threads() -> None:
    taken = _passes(Crew(2), {1: 1.6, 2: 1.0}, 5000, noise=0.3)
    assert taken.count(1) < 20  # a try now and then, ever more seldom


def test_a_crowded_one_is_left_to_others_and_taken_back() -> None:
    crew = Crew(2)
    _passes(crew, {1: 1.6, 2: 1.0}, 1000)
    crowded = _passes(crew, {1: 3.0, 2: 30.0}, 1000)
    assert crowded[:10].count(2) < 10
    assert crowded.count(2) < 15
    assert _passes(crew, {1: 1.6, 2: 1.0}, 1500)[-100:].count(2) > 95


def test_one_slow_pass_changes_nothing() -> None:
    crew = Crew(2)
    _passes(crew, {1: 1.6, 2: 1.0}, 500)
    crew.note(2, 1, 50.0)
    assert _passes(crew, {1: 1.6, 2: 1.0}, 30).count(2) >= 29


@pytest.mark.parametrize("best", [16, 8, 4, 2, 1])
def test_the_best_of_many_numbers_is_found(best: int) -> None:
    seconds = {n: 1.0 + abs(n.bit_length() - best.bit_length()) for n in (16, 8, 4, 2, 1)}
    assert _passes(Crew(16), seconds, 3000)[-200:].count(best) > 190


def test_one_thread_is_one_thread() -> None:
    assert set(_passes(Crew(1), {1: 1.0}, 200)) == {1}
