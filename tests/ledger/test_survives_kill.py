"""Finals that were acknowledged survive SIGKILL at any moment."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tensaku.ledger import Ledger

FINAL = "当月の国内株式市場は3.2%上昇しました。日銀は政策金利を据え置きました。"
KILLS = 50

# One process loads the dictionary and forks the writers, so that fifty of them cost seconds; each is killed on its own.
LAUNCHER = """
import os, sys
from tensaku.ledger import Ledger, NewDraft

TEXT = "当月の国内株式市場は３．２％上昇した。日銀は政策金利を据え置いた。"
DRAFT = NewDraft(TEXT, "A", "F", "market", "2026-10", "paste", "1")
FINAL = sys.argv[2]

def say(line):
    os.write(1, f"{line}\\n".encode())

def save(path, once):
    with Ledger.open(path) as ledger:
        ledger.add_person("sato", "佐藤")
        draft = ledger.add_draft(DRAFT)
        newest = ledger.finals(draft.id)
        based_on = newest[0].id if newest else None
        while True:
            text = FINAL + "\\n" * ((based_on or 0) % 7 + 1)
            based_on = ledger.save_final(draft.id, text, "sato", based_on=based_on).id
            if once:
                return
            say(f"saved {based_on}")

save(sys.argv[1] + ".warm", once=True)
for _ in sys.stdin:
    pid = os.fork()
    if not pid:
        try:
            say(f"writer {os.getpid()}")
            save(sys.argv[1], once=False)
        finally:
            os._exit(1)
    say(f"ended {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")
"""


def kill_one_writer(launcher: subprocess.Popen[str], chance: random.Random) -> list[int]:
    """Start a writer, kill it at a random moment, and return the numbers of the finals it acknowledged.

    The moment is some acknowledgements in, and then up to twice as long as the last one took, however slow the machine.
    """
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    launcher.stdin.write("\n")
    launcher.stdin.flush()
    writer = int(launcher.stdout.readline().removeprefix("writer "))
    saved: list[int] = []
    took = 0.1
    for _ in range(chance.randrange(6)):
        started = time.monotonic()
        saved.append(int(launcher.stdout.readline().removeprefix("saved ")))
        took = time.monotonic() - started
    time.sleep(chance.uniform(0, 2 * took))
    os.kill(writer, signal.SIGKILL)
    while not (line := launcher.stdout.readline()).startswith("ended "):
        saved.append(int(line.removeprefix("saved ")))
    assert int(line.removeprefix("ended ")) == -signal.SIGKILL, "the writer ended by itself: nothing was tested"
    return saved


def check(path: Path, acknowledged: list[int]) -> None:
    """Everything acknowledged is there; the log holds; no row is without its entry, and no entry without its row."""
    with Ledger.open(path) as ledger:
        assert ledger.verify_log() is None
        assert ledger.verify_records() == []
        drafts = ledger.drafts()
        finals = ledger.finals(drafts[0].id)[::-1] if drafts else []
        assert set(acknowledged) <= {final.id for final in finals}
        for before, final in itertools.pairwise([None, *finals]):
            assert final is not None
            assert final.based_on == (before.id if before else None)
            assert final.text == FINAL + "\n" * ((before.id if before else 0) % 7 + 1)


def test_acknowledged_finals_survive_fifty_kills(path: Path) -> None:
    chance = random.Random(20261)
    acknowledged: list[int] = []
    run = [sys.executable, "-W", "error", "-c", LAUNCHER, str(path), FINAL]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as launcher:
        for _ in range(KILLS):
            acknowledged += kill_one_writer(launcher, chance)
            check(path, acknowledged)
        assert launcher.stdin is not None
        launcher.stdin.close()
        assert launcher.wait(timeout=30) == 0
    assert len(acknowledged) > KILLS
