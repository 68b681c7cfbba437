"""Keys at the door: who is let in, to what, how much, and what is written down."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tensaku.ledger import Ledger, Limits
from tensaku.serve import Rules, Served, build_app
from tensaku.testing import ScriptedEngine, serving, write_adapter

Ask = Callable[..., httpx.Response]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.add_person("sato", "佐藤", ("engineer",))
        yield opened


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ScriptedEngine]:
    engine = ScriptedEngine()
    for name in ("one", "two"):
        engine.load_adapter(name, write_adapter(tmp_path / name, seed=len(name + "x" * (name == "two"))))
    yield engine
    engine.close()


@pytest.fixture
def serve(ledger: Ledger, model: ScriptedEngine) -> Iterator[Callable[..., str]]:
    opened = []

    def start(**rules: Any) -> str:
        models = [Served("monthly", "release-1", "one", arm="champion"), Served("weekly", "release-2", "two")]
        server = serving(build_app(engine=model, models=models, rules=Rules(**{"keys": True, **rules}), ledger=ledger))
        opened.append(server)
        return server.__enter__()

    yield start
    for server in opened:
        server.__exit__(None, None, None)


def ask(url: str, key: str | None, model: str = "monthly", text: str = "原稿", **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=20)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_without_a_key_nobody_is_let_in(serve: Callable[..., str], ledger: Ledger) -> None:
    url = serve()
    row, key = ledger.add_key("sato", "x")
    assert code(ask(url, None)) == (401, "missing_api_key")
    assert code(ask(url, "none")) == (401, "invalid_api_key")
    assert httpx.get(f"{url}/v1/models").status_code == httpx.get(f"{url}/metrics").status_code == 401
    assert httpx.get(f"{url}/healthz").status_code == httpx.get(f"{url}/readyz").status_code == 200
    assert ask(url, key).status_code == 200
    assert ask(url, key, stream=True).status_code == 200
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="tsk-x", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    ledger.revoke_key(row.id)
    assert code(ask(url, key)) == (401, "invalid_api_key")  # at once


def test_where_no_key_is_needed_one_that_is_ours_still_has_to_be_right(
    serve: Callable[..., str], ledger: Ledger
) -> None:
    url = serve(keys=False)
    row, key = ledger.add_key("sato", "x", scopes=["task:weekly"])
    assert ask(url, None).status_code == ask(url, "none").status_code == 200
    assert code(ask(url, key)) == (403, "model_not_allowed")
    ledger.revoke_key(row.id)
    assert code(ask(url, key)) == (401, "invalid_api_key")


def test_a_key_opens_its_task_or_its_adapter_alone(serve: Callable[..., str], ledger: Ledger) -> None:
    url = serve()
    task = ledger.add_key("sato", "x", scopes=["task:monthly"])[1]
    adapter = ledger.add_key("sato", "x", scopes=["adapter:release-2"])[1]
    metrics = ledger.add_key("sato", "x", scopes=["metrics"])[1]

    def opened(key: str) -> list[str]:
        answer = httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {key}"})
        names = [card["id"] for card in answer.json()["data"]]
        every = ["monthly", "release-1", "weekly", "release-2", "base"]
        assert [name for name in every if ask(url, key, name).status_code == 200] == names
        return names

    assert opened(task) == ["monthly", "release-1"]
    assert opened(adapter) == ["weekly", "release-2"]
    assert opened(metrics) == []
    assert httpx.get(f"{url}/v1/models/weekly", headers={"authorization": f"Bearer {task}"}).status_code == 403
    found = {k: httpx.get(f"{url}/metrics", headers={"authorization": f"Bearer {k}"}) for k in (task, metrics)}
    assert [answer.status_code for answer in found.values()] == [403, 200]
    assert 'tensaku_answers_total{adapter="' in found[metrics].text


def test_a_key_opens_no_more_than_its_person_may(serve: Callable[..., str], ledger: Ledger) -> None:
    """Also one that was made before, and that itself is bounded to nothing."""
    url = serve()
    _, key = ledger.add_key("sato", "x")
    assert ask(url, key, "weekly").status_code == 200
    ledger.set_scopes("sato", ["task:monthly"])
    assert code(ask(url, key, "weekly")) == (403, "model_not_allowed")
    assert code(ask(url, key, "release-2")) == (403, "model_not_allowed")
    assert code(ask(url, key, "base")) == (403, "model_not_allowed")
    assert ask(url, key, "release-1").status_code == 200
    listed = httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {key}"}, timeout=20).json()
    assert [card["id"] for card in listed["data"]] == ["monthly", "release-1"]
    (row,) = ledger.keys()
    assert row.tasks == ("monthly",)


def test_limits_of_a_key(serve: Callable[..., str], ledger: Ledger) -> None:
    url = serve()
    two = ledger.add_key("sato", "x", limits=Limits(requests_per_minute=2))[1]
    few = ledger.add_key("sato", "x", limits=Limits(tokens_per_minute=100))[1]
    assert [ask(url, two).status_code for _ in range(3)] == [200, 200, 429]
    answer = ask(url, two)
    assert code(answer) == (429, "rate_limit_exceeded")
    assert 25 <= int(answer.headers["retry-after"]) <= 30
    assert ask(url, few, text="x" * 40, max_tokens=20).status_code == 200  # 40 and 20: what is used
    refused = ask(url, few, text="x" * 40, max_tokens=20)
    assert code(refused) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) >= 5


def together(asks: list[tuple[str, str]], pause: float = 0.05) -> list[tuple[str, int]]:
    """Ask one after another without waiting for the answers; who was answered, in order, and how. (url, key) pairs."""
    ended: list[tuple[str, int]] = []

    def one(url: str, key: str) -> None:
        status = ask(url, key, text="x" * 6).status_code
        ended.append((key, status))

    threads = [threading.Thread(target=one, args=pair) for pair in asks]
    for thread in threads:
        thread.start()
        time.sleep(pause)
    for thread in threads:
        thread.join()
    return ended


def test_a_full_line_is_refused(serve: Callable[..., str], ledger: Ledger, model: ScriptedEngine) -> None:
    url, key = serve(at_once=1, waiting=2), ledger.add_key("sato", "x")[1]
    ask(url, key)
    model.delay = 0.6
    assert [status for _, status in together([(url, key)] * 5)] == [429, 429, 200, 200, 200]


def test_other_keys_get_their_turn(serve: Callable[..., str], ledger: Ledger, model: ScriptedEngine) -> None:
    url = serve(at_once=1)
    greedy, modest = ledger.add_key("sato", "greedy")[1], ledger.add_key("sato", "modest")[1]
    ask(url, greedy), ask(url, modest)  # both are known now
    model.delay = 0.25
    ended = together([(url, greedy)] * 5 + [(url, modest)])
    assert {status for _, status in ended} == {200}
    assert [key for key, _ in ended].index(modest) <= 3, "it waited for all of the other key's"


def leave(url: str, headers: dict[str, str], body: dict[str, Any]) -> None:
    """Ask, and close the connection after the first line or 0.4 seconds."""
    asking = httpx.stream("POST", f"{url}/v1/chat/completions", json=body, headers=headers, timeout=0.4)
    with contextlib.suppress(httpx.ReadTimeout), asking as answer:
        next(answer.iter_lines())


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_frees_the_slot_within_a_second(
    serve: Callable[..., str], ledger: Ledger, model: ScriptedEngine, stream: bool
) -> None:
    url = serve(at_once=1)
    key = ledger.add_key("sato", "x")[1]
    model.delay = 0.05
    headers, body = {"authorization": f"Bearer {key}"}, {"model": "monthly", "stream": stream}
    body |= {"messages": [{"role": "user", "content": "長" * 3000}]}
    for _ in range(2):  # the second one leaves while it stands in line, or runs; either way nothing is held
        leave(url, headers, body)
    left = time.monotonic()
    assert ask(url, key, text="x").status_code == 200
    assert time.monotonic() - left < 30  # not the minutes that the answers would have taken
    cut = [row for row in ledger.answers() if row.finish == "cancelled"]
    assert cut or not stream


def test_a_turn_that_does_not_come_and_an_answer_that_takes_too_long(
    serve: Callable[..., str], ledger: Ledger, model: ScriptedEngine
) -> None:
    url = serve(at_once=1, wait_seconds=0.2, answer_seconds=0.5)
    key = ledger.add_key("sato", "x")[1]
    model.delay = 0.05
    late: list[httpx.Response] = []
    long = threading.Thread(target=lambda: late.append(ask(url, key, text="長" * 600)))
    long.start()
    time.sleep(0.2)
    assert code(ask(url, key)) == (503, "queue_timeout")
    long.join()
    assert code(late[0]) == (504, "timeout")
    streamed = ask(url, key, text="長" * 600, stream=True)
    assert '"code":"timeout"' in streamed.text
    assert ask(url, key, text="x").status_code == 200


@pytest.mark.parametrize("policy", ["full", "hash", "none"])
def test_what_is_recorded(serve: Callable[..., str], ledger: Ledger, policy: str) -> None:
    url = serve(record=policy)
    row, key = ledger.add_key("sato", "x")
    ask(url, key), ask(url, key, model="base", stream=True)
    first, second = ledger.answers()
    assert (first.by, first.key, first.model, first.release, first.arm) == (
        "sato",
        row.id,
        "monthly",
        "release-1",
        "champion",
    )
    assert (second.model, second.release, second.arm) == ("base", "", "")
    assert first.provenance["adapter"] != second.provenance["adapter"]
    assert (first.answer, second.answer) == (("原稿", "原稿") if policy == "full" else (None, None))
    assert (first.prompt or "") == ('[{"role": "user", "content": "原稿"}]' if policy == "full" else "")
    assert (first.answer_sha256 is None) == (policy == "none")
    assert first.usage.completion == second.usage.completion == 2
    assert ledger.verify_records() == []


def test_what_cannot_be_recorded_is_not_given(serve: Callable[..., str], ledger: Ledger) -> None:
    url = serve()
    key = ledger.add_key("sato", "x")[1]
    assert ask(url, key).status_code == 200
    from tensaku.errors import UsageError

    def full(*args: object) -> None:
        raise UsageError("the disk is full")

    ledger.add_answer = full  # type: ignore[assignment, method-assign]
    assert code(ask(url, key)) == (503, "not_recorded")
    assert '"code":"not_recorded"' in ask(url, key, stream=True).text


def test_no_other_site_is_let_in_by_a_browser(serve: Callable[..., str]) -> None:
    url = serve()
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = httpx.options(f"{url}/v1/chat/completions", headers=asked)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]
