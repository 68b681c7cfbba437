"""Requests that make no sense: each is told so in the wire's shape, none is our fault, and the next good one works."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.ledger import Ledger
from tensaku.serve import Rules, build_app
from tensaku.testing import ScriptedEngine

DOORS = {
    "/v1/chat/completions": {"model": "base", "messages": [{"role": "user", "content": "x"}]},
    "/v1/completions": {"model": "base", "prompt": "x"},
    "/v1/embeddings": {"model": "base", "input": "x"},
    "/v1/revise": {"model": "base", "draft": "x"},
}
WRONG: list[Any] = [
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    "",
    "x" * 300,
    "\ud800",
    "\x00",
    [],
    [None],
    {},
    {"type": "text"},
    [{"role": "boss"}],
    [[[]]],
]
FIELDS = (
    *("model", "messages", "prompt", "input", "draft", "stream", "stream_options", "stop", "max_tokens", "n"),
    *("temperature", "top_p", "seed", "logprobs", "top_logprobs", "response_format", "prediction", "tools"),
    *("tool_choice", "functions", "logit_bias", "as_of", "encoding_format", "best_of", "\ud800", "max_token"),
    *("messages.0", "messages.0.role", "messages.0.content"),
)


async def call(
    app: Any, path: str, body: bytes, headers: list[tuple[bytes, bytes]], method: str = "POST"
) -> tuple[int, bytes]:
    """One request straight into the app, without a socket."""
    sent: list[dict[str, Any]] = []
    parts = [{"type": "http.request", "body": body, "more_body": False}]
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if parts:
            return parts.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), *headers],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    text = b"".join(message.get("body", b"") for message in sent)
    return int(sent[0]["status"]), text


def set_at(values: dict[str, Any], field: str, wrong: Any) -> None:
    *path, last = field.split(".")
    at: Any = values
    for step in path:
        at = at[int(step)] if isinstance(at, list) else at.get(step)
        if not isinstance(at, list | dict) or not at:
            return
    at[int(last) if isinstance(at, list) else last] = wrong


def malformed(rng: random.Random) -> tuple[str, str, bytes, list[tuple[bytes, bytes]]]:
    """One that is wrong in some way: values, a name, cut JSON, other bytes, other headers, no such place."""
    path = rng.choice(list(DOORS))
    values = json.loads(json.dumps(DOORS[path]))
    headers = [(b"content-type", b"application/json")]
    kind = rng.randrange(8)
    if kind < 4:
        for _ in range(rng.randint(1, 3)):
            set_at(values, rng.choice(FIELDS), rng.choice(WRONG))
        return "POST", path, json.dumps(values).encode(), headers
    whole = json.dumps(values).encode()
    if kind == 4:
        return "POST", path, whole[: rng.randrange(len(whole))], headers
    if kind == 5:
        noise = bytearray(whole)
        for _ in range(rng.randint(1, 9)):
            noise[rng.randrange(len(noise))] = rng.randrange(256)
        return "POST", path, bytes(noise), headers
    if kind == 6:
        wrong = [(b"content-type", rng.choice([b"text/plain", b"\xff", b"", b"application/json; charset=\xff"]))]
        keys = [(b"authorization", rng.choice([b"Bearer tsk-aaaaaaaaaa-" + b"x" * 43, b"Bearer \xff", b"tsk-"]))]
        return "POST", path, whole, rng.choice([wrong, headers + keys])
    path = rng.choice(["/v1/", "/v1/\ud800", "/v1/models/\x00", "/v1/nothing", "/v1/models/../x", path + "/"])
    return rng.choice(["GET", "POST", "PUT", "DELETE", "PATCH"]), path, whole, headers


def harmless(path: str, body: bytes) -> bool:
    """Whether what came out may as well be a good request."""
    return path in DOORS and body[:1] == b"{"


@pytest.mark.parametrize("seed", [1])
def test_ten_thousand_malformed_requests(tmp_path: Path, seed: int, every: Callable[..., None]) -> None:
    every(tmp_path, seed, 10_000)


@pytest.fixture
def every() -> Callable[..., None]:
    def run(folder: Path, seed: int, n: int) -> None:
        engine = ScriptedEngine()
        rng = random.Random(seed)
        found: Counter[int] = Counter()
        good = json.dumps(DOORS["/v1/chat/completions"]).encode()
        json_only = [(b"content-type", b"application/json")]

        async def all_of_them(app: Any) -> None:
            for number in range(n):
                method, path, body, headers = malformed(rng)
                status, text = await call(app, path, body, headers, method)
                found[status] += 1
                shown = (method, path, body[:200], headers, status, text[:300])
                assert status == 200 or 400 <= status < 500, shown
                if status == 200:
                    assert harmless(path, body) or method == "GET", shown
                elif path.startswith("/v1/"):
                    assert set(json.loads(text)["error"]) == {"message", "type", "param", "code"}, shown
                if number % 100 == 0:
                    assert (await call(app, "/v1/chat/completions", good, json_only))[0] == 200

        with Ledger.open(folder / "ledger.sqlite") as ledger:
            ledger.add_answer = lambda *args: None  # type: ignore[assignment, method-assign]  # no disk is under test
            asyncio.run(all_of_them(build_app(engine=engine, rules=Rules(), ledger=ledger)))
        engine.close()
        assert found[200] < n / 4
        assert {400, 401, 404, 405, 415} & set(found) >= {400, 401, 404, 415}

    return run
