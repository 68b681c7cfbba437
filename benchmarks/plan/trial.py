"""One configuration, measured: `python -m benchmarks.plan.trial '{"what": "tune", ...}'` prints one line of JSON.

The real learner and the real engine over a real model; only the words are drawn at random (tuning) or cut from the
sample desk's drafts (serving), so that lengths are as asked for. Peak memory is the whole process's.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import torch

from tensaku.machine import peak_memory_mb

__all__ = ["serve", "tune"]

_STEPS = 3
"""Steps that are timed; one before them is not."""


def tune(case: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a training step, as the stage `tune` takes it."""
    from tensaku.models.products import product, speed
    from tensaku.tune import Tune
    from tensaku.tune.own import open_learner
    from tensaku.tune.pack import Example, pack

    cfg = Tune(method=case["method"], rank=case.get("rank", 16), batch=case["batch"], layers=case.get("layers", 0))
    measured = speed()
    multiply = product(measured.fastest)
    vocabulary = json.loads((Path(case["model"]) / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    drawn = random.Random(1)

    def words(n: int) -> list[int]:
        return [drawn.randrange(8, vocabulary) for _ in range(n)]

    prefix = words(case["prefix"])
    batches = [
        [Example(prefix + words(case["prompt"]), words(case["completion"])) for _ in range(cfg.batch)]
        for _ in range(_STEPS + 1)
    ]
    context = case["prefix"] + case["prompt"] + case["completion"]
    learner = open_learner(cfg, Path(case["model"]), context, case["prefix"], multiply)
    parameters = [p for _, p in learner.named_parameters()]
    settings: dict[str, Any] = {"betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0}
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True, **settings)
    seconds = []
    for batch in batches:
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        learner.gradients(batch, learner.count(batch))
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    return {
        "seconds": min(seconds[1:]),  # what else the machine does only slows
        "all_seconds": seconds,
        "gflops": max(measured.plain, measured.onednn, _product()),
        "rows": len(pack(batches[0], case["prefix"]).ids),
    }


def _product() -> float:
    """GFLOP/s of a plain product, by the faster way, now."""
    from tensaku.models.products import speed

    speed.cache_clear()
    found = speed()
    return max(found.plain, found.onednn)


def serve(case: dict[str, Any]) -> dict[str, Any]:
    """Seconds to the first word and between words, `at_once` answers in flight, none with anything in common."""
    from tensaku import sampledesk
    from tensaku.engines import Request
    from tensaku.engines.native.engine import NativeEngine
    from tensaku.records import Message

    before = _product()
    engine = NativeEngine(
        Path(case["model"]), slots=case["slots"], context=case["context"], precision=case["precision"]
    )
    rows = [json.loads(line) for line in (sampledesk.folder() / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    text = "\n".join(row["draft"] for row in rows)

    def asked(number: int, answer: int) -> tuple[Request, int]:
        at, size = 997 * number, 64
        while True:
            messages = (Message("user", f"{number} " + text[at : at + size]),)
            if engine.measure(messages) >= case["prompt"]:
                return Request(messages, None, max_tokens=answer), engine.measure(messages)
            size += 16

    firsts, paces, prompts, written = [], [], [], []
    for turn in range(3):
        made = [asked(turn * case["at_once"] + n, case["answer"]) for n in range(case["at_once"])]
        began = time.perf_counter()
        streams = [engine.submit(request) for request, _ in made]
        first, tokens = 0.0, 0
        for stream in streams:
            for _ in stream:
                first = first or time.perf_counter() - began
            assert stream.usage is not None
            tokens += stream.usage.completion
        whole = time.perf_counter() - began
        if turn:  # the first turn warms up
            firsts.append(first)
            paces.append(whole)
            prompts.append([size for _, size in made])
            written.append(tokens)
    engine.close()
    return {
        "first": firsts,
        "whole": paces,
        "seconds": min(paces),
        "prompts": prompts,
        "tokens": written,
        "gflops": max(before, _product()),
    }


def main() -> None:
    """Measure the configuration on the command line."""
    case = json.loads(sys.argv[1])
    found = {"tune": tune, "serve": serve}[case["what"]](case)
    found |= {
        "peak_mb": float(peak_memory_mb()),
        "threads": torch.get_num_threads(),
        "processors": len(os.sched_getaffinity(0)),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
