"""One holder at a time, and a clear word to whoever comes second."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tensaku.errors import UsageError
from tensaku.store import SilentReporter
from tensaku.store.lock import holding


def test_never_two_holders(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    inside = 0
    worst = 0
    entries = 0

    def work() -> None:
        nonlocal inside, worst, entries
        for _ in range(60):
            with holding(path, "x", SilentReporter(), wait=True):
                inside += 1
                worst = max(worst, inside)
                entries += 1
                time.sleep(0.0002)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert (worst, entries) == (1, 360)
    assert not path.exists()


def test_without_waiting_the_holder_is_named(tmp_path: Path) -> None:
    import os

    path = tmp_path / "x.lock"
    with (
        holding(path, "tune-1", SilentReporter(), wait=False),
        pytest.raises(UsageError, match=rf"tune-1 is being made by process {os.getpid()} on .* since 20.*Wait for it"),
        holding(path, "tune-1", SilentReporter(), wait=False),
    ):
        pass
    with holding(path, "tune-1", SilentReporter(), wait=False):
        pass


def test_a_lock_file_left_behind_does_not_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text("rubbish")
    with holding(path, "x", SilentReporter(), wait=False):
        pass


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with pytest.raises(ZeroDivisionError), holding(path, "x", SilentReporter(), wait=False):
        raise ZeroDivisionError
    with holding(path, "x", SilentReporter(), wait=False):
        pass
