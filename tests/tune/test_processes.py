"""Several processes train as one does; whichever is lost, the run ends cleanly and goes on to the same bytes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tensaku.errors import StageError, UsageError
from tensaku.store import Artifact, Progress, SilentReporter, Store
from tensaku.testing import tiny_foreign_model, tiny_pairs
from tensaku.tune import Tune, processes, tune

Inputs = Callable[..., dict[str, Any]]
Workers = Callable[[int], list[int]]
pytestmark = pytest.mark.usefixtures("one_thread")


class Heard(SilentReporter):
    """Keeps what it is told; `at[n]` is called at step n."""

    def __init__(self, at: dict[int, Callable[[], object]] | None = None) -> None:
        self.said: list[str] = []
        self.notes: list[str] = []
        self.tasks: list[tuple[str, float | None]] = []
        self.at = at or {}

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Progress]:
        self.tasks.append((label, total))
        yield self

    def advance(self, n: float = 1, note: str = "") -> None:
        if self.tasks[-1][0] == "tune":
            self.notes.append(note)
            self.at.get(len(self.notes), lambda: None)()

    def say(self, line: str) -> None:
        self.said.append(line)


def rows(made: Artifact) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made.file("loss.jsonl").read_text().splitlines()]


def learnt(made: Artifact) -> Path:
    return made.file(
        "model/model.safetensors" if made.facts["form"] == "weights" else "adapter/adapter_model.safetensors"
    )


def weights(made: Artifact) -> dict[str, torch.Tensor]:
    return load_file(learnt(made))


def content(made: Artifact) -> bytes:
    return learnt(made).read_bytes()


@pytest.mark.parametrize("method", ["lora", pytest.param("full", marks=pytest.mark.slow)])
def test_two_learn_as_one_does(workspace: Path, gemma: Path, inputs_of: Inputs, method: Any) -> None:
    heard = Heard()
    store = Store(workspace, heard)
    given = inputs_of(store, gemma)
    made = []
    for count in (1, 2):
        cfg = Tune(method=method, epochs=8, rank=4, learning_rate=0.003, validation=0.2, processes=count)
        made.append(store.run(tune, cfg, **given))
    one, two = (rows(artifact) for artifact in made)
    assert len(one) == len(two) == 20
    assert one[-1]["loss"] < 0.95 * one[0]["loss"]
    for a, b in zip(one, two, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-5)
        assert b["grad_norm"] == pytest.approx(a["grad_norm"], rel=1e-3)
        assert (a["step"], a["lr"]) == (b["step"], b["lr"])
        assert ("validation_loss" in a) == ("validation_loss" in b)
    assert made[1].facts["validation_loss"] == pytest.approx(made[0].facts["validation_loss"], rel=1e-5)
    alone, together = (weights(artifact) for artifact in made)
    assert alone.keys() == together.keys()
    for name, tensor in alone.items():
        assert (together[name] - tensor).abs().max() < 1e-4, name
    assert made[1].facts["processes"] == 2
    assert made[1].facts["peak_tree_mb"] > made[0].facts["peak_tree_mb"] + 200, "not all processes are counted"
    assert made[1].facts["trainable_parameters"] == made[0].facts["trainable_parameters"]
    assert made[1].files == made[0].files
    assert heard.tasks[-1] == ("tune", 20)
    assert len(heard.notes) == 40
    assert "tokens/s" in heard.notes[-1]
    assert heard.said[-1].startswith("tune: ")
    assert list((workspace / "scratch").iterdir()) == []


@pytest.mark.slow
def test_more_processes_than_lessons_in_a_step(workspace: Path, gemma: Path, inputs_of: Inputs) -> None:
    store = Store(workspace, SilentReporter())
    given = inputs_of(store, gemma, tiny_pairs(4))
    one, three = (
        store.run(tune, Tune(method="full", epochs=2, batch=2, learning_rate=0.003, processes=n), **given)
        for n in (1, 3)
    )
    assert [row["loss"] for row in rows(three)] == pytest.approx([row["loss"] for row in rows(one)], rel=1e-5)


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_killed_worker_ends_the_run_which_goes_on_later(
    tmp_path: Path, gemma: Path, inputs_of: Inputs, workers_of: Workers, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    monkeypatch.setenv("TENSAKU_CHECKPOINT_SECONDS", "0")
    cfg = Tune(epochs=6, rank=4, processes=2)
    whole = Store(tmp_path / "whole", SilentReporter())
    wanted = whole.run(tune, cfg, **inputs_of(whole, gemma))
    seen: dict[str, Any] = {}

    def kill() -> None:
        seen["workers"] = workers_of(os.getpid())
        seen["at"] = time.monotonic()
        os.kill(seen["workers"][rank], signal.SIGKILL)

    heard = Heard({7: kill})
    store = Store(tmp_path / "killed", heard)
    given = inputs_of(store, gemma)
    with pytest.raises(
        StageError, match=rf"process {rank} of 2 \(pid \d+\) was killed by SIGKILL.*Run again"
    ) as caught:
        store.run(tune, cfg, **given)
    assert time.monotonic() - seen["at"] < 60
    assert str(seen["workers"][rank]) in str(caught.value)
    assert len(seen["workers"]) == 2
    assert workers_of(os.getpid()) == []
    assert store.list("tune") == []
    heard.at, before = {}, len(heard.notes)
    made = store.run(tune, cfg, **given)
    assert len(heard.notes) - before < 18, "it began again instead of going on"
    assert made.facts["resumed_at"]
    assert content(made) == content(wanted)
    assert [row["loss"] for row in rows(made)] == [row["loss"] for row in rows(wanted)]


def test_ctrl_c_leaves_no_worker(workspace: Path, gemma: Path, inputs_of: Inputs, workers_of: Workers) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    store = Store(workspace, Heard({2: interrupt}))
    with pytest.raises(KeyboardInterrupt):
        store.run(tune, Tune(epochs=20, processes=2), **inputs_of(store, gemma))
    assert workers_of(os.getpid()) == []


def test_what_a_worker_finds_wrong_is_said_once(workspace: Path, gemma: Path, inputs_of: Inputs) -> None:
    store = Store(workspace, SilentReporter())
    with pytest.raises(UsageError, match=r"there is only one lesson.*Give at least two"):
        store.run(tune, Tune(processes=2), **inputs_of(store, gemma, tiny_pairs(1)))
    assert list(workspace.glob("scratch/*.aside")) == []


def test_nothing_listens_but_on_loopback(workspace: Path, gemma: Path, inputs_of: Inputs, workers_of: Workers) -> None:
    found: list[str] = []

    def look() -> None:
        for pid in workers_of(os.getpid()):
            found.extend(listening(pid))

    store = Store(workspace, Heard({3: look}))
    store.run(tune, Tune(epochs=2, rank=4, processes=2), **inputs_of(store, gemma))
    assert set(found) <= {"0100007F", "00000000000000000000000001000000"}, found


def listening(pid: int) -> list[str]:
    """The addresses, as the kernel writes them, on which the process listens or over which it speaks."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
    ]
    return [line[1].partition(":")[0] for line in lines if len(line) > 9 and line[9] in inodes]


def test_a_killed_parent_leaves_no_worker(tmp_path: Path, gemma: Path, workers_of: Workers) -> None:
    words = [sys.executable, str(Path(__file__).with_name("stage_kills.py")), "once", str(gemma), str(tmp_path / "ws")]
    child = subprocess.Popen([*words, json.dumps({"epochs": 400, "processes": 2})], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if line == "step 3\n":
            break
    workers = workers_of(child.pid)
    child.kill()
    child.communicate()
    assert len(workers) == 2
    ends = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_the_next_run_waits_for_workers_of_a_killed_one(tmp_path: Path) -> None:
    """A process that holds the lock's file, as a worker does, holds up the next run until it ends."""
    lock = tmp_path / "lock"
    handle = os.open(lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    started = time.monotonic()
    with subprocess.Popen(["sleep", "0.8"], pass_fds=[handle]):
        os.close(handle)  # as a kill does: nothing is tidied up
        with processes._nobody_else(lock):
            assert time.monotonic() - started > 0.5
    assert not lock.exists()


SHORT: dict[str, Any] = {"epochs": 3, "rank": 4, "learning_rate": 0.003, "batch": 3, "core": "transformers"}
FSDP: dict[str, Any] = {"parallel": "fsdp", "processes": 2}


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        # packed, embedding and head the same tensor
        pytest.param("gemma", {"method": "lora"}, marks=pytest.mark.slow),
        pytest.param("gemma", {"method": "full"}, marks=pytest.mark.slow),
        pytest.param("gpt2", {"method": "lora", "dora": True, "epochs": 6}, marks=pytest.mark.slow),
        ("bloom", {"method": "full"}),  # one lesson at a time: processes with different numbers of passes
    ],
)
def test_shared_out_learns_as_whole(
    tmp_path: Path, gemma: Path, inputs_of: Inputs, family: Any, settings: dict[str, Any]
) -> None:
    model = gemma if family == "gemma" else tiny_foreign_model(tmp_path / "model", family)
    heard = Heard()
    store = Store(tmp_path / "ws", heard)
    given = inputs_of(store, model, tiny_pairs(11))
    how = {**SHORT, **settings, "validation": 0.2, "patience": 9}
    one, two = (store.run(tune, Tune(**how, **more), **given) for more in ({}, FSDP))
    assert any("shared out among 2 processes (FSDP2)" in line for line in heard.said)
    alone, together = rows(one), rows(two)
    assert len(alone) == len(together) >= 5
    for a, b in zip(alone, together, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-5)
        assert b["grad_norm"] == pytest.approx(a["grad_norm"], rel=1e-3)
        assert b.get("validation_loss") == pytest.approx(a.get("validation_loss"), rel=1e-5)
    assert alone[-1]["loss"] != pytest.approx(alone[0]["loss"], rel=1e-3)
    wanted, found = weights(one), weights(two)
    assert wanted.keys() == found.keys()
    for name, tensor in wanted.items():
        assert found[name].shape == tensor.shape
        if "query_key_value.bias" not in name:  # a key's bias moves no score: its gradient is nothing but rounding
            assert (found[name] - tensor).abs().max() < 1e-4, name
    assert two.files == one.files
    assert two.facts["trainable_parameters"] == one.facts["trainable_parameters"]
    if settings["method"] == "full":
        configs = [json.loads(made.file("model/config.json").read_text()) for made in (one, two)]
        assert configs[0] == configs[1]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"method": "lora", "patience": 9}, {"method": "full"}])
def test_killed_it_goes_on_to_the_same_bytes(
    tmp_path: Path,
    gemma: Path,
    inputs_of: Inputs,
    workers_of: Workers,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
) -> None:
    monkeypatch.setenv("TENSAKU_CHECKPOINT_SECONDS", "0")
    cfg = Tune(**{**SHORT, **FSDP, **settings, "validation": 0.2})
    whole = Store(tmp_path / "whole", SilentReporter())
    wanted = whole.run(tune, cfg, **inputs_of(whole, gemma))

    def kill() -> None:
        os.kill(workers_of(os.getpid())[1], signal.SIGKILL)

    heard = Heard({5: kill})
    store = Store(tmp_path / "killed", heard)
    given = inputs_of(store, gemma)
    with pytest.raises(StageError, match="was killed by SIGKILL"):
        store.run(tune, cfg, **given)
    heard.at = {}
    made = store.run(tune, cfg, **given)
    assert made.facts["resumed_at"]
    assert [row["loss"] for row in rows(made)] == [row["loss"] for row in rows(wanted)]
    assert content(made) == content(wanted)


TORCHRUN = """
import sys
from tensaku.tune import torchrun
if torchrun.helps():
    torchrun.help_out()
else:
    sys.argv[1:] = {words}
    try:
        exec(open({script!r}).read())
    finally:
        torchrun.release()
"""


@pytest.mark.slow
def test_inside_torchrun_the_others_help_the_first(tmp_path: Path, gemma: Path, inputs_of: Inputs) -> None:
    """As `python -m tensaku` does it, with a small script for the command."""
    script, kills = tmp_path / "worker.py", str(Path(__file__).with_name("stage_kills.py"))
    words = ["once", str(gemma), str(tmp_path / "ws"), json.dumps({"epochs": 3, "processes": 2})]
    script.write_text(TORCHRUN.format(words=words, script=kills))
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    [made] = Store(tmp_path / "ws", SilentReporter()).list("tune")
    assert made.facts["processes"] == 2
    store = Store(tmp_path / "alone", SilentReporter())
    alone = store.run(tune, Tune(epochs=3, rank=4), **inputs_of(store, gemma))
    assert [row["loss"] for row in rows(made)] == pytest.approx([row["loss"] for row in rows(alone)], rel=1e-5)
    again = subprocess.run(run, capture_output=True, text=True, timeout=200)
    assert again.returncode == 0, again.stderr  # sealed already: the helper is let go without work


@pytest.mark.slow
def test_the_command_itself_inside_torchrun(desk: Path) -> None:
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tensaku"]
    words = ["run", "tune", "-C", str(desk), "-s", "tune.processes=2", "--json"]
    done = subprocess.run([*run, *words], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    facts = [artifact.facts for artifact in Store(desk / ".tensaku", SilentReporter()).list("tune")]
    assert [fact.get("processes", 1) for fact in facts] == [1, 2]
    wrong = subprocess.run([*run, *words[:-2], "tune.processes=3"], capture_output=True, text=True, timeout=280)
    assert "torchrun started 2 processes, the settings want 3" in wrong.stderr
    assert wrong.returncode != 0
