"""What a training uses is written down while it runs, over every resume, at next to no cost."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.machine import Energy, Processes
from tensaku.tune import watch as watching
from tensaku.tune.watch import Watch, mean_over_time, read_usage, usage_facts

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
BUSY = "import time\nend = time.time() + 1.2\nwhile time.time() < end: pass"


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def zone(root: Path, number: str, name: str, microjoules: int, most: int = 1_000_000) -> Path:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    for file, content in (("name", name), ("energy_uj", microjoules), ("max_energy_range_uj", most)):
        (folder / file).write_text(f"{content}\n")
    return folder / "energy_uj"


@linux
def test_samples_of_this_process_and_its_children(tmp_path: Path) -> None:
    path = tmp_path / "usage.jsonl"
    with Watch(path, 0.2) as watch:
        child = subprocess.Popen([sys.executable, "-c", BUSY])
        watch.step = 3
        child.wait()
    rows = read_usage(path)
    header, *samples = rows
    assert (header["seconds"], header["run"], header["cores"]) == (0.0, 1, os.cpu_count())
    assert header["started"].endswith("+00:00")
    assert len(samples) >= 4
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)
    assert samples[-1]["step"] == 3
    assert all(row["rss_mb"] > 10 and row["available_mb"] > 10 for row in samples)
    spent = sum(row["cpu"] * (row["seconds"] - before["seconds"]) for before, row in itertools.pairwise(rows))
    assert 0.3 < spent < 2.0  # the child's second or so of work, whoever else wants the processor
    facts = usage_facts(path)
    assert facts["runs"] == 1
    assert facts["watched_seconds"] == rows[-1]["seconds"]
    assert facts["peak_tree_mb"] == max(row["rss_mb"] for row in rows)


@linux
def test_it_costs_far_less_than_one_percent(tmp_path: Path) -> None:
    with Watch(tmp_path / "usage.jsonl", 0.05) as watch:
        wait_until(lambda: len(read_usage(tmp_path / "usage.jsonl")) > 20)
    assert watch.cost_seconds / (len(read_usage(tmp_path / "usage.jsonl")) - 1) < 0.005  # of the second between two


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path, powercap = tmp_path / "usage.jsonl", tmp_path / "powercap"
    counter = zone(powercap, "0", "package-0", 500_000)
    script = (
        "import sys, time; from pathlib import Path; from tensaku.tune.watch import Watch\n"
        "with Watch(Path(sys.argv[1]), 0.05, powercap=Path(sys.argv[2])):\n    time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(path), str(powercap)])
    wait_until(lambda: len(read_usage(path)) > 2)
    counter.write_text("700000")
    wait_until(lambda: read_usage(path)[-1]["joules"] == 0.2)
    child.kill()
    child.wait()
    whole = read_usage(path)
    with path.open("ab") as file:
        file.write(b'{"seconds": 99.0, "ru')
    clock = iter([100.0, 107.0, 107.0, 107.0]).__next__
    with Watch(path, 30.0, clock=clock, powercap=powercap):
        counter.write_text("800000")
    rows = read_usage(path)
    assert rows[: len(whole)] == whole
    header, *_, last = rows[len(whole) :]
    assert (header["run"], header["seconds"], header["joules"]) == (2, whole[-1]["seconds"], 0.2)
    assert last["seconds"] >= round(whole[-1]["seconds"] + 7, 3)
    assert last["joules"] == pytest.approx(0.3)
    assert usage_facts(path)["energy_joules"] == pytest.approx(0.3)
    assert usage_facts(path)["runs"] == 2


@pytest.mark.parametrize("torn", [b'{"seconds": 3.0, "run": 1', b"\0\0\0\0\n", b"[1]\n", b'{"seconds": 3.0, "run": 1}'])
def test_a_torn_end_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "usage.jsonl"
    path.write_bytes(b'{"seconds": 2.0, "run": 1}\n' + torn)
    assert read_usage(path) == [{"seconds": 2.0, "run": 1}]
    with Watch(path, 30.0):
        pass
    content = path.read_bytes()
    assert content.startswith(b'{"seconds": 2.0, "run": 1}\n{"seconds": 2.0, "run": 2,')
    assert all(json.loads(line) for line in content.splitlines())


def test_long_runs_are_looked_at_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    watch = Watch(tmp_path / "usage.jsonl", 1.0)
    watch._seconds, watch._began = 0.0, 0.0

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return True

    monkeypatch.setattr(watch._over, "wait", wait)
    for now in (0.0, 1000.0, 18000.0, 1e6):
        monkeypatch.setattr(watch, "_clock", lambda now=now: now)
        watch._run()
    assert waited == [1.0, 1.0, 10.0, 60.0]


def test_a_disk_that_is_full_ends_the_watch_and_not_the_training(tmp_path: Path, mount: Any) -> None:
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=4k", "tmpfs")
    with Watch(disk / "usage.jsonl", 0.02) as watch:
        wait_until(lambda: watch.fault is not None)
    assert watch.fault is not None
    assert "No space left on device" in watch.fault
    assert read_usage(disk / "usage.jsonl")  # what was written before is still there


def test_the_error_of_the_training_passes_through(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Watch(tmp_path / "usage.jsonl", 30.0):
        _ = 1 // 0
    assert len(read_usage(tmp_path / "usage.jsonl")) == 2


def test_elsewhere_only_processor_time_is_told(tmp_path: Path) -> None:
    with Watch(tmp_path / "usage.jsonl", 0.02, proc=tmp_path / "none", powercap=tmp_path / "none"):
        wait_until(lambda: len(read_usage(tmp_path / "usage.jsonl")) > 2)
    header, *samples = read_usage(tmp_path / "usage.jsonl")
    assert header["energy_why_not"] == "not told by this machine"
    assert all("cpu" in row and not row.keys() & {"rss_mb", "available_mb", "written_mb", "joules"} for row in samples)


def test_energy_counts_packages_and_their_memory_once_and_runs_over(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 999_000)
    zone(tmp_path, "0:0", "core", 5)
    memory = zone(tmp_path, "0:1", "dram", 100)
    zone(tmp_path, "1", "psys", 5)
    energy = Energy(tmp_path)
    assert (energy.zones, energy.why_not, energy.joules()) == (["package-0", "dram"], None, 0.0)
    package.write_text("1000")  # from 999,000 over 1,000,000: 2,001 microjoules
    memory.write_text("600")
    assert energy.joules() == pytest.approx(0.002501)
    package.unlink()
    assert energy.joules() is None
    assert "stopped answering" in str(energy.why_not)


def test_energy_that_root_alone_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone(tmp_path, "0", "package-0", 1)
    zone(tmp_path, "1", "package-1", 1).chmod(0)
    read = Path.read_text

    def refuse(path: Path, *args: Any, **kwargs: Any) -> str:
        if path.stat().st_mode & 0o777 == 0:  # root reads everything, so the kernel's answer is given here
            raise PermissionError(13, "Permission denied")
        return read(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    energy = Energy(tmp_path)
    assert energy.joules() is None
    assert "root alone" in str(energy.why_not)


@linux
def test_processes_that_end_while_they_are_counted_are_left_out() -> None:
    processes = Processes()
    children = [subprocess.Popen([sys.executable, "-c", "pass"]) for _ in range(4)]
    for _ in range(200):
        assert processes.used().cpu_seconds > 0
    for child in children:
        child.wait()


@linux
def test_a_child_counts_while_it_works_and_after_it_has_ended() -> None:
    processes = Processes()
    before = processes.used()
    child = subprocess.Popen([sys.executable, "-c", BUSY])
    wait_until(lambda: processes.used().cpu_seconds > before.cpu_seconds + 0.2)
    during = processes.used()
    assert child.poll() is None
    assert during.rss_mb is not None
    assert before.rss_mb is not None
    assert during.rss_mb > before.rss_mb + 4
    child.wait()
    assert processes.used().cpu_seconds >= during.cpu_seconds


def test_gpus_are_asked_only_when_they_are_at_work() -> None:
    """In a process of its own: neither is torch loaded for it, nor are GPUs started."""
    script = (
        "import sys; from tensaku.machine import Gpus\n"
        "assert Gpus().sample() == {}; assert 'torch' not in sys.modules\n"
        "import torch; assert Gpus().sample() == {}; assert not torch.cuda.is_initialized()"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_the_mean_weighs_samples_by_their_time() -> None:
    rows = [
        {"seconds": 0.0, "run": 1},
        {"seconds": 1.0, "run": 1, "cpu": 1.0},
        {"seconds": 10.0, "run": 1, "cpu": 2.0},
        {"seconds": 10.0, "run": 2},
        {"seconds": 20.0, "run": 2, "cpu": 0.0},
    ]
    assert mean_over_time(rows, "cpu") == pytest.approx((1 + 18) / 20)
    assert mean_over_time(rows, "gpu") is None
    assert usage_facts(Path("nowhere")) == {}
    assert watching.FILE == "usage.jsonl"
