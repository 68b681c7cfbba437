"""What the settings of a profile do on this machine: answers at once, and rows of new prompts read in a step.

    make bench-serve DESK=DIR PARTS=profiles

Sixteen clients ask for exam drafts, each its next one when the last has come; who finds no slot waits. Of each setting:
tokens a second of all answers together, of one answer while it is written (median), seconds to the first token with
the wait for a slot (median), and the longest time that an answer stood still (median over the answers).
"""

from __future__ import annotations

import itertools
import json
import statistics
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.serve.peer import Told, finish, order, timed

from tensaku.engines import Request
from tensaku.engines.native.engine import NativeEngine
from tensaku.engines.profiles import Hardware, profile_for
from tensaku.records import Message

asked = order()
_CLIENTS = 16
_SETTINGS = ((1, 64), (2, 64), (4, 64), (8, 64), (8, 128), (8, 256), (16, 128))


def main() -> None:
    """Every setting on the same drafts."""
    rows = []
    for at_once, chunk in _SETTINGS:
        engine = NativeEngine(
            Path(asked["model"]), context=asked["context"], slots=at_once, threads=asked["threads"], chunk=chunk
        )
        engine.load_adapter("0", Path(asked["adapters"][0]))
        lessons = [json.loads(line) for line in Path(asked["lessons"]).read_text(encoding="utf-8").splitlines()]
        engine.learn("0", [(row["draft"], row["final"]) for row in lessons])
        rows.append({"at_once": at_once, "chunk": chunk, **run(engine)})
        engine.close()
    hardware = Hardware.found()
    chosen = {name: profile_for(name, hardware).at_once for name in ("latency", "throughput")}
    finish({"rows": rows, "clients": _CLIENTS, "chosen_here": chosen, "cores": hardware.cores})


def run(engine: NativeEngine) -> dict[str, Any]:
    """One setting."""
    speeds: list[float] = []
    halts: list[float] = []
    firsts: list[float] = []
    lock = threading.Lock()

    def ask(number: int) -> Told:
        turns = tuple(Message(*turn) for turn in asked["messages"][number])
        request = Request(turns, "0", asked["max_tokens"], prediction=asked["predictions"][number])
        began, marks = time.perf_counter(), []
        stream = engine.submit(request)
        for piece in stream:
            if piece.token_count:
                marks.append(time.perf_counter())
        assert stream.usage is not None
        written = stream.usage.completion
        with lock:
            firsts.append(marks[0] - began)
            if len(marks) > 1:
                speeds.append((written - 1) / (marks[-1] - marks[0]))
                halts.append(max(b - a for a, b in itertools.pairwise(marks)))
        return Told("", written, firsts[-1])

    for number in range(min(8, len(asked["messages"]))):
        ask(number)
    for held in (speeds, halts, firsts):
        held.clear()
    found = timed(ask, range(len(asked["messages"])), _CLIENTS)
    return {
        "tokens_per_second": found["tokens_per_second"],
        "each": round(statistics.median(speeds), 1),
        "first": round(statistics.median(firsts), 4),
        "halt": round(statistics.median(halts), 4),
    }


if __name__ == "__main__":
    main()
