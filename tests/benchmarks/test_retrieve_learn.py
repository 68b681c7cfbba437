"""The weights of search: the gradients are right, and what tells candidates apart is learnt."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.retrieve.learn import Asked, Net, answerable, best_of, judged, learn_order, learn_sure

from tensaku.retrieve.rank import FEATURES
from tensaku.retrieve.rank import Net as Served

N = len(FEATURES)


def drawn(questions: int = 120, candidates: int = 8) -> Asked:
    """Candidates of which the right one has more of the third figure, and the hidden ones have little of it."""
    rng = np.random.default_rng(0)
    known = rng.random((questions, candidates, N)).astype(np.float32)
    gold = rng.integers(0, candidates, questions)
    known[:, :, 3] *= 0.5
    known[np.arange(questions), gold, 3] += 0.6
    hidden = known.copy()
    hidden[np.arange(questions), gold, 3] -= 0.6
    sizes = np.full(questions, candidates)
    return Asked(known.astype(float), sizes, gold, hidden.astype(float), sizes)


@pytest.mark.parametrize("units", [0, 3])
def test_gradients_are_those_of_the_scores(units: int) -> None:
    rows = np.random.default_rng(1).random((20, N))
    net = Net(rows, units, 0, np.ones(N, bool))

    def value(w: np.ndarray) -> float:
        return float((net.run(w, rows)[0] ** 2).sum())

    def grad(w: np.ndarray) -> np.ndarray:
        scores, hidden, x = net.run(w, rows)
        return net.back(w, 2 * scores, hidden, x)

    told, h = grad(net.start), 1e-6
    for at in range(0, len(told), 7):
        step = np.eye(1, len(told), at)[0] * h
        assert told[at] == pytest.approx((value(net.start + step) - value(net.start - step)) / (2 * h), abs=1e-4)


@pytest.mark.parametrize("units", [0, 4])
def test_what_tells_candidates_apart_is_learnt(units: int) -> None:
    asked, used = drawn(), np.ones(N, bool)
    order = learn_order(asked, units, 1e-4, used)
    assert (best_of(*order, asked.known, asked.sizes) == asked.gold).mean() > 0.98
    sure = learn_sure(asked, order, units, 1e-4, used)
    assert judged(asked, order, sure)["told_at_94"] > 0.9
    rows, _ = answerable(asked, order)
    told = order[0].told(order[1])
    served = Served(**{name: np.asarray(values, np.float32) for name, values in told.items()})
    assert served(rows.astype(np.float32)) == pytest.approx(order[0].run(order[1], rows)[0], abs=1e-2)


def test_figures_that_are_not_used_have_no_part() -> None:
    used = np.ones(N, bool)
    used[3] = False
    net, w = learn_order(drawn(), 2, 1e-4, used)
    rows = np.random.default_rng(2).random((5, N))
    other = rows.copy()
    other[:, 3] += 5
    assert np.array_equal(net.run(w, rows)[0], net.run(w, other)[0])
