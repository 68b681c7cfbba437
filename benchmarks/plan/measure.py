"""Measure every configuration, each in a process of its own, and keep what came of it in results/plan-runs.json.

    python -m benchmarks.plan.measure --smol SmolLM2-135M.gguf [--only NAME ...] [--fresh]

`python -m benchmarks.plan.run` then compares. A configuration that is measured already is left out unless it is named.
With --fresh they are kept in results/plan-fresh.json: runs of a later day, which no constant was fitted to.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.plan.cases import CASES

from tensaku.machine import processor
from tensaku.models.block_files import FILE
from tensaku.plan.headers import describe

HERE = Path(__file__).parents[1]
WORK = HERE / ".work" / "plan"
RUNS = HERE / "results" / "plan-runs.json"
FRESH = HERE / "results" / "plan-fresh.json"


def model(name: str, smol: Path | None) -> Path:
    """The folder of one of the two models, made once."""
    from tensaku.models.base import Base, base, source_files
    from tensaku.store import Store

    spec = Base(model="demo:gemma-3-270m" if name == "gemma" else f"gguf:{smol}")
    return Store(WORK / "store").run(base, spec, files=source_files(spec, Path.cwd())).path


def described(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    """The model's configuration, and for blocks the bits of a number, so that the file can be read by itself."""
    found: dict[str, Any] = {"config": json.loads((folder / "config.json").read_text(encoding="utf-8"))}
    if case.get("method") == "qlora":
        blocks = folder / FILE
        numbers = describe(str(folder)).parameters
        found["stored_bits"] = round(8 * blocks.stat().st_size / numbers, 4)
    return found


def read(kept: Path = RUNS) -> dict[str, Any]:
    """What was measured so far, by name."""
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    return found


def missing(kept: Path = RUNS) -> list[dict[str, Any]]:
    """The configurations that were not measured yet."""
    done = read(kept)
    return [case for case in CASES if case["name"] not in done]


def main() -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smol", type=Path, help="SmolLM2-135M-Instruct as a GGUF file")
    parser.add_argument("--only", nargs="*", default=[], help="configurations by name, measured again")
    parser.add_argument("--fresh", action="store_true", help="as runs of a later day")
    options = parser.parse_args()
    kept = FRESH if options.fresh else RUNS
    named = [case for case in CASES if case["name"] in options.only]
    return measure(named if options.only else missing(kept), options.smol, kept)


def measure(cases: list[dict[str, Any]], smol: Path | None, kept: Path = RUNS) -> int:
    """Measure `cases` one after the other and keep each at once; returns the exit code. `smol`: as `--smol`."""
    done = read(kept)
    for case in cases:
        folder = model(case["model"], smol)
        asked = case | {"model": str(folder)}
        words = [sys.executable, "-m", "benchmarks.plan.trial", json.dumps(asked)]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        if ended.returncode:
            print(f"{case['name']}: failed\n{ended.stderr}", file=sys.stderr)
            return 1
        found = json.loads(ended.stdout.splitlines()[-1])
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        about = {"date": today, "processor": processor()}
        done[case["name"]] = {"case": case, "measured": found, **about, **described(folder, case)}
        kept.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
        print(f"{case['name']:22} {found['seconds']:7.3f} s  {found['peak_mb']:7.0f} MB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
