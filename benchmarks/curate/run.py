"""Near-duplicates: speed and F1 beside other tools, and how time and memory grow, to benchmarks/results/curate.json.

    make bench-curate [QUICK=1] [PEERS=PYTHON]

Every trial is a process of its own on one thread; of three runs of each tool the quickest counts. The growth exponent
is the slope of log time over log texts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.curate.trial import TOOLS

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "curate.json"


def trial(python: str, tool: str, count: int, runs: int) -> dict[str, Any]:
    """The quickest of `runs` runs, or `{"failed": reason}`."""
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}" if tool == "ours" else str(ROOT)
    given = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    found = []
    for _ in range(runs):
        command = [python, "-m", "benchmarks.curate.trial", tool, str(count)]
        done = subprocess.run(command, capture_output=True, text=True, env=given, cwd=ROOT, check=False)
        if done.returncode:
            return {"tool": tool, "failed": (done.stderr.strip().splitlines() or ["no word"])[-1]}
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return min(found, key=lambda row: float(row["seconds"]))


def main() -> None:
    """Run every trial, print it and write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--peers", default=sys.executable, help="a Python that has rensa, datasketch, datatrove")
    options.add_argument("--quick", action="store_true")
    given = options.parse_args()
    beside, sizes = (10_000, [5_000, 10_000, 50_000]) if given.quick else (100_000, [10_000, 100_000, 1_000_000])
    rows = [trial(sys.executable, "ours", beside, 3)]
    rows += [trial(given.peers, tool, beside, 3) for tool in TOOLS if tool != "ours"]
    for row in rows:
        print(json.dumps(row), flush=True)
    grown = [trial(sys.executable, "ours", size, 1 if size > 100_000 else 3) for size in sizes]
    for row in grown:
        print(json.dumps(row), flush=True)
    first, last = grown[0], grown[-1]
    ten = None if given.quick else trial(sys.executable, "ours", 10_000_000, 1)
    peers = [row for row in rows[1:] if "failed" not in row]
    result = {
        "dedup_vs_best_peer": min(row["seconds"] for row in peers) / rows[0]["seconds"] if peers else None,
        "f1": rows[0]["f1"],
        "growth_exponent": math.log(last["seconds"] / first["seconds"]) / math.log(last["texts"] / first["texts"]),
        "peak_gb_10m": ten["peak_gb"] if ten else None,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one used",
        "quick": given.quick,
        "beside": rows,
        "growth": [*grown, *([ten] if ten else [])],
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print({key: result[key] for key in ("dedup_vs_best_peer", "f1", "growth_exponent", "peak_gb_10m")})


if __name__ == "__main__":
    main()
