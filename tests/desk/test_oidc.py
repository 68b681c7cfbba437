"""Signing in through a provider that runs beside the test."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from tensaku.desk.access import Access, AccessRules, OidcRules
from tensaku.desk.gate import Gate, signed_of
from tensaku.desk.signin import add_signin
from tensaku.ledger import Ledger

CALLBACK = "http://desk.test/oidc/callback"


@pytest.fixture(scope="module")
def provider() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("provider", Path(__file__).parent / "provider.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["provider"] = module
    spec.loader.exec_module(module)
    with module.TestProvider("tensaku", "the client's secret", CALLBACK) as running:
        yield running


@pytest.fixture
def app(tmp_path: Path, provider: Any) -> Iterator[FastAPI]:
    provider.wrong, provider.person = "", "sato"
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.add_person("sato", "佐藤", ("writer",))
        ledger.add_person("left", "退職者", ("writer",))
        ledger.set_active("left", False)
        rules = OidcRules(provider.issuer, "tensaku", "the client's secret", label="社内SSO")
        access = Access(ledger, AccessRules(open=False, oidc=rules))
        made = FastAPI()
        made.add_middleware(Gate, access=access)
        add_signin(made, access, "")

        @made.get("/ja")
        async def page(request: Request) -> dict[str, str]:
            return {"person": signed_of(request).person.name, "how": signed_of(request).how}

        yield made


async def there_and_back(client: httpx.AsyncClient, *, keep_cookie: bool = True) -> httpx.Response:
    begun = await client.get("/oidc/start?language=ja&next=/ja")
    assert begun.status_code == 303, begun.text
    async with httpx.AsyncClient() as browser:
        back = await browser.get(begun.headers["location"])
    if not keep_cookie:
        client.cookies.clear()
    return await client.get(back.headers["location"].removeprefix("http://desk.test"))


def run(app: FastAPI, steps: Any) -> None:
    async def going() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test") as client:
            await steps(client)

    asyncio.run(going())


def test_who_the_provider_vouches_for_is_in(app: FastAPI, provider: Any) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        assert "社内SSO でサインイン" in (await client.get("/signin")).text
        entered = await there_and_back(client)
        assert (entered.status_code, entered.headers["location"]) == (303, "/ja")
        assert (await client.get("/ja")).json() == {"person": "sato", "how": "oidc"}

    run(app, steps)
    asked = provider.asked[-1]
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) > 30


@pytest.mark.parametrize("wrong", ["denied", "iss", "aud", "exp", "nonce", "key", "none", "issuer"])
def test_a_token_that_does_not_hold_lets_nobody_in(app: FastAPI, provider: Any, wrong: str) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        if wrong == "issuer":
            provider.wrong = wrong
            answer = await client.get("/oidc/start")
            assert answer.status_code == 502
        else:
            provider.wrong = wrong
            answer = await there_and_back(client)
            assert answer.status_code == 403, answer.text
        assert "認証サーバー" in answer.text
        assert (await client.get("/ja")).status_code == 303

    run(app, steps)


@pytest.mark.parametrize("person", ["nobody", "left", "", "system"])
def test_whom_the_ledger_does_not_know_stays_outside(app: FastAPI, provider: Any, person: str) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        provider.person = person
        answer = await there_and_back(client)
        assert answer.status_code == 403
        assert "登録されていません" in answer.text

    run(app, steps)


def test_an_answer_fits_one_browser_and_one_use(app: FastAPI, provider: Any) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        assert (await there_and_back(client, keep_cookie=False)).status_code == 403
        begun = await client.get("/oidc/start")
        async with httpx.AsyncClient() as browser:
            back = await browser.get(begun.headers["location"])
        path = back.headers["location"].removeprefix("http://desk.test")
        assert (await client.get(path)).status_code == 303
        assert (await client.get(path)).status_code == 403
        assert (await client.get("/oidc/callback?state=x&code=y")).status_code == 403

    run(app, steps)


def test_a_provider_that_is_down_is_named(app: FastAPI, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "other.db") as ledger:
        rules = AccessRules(open=False, oidc=OidcRules("http://127.0.0.1:9", "tensaku"))
        made = FastAPI()
        add_signin(made, Access(ledger, rules), "")

        async def steps(client: httpx.AsyncClient) -> None:
            answer = await client.get("/oidc/start")
            assert answer.status_code == 502
            assert "接続できません" in answer.text

        run(made, steps)
