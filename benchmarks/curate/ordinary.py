"""How long the ordinary road takes from a cold start: a folder with pairs, to the pool and to the lessons.

    python -m benchmarks.curate.ordinary [COUNT ...] [--until curate]

The pairs are the sample desk's; beyond its 800 they come again with other figures, the same ones in draft and final.
What is timed is `tensaku run STAGE` as a person starts it, the interpreter's start included: seconds by the clock,
seconds of processor time of all its processes, and the most memory that one of them held.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tensaku.sampledesk import FILES
from tensaku.sampledesk import folder as sample

_NUMBER = re.compile(r"\d+")


def workspace(folder: Path, count: int) -> None:
    """The sample desk in `folder` with `count` pairs in its one file."""
    (folder / "data").mkdir(parents=True)
    for name in FILES:
        data = "data" if name in ("pairs.jsonl", "drafts.jsonl", "old-system.csv") else ""
        shutil.copy(sample() / name, folder / data / name)
    file = folder / "data" / "pairs.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    with file.open("w", encoding="utf-8", newline="\n") as out:
        for number in range(count):
            row = rows[number % len(rows)]
            if number >= len(rows):
                row = _other(row, number)
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _other(row: dict[str, str], number: int) -> dict[str, str]:
    """The pair with other figures than the sample's."""
    dice, met = random.Random(number), dict[str, str]()

    def instead(found: re.Match[str]) -> str:
        figure = found[0]
        if figure not in met:
            met[figure] = "".join(dice.choice("123456789") for _ in figure)
        return met[figure]

    texts = {side: _NUMBER.sub(instead, row[side]) for side in ("draft", "final")}
    return row | texts | {"id": f"{row['id']}-{number}", "family": f"{row['family']}-{number}"}


def trial(count: int, until: str) -> dict[str, Any]:
    """One run in a fresh folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "desk"
        workspace(folder, count)
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        words = [sys.executable, "-m", "tensaku", "run", until]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return {
        "pairs": count,
        "until": until,
        "seconds": round(seconds, 2),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "peak_gb": round(after.ru_maxrss * 1024 / 1e9, 3),
    }


def main() -> None:
    """Print a line a run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("counts", nargs="*", type=int, default=[800, 100_000])
    options.add_argument("--until", default="curate", choices=("ingest", "curate", "exam", "lessons"))
    given = options.parse_args()
    for count in given.counts:
        print(json.dumps(trial(count, given.until)), flush=True)


if __name__ == "__main__":
    main()
