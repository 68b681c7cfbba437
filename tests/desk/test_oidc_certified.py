"""Signing in through a provider that is certified for OpenID Connect: `oidc-provider` for node, on loopback.

`make test-oidc` installs it into .oidc-provider; TENSAKU_OIDC_PROVIDER names another folder that has it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI, Request
from playwright.sync_api import Browser, Page, Route, expect

from tensaku.desk.access import Access, AccessRules, OidcRules
from tensaku.desk.gate import Gate, signed_of
from tensaku.desk.signin import add_signin
from tensaku.ledger import Ledger

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("TENSAKU_OIDC_PROVIDER") or HERE.parents[1] / ".oidc-provider")
CALLBACK = "http://desk.test/oidc/callback"
SECRET = "the client's secret: 100%&=+"
ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")

pytestmark = [
    pytest.mark.oidc,
    pytest.mark.skipif(
        shutil.which("node") is None or not (FOLDER / "node_modules/oidc-provider").exists(),
        reason=f"no node, or no oidc-provider in {FOLDER}: make test-oidc",
    ),
]


@contextmanager
def provider(callback: str, port: int = 0, *, in_token: bool = False, proof: str = "basic") -> Iterator[str]:
    """Its issuer; a client for each algorithm, one without a secret, one that is somebody else.

    `proof`: how a client's secret is sent.
    """
    secret = {"client_secret": SECRET, "token_endpoint_auth_method": f"client_secret_{proof}"}
    made = [{"client_id": name, "id_token_signed_response_alg": name, **secret} for name in ALGORITHMS]
    made += [{"client_id": "public", "token_endpoint_auth_method": "none"}, {"client_id": "other", **secret}]
    settings = {
        "port": port,
        "inToken": in_token,
        "methods": [f"client_secret_{proof}", "none"],
        "clients": [{"redirect_uris": [callback], **client} for client in made],
    }
    command = ["node", str(HERE / "oidc/provider.mjs"), str(FOLDER), json.dumps(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().strip()
        finally:
            running.kill()


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider(CALLBACK) as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        opened.add_person("sato", "佐藤", ("writer",))
        yield opened


def desk(ledger: Ledger, issuer: str, client: str = "RS256", secret: str = SECRET) -> FastAPI:
    access = Access(ledger, AccessRules(open=False, oidc=OidcRules(issuer, client, secret, label="社内SSO")))
    made = FastAPI()
    made.add_middleware(Gate, access=access)
    add_signin(made, access, "")

    @made.get("/ja")
    @made.get("/en")
    async def page(request: Request) -> dict[str, str]:
        return {"person": signed_of(request).person.name, "how": signed_of(request).how}

    return made


def run(app: FastAPI, steps: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]) -> None:
    async def going() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test") as client:
            await steps(client)

    asyncio.run(going())


async def at_provider(address: str, person: str) -> str:
    """What a browser does there until it is sent back: sign in, consent. Returns the address it is sent to."""
    async with httpx.AsyncClient(timeout=30) as browser:
        answer = await browser.get(address)
        for _ in range(12):
            if answer.is_redirect:
                address = urljoin(address, answer.headers["location"])
                if address.startswith(CALLBACK):
                    return address.removeprefix("http://desk.test")
                answer = await browser.get(address)
            else:
                assert answer.status_code == 200, answer.text
                prompt = "login" if 'name="login"' in answer.text else "consent"
                answer = await browser.post(address, data={"prompt": prompt, "login": person, "password": "any"})
    raise AssertionError(f"the provider does not send the browser back: {address}")


async def there_and_back(client: httpx.AsyncClient, person: str = "sato", language: str = "ja") -> httpx.Response:
    begun = await client.get(f"/oidc/start?language={language}")
    assert begun.status_code == 303, begun.text
    return await client.get(await at_provider(begun.headers["location"], person))


@pytest.mark.parametrize("client_id", [*ALGORITHMS, "public"])
def test_whom_a_certified_provider_vouches_for_is_in(ledger: Ledger, issuer: str, client_id: str) -> None:
    """The username comes from where the provider tells of people: by the standard its ID token does not hold it."""

    async def steps(client: httpx.AsyncClient) -> None:
        entered = await there_and_back(client)
        assert (entered.status_code, entered.headers["location"]) == (303, "/ja"), entered.text
        assert (await client.get("/ja")).json() == {"person": "sato", "how": "oidc"}

    run(desk(ledger, issuer, client_id, "" if client_id == "public" else SECRET), steps)


def test_keys_and_the_way_of_proof_may_change_and_the_token_itself_may_name_the_person(ledger: Ledger) -> None:
    with provider(CALLBACK) as issuer:
        app = desk(ledger, issuer)

        async def before(client: httpx.AsyncClient) -> None:
            assert (await there_and_back(client)).status_code == 303

        run(app, before)
    with provider(CALLBACK, int(issuer.rsplit(":", 1)[1]), in_token=True, proof="post") as again:
        assert again == issuer
        run(app, before)


def test_somebody_whom_the_ledger_does_not_know_is_told_so_in_their_language(ledger: Ledger, issuer: str) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        answer = await there_and_back(client, "nobody")
        assert (answer.status_code, "登録されていません" in answer.text) == (403, True)
        answer = await there_and_back(client, "nobody", "en")
        assert (answer.status_code, "not to this desk" in answer.text) == (403, True), answer.text

    run(desk(ledger, issuer), steps)


def test_a_wrong_secret_and_a_code_made_for_another_client_let_nobody_in(ledger: Ledger, issuer: str) -> None:
    async def wrong_secret(client: httpx.AsyncClient) -> None:
        answer = await there_and_back(client)
        assert (answer.status_code, "認証サーバー" in answer.text) == (403, True)
        assert (await client.get("/ja")).status_code == 303

    run(desk(ledger, issuer, secret="another"), wrong_secret)

    async def other_code(client: httpx.AsyncClient) -> None:
        begun = (await client.get("/oidc/start")).headers["location"]
        back = await at_provider(begun.replace("client_id=RS256", "client_id=other"), "sato")
        assert "code=" in back
        answer = await client.get(back)
        assert (answer.status_code, "認証サーバー" in answer.text) == (403, True)
        assert (await client.get("/ja")).status_code == 303

    run(desk(ledger, issuer), other_code)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def loopback_alone(route: Route) -> None:
    """The provider's own page asks for a font elsewhere."""
    if route.request.url.startswith("http://127.0.0.1:"):
        route.continue_()
    else:
        route.abort()


def sign_in_there(page: Page) -> None:
    page.locator("[name=login]").fill("sato")
    page.locator("[name=password]").fill("any")
    page.locator("button[type=submit]").click()


@pytest.mark.browser
def test_the_whole_way_in_chromium(
    chromium: Browser, start_desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    home = f"http://127.0.0.1:{port}"
    with provider(f"{home}/oidc/callback") as issuer:
        monkeypatch.setenv("OIDC_ISSUER", issuer)
        monkeypatch.setenv("TENSAKU_OIDC_SECRET", SECRET)
        running = start_desk(tmp_path, "account_server.py", port)
        assert running.url == home
        context = chromium.new_context(viewport={"width": 1280, "height": 860}, locale="ja-JP")
        context.route("**/*", loopback_alone)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(home + "/month")  # not signed in: it leads to the sign-in, and from there back
        page.locator("a[href*='/oidc/start']").click()
        page.get_by_text("Cancel").click()
        expect(page.locator("body")).to_contain_text("認証サーバー")
        page.goto(home + "/en/signin")
        page.locator("a[href*='/oidc/start']").click()
        page.get_by_text("Cancel").click()
        expect(page.locator("body")).to_contain_text("sign-in server")
        page.goto(home + "/month")
        page.locator("a[href*='/oidc/start']").click()
        sign_in_there(page)
        page.locator("button[type=submit]").click()  # consent
        page.wait_for_url(home + "/month")
        page.locator("#person").click()
        page.locator("form[action='/signout'] button").click()
        page.wait_for_url("**/signin")
        page.goto(home + "/month")
        expect(page.locator("a[href*='/oidc/start']")).to_be_visible()
        page.locator("a[href*='/oidc/start']").click()  # signed out here, not there
        page.wait_for_url(home + "/month")
        context.close()
        running.ledger.close()
        code, _, err = running.stop()
        assert (code, err) == (0, "")
