"""No disk, no memory, no number, a checkpoint of something else: each stops with advice, and what was good is kept."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tensaku.errors import StageError, UsageError
from tensaku.store import Artifact, Progress, SilentReporter, Store
from tensaku.store.work import Work
from tensaku.testing import tiny_model
from tensaku.tune import Tune, checkpoints, tune

Inputs = Callable[..., dict[str, Any]]
KILLS = Path(__file__).with_name("stage_kills.py")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSAKU_CHECKPOINT_SECONDS", "0")


class At(SilentReporter):
    """Calls `what` once at a step of training."""

    def __init__(self, step: int, what: Callable[[], object]) -> None:
        self.left, self.what = step, what

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Progress]:
        self.training = label == "tune"
        yield self

    def advance(self, n: float = 1, note: str = "") -> None:
        self.left -= self.training
        if self.left == 0 and self.training:
            self.what()


def content(made: Artifact) -> bytes:
    return made.file("adapter/adapter_model.safetensors").read_bytes()


def fill(disk: Path) -> None:
    """Leave no room."""
    with (disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.fixture
def wanted(tmp_path: Path, gemma: Path, inputs_of: Inputs) -> bytes:
    """The adapter that nothing went wrong with."""
    store = Store(tmp_path / "whole", SilentReporter())
    return content(store.run(tune, Tune(epochs=4, rank=4), **inputs_of(store, gemma)))


def test_a_full_disk(tmp_path: Path, gemma: Path, inputs_of: Inputs, wanted: bytes, mount: Callable[..., Path]) -> None:
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=3m", "tmpfs")

    store, cfg = Store(disk / "ws", At(5, lambda: fill(disk))), Tune(epochs=4, rank=4)
    given = inputs_of(store, gemma)
    with pytest.raises(StageError, match=r"no space left on the disk.*the last good one is kept.*Free some") as caught:
        store.run(tune, cfg, **given)
    assert str(disk) in str(caught.value)
    assert checkpoints.peek(Work(store.root, tune, cfg, given).aside).step == 4
    (disk / "ballast").unlink()
    made = store.run(tune, cfg, **given)
    assert made.facts["resumed_at"] == [4]
    assert content(made) == wanted


def test_a_disk_that_is_full_from_the_start(
    tmp_path: Path, gemma: Path, inputs_of: Inputs, wanted: bytes, mount: Callable[..., Path]
) -> None:
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=3m", "tmpfs")
    store, cfg = Store(disk / "ws", SilentReporter()), Tune(epochs=4, rank=4)
    given = inputs_of(store, gemma)
    work = Work(store.root, tune, cfg, given)
    for folder in (work.scratch, work.aside):
        folder.mkdir(parents=True)
    fill(disk)
    with pytest.raises((StageError, UsageError), match=r"no space left on the disk|The disk is full"):
        store.run(tune, cfg, **given)
    (disk / "ballast").unlink()
    assert content(store.run(tune, cfg, **given)) == wanted


def test_a_weight_that_is_no_number(workspace: Path, tmp_path: Path, inputs_of: Inputs) -> None:
    model = tiny_model(tmp_path / "poisoned")
    tensors = load_file(model / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    store = Store(workspace, SilentReporter())
    given = inputs_of(store, model)
    with pytest.raises(StageError, match=r"the loss of step 1 is not a number.*of step 0.*Lower tune\.learning_rate"):
        store.run(tune, Tune(epochs=4), **given)
    assert store.list("tune") == []
    good = inputs_of(store, tiny_model(tmp_path / "good"))
    assert store.run(tune, Tune(epochs=4), **good).facts["steps"] == 12


def test_steps_so_large_that_the_numbers_end(workspace: Path, gemma: Path, inputs_of: Inputs) -> None:
    """The message says from when the last good state is, and that state is good."""
    store, cfg = Store(workspace, SilentReporter()), Tune(epochs=20, rank=4, learning_rate=1e30)
    given = inputs_of(store, gemma)
    with pytest.raises(StageError, match=r"of step (\d+) is not a number; the last good checkpoint is of step \d+"):
        store.run(tune, cfg, **given)
    folder = Work(store.root, tune, cfg, given).aside
    step = checkpoints.peek(folder).step
    assert step >= 1
    with pytest.raises(StageError, match=rf"the last good checkpoint is of step {step}"):
        store.run(tune, cfg, **given)


def test_no_more_memory(tmp_path: Path, gemma: Path, inputs_of: Inputs, wanted: bytes) -> None:
    root = tmp_path / "ws"
    words = [sys.executable, str(KILLS), "once", str(gemma), str(root), json.dumps({"epochs": 4})]
    starved = os.environ | {"STARVE_AT": "5"}
    done = subprocess.run(words, env=starved, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1, done.stderr
    said = done.stderr.splitlines()[-1]
    assert said.startswith("StageError: tune: not enough memory for a step; the last good checkpoint is kept")
    for advice in ("tune.batch", "tune.context", "qlora", "trim.keep", "run again"):
        assert advice in said
    assert "Traceback" not in done.stderr
    subprocess.run(words, check=True, capture_output=True, timeout=100)
    [made] = Store(root, SilentReporter()).list("tune")
    assert made.facts["resumed_at"][0] in (4, 5)
    assert content(made) == wanted


def test_a_checkpoint_of_other_settings(workspace: Path, gemma: Path, inputs_of: Inputs) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    store, other, cfg = Store(workspace, At(4, stop)), Tune(epochs=4, rank=4, seed=2), Tune(epochs=4, rank=4)
    given = inputs_of(store, gemma)
    with pytest.raises(KeyboardInterrupt):
        store.run(tune, other, **given)
    aside = Work(store.root, tune, cfg, given).aside
    aside.mkdir()
    shutil.copy(Work(store.root, tune, other, given).aside / checkpoints.FILE, aside)
    with pytest.raises(UsageError, match=r"the checkpoint is of another run \(settings .*Delete the file") as caught:
        store.run(tune, cfg, **given)
    assert str(aside / checkpoints.FILE) in str(caught.value)
    (aside / checkpoints.FILE).unlink()
    assert store.run(tune, cfg, **given).facts["steps"] == 12
