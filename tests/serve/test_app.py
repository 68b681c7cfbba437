"""Errors in the wire's shape, health, and who may call."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tensaku.errors import UsageError
from tensaku.serve import Served, build_app
from tensaku.testing import ScriptedEngine, serving

ASK: dict[str, Any] = {"model": "base", "messages": [{"role": "user", "content": "x"}]}
TOOL = [{"type": "function", "function": {"name": "look_up"}}]
BADLY_NAMED = [{"type": "function", "function": {"name": "a b"}}]
OTHER = {"type": "function", "function": {"name": "other"}}


def post(api: str, **values: Any) -> httpx.Response:
    return httpx.post(f"{api}/v1/chat/completions", json=values)


@pytest.mark.parametrize(
    ("change", "code", "param", "message"),
    [
        ({"model": None}, "invalid_value", "model", "valid string"),
        ({"messages": []}, "invalid_value", "messages", "at least 1 item"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "invalid_value", "messages.0.role", "'assistant'"),
        ({"max_tokens": 0}, "invalid_value", "max_tokens", "greater than or equal to 1"),
        ({"max_tokens": "5"}, "invalid_value", "max_tokens", "valid integer"),
        ({"max_token": 5}, "unknown_parameter", "max_token", "Did you mean 'max_tokens'?"),
        ({"n": 17}, "invalid_value", "n", "less than or equal to 16"),
        ({"n": 9}, "invalid_value", "n", "writes 8 answers at once"),
        ({"temperature": 0.7}, "unsupported_parameter", "temperature", "does not offer 'temperature'"),
        ({"logprobs": True}, "unsupported_parameter", "logprobs", "'scripted' does not offer 'logprobs'"),
        ({"top_logprobs": 2}, "invalid_value", "top_logprobs", "goes with 'logprobs'"),
        ({"response_format": {"type": "json_object"}}, "unsupported_parameter", "response_format", "no json"),
        ({"response_format": {"type": "json_schema"}}, "missing_required_parameter", None, "is missing"),
        ({"presence_penalty": 0.5}, "unsupported_parameter", "presence_penalty", "does not offer"),
        ({"tools": TOOL}, "unsupported_parameter", "tools", "template has no tools"),
        ({"tools": TOOL * 2}, "invalid_value", "tools", "two have the same name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "invalid_value",
            "tools.0.function.name",
            "pattern",
        ),
        ({"tool_choice": "required"}, "invalid_value", "tool_choice", "goes with 'tools'"),
        ({"tools": TOOL, "tool_choice": OTHER}, "invalid_value", "tool_choice", "no tool 'other'"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "invalid_value", "messages.0.tool_call_id", "go together"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages.0.content", "is missing"),
        ({"seed": 2**63}, "invalid_value", "seed", "less than or equal to"),
    ],
)
def test_a_wrong_request_names_what_is_wrong(
    api: str, change: dict[str, Any], code: str, param: str | None, message: str
) -> None:
    answer = post(api, **{**ASK, **change})
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert error["param"] == (param or "response_format.json_schema")
    assert message in error["message"]


def test_a_missing_field(api: str) -> None:
    answer = post(api, model="base")
    assert answer.json()["error"]["message"] == "'messages' is missing"


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff\xfe", b"", b"[" * 100_000, b"1" * 5000])
def test_a_body_that_is_no_json_object(api: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{api}/v1/chat/completions", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


def test_a_form_post_of_another_kind_is_refused(api: str) -> None:
    headers = {"content-type": "text/plain"}
    answer = httpx.post(f"{api}/v1/chat/completions", content=json.dumps(ASK), headers=headers)
    assert answer.status_code == 415


def test_a_body_that_is_too_large(api: str) -> None:
    answer = post(api, **{**ASK, "messages": [{"role": "user", "content": "a" * (5 * 2**20)}]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_what_has_no_effect_is_named_and_harmless_values_pass(api: str) -> None:
    answer = post(api, **ASK, temperature=0, seed=1, user="me", n=1, store=None, response_format={"type": "text"})
    assert answer.status_code == 200
    assert answer.headers["x-tensaku-without-effect"] == "user"


def test_parts_of_text_and_the_developer_role(api: str, engine: ScriptedEngine) -> None:
    parts = [{"type": "text", "text": "原"}, {"type": "text", "text": "稿"}]
    messages = [{"role": "developer", "content": "指示"}, {"role": "user", "content": parts}]
    assert post(api, model="base", messages=messages).json()["choices"][0]["message"]["content"] == "答え:原稿"
    assert engine.requests[-1].messages[0].role == "system"


def test_an_unknown_place(api: str) -> None:
    for answer in (httpx.get(f"{api}/v1/embeddings"), httpx.put(f"{api}/v1/audio/speech")):
        assert answer.status_code == 404
        assert answer.json()["error"]["message"].startswith("there is nothing at ")


def test_health(api: str) -> None:
    assert httpx.get(f"{api}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{api}/readyz").json() == {"status": "ready"}


def test_not_ready_says_why() -> None:
    def broken() -> None:
        raise UsageError("the ledger is read-only")

    with serving(build_app(engine=ScriptedEngine(), checks={"ledger": broken})) as url:
        answer = httpx.get(f"{url}/readyz")
        assert httpx.get(f"{url}/healthz").status_code == 200
    assert answer.status_code == 503
    assert answer.json()["faults"] == {"ledger": "the ledger is read-only"}


def test_a_list_of_models_that_grows_is_served_at_once() -> None:
    models: list[Served] = []
    with serving(build_app(engine=ScriptedEngine(), models=models)) as url:
        assert [m["id"] for m in httpx.get(f"{url}/v1/models").json()["data"]] == ["base"]
        models.append(Served("news", "release-1", None))
        names = [(m["id"], m["root"]) for m in httpx.get(f"{url}/v1/models").json()["data"]]
    assert names == [("news", "release-1"), ("release-1", "release-1"), ("base", "base")]


def test_another_sites_page_may_not_call(api: str) -> None:
    own, other = api, "http://evil.example"
    assert httpx.post(f"{own}/v1/chat/completions", json=ASK, headers={"origin": own}).status_code == 200
    refused = httpx.post(f"{own}/v1/chat/completions", json=ASK, headers={"origin": other})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_this_site")
    renamed = httpx.get(f"{own}/v1/models", headers={"host": "evil.example"})
    assert renamed.status_code == 400
    assert httpx.get(f"{own}/healthz").headers["x-frame-options"] == "DENY"
