"""Near-duplicates: speed and F1 beside other tools, and how time and memory grow, to benchmarks/results/curate.json.

    make bench-curate [QUICK=1] [CURATE_ARGS="--folder FOLDER --only growth --sizes 10000,100000,1000000"]

Every trial is a process of its own on one thread; of three runs of each tool the quickest counts. The growth exponent
is the slope of log time over log texts, from the least size to a million. From a million texts on, texts, shingles and
bands lie in files; ten millions need some 30 GB in FOLDER, where the texts then stay, by default in a folder that goes
again; the memory is that of the process that reads them. `--only beside` and `--only growth` renew that half of the
result, the other stays; with `--sizes` what is known of ten millions stays too, unless they are among them.
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
TEN_MILLIONS = 10_000_000
QUICK = [5_000, 10_000, 50_000]
SIZES = [10_000, 100_000, IN_FILES, TEN_MILLIONS]


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
    """The slope of log seconds over log texts from the first of the rows of one tool to the last, up to a million."""
    done = [row for row in rows if row["tool"] == "ours" and "seconds" in row and row["texts"] < TEN_MILLIONS]
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


def figures_of_growth(sizes: list[int], folder: Path, before: dict[str, Any]) -> dict[str, Any]:
    """Time and memory by size; what `before` knows of ten millions stays unless they are among the sizes."""
    rows = grown(sizes, folder)
    found: dict[str, Any] = {"growth_exponent": exponent(rows), "peak_gb_10m": None, "growth": rows}
    if TEN_MILLIONS not in sizes:
        rows += [row for row in before.get("growth", []) if row["texts"] == TEN_MILLIONS]
        return found | {name: before[name] for name in ("peak_gb_10m", "peak_gb_10m_note") if name in before}
    ten = [row for row in rows if row["texts"] == TEN_MILLIONS]
    if all("peak_gb" in row for row in ten):
        found["peak_gb_10m"] = max(row["peak_gb"] for row in ten)
    return found | {"peak_gb_10m_note": ""}


def main() -> None:
    """Run every trial, print it and write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--peers", default=sys.executable, help="a Python that has benchmarks/curate/requirements.txt")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--only", choices=("beside", "growth"), help="renew this half of the result")
    options.add_argument("--sizes", help="how many texts growth is measured with, as in 10000,100000,1000000")
    options.add_argument("--folder", type=Path, help="where the large sets are made (30 GB), and stay")
    given = options.parse_args()
    before: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))
    result = dict(before) if given.only else {}
    sizes = [int(size) for size in given.sizes.split(",")] if given.sizes else QUICK if given.quick else SIZES
    if given.only != "growth":
        result |= {**figures_beside(given.quick, given.peers), "quick": given.quick}
    if given.only != "beside":
        with tempfile.TemporaryDirectory() as folder:
            result |= figures_of_growth(sizes, given.folder or Path(folder), before)
    result["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one used"
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print({key: result.get(key) for key in ("dedup_vs_best_peer", "f1", "growth_exponent", "peak_gb_10m")})


if __name__ == "__main__":
    main()
