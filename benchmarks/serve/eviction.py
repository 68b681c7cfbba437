"""What the prefix cache finds as its memory shrinks, and how soon the first token then comes.

    make bench-serve DESK=DIR PARTS=eviction

Twelve tasks, each with an instruction of its own that quotes three past pairs. They are asked for one question at a
time, the first task often and the last seldom (by 1 / rank); the same questions in the same order at every size.
"""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.serve.peer import finish, order

from tensaku.engines import Request
from tensaku.engines.native.cache import PAGE
from tensaku.engines.native.engine import NativeEngine
from tensaku.records import Message

asked = order()
_TASKS, _QUOTED, _QUESTIONS = 12, 3, 96
_SHARES = (1.25, 0.75, 0.5, 0.25, 0.1)
_CONTEXT = 2048


def prefix(task: int) -> tuple[Message, ...]:
    """The instruction of a task, with the pairs that it quotes."""
    first = asked["messages"][0][0]
    turns = asked["examples"][task * 2 * _QUOTED : (task + 1) * 2 * _QUOTED]
    return (Message(*first), *(Message(*turn) for turn in turns))


def main() -> None:
    """The same questions at every size of the cache."""
    chance = random.Random(7)
    weights = [1 / (rank + 1) for rank in range(_TASKS)]
    tasks = chance.choices(range(_TASKS), weights, k=_QUESTIONS)
    prefixes = [prefix(task) for task in range(_TASKS)]
    rows = []
    for share in _SHARES:
        engine = NativeEngine(Path(asked["model"]), context=_CONTEXT, slots=_TASKS, threads=asked["threads"])
        engine.load_adapter("0", Path(asked["adapters"][0]))
        whole = sum(engine.measure(turns) for turns in prefixes)
        cache = engine._model.cache
        cache.total = max(_CONTEXT // PAGE, int(share * whole / PAGE))
        cache.forget()
        list(engine.submit(Request((Message("user", "。"),), adapter="0", max_tokens=2)))
        rows.append({"share": share, "mb": round(cache.total * engine._model.page_bytes / 2**20), **run(engine, tasks)})
        engine.close()
    finish({"tasks": _TASKS, "prefix_tokens": whole, "questions": _QUESTIONS, "rows": rows})


def run(engine: NativeEngine, tasks: list[int]) -> dict[str, Any]:
    """The share of prompt tokens that were known, and seconds to the first token."""
    known = read = 0
    firsts = []
    for number, task in enumerate(tasks):
        last = asked["messages"][number % len(asked["messages"])][-1]
        began = time.perf_counter()
        stream = engine.submit(Request((*prefix(task), Message(*last)), adapter="0", max_tokens=1))
        list(stream)
        firsts.append(time.perf_counter() - began)
        assert stream.usage is not None
        known, read = known + stream.usage.cached, read + stream.usage.prompt
    found = {"hit_rate": known / read, "first": statistics.median(firsts)}
    found["first_p95"] = statistics.quantiles(firsts, n=20)[-1]
    return {name: round(value, 4) for name, value in found.items()}


if __name__ == "__main__":
    main()
