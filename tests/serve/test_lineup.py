"""Releases exchanged while requests run: each answer is whole, by one of them, and says by which."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import openai

from tensaku.serve import Lineup, Rules, Served, build_app
from tensaku.testing import ScriptedEngine, serving, write_adapter


def test_a_challenger_gets_exactly_its_share() -> None:
    champion = Served("task", "release-1", None, arm="champion")
    challenger = Served("task", "release-2", None, arm="challenger")
    lineup = Lineup()
    assert lineup.choose("task") is None
    for share, expected in ((0.1, 100), (0.25, 250), (0.5, 500), (0.9, 900)):
        lineup.replace([champion, challenger], share)
        found = Counter(model.arm for model in (lineup.choose("task") for _ in range(1000)) if model)
        assert found["challenger"] == expected
    assert lineup.choose("release-2") is challenger
    assert lineup.choose("release-1") is champion
    lineup.replace([champion])
    assert [lineup.choose("task") for _ in range(10)] == [champion] * 10


def test_a_thousand_requests_while_releases_are_swapped(tmp_path: Path) -> None:
    """Each answer's hash matches its text: no request is dropped, none answered by the wrong one."""
    engine = ScriptedEngine(delay=0.001)
    served: dict[str, Served] = {}
    for n in range(4):
        name = f"release-{n}"
        engine._by_adapter[name] = lambda messages, name=name: f"{name}:{messages[-1].content}"  # type: ignore[misc]
        engine.load_adapter(name, write_adapter(tmp_path / name, seed=n))
        served[name] = Served("task", name, name, arm="champion")
    by_hash = {digest: name for name, digest in engine.adapters().items()}
    lineup = Lineup([served["release-0"]])

    async def swap() -> None:
        n = 0
        while True:
            await asyncio.sleep(0.02)
            n += 1
            challenger = Served("task", f"release-{(n + 1) % 4}", f"release-{(n + 1) % 4}", arm="challenger")
            lineup.replace([served[f"release-{n % 4}"], challenger], 0.3)

    async def ask(client: openai.AsyncOpenAI, n: int, room: asyncio.Semaphore) -> tuple[str, str]:
        async with room:
            answer = await client.chat.completions.create(model="task", messages=[{"role": "user", "content": f"#{n}"}])
        assert answer.model_extra is not None
        made_by = answer.model_extra["tensaku"]
        assert answer.choices[0].message.content == f"{made_by['release']}:#{n}"
        assert by_hash[made_by["adapter"]] == made_by["release"]
        return made_by["release"], made_by["arm"]

    async def run(url: str) -> list[tuple[str, str]]:
        swapping = asyncio.create_task(swap())
        room = asyncio.Semaphore(24)
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            found = await asyncio.gather(*(ask(client, n, room) for n in range(1000)))
        swapping.cancel()
        return found

    with serving(build_app(engine=engine, models=lineup, rules=Rules(waiting=1000))) as url:
        found = asyncio.run(run(url))
        cards = httpx.get(f"{url}/v1/models").json()["data"]
    engine.close()
    assert len(found) == 1000
    assert {release for release, _ in found} == set(served)
    assert Counter(arm for _, arm in found)["challenger"] > 100
    assert cards[0]["max_model_len"] == 8192


def test_adapters_added_up_by_weight(tmp_path: Path) -> None:
    engine = ScriptedEngine(by_adapter={"a:0.7+b:0.3": lambda messages: "both"})
    for n, name in enumerate("ab"):
        engine.load_adapter(name, write_adapter(tmp_path / name, seed=n))
    engine._adapters["a:0.7+b:0.3"] = "c" * 64  # as an engine that can add does
    models = [Served("one", "release-1", "a"), Served("two", "release-2", "b", trial=True)]
    with serving(build_app(engine=engine, models=models)) as url:

        def ask(model: str) -> httpx.Response:
            body = {"model": model, "messages": [{"role": "user", "content": "x"}]}
            return httpx.post(f"{url}/v1/chat/completions", json=body)

        body = ask("release-1:0.7+two:0.3").json()
        assert body["choices"][0]["message"]["content"] == "both"
        made_by = body["tensaku"]
        assert (made_by["release"], made_by["trial"]) == ("release-1:0.7+release-2:0.3", "yes")
        assert made_by["adapter"] == "c" * 64
        for wrong in ("one:0.7+three:0.3", "one:0.7+base:0.3", "one:0.5+two:0.5", "one:1", "one:x+two:y"):
            answer = ask(wrong)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        assert "release-1:" not in httpx.get(f"{url}/metrics").text
    engine.close()
