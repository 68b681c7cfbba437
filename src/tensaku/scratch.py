"""Folders for what is held for a moment, such as an uploaded report that nobody may find later.

A folder is gone when its block ends. What kill -9 leaves behind is taken away by the next process that holds anything:
each folder is locked as long as its process lives, and one without a lock has nobody.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

__all__ = ["scratch", "sweep"]

_PREFIX = "tensaku-held-"
_FRESH = 60.0
"""Seconds in which a folder may have been made and not locked yet."""


@contextmanager
def scratch(what: str) -> Iterator[Path]:
    """A folder of one's own, readable by this user alone, with `what` in its name."""
    _sweep_once()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{what}-"))
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(older: float = _FRESH) -> int:
    """Take away the folders of processes that live no more and have been there for `older` seconds; how many."""
    gone = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or taken away by another process in this moment
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - os.fstat(lock).st_ctime >= older:
                    shutil.rmtree(folder)
                    gone += 1
            finally:
                os.close(lock)
    return gone


@cache
def _sweep_once() -> None:
    sweep()
