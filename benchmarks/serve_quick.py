"""How fast the native engine revises: output tokens a second, alone and eight at once, plain and drafted.

    python benchmarks/serve_quick.py BASE ADAPTER [--texts 16] [--threads 2] [--precision int8]

Takes the newest drafts of the sample desk through the road that the desk takes, and prints one JSON line. What
the machine can do (the time of a plain matrix product) stands beside the figures.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tensaku import revise, sampledesk
from tensaku.engines import Request
from tensaku.engines.native.engine import NativeEngine


def requests(n: int, adapter: str | None) -> list[Request]:
    """The `n` newest drafts of the sample desk, as the desk asks for them."""
    folder = sampledesk.folder()
    instruction = (folder / "instruction.md").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = sorted(rows, key=lambda row: (row["as_of"], row["id"]))[-n:]
    made = []
    for row in rows:
        asked = revise.messages(instruction, row["draft"], fund=row["fund"], section=row["section"], as_of=row["as_of"])
        made.append(Request(asked, adapter, max_tokens=400, prediction=row["draft"]))
    return made


def run(engine: NativeEngine, asked: list[Request], at_once: int) -> tuple[dict[str, float], list[str]]:
    """Tokens a second over all of `asked`, `at_once` of them in flight; also by processor time, on a busy machine."""
    texts, tokens, first = [], 0, []
    start, worked = time.perf_counter(), time.process_time()
    for group in (asked[i : i + at_once] for i in range(0, len(asked), at_once)):
        began = time.perf_counter()
        streams = [engine.submit(request) for request in group]
        for stream in streams:
            pieces: list[str] = []
            for piece in stream:
                if not pieces:
                    first.append(time.perf_counter() - began)
                pieces.append(piece.text)
            texts.append("".join(pieces))
            assert stream.usage is not None
            tokens += stream.usage.completion
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    figures = {
        "tokens_per_second": round(tokens / seconds, 1),
        "tokens_per_cpu_second": round(tokens / worked, 1),
        "tokens": tokens,
        "first": round(first[0], 3),
    }
    return figures, texts


def machine() -> float:
    """Milliseconds of a 1024 x 1024 x 1024 fp32 product on one thread, best of 5."""
    torch.set_num_threads(1)
    a = torch.randn(1024, 1024)
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return round(best * 1000, 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("adapter", type=Path, nargs="?")
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="int8", choices=["int8", "fp32"])
    options = parser.parse_args()
    engine = NativeEngine(options.base, precision=options.precision, threads=options.threads)
    name = "house" if options.adapter else None
    if options.adapter:
        engine.load_adapter("house", options.adapter)
    found: dict[str, Any] = {"product_ms": machine(), "threads": options.threads, "precision": options.precision}
    drafted_requests = requests(options.texts, name)
    plain_requests = [replace(request, prediction=None) for request in drafted_requests]
    run(engine, plain_requests[:2], 2)
    texts: dict[str, list[str]] = {}
    for drafted in (False, True):
        asked = drafted_requests if drafted else plain_requests
        for at_once in (1, 8):
            key = f"{'drafted' if drafted else 'plain'}_{at_once}"
            found[key], texts[key] = run(engine, asked, at_once)
    found["identical"] = len({tuple(some) for some in texts.values()}) == 1
    engine.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
