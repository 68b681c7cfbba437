"""How wrong the plan is, and how it compares: one command, tables, one JSON.

    make bench-plan                      compare; measure first what results/plan-runs.json has not
    make bench-plan ARGS="--smol FILE"   with SmolLM2-135M-Instruct as a GGUF file, for runs that are missing

Errors are of runs left out of the fit; and, where results/plan-fresh.json has runs of a later day (`python -m
benchmarks.plan.measure --fresh`), of those, by constants that know none of them. Against `accelerate estimate-memory`
and `llm-resource-planner`, on the same ten models, counts the size of the weights in 16 bit, which all three state.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.plan.measure import FRESH, RUNS, measure, missing, read

from tensaku.errors import TensakuError
from tensaku.plan.anatomy import Anatomy
from tensaku.plan.calibrate import Constants, Error, calibrate, error_of
from tensaku.plan.counted import as_resource_planner
from tensaku.plan.headers import built_in
from tensaku.plan.runs import read_runs
from tensaku.plan.tables import table
from tensaku.plan.text import error_lines

HERE = Path(__file__).parents[1]
RESULT = HERE / "results" / "plan.json"
SHIPPED = HERE.parent / "src" / "tensaku" / "plan" / "machine.toml"
MODELS = (
    "gemma-3-270m", "qwen2.5-0.5b", "0.6b-class", "gemma-3-1b", "qwen2.5-3b", "llama-2-7b", "qwen2.5-7b",
    "llama-3.1-8b", "qwen2.5-14b", "llama-3.1-70b",
)  # fmt: skip


def accelerate_says(anatomy: Anatomy) -> float:
    """Bytes in float16 as `accelerate estimate-memory` counts them: the model without its head, on the meta device."""
    import torch
    import transformers
    from accelerate.utils import calculate_maximum_sizes

    config = transformers.AutoConfig.for_model(**table("shapes")["models"][anatomy.name]["config"])
    with torch.device("meta"):
        model: torch.nn.Module = transformers.AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    total, _ = calculate_maximum_sizes(model)
    each: int = next(model.parameters()).element_size()
    return float(total) * 2 / each


def compared() -> list[dict[str, Any]]:
    """Ten models by three planners: bytes of weights in 16 bit, and how far each is from the true number."""
    rows = []
    for name in MODELS:
        anatomy = built_in(name)
        true = 2.0 * anatomy.parameters
        planner = 12.0 * anatomy.hidden**2 * anatomy.layers * 2
        says = {"tensaku": true, "accelerate": accelerate_says(anatomy), "llm-resource-planner": planner}
        rows.append(
            {
                "model": name,
                "weights_bytes": says,
                "error": {who: size / true - 1 for who, size in says.items()},
                "llm_resource_planner_total": as_resource_planner(anatomy),
            }
        )
    return rows


def comparison_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The table."""
    lines = ["| model | weights, 16 bit | accelerate | llm-resource-planner |", "|---|--:|--:|--:|"]
    for row in rows:
        size, error = row["weights_bytes"], row["error"]
        cells = [
            f"{size[who] / 1e9:.2f} GB ({100 * error[who]:+.1f} %)" for who in ("accelerate", "llm-resource-planner")
        ]
        lines.append(f"| {row['model']} | {size['tensaku'] / 1e9:.2f} GB | {cells[0]} | {cells[1]} |")
    return lines


def measured_on(rows: Mapping[str, Any]) -> str:
    """The machines on which the runs were measured, which need not be this one, as the runs themselves say."""
    unknown = "a processor that was not noted"
    found = {f"{row.get('processor') or unknown}, {row['measured']['processors']} processors" for row in rows.values()}
    return "; ".join(sorted(found))


def shipped(constants: Mapping[str, Constants], measured: str, machine: str) -> str:
    """The constants that Tensaku ships, as TOML."""
    lines = [
        "# Written by benchmarks/plan/run.py from benchmarks/results/plan-runs.json. A workspace of its own constants:",
        "# tensaku plan --calibrate",
        "",
        f'measured = "{measured}"',
        f"machine = {json.dumps(machine)}",
    ]
    for kind, found in constants.items():
        lines += ["", f"[constants.{kind}]", f"memory = {list(found.memory)}", f"runs = {found.runs}"]
        lines += [f"memory_band = {found.memory_band}", f"time_band = {found.time_band}"]
        lines.append(f"seen = {json.dumps(found.seen)}")
        lines.append(f"bytes_seen = {list(found.bytes_seen)}")
        lines.append(f"operations_seen = {list(found.operations_seen)}")
        lines.append(f"processors = {json.dumps(found.processors)}")
        lines.append(f"gflops_seen = {list(found.gflops_seen)}")
        lines.append("time = { " + ", ".join(f"{name} = {value}" for name, value in found.time.items()) + " }")
    return "\n".join(lines) + "\n"


def worst(errors: list[Error]) -> dict[str, Any]:
    """The largest errors, and how many runs."""
    memory = [abs(e.memory_error) for e in errors if e.memory_error is not None]
    time = [abs(e.time_error) for e in errors if e.time_error is not None]
    return {"memory_error_max": max(memory), "time_error_max": max(time), "configurations": len(errors)}


def later(constants: dict[str, Constants]) -> dict[str, Any]:
    """Errors of the runs of a later day; empty if there are none."""
    if not FRESH.exists():
        return {}
    errors = [error_of(run, constants[run.kind]) for run in read_runs(FRESH)]
    print("\n".join(["", "A later day, by the constants of the earlier one:", *error_lines(errors)]))
    measured = max(row["date"] for row in read(FRESH).values())
    return {**worst(errors), "measured": measured, "errors": [e._asdict() for e in errors]}


def main() -> int:
    """Measure what is missing, fit, compare, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smol", type=Path, help="SmolLM2-135M-Instruct as a GGUF file")
    options = parser.parse_args()
    if cases := missing():
        print(f"Measuring {len(cases)} runs", flush=True)
        if failed := measure(cases, options.smol):
            return failed
    try:
        constants, errors = calibrate(read_runs(RUNS))
    except TensakuError as error:
        print(f"bench-plan: {error}", file=sys.stderr)
        return 1
    print("\n".join(error_lines(errors)))
    rows = compared()
    print("\n".join(["", *comparison_lines(rows)]))
    dates = [row["date"] for row in read().values()]
    kept = {
        **worst(errors),
        "how": "each configuration predicted from constants fitted to all the others of its kind",
        "measured": max(dates),
        "errors": [e._asdict() for e in errors],
        "later_day": later(constants),
        "against": rows,
    }
    RESULT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    SHIPPED.write_text(shipped(constants, max(dates), measured_on(read())), encoding="utf-8")
    print(f"\nAll figures: {RESULT.relative_to(HERE.parent)}; constants: {SHIPPED.relative_to(HERE.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
