"""Ours on the same order: plain and drafted, alone, at 2, 4 and 8 at once, one adapter and eight."""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.serve.fresh import instruction_alone
from benchmarks.serve.peer import Told, finish, order, timed

from tensaku.engines import Request
from tensaku.engines.native.engine import NativeEngine
from tensaku.records import Message

asked = order()
_LEVELS = ("1", "2x1", "4x1", "8x1", "8x8")


def main() -> None:
    """Every level plain and drafted; do all texts agree; where the time goes."""
    engine = NativeEngine(
        Path(asked["model"]), context=asked["context"], slots=8, threads=asked["threads"], precision=asked["precision"]
    )
    rows = [json.loads(line) for line in Path(asked["lessons"]).read_text(encoding="utf-8").splitlines()]
    for i, folder in enumerate(asked["adapters"]):
        engine.load_adapter(str(i), Path(folder))
        engine.learn(str(i), [(row["draft"], row["final"]) for row in rows])
    requests = [
        Request(tuple(Message(*turn) for turn in messages), max_tokens=asked["max_tokens"], prediction=draft)
        for messages, draft in zip(asked["messages"], asked["predictions"], strict=True)
    ]

    def ask(number: int, adapters: int = 1, **more: Any) -> Told:
        began, first, text = time.perf_counter(), 0.0, []
        stream = engine.submit(replace(requests[number], adapter=str(number % adapters), **more))
        for piece in stream:
            first = first or time.perf_counter() - began
            text.append(piece.text)
        assert stream.usage is not None
        return Told("".join(text), stream.usage.completion, first)

    numbers = range(len(requests))
    result: dict[str, Any] = {"road": engine.road}
    cold = ask(0, prediction=None)
    result["cold"], result["warm"] = cold.first, ask(1, prediction=None).first
    result["again"] = ask(1, prediction=None).first

    def measure(way: str, level: str, some: Sequence[int]) -> dict[str, Any]:
        at_once, _, adapters = level.partition("x")

        def again(number: int) -> Told:
            more: dict[str, Any] = {"prediction": None} if way == "plain" else {}
            return ask(number, int(adapters or 1), **more, facts=asked["known"][number] if way == "facts" else None)

        instruction_alone(engine, requests[0], map(str, range(int(adapters or 1))))
        engine._model.pass_.seconds()
        engine._loop.seconds = 0.0
        one = timed(again, some, int(at_once))
        one["spent"] = engine._model.pass_.seconds() | {"loop": engine._loop.seconds}
        return one

    alone = ["plain", "drafted"]
    if asked.get("facts"):
        ask(0, facts=asked["known"][0])  # looks the vocabulary through, once
        alone.append("facts")
    rounds = in_turns(measure, numbers, alone)
    result |= {name: middle(found) for name, found in rounds.items()}
    same = [result[f"{way} {level}"]["texts"] for way in ("plain", "drafted") for level in _LEVELS[:-1]]
    result["identical"] = all(texts == same[0] for texts in same)
    result["identical"] &= result["plain 8x8"]["texts"] == result["drafted 8x8"]["texts"]
    result["identical"] &= [ask(n, 8, prediction=None).text for n in numbers] == result["drafted 8x8"]["texts"]
    if asked.get("facts"):
        result["facts"] = result.pop("facts 1")
    engine.close()
    if asked.get("examples"):
        result["cold_examples"], result["warm_examples"] = with_examples()
    finish(result)


def in_turns(
    measure: Callable[[str, str, Sequence[int]], dict[str, Any]], numbers: Sequence[int], alone: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Rounds of every way and level.

    A machine is faster now and slower then, so ways take turns: alone every eight drafts, who began being the last
    of the next time, and at once every round. Few drafts have several rounds, of which the median counts.
    """
    rounds: dict[str, list[dict[str, Any]]] = {}
    for _ in range(max(1, 48 // len(numbers))):
        parts: dict[str, list[dict[str, Any]]] = {way: [] for way in alone}
        for at in range(0, len(numbers), 8):
            for way in alone if at % 16 else reversed(alone):
                parts[way].append(measure(way, "1", numbers[at : at + 8]))
        for way, found in parts.items():
            rounds.setdefault(f"{way} 1", []).append(joined(found))
        for way, level in itertools.product(("plain", "drafted"), _LEVELS[1:]):
            rounds.setdefault(f"{way} {level}", []).append(measure(way, level, numbers))
    return rounds


def joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Parts of one round as one."""
    tokens, seconds = (sum(part[name] for part in parts) for name in ("tokens", "seconds"))
    return {
        "tokens_per_second": round(tokens / seconds, 1),
        "tokens": tokens,
        "seconds": round(seconds, 2),
        "first": statistics.median(part["first"] for part in parts),
        "texts": [text for part in parts for text in part["texts"]],
        "spent": {kind: sum(part["spent"][kind] for part in parts) for kind in parts[0]["spent"]},
    }


def middle(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The round of median speed."""
    return sorted(rounds, key=lambda one: float(one["tokens_per_second"]))[len(rounds) // 2]


def with_examples() -> tuple[float, float]:
    """Seconds to the first token behind an instruction that quotes past pairs: the first question, and the median of
    five others. An engine of its own, so that nothing is known of the prompt."""
    engine = NativeEngine(Path(asked["model"]), context=2048, slots=2, threads=asked["threads"])
    engine.load_adapter("0", Path(asked["adapters"][0]))
    list(engine.submit(Request((Message("user", "。"),), adapter="0", max_tokens=4)))
    firsts = []
    for messages in asked["messages"][:6]:
        turns = [Message(*turn) for turn in messages]
        quoted = [Message(*turn) for turn in asked["examples"]]
        began = time.perf_counter()
        stream = engine.submit(Request((*turns[:-1], *quoted, turns[-1]), adapter="0", max_tokens=4))
        for piece in stream:
            if piece.text:
                firsts.append(time.perf_counter() - began)
                break
        stream.cancel()
    engine.close()
    return firsts[0], statistics.median(firsts[1:])


if __name__ == "__main__":
    main()
