"""Near-duplicates: speed and F1 beside other tools, and how time and memory grow, to benchmarks/results/curate.json.

    make bench-curate [QUICK=1] [CURATE_ARGS="--folder FOLDER --only growth"]

Every trial is a process of its own on one thread; of three runs of each tool the quickest counts. The growth exponent
is the slope of log time over log texts. From a million texts on, texts, shingles and bands lie in files; ten millions
need some 30 GB in FOLDER, where the texts then stay, by default in a folder that goes again; the memory is that of the
process that reads them. `--only beside` and `--only growth` renew that half of the result, the other stays.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.curate.trial import TOOLS

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "curate.json"


IN_FILES = 1_000_000
"""From so many texts on they are in files."""


def trial(python: str, tool: str, count: int, runs: int, folder: Path | None = None) -> dict[str, Any]:
    """The quickest of `runs` runs, or `{"failed": reason}`."""
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}" if python == sys.executable else str(ROOT)
    given = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    found = []
    for _ in range(runs):
        command = [python, "-m", "benchmarks.curate.trial", tool, str(count), *([str(folder)] if folder else [])]
        done = subprocess.run(command, capture_output=True, text=True, env=given, cwd=ROOT, check=False)
        if done.returncode:
            return {"tool": tool, "texts": count, "failed": (done.stderr.strip().splitlines() or ["no word"])[-1]}
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return min(found, key=lambda row: float(row["seconds"]))


def grown(sizes: list[int], folder: Path) -> list[dict[str, Any]]:
    """Ours at each size, and from `IN_FILES` texts on the steps over a pool of them as well."""
    rows = []
    for size in sizes:
        if size < IN_FILES:
            rows.append(trial(sys.executable, "ours", size, 3))
        else:
            made = folder / str(size)
            trial(sys.executable, "make", size, 1, made)
            rows += [trial(sys.executable, tool, size, 1, made) for tool in ("ours", "steps")]
        for row in (row for row in rows if row["texts"] == size):
            if "seconds" in row:
                row["texts_per_second"] = round(size / row["seconds"])
            print(json.dumps(row), flush=True)
    return rows


def exponent(rows: list[dict[str, Any]]) -> float | None:
    """The slope of log seconds over log texts from the first of the rows of one tool to the last."""
    done = [row for row in rows if row["tool"] == "ours" and "seconds" in row]
    if len(done) < 2:
        return None
    first, last = done[0], done[-1]
    return math.log(last["seconds"] / first["seconds"]) / math.log(last["texts"] / first["texts"])


def figures_beside(quick: bool, peers: str) -> dict[str, Any]:
    """Ours and the others' on one size."""
    count = 10_000 if quick else 100_000
    rows = [trial(sys.executable, "ours", count, 3)]
    rows += [trial(peers, tool, count, 3) for tool in TOOLS if tool != "ours"]
    for row in rows:
        print(json.dumps(row), flush=True)
    others = [row for row in rows[1:] if "failed" not in row]
    return {
        "dedup_vs_best_peer": min(row["seconds"] for row in others) / rows[0]["seconds"] if others else None,
        "f1": rows[0].get("f1"),
        "beside": rows,
    }


def figures_of_growth(quick: bool, folder: Path) -> dict[str, Any]:
    """Time and memory by size."""
    rows = grown([5_000, 10_000, 50_000] if quick else [10_000, 100_000, 1_000_000, 10_000_000], folder)
    ten = [row for row in rows if row["texts"] == 10_000_000]
    peak = max(row["peak_gb"] for row in ten) if ten and all("peak_gb" in row for row in ten) else None
    return {"growth_exponent": exponent(rows), "peak_gb_10m": peak, "growth": rows}


def main() -> None:
    """Run every trial, print it and write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--peers", default=sys.executable, help="a Python that has rensa, datasketch, datatrove")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--only", choices=("beside", "growth"), help="renew this half of the result")
    options.add_argument("--folder", type=Path, help="where the large sets are made (30 GB), and stay")
    given = options.parse_args()
    result: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if given.only else {}
    if given.only != "growth":
        result |= {**figures_beside(given.quick, given.peers), "quick": given.quick}
    if given.only != "beside":
        with tempfile.TemporaryDirectory() as folder:
            result |= figures_of_growth(given.quick, given.folder or Path(folder)) | {"growth_quick": given.quick}
    result["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one used"
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print({key: result.get(key) for key in ("dedup_vs_best_peer", "f1", "growth_exponent", "peak_gb_10m")})


if __name__ == "__main__":
    main()
