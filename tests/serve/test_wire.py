"""What engines can do beyond greedy answers, and the doors beside chat, each by the real client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tensaku.records import Message
from tensaku.revise import Job
from tensaku.serve import Rules, Served, build_app
from tensaku.testing import ScriptedEngine, serving, write_adapter

DRAFT = "当月の市場は1.2%上昇した。弊社は慎重である。"


def able_answer(messages: tuple[Message, ...]) -> str:
    text = messages[-1].content
    return '{"a": 1}' if "json" in text else f"答え:{text[-8:]}"


@pytest.fixture(scope="module")
def able(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ScriptedEngine]]:
    """An API whose engine can do everything, with one release that has a task."""
    everything = ("sampling", "logprobs", "json", "text", "embeddings")
    engine = ScriptedEngine(
        able_answer, by_adapter={"tuned": lambda messages: DRAFT.replace("1.2", "1.3")}, can=everything
    )
    engine.load_adapter("tuned", write_adapter(tmp_path_factory.mktemp("adapter")))
    job = Job("直してください。", adapter="tuned", provenance={"release": "release-1", "trial": "no"})
    served = Served("monthly", "release-1", "tuned", job=job)
    with serving(build_app(engine=engine, models=[served], rules=Rules(at_once=4))) as url:
        yield url, engine
    engine.close()


@pytest.fixture(scope="module")
def client(able: tuple[str, ScriptedEngine]) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{able[0]}/v1", api_key="none", max_retries=0, timeout=10) as made:
        yield made


def say(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_several_answers_each_with_a_seed_of_its_own(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="base", messages=say("x"), n=3, temperature=0.7, seed=5, top_p=0.9)
    assert [choice.message.content for choice in answer.choices] == ["答え:x[5]", "答え:x[6]", "答え:x[7]"]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1, 21)
    assert answer.usage.completion_tokens_details is not None
    texts = ["", "", ""]
    for chunk in client.chat.completions.create(
        model="base", messages=say("x"), n=3, temperature=0.7, seed=5, stream=True
    ):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == ["答え:x[5]", "答え:x[6]", "答え:x[7]"]


def test_log_probabilities(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="base", messages=say("x"), logprobs=True, top_logprobs=2)
    found = answer.choices[0].logprobs
    assert found is not None
    assert found.content is not None
    assert "".join(token.token for token in found.content) == answer.choices[0].message.content
    assert found.content[0].bytes == list("答".encode())
    assert [(top.token, top.logprob) for top in found.content[0].top_logprobs] == [("、", -1.0), ("。", -2.0)]
    chunks = client.chat.completions.create(model="base", messages=say("x"), logprobs=True, stream=True)
    pieces = [choice.logprobs.content for c in chunks for choice in c.choices if choice.logprobs]
    assert "".join(token.token for piece in pieces for token in piece or []) == "答え:x"


def test_a_schema_reaches_the_engine(client: openai.OpenAI, able: tuple[str, ScriptedEngine]) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    answer = client.chat.completions.create(model="base", messages=say("json"), response_format=wanted)
    assert json.loads(answer.choices[0].message.content or "") == {"a": 1}
    assert json.loads(able[1].requests[-1].schema or "") == schema
    client.chat.completions.create(model="base", messages=say("json"), response_format={"type": "json_object"})
    assert able[1].requests[-1].schema == '{"type":"object"}'


def test_completions(client: openai.OpenAI, able: tuple[str, ScriptedEngine]) -> None:
    answer = client.completions.create(model="base", prompt="今日は", logprobs=1, stop=["。"])
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("答え:今日は", "stop")
    found = answer.choices[0].logprobs
    assert found is not None
    assert (found.tokens or [])[:2] == ["答", "え"]
    assert found.text_offset == list(range(6))
    assert (able[1].requests[-1].text, able[1].requests[-1].messages) == ("今日は", ())
    chunks = list(client.completions.create(model="base", prompt="今日は", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "答え:今日は"


def test_embeddings_as_numbers_and_packed(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model="monthly", input=["上昇", "下落した"])  # this client asks for packed ones
    assert [one.embedding for one in found.data] == [[2.0, 2.0], [4.0, 4.0]]
    assert found.usage.prompt_tokens == 6
    one = client.embeddings.create(model="base", input="aa", encoding_format="float")
    assert one.data[0].embedding == [2.0, 1.0]


def test_a_revision_says_what_it_changed_and_what_the_guard_found(able: tuple[str, ScriptedEngine]) -> None:
    url, engine = able
    asked = {"model": "monthly", "draft": DRAFT, "fund": "青葉", "section": "market", "as_of": "2026-09"}
    answer = httpx.post(f"{url}/v1/revise", json=asked)
    body = answer.json()
    assert answer.status_code == 200, body
    assert body["text"] == DRAFT.replace("1.2", "1.3")
    assert [(change["old"], change["new"]) for change in body["changes"]] == [("1.2%", "1.3%")]
    assert body["facts"]["kept"] is False
    assert {(found["what"], found["text"]) for found in body["facts"]["breaks"]} == {
        ("missing", "1.2%"),
        ("added", "1.3%"),
    }
    assert [one["text"] for one in body["facts"]["lost"]] == ["当月の市場は1.2%上昇した。"]
    assert body["tensaku"]["release"] == answer.headers["x-tensaku-release"] == "release-1"
    assert body["tensaku"]["adapter"] == engine.adapters()["tuned"]
    assert engine.requests[-1].prediction == DRAFT
    assert engine.requests[-1].messages[0].content == "直してください。"


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"draft": " "}, "invalid_value", "draft"),
        ({"draft": "長" * 20_001}, "invalid_value", "draft"),
        ({"draft": "長" * 9_000}, "context_length_exceeded", "draft"),
        ({"as_of": "9月"}, "invalid_value", "as_of"),
        ({"model": "base"}, "no_task", "model"),
        ({"drafts": []}, "unknown_parameter", "drafts"),
    ],
)
def test_a_revision_that_cannot_be(
    able: tuple[str, ScriptedEngine], change: dict[str, Any], code: str, param: str
) -> None:
    answer = httpx.post(f"{able[0]}/v1/revise", json={"model": "monthly", "draft": DRAFT, **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


def test_metrics_count_by_adapter(able: tuple[str, ScriptedEngine]) -> None:
    url, engine = able
    httpx.post(f"{url}/v1/revise", json={"model": "monthly", "draft": DRAFT})
    httpx.post(f"{url}/v1/chat/completions", json={"model": "made-up-name", "messages": say("x")})
    httpx.post(f"{url}/v1/revise", json={"model": "base", "draft": DRAFT})
    text = httpx.get(f"{url}/metrics").text
    digits = engine.adapters()["tuned"][:12]
    which = f'adapter="{digits}",model="monthly",release="release-1"'
    for name in ("tensaku_first_token_seconds_count", "tensaku_answer_seconds_count"):
        [line] = [line for line in text.splitlines() if line.startswith(f"{name}{{{which}}}")]
        assert float(line.split()[-1]) >= 1
    for name in ("queue_waiting", "queue_running", "tokens_per_second_bucket", "prediction_tokens_total"):
        assert f"tensaku_{name}" in text
    assert 'tensaku_refused_total{code="no_task"}' in text
    assert "made-up-name" not in text


def test_an_engine_without_embeddings_says_so(tmp_path: Path) -> None:
    with serving(build_app(engine=ScriptedEngine())) as url:
        answer = httpx.post(f"{url}/v1/embeddings", json={"model": "base", "input": "x"})
        completion = httpx.post(f"{url}/v1/completions", json={"model": "base", "prompt": "x"})
    assert answer.status_code == completion.status_code == 400
    assert answer.json()["error"]["message"] == "the engine 'scripted' does not offer embeddings"
    assert completion.json()["error"]["param"] == "prompt"
