"""The simulation against what queueing theory knows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.plan.waiting import simulate


def test_one_place_and_equal_work_is_the_queue_m_d_1() -> None:
    """Pollaczek and Khinchine: mean wait rho s / (2 (1 - rho)). Median and 95 % of M/D/1 at rho = 0.5 by its exact
    distribution (Erlang 1909): P(wait = 0) is 0.5, so the median time is one service."""
    found = simulate(prompt=1.0, one_pass=lambda users: 0.0, passes=0, slots=1, rate=0.5, requests=60_000, varied=False)
    assert found.stable
    assert found.whole[0] == pytest.approx(1.0, abs=0.02)
    assert found.busy == pytest.approx(0.5, abs=0.02)
    # P(wait <= t) for t in [1, 2): (1-rho) [e^(rho t) - rho (t-1) e^(rho (t-1))] = 0.95 near t = 2.0
    below = 0.5 * (math.exp(0.5 * 1.99) - 0.5 * 0.99 * math.exp(0.5 * 0.99))
    assert below == pytest.approx(0.946, abs=0.005)
    assert found.whole[1] == pytest.approx(3.0, abs=0.15)


def test_a_quiet_server_answers_in_its_own_time() -> None:
    found = simulate(prompt=0.2, one_pass=lambda users: 0.01, passes=100, slots=8, rate=0.001, varied=False)
    assert found.first[1] == pytest.approx(0.2)
    assert found.whole[1] == pytest.approx(1.2)


def test_more_than_can_be_answered_has_no_percentile() -> None:
    found = simulate(prompt=1.0, one_pass=lambda users: 0.1, passes=10, slots=2, rate=5.0)
    assert not found.stable
    assert math.isnan(found.whole[1])
    assert found.capacity == pytest.approx(2 / 3)


def test_people_who_ask_again_at_once_keep_every_place_busy() -> None:
    found = simulate(prompt=0.1, one_pass=lambda users: 0.02, passes=50, slots=4, rate=0, varied=False, requests=4000)
    assert found.busy == pytest.approx(1.0)
    assert found.whole[0] == pytest.approx(4 / found.capacity, rel=0.05)


@settings(max_examples=25)
@given(st.floats(0.05, 0.9), st.integers(1, 8), st.floats(0.001, 1.0), st.integers(0, 60))
def test_percentiles_are_in_order_and_load_only_adds(share: float, slots: int, prompt: float, passes: int) -> None:
    def one_pass(users: int) -> float:
        return 0.02 + 0.002 * users

    capacity = simulate(prompt=prompt, one_pass=one_pass, passes=passes, slots=slots, rate=1e9).capacity
    found = simulate(prompt=prompt, one_pass=one_pass, passes=passes, slots=slots, rate=share * capacity, requests=600)
    for values in (found.first, found.whole):
        assert values[0] <= values[1] <= values[2]
    for first, whole in zip(found.first, found.whole, strict=True):
        assert first <= whole
    assert found.first[0] >= prompt * 0.999
