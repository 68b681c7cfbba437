"""A process that seals one result again and again, killed -9 one file operation later each time, and goes on.

usage: sealing_kills.py FOLDER EVERY     kills at every EVERY-th operation; prints how many operations there were
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from tensaku.config import Section
from tensaku.store import Bench, SilentReporter, Store, seal, stage, work

FILES = 8
NOBODY = 65534
OPERATIONS = ("open", "os.rename", "os.chmod", "os.remove", "os.rmdir", "shutil.rmtree")
left: float = float("inf")


class Knobs(Section):
    """None."""


@stage(version=1)
def works(bench: Bench, cfg: Knobs) -> None:
    """Leaves files in folders, and a checkpoint that is not sealed."""
    (bench.aside / "checkpoint").write_text("done")
    for n in range(FILES):
        folder = bench.path / f"part-{n % 3}" / "inner"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n}.txt").write_text(str(n))


def count(event: str, args: tuple[Any, ...] = ()) -> None:
    """One file operation more; the end, if it is the one."""
    global left
    if event in OPERATIONS or event == "os.fsync":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def run(root: Path, kill_at: float) -> bool:
    """Work in a child process that is killed at its `kill_at`-th operation since sealing began; True if it was."""
    child = os.fork()
    if not child:
        fsync, hash_files = os.fsync, seal.hash_files

        def counted(handle: int) -> None:
            count("os.fsync")
            fsync(handle)

        def armed(folder: Path) -> dict[str, dict[str, Any]]:
            global left
            left = kill_at
            return hash_files(folder)

        setattr(os, "fsync", counted)  # noqa: B010 - a type checker rightly dislikes it
        setattr(work, "hash_files", armed)  # noqa: B010
        sys.addaudithook(count)
        Store(root, SilentReporter()).run(works, Knobs())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, status
    return status != 0


def main(folder: Path, every: int) -> int:
    """Kill at one operation after the other until the work ends before the kill."""
    at = 0
    while True:
        root = folder / str(at)
        killed = run(root, at)
        store = Store(root, SilentReporter())
        sealed = store.list()
        assert not run(root, float("inf")), "the second run was not to be killed"
        [made] = store.list()
        assert store.verify(made.ref) == [], (at, store.verify(made.ref))
        assert len(made.files) == FILES, (at, made.files)
        assert sealed in ([], [made]), at
        if sealed:
            assert made.manifest == sealed[0].manifest, "what was sealed stays as it was"
        assert [path for path in (root / "scratch").glob("*") if not path.name.endswith(".aside")] == [], at
        assert seal.read_manifest(made.path)
        if not killed:
            return at
        at += every


if __name__ == "__main__":
    if os.geteuid() == 0:  # root may write to read-only files, which would hide half of what can go wrong
        os.chown(sys.argv[1], NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    print(main(Path(sys.argv[1]), int(sys.argv[2])))
