"""What every engine of the comparison is asked, and how it is timed. Needs nothing but the standard library.

An order is a JSON file: {"model", "adapters", "prompts" (token ids), "predictions", "max_tokens", "threads", ...}. Each
engine runs in a process of its own and writes a JSON with what came out.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple


class Told(NamedTuple):
    """One answer: its text, its tokens, and the seconds to its first piece."""

    text: str
    tokens: int
    first: float


def order() -> dict[str, Any]:
    """The order that this process was started with."""
    return dict(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))


def finish(result: dict[str, Any]) -> None:
    """Hand back what was measured, with the most memory that this process took, in MB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    result["memory_mb"] = round(int(peak.split()[1]) / 1024)
    Path(sys.argv[2]).write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")


def timed(ask: Callable[[int], Told], numbers: Iterable[int], at_once: int) -> dict[str, Any]:
    """Ask for each of `numbers`, `at_once` of them in flight; tokens a second over all, and the texts in order."""
    left, lock = iter(sorted(numbers)), threading.Lock()
    told: dict[int, Told] = {}
    failed: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                with lock:
                    number = next(left, None)
                if number is None:
                    return
                told[number] = ask(number)
        except BaseException as error:  # a thread's error would be printed and forgotten
            failed.append(error)

    began = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failed:
        raise failed[0]
    tokens = sum(one.tokens for one in told.values())
    return {
        "tokens_per_second": round(tokens / seconds, 1),
        "tokens": tokens,
        "seconds": round(seconds, 4),
        "first": round(sorted(one.first for one in told.values())[len(told) // 2], 4),
        "texts": [told[number].text for number in sorted(told)],
    }
