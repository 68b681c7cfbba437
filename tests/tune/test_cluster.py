"""Two workers of a Ray on this machine train as one process does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.errors import MissingExtra, UsageError
from tensaku.store import SilentReporter, Store
from tensaku.testing import tiny_pairs
from tensaku.tune import Tune, tune

Inputs = Callable[..., dict[str, Any]]


def test_without_ray_the_extra_is_named(
    workspace: Path, gemma: Path, inputs_of: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    store = Store(workspace, SilentReporter())
    with pytest.raises(MissingExtra, match=r"pip install 'tensaku\[cluster\]'"):
        store.run(tune, Tune(processes=2, cluster="ray"), **inputs_of(store, gemma))


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore")  # of Ray's own making
def test_two_workers_of_ray_learn_as_one_process_does(workspace: Path, gemma: Path, inputs_of: Inputs) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'tensaku[cluster]'")
    store = Store(workspace, SilentReporter())
    given = inputs_of(store, gemma)
    alone = store.run(tune, Tune(epochs=6, rank=4), **given)
    spread = store.run(tune, Tune(epochs=6, rank=4, processes=2, cluster="ray"), **given)
    losses = [
        [json.loads(line)["loss"] for line in made.file("loss.jsonl").read_text().splitlines()]
        for made in (alone, spread)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert spread.facts["processes"] == 2
    assert list((workspace / "scratch").iterdir()) == []
    one = inputs_of(store, gemma, tiny_pairs(1))
    with pytest.raises(UsageError, match="there is only one lesson"):
        store.run(tune, Tune(processes=2, cluster="ray"), **one)
