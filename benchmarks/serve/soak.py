"""A server under load for as long as one likes: does it leak, mix answers up, or slow down?

    make bench-soak DESK=DIR              ten minutes over the workspace DIR where `tensaku demo DIR --no-serve` was run
    make bench-soak DESK=DIR MINUTES=1

The server is a process of its own with the native engine and fifty adapters (the trained one, and others that differ
from it by a scale). Eight clients ask for exam drafts of random adapters, streamed; one in five closes the connection
in the middle. Every few seconds an adapter is taken away and loaded again. At the end a hundred of the questions are
asked once more, alone: each must have had the same answer under load. What came out is in results/soak.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from benchmarks.serve.desk import RESULT, WORK, Desk, tuned_copy
from benchmarks.tune.machine import machine

_MB_FLAT = 1.05
_FIRST_MINUTE = 60.0
"""Seconds until memory is looked at: caches fill first."""


def adapters(desk: Desk, count: int) -> list[Path]:
    """The trained adapter, and `count` - 1 that differ from it: other content, other answers here and there."""
    return [desk.adapter, *(tuned_copy(desk.adapter, f"soak-{i}", 1 - 0.01 * i) for i in range(1, count))]


def serve(order: dict[str, Any]) -> None:
    """The server: prints its address, and ends with its standard input."""
    from tensaku.engines.native.engine import NativeEngine
    from tensaku.serve import Rules, Served, build_app
    from tensaku.serve.models import Lineup
    from tensaku.testing import serving

    engine = NativeEngine(Path(order["model"]), context=1024, slots=8)
    folders = [Path(folder) for folder in order["adapters"]]
    rows = [json.loads(line) for line in Path(order["lessons"]).read_text(encoding="utf-8").splitlines()]
    lessons = [(row["draft"], row["final"]) for row in rows]

    def load(i: int) -> None:
        engine.load_adapter(f"a{i}", folders[i])
        engine.learn(f"a{i}", lessons)

    for i in range(len(folders)):
        load(i)
    offer = [Served(f"task-{i}", f"release-{i:012x}", f"a{i}") for i in range(len(folders))]
    lineup, ended = Lineup(offer), threading.Event()

    def swap() -> None:
        """Off the list, unloaded once nobody writes with it, loaded and on the list again."""
        chance = random.Random(5)
        while not ended.wait(3):
            i = chance.randrange(len(folders))
            lineup.replace([one for one in offer if one.adapter != f"a{i}"])
            time.sleep(0.5)
            engine.unload_adapter(f"a{i}")
            load(i)
            lineup.replace(offer)

    with serving(build_app(engine=engine, models=lineup, rules=Rules(at_once=8, waiting=64))) as url:
        print(url, flush=True)
        swapper = threading.Thread(target=swap, daemon=True)
        swapper.start()
        sys.stdin.read()
        ended.set()
        swapper.join()
    engine.close()


class Load:
    """Eight clients, and what they saw."""

    def __init__(self, url: str, order: dict[str, Any], until: float) -> None:
        self._url, self._order, self._until = url, order, until
        self.answers: dict[tuple[str, int], set[str]] = {}
        self.seconds: list[float] = []
        self.firsts: list[float] = []
        self.left = self.gone = 0
        self.wrong: list[str] = []

    async def run(self, clients: int = 8) -> None:
        async with httpx.AsyncClient(timeout=120) as client:
            await asyncio.gather(*(self._client(client, random.Random(seed)) for seed in range(clients)))

    async def _client(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        while time.monotonic() < self._until:
            number = chance.randrange(len(self._order["messages"]))
            adapter = chance.randrange(len(self._order["adapters"]))
            leave = chance.randrange(2, 20) if chance.random() < 0.2 else None
            await self._ask(client, number, adapter, leave)

    async def _ask(self, client: httpx.AsyncClient, number: int, adapter: int, leave: int | None) -> None:
        made_by: dict[str, Any] = {}
        began, first, text, pieces = time.monotonic(), 0.0, "", 0
        async with client.stream("POST", f"{self._url}/v1/chat/completions", json=self._body(number, adapter)) as found:
            if found.status_code == 404:  # it is being loaded again
                self.gone += 1
                return
            if found.status_code != 200:
                self.wrong.append(f"{found.status_code}: {(await found.aread())[:200]!r}")
                return
            async for line in found.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line[6:])
                if "error" in event:
                    self.wrong.append(str(event["error"]))
                    return
                made_by = event.get("tensaku", made_by)
                first = first or time.monotonic() - began
                text += "".join(choice["delta"].get("content") or "" for choice in event["choices"])
                pieces += 1
                if pieces == leave:
                    self.left += 1
                    return
        if made_by.get("release") != f"release-{adapter:012x}":
            self.wrong.append(f"asked for {adapter}, answered by {made_by.get('release')}")
        self.answers.setdefault((made_by["adapter"], number), set()).add(text)
        self.seconds.append(time.monotonic() - began)
        self.firsts.append(first)

    def _body(self, number: int, adapter: int) -> dict[str, Any]:
        turns = [{"role": role, "content": text} for role, text in self._order["messages"][number]]
        prediction = {"type": "content", "content": self._order["predictions"][number]}
        return {"model": f"release-{adapter:012x}", "messages": turns, "prediction": prediction, "stream": True}

    async def again(self, hashes: dict[str, int], count: int) -> int:
        """Ask `count` of the questions once more, one after the other; how many had another answer under load."""
        chance, others = random.Random(9), 0
        asked = chance.sample(sorted(self.answers), min(count, len(self.answers)))
        before = {key: set(self.answers[key]) for key in asked}
        async with httpx.AsyncClient(timeout=120) as client:
            for digest, number in asked:
                for _ in range(10):
                    gone = self.gone
                    await self._ask(client, number, hashes[digest], None)
                    if self.gone == gone:
                        break
                    await asyncio.sleep(0.5)
        for key in asked:
            others += len(self.answers[key]) != 1 or self.answers[key] != before[key]
        return others


def resident_mb(process: int) -> float:
    """Memory that the process holds now."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def measure(order: dict[str, Any], minutes: float) -> dict[str, Any]:
    """Start the server, load it for `minutes`, ask again, and say what was seen."""
    command = [sys.executable, "-m", "benchmarks.serve.soak", "--order", str(WORK / "soak.order.json")]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdin is not None
    url = server.stdout.readline().strip()
    began = time.monotonic()
    load, memory = Load(url, order, began + 60 * minutes), []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(2):
            memory.append((time.monotonic() - began, resident_mb(server.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    asyncio.run(load.run())
    ended.set()
    watcher.join()
    several = sum(len(texts) > 1 for texts in load.answers.values())
    cards = httpx.get(f"{url}/v1/models").json()
    hashes = asyncio.run(_hashes(url, order))
    done = len(load.seconds)
    others = asyncio.run(load.again(hashes, 100))
    server.stdin.close()
    server.wait(timeout=60)
    late = [mb for at, mb in memory if at > _FIRST_MINUTE] or [mb for _, mb in memory]
    part = max(1, len(late) // 5)
    growth = statistics.median(late[-part:]) / statistics.median(late[:part])
    return {
        "minutes": minutes,
        "adapters": len(order["adapters"]),
        "answers": done,
        "left_in_the_middle": load.left,
        "asked_while_reloaded": load.gone,
        "failed": len(load.wrong),
        "failures": load.wrong[:5],
        "questions": len(load.answers),
        "questions_with_several_answers": several,
        "other_when_asked_alone": others,
        "seconds_p50": round(statistics.median(load.seconds[:done]), 2),
        "seconds_p99": round(statistics.quantiles(load.seconds[:done], n=100)[98], 2),
        "first_p50": round(statistics.median(load.firsts[:done]), 3),
        "first_p99": round(statistics.quantiles(load.firsts[:done], n=100)[98], 3),
        "memory_mb": round(late[-1]),
        "memory_each_minute_mb": [
            round(statistics.median(mb for at, mb in memory if minute <= at / 60 < minute + 1))
            for minute in sorted({int(at / 60) for at, _ in memory})
        ],
        "memory_growth": round(growth, 4),
        "models": len(cards["data"]),
        "machine": machine(),
    }


async def _hashes(url: str, order: dict[str, Any]) -> dict[str, int]:
    """Each adapter's content hash as the server tells it."""
    found: dict[str, int] = {}
    async with httpx.AsyncClient(timeout=120) as client:
        for i in range(len(order["adapters"])):
            body = {"model": f"release-{i:012x}", "messages": [{"role": "user", "content": "。"}], "max_tokens": 1}
            for _ in range(10):
                told = await client.post(f"{url}/v1/chat/completions", json=body)
                if told.status_code == 200:
                    found[told.json()["tensaku"]["adapter"]] = i
                    break
                await asyncio.sleep(0.5)
    return found


def main() -> None:
    """Measure, print, keep; exit 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--desk", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--adapters", type=int, default=50)
    parser.add_argument("--order", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.order:
        serve(json.loads(args.order.read_text(encoding="utf-8")))
        return
    WORK.mkdir(parents=True, exist_ok=True)
    desk = Desk(args.desk)
    order = desk.order("trimmed", 16) | {"adapters": [str(folder) for folder in adapters(desk, args.adapters)]}
    (WORK / "soak.order.json").write_text(json.dumps(order, ensure_ascii=False), encoding="utf-8")
    found = measure(order, args.minutes)
    print(json.dumps(found, ensure_ascii=False, indent=1))
    wrong = found["failed"] + found["questions_with_several_answers"] + found["other_when_asked_alone"]
    if wrong or found["memory_growth"] > _MB_FLAT:
        sys.exit("wrong, mixed or leaking: nothing kept")
    RESULT.with_name("soak.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
