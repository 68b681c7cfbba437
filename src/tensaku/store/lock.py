"""One piece of work, one worker: a lock that the kernel lets go when its process ends, however it ends."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensaku.errors import UsageError
from tensaku.store.progress import Reporter

__all__ = ["holding"]


@contextmanager
def holding(path: Path, what: str, reporter: Reporter, *, wait: bool) -> Iterator[None]:
    """Hold the lock file `path` while the body runs.

    Args:
        path: the lock file; made if it is not there, taken away at the end.
        what: the work, for the message to whoever has to wait.
        reporter: told who holds the lock, when it has to wait.
        wait: if False, a held lock is an error.

    Raises:
        UsageError: another process holds the lock and `wait` is False.
        OSError: the file cannot be made.
    """
    handle = _acquire(path, what, reporter, wait)
    try:
        yield
    finally:
        # Taken away while it is held, so nobody can be handed a lock on a file that is no longer there: see _current.
        path.unlink(missing_ok=True)
        os.close(handle)


def _acquire(path: Path, what: str, reporter: Reporter, wait: bool) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _holder(handle)
                if not wait:
                    raise UsageError(
                        f"{what} is being made by {holder}", where=path, fix="Wait for it to end, or end it"
                    ) from None
                reporter.say(f"{what} is being made by {holder}: waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _current(handle, path):
                _sign(handle)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the holder before us took the file away: lock the new one


def _current(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(handle)
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _sign(handle: int) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    text = json.dumps({"pid": os.getpid(), "host": platform.node(), "since": now})
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)
    except OSError:
        pass  # a full disk must not keep anybody from the lock; only the name of the holder is lost


def _holder(handle: int) -> str:
    for _ in range(20):
        try:
            held = json.loads(os.pread(handle, 4096, 0))
            return f"process {held['pid']} on {held['host']} since {held['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            time.sleep(0.01)  # it may hold the lock already and be about to sign
    return "another process"
