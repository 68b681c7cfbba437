"""The OpenAPI document, and Schemathesis over it: whatever it makes up, nothing is a fault of the server."""

from __future__ import annotations

import warnings
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tensaku.revise import Job
from tensaku.serve import Served, build_app
from tensaku.testing import ScriptedEngine

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own use of older interfaces
    import schemathesis
    from schemathesis.checks import not_a_server_error

ABLE = ("sampling", "logprobs", "json", "text", "embeddings")


def app(*can: str) -> Any:
    engine = ScriptedEngine(can=can)
    served = Served("task", "release-1", None, job=Job("直してください。"))
    return build_app(engine=engine, models=[served], hosts=None)


able = schemathesis.openapi.from_asgi("/openapi.json", app(*ABLE))


@able.parametrize()
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_nothing_made_up_from_the_document_is_a_fault_of_the_server(case: Any) -> None:
    case.call_and_validate(checks=[not_a_server_error])


def test_every_door_is_described() -> None:
    paths = able.raw_schema["paths"]
    assert set(paths) == {
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/revise",
        "/v1/models",
        "/v1/models/{name}",
        "/metrics",
        "/healthz",
        "/readyz",
    }


@pytest.mark.parametrize("can", [(), ABLE])
def test_what_the_document_says_of_a_chat_is_what_is_asked(can: tuple[str, ...]) -> None:
    schema = able.raw_schema["components"]["schemas"]["ChatAsk"]
    assert set(schema["required"]) == {"model", "messages"}
    assert "without_effect" not in schema["properties"]
    transport = httpx.ASGITransport(app=app(*can))

    async def ask() -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            body = {"model": "task", "messages": [{"role": "user", "content": "x"}], "logprobs": True}
            return (await client.post("/v1/chat/completions", json=body)).status_code

    import asyncio

    assert asyncio.run(ask()) == (200 if can else 400)
