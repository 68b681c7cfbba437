"""Killed, raced, interrupted, starved of disk: the next run goes on, and the result is the uninterrupted one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tensaku.store import SilentReporter, Store

WORKER = Path(__file__).with_name("worker.py")


def start(root: Path, seconds: float, log: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(root), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LOG": str(log)},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out.strip(), err


def hashes(root: Path) -> dict[str, str]:
    store = Store(root, SilentReporter())
    [made] = store.list()
    assert store.verify(made.ref) == []
    return {name: held["sha256"] for name, held in made.manifest["files"].items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run that nobody disturbs leaves."""
    root = tmp_path_factory.mktemp("whole")
    code, _, err = finish(start(root, 0, root / "log"))
    assert code == 0, err
    return hashes(root)


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_moments_of_the_work(tmp_path: Path, whole: dict[str, str], seed: int) -> None:
    dice = random.Random(seed)
    log = tmp_path / "log"
    for _ in range(3):
        process = start(tmp_path / "w", 0.4, log)
        while process.poll() is None and (not log.exists() or not log.read_text()):
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert Store(tmp_path / "w", SilentReporter()).list() == [] or process.returncode == 0
    code, _, err = finish(start(tmp_path / "w", 0, log))
    assert code == 0, err
    assert hashes(tmp_path / "w") == whole
    steps = [line for line in log.read_text().splitlines() if line != "entered"]
    # A step may be done twice only where the kill fell between its work and its checkpoint.
    assert len(steps) <= 20 + 3
    assert len(set(steps)) == 20


def test_killed_at_every_operation_of_sealing() -> None:
    script = WORKER.with_name("sealing_kills.py")
    # Not below pytest's folder: the script gives up being root, and that folder is for its owner only.
    with tempfile.TemporaryDirectory(prefix="tensaku-kills-") as folder:
        done = subprocess.run([sys.executable, str(script), folder, "1"], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50, "the hook saw too little of the sealing"


def test_two_processes_do_the_work_once(tmp_path: Path, whole: dict[str, str]) -> None:
    log = tmp_path / "log"
    both = [start(tmp_path / "w", 1.0, log) for _ in range(2)]
    results = [finish(process) for process in both]
    assert [code for code, _, _ in results] == [0, 0], results
    assert results[0][1] == results[1][1]
    assert log.read_text().count("entered") == 1
    waited = [err for _, _, err in results if "waiting for it" in err]
    assert len(waited) == 1
    assert any(f"is being made by process {process.pid} on" in waited[0] for process in both)
    assert hashes(tmp_path / "w") == whole


def test_a_killed_holder_frees_whoever_waits(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = start(tmp_path / "w", 30, log)
    while not log.exists() or "0" not in log.read_text():
        time.sleep(0.01)
    second = start(tmp_path / "w", 0, log)
    assert second.stderr is not None
    assert "waiting for it" in second.stderr.readline()
    first.kill()
    first.communicate(timeout=60)
    assert finish(second)[0] == 0


def test_ctrl_c_while_waiting_ends_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = start(tmp_path / "w", 1.5, log)
    while not log.exists() or "entered" not in log.read_text() or not list((tmp_path / "w" / "locks").iterdir()):
        time.sleep(0.01)
    second = start(tmp_path / "w", 0, log)
    assert second.stderr is not None
    second.stderr.readline()
    second.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in finish(second)[2]
    assert finish(first)[0] == 0


def test_ctrl_c_at_work_keeps_the_scratch_and_the_next_run_goes_on(tmp_path: Path, whole: dict[str, str]) -> None:
    log = tmp_path / "log"
    process = start(tmp_path / "w", 4, log)
    while not log.exists() or "3\n" not in log.read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert (code, "KeyboardInterrupt" in err) == (-signal.SIGINT, True) or code == 130
    assert finish(start(tmp_path / "w", 0, log))[0] == 0
    assert hashes(tmp_path / "w") == whole
    assert len(log.read_text().split()) <= 20 + 1 + 2


def mount(kind: str, where: Path, *options: str) -> None:
    where.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, kind, str(where)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    mount("tmpfs", disk, "-t", "tmpfs", "-o", "size=1m")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("filled", [1.0, 0.9, 0.5])
def test_a_full_disk_is_one_clear_error_and_the_next_run_goes_on(
    small_disk: Path, tmp_path: Path, whole: dict[str, str], filled: float
) -> None:
    with (small_disk / "filler").open("wb") as filler:
        try:
            filler.write(bytes(int(filled * (1 << 20))))
            filler.flush()
        except OSError:
            pass
    code, _, err = finish(start(small_disk / "w", 0, tmp_path / "log"))
    assert code in (1, 2), err
    assert "no space left on the disk" in err
    assert "Traceback" not in err
    assert Store(small_disk / "w", SilentReporter()).list() == []
    (small_disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    code, _, err = finish(start(small_disk / "w", 0, tmp_path / "log"))
    assert code == 0, err
    assert hashes(small_disk / "w") == whole


def test_a_disk_that_fills_while_sealing_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    from tensaku.config import Section
    from tensaku.errors import StageError
    from tensaku.store import Bench, stage

    class Knobs(Section):
        """None."""

    entered: list[int] = []

    @stage(version=1)
    def fills(bench: Bench, cfg: Knobs) -> None:
        entered.append(1)
        if not (bench.path / "data").exists():
            (bench.path / "data").write_bytes(b"x" * 1000)
            with (small_disk / "filler").open("wb", buffering=0) as filler:
                while True:
                    try:
                        filler.write(bytes(4096))
                    except OSError:
                        break

    store = Store(small_disk / "w", SilentReporter())
    with pytest.raises(StageError, match=r"no space left on the disk.*kept in .*it goes on from there"):
        store.run(fills, Knobs())
    assert store.list() == []
    (small_disk / "filler").unlink()
    made = store.run(fills, Knobs())
    assert store.verify(made.ref) == []


def test_a_read_only_workspace(tmp_path: Path) -> None:
    root = tmp_path / "w"
    log = tmp_path / "log"
    assert finish(start(root, 0, log))[0] == 0
    if os.geteuid() != 0:
        pytest.skip("mounting read-only needs root")
    mount(str(root), root, "--bind", "-o", "ro")
    try:
        code, _, err = finish(start(root, 0, log))
        assert code == 0, f"what is sealed needs no writing: {err}"
        store = Store(root, SilentReporter())
        store.list()[0].path.rename(root / "x") if os.access(root, os.W_OK) else None
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    mount(str(empty), empty, "--bind", "-o", "ro")
    try:
        code, _, err = finish(start(empty, 0, log))
        assert code == 2
        assert "the workspace cannot be used: Read-only file system" in err
        assert "Traceback" not in err
    finally:
        subprocess.run(["umount", "--lazy", str(empty)], check=True)


@pytest.mark.parametrize("what", ["file as root", "file as artifacts", "file as scratch", "file as locks", "deep"])
def test_a_root_that_is_no_folder(tmp_path: Path, what: str) -> None:
    root = tmp_path / "w"
    if what == "file as root":
        root.write_text("mine")
    elif what == "deep":
        root = tmp_path / "file" / "w"
        root.parent.write_text("mine")
    else:
        root.mkdir()
        (root / what.split()[-1]).write_text("mine")
    code, _, err = finish(start(root, 0, tmp_path / "log"))
    assert code == 2, err
    assert "the workspace cannot be used" in err
    assert "Name a folder that you may write to" in err
