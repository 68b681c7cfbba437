"""Signing in over HTTP: the app has the gate and the pages, and one page behind them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from tensaku.desk.access import Access, AccessRules
from tensaku.desk.frame import local_path
from tensaku.desk.gate import Gate, signed_of
from tensaku.desk.signin import add_signin
from tensaku.ledger import Ledger

PASSWORD = "正しい合言葉は長い1"
Walk = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        opened.add_person("sato", "佐藤 <b>美咲</b>", ("writer",))
        opened.set_password("sato", PASSWORD)
        opened.add_person("abe", "阿部", ("writer",))
        opened.set_password("abe", "first-time-only", once=True)
        yield opened


def built(ledger: Ledger, **rules: Any) -> FastAPI:
    app, access = FastAPI(), Access(ledger, AccessRules(**{"open": False, "task": "monthly", **rules}))
    app.add_middleware(Gate, access=access)
    add_signin(app, access, "月次コメント")

    @app.get("/ja")
    async def page(request: Request) -> dict[str, str]:
        return {"person": signed_of(request).person.name}

    return app


def walk(app: FastAPI, steps: Walk, scheme: str = "http") -> None:
    async def going() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://desk.test") as client:
            await steps(client)

    asyncio.run(going())


async def enter(client: httpx.AsyncClient, name: str, password: str, path: str = "/signin") -> httpx.Response:
    shown = await client.get(path)
    token = re.search(r'name="token" value="([^"]+)"', shown.text)
    assert token is not None, shown.text
    going = re.search(r'name="next" value="([^"]+)"', shown.text)
    values = {"token": token[1], "name": name, "password": password, "next": going[1] if going else ""}
    return await client.post(path.partition("?")[0], data=values)


def test_nothing_is_shown_to_who_has_not_signed_in(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        turned = await client.get("/ja?draft=3")
        assert (turned.status_code, turned.headers["location"]) == (303, "/signin?next=%2Fja%3Fdraft%3D3")
        assert (await client.get("/en/account")).headers["location"].startswith("/en/signin")
        assert (await client.post("/account")).status_code == 401
        assert (await client.get("/_nicegui_ws/socket.io/?transport=polling")).status_code == 401
        client.cookies.set("tensaku-session", "x" * 43)
        assert (await client.get("/ja")).status_code == 303

    walk(built(ledger), steps)


def test_in_with_the_right_password_and_out_again(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        wrong = await enter(client, "sato", "違う合言葉です11")
        assert wrong.status_code == 401
        assert "ユーザー名またはパスワードが違うか" in wrong.text
        entered = await enter(client, "sato", PASSWORD, "/signin?next=%2Fja%3Fdraft%3D3")
        assert (entered.status_code, entered.headers["location"]) == (303, "/ja?draft=3")
        cookie = next(c for c in entered.headers.get_list("set-cookie") if c.startswith("tensaku-session="))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Secure" not in cookie
        assert (await client.get("/ja")).json() == {"person": "sato"}
        account = await client.get("/account")
        assert "佐藤 &lt;b&gt;美咲" in account.text
        assert account.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in account.headers["content-security-policy"]
        forged = await client.post("/signout", data={"token": "0" * 64})
        assert forged.status_code == 403
        assert (await client.get("/ja")).status_code == 200
        token = re.search(r'name="token" value="([^"]+)"', account.text)
        assert token is not None
        held = client.cookies["tensaku-session"]
        left = await client.post("/signout", data={"token": token[1]})
        assert left.headers["location"] == "/signin"
        client.cookies.set("tensaku-session", held)
        assert (await client.get("/ja")).status_code == 303, "a copied cookie is worth nothing afterwards"

    walk(built(ledger), steps)


def test_cookies_are_secure_where_the_browser_speaks_tls(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        entered = await enter(client, "sato", PASSWORD)
        for cookie in entered.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-tensaku")
            assert "Secure" in cookie
            assert "Path=/" in cookie
            assert "Domain" not in cookie
        assert (await client.get("/ja")).status_code == 200

    walk(built(ledger, secure=True), steps, "https")


def test_a_form_of_another_site_signs_nobody_in(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        for token in ("", "forged"):
            sent = await client.post("/signin", data={"name": "sato", "password": PASSWORD, "token": token})
            assert sent.status_code == 401
            assert "古くなっています" in sent.text
        json = await client.post("/signin", json={"name": "sato", "password": PASSWORD})
        assert json.status_code == 415
        large = await client.post("/signin", data={"name": "x" * 300_000})
        assert large.status_code == 413

    walk(built(ledger), steps)


def test_five_wrong_ones_lock_and_look_like_any_other(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        told = {(await enter(client, name, "wrong-wrong")).text.count("一時的に") for name in ["sato"] * 5 + ["nobody"]}
        assert told == {1}
        assert (await enter(client, "sato", PASSWORD)).status_code == 401

    walk(built(ledger), steps)


def test_a_one_time_password_leads_to_a_new_one_and_nowhere_else(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        await enter(client, "abe", "first-time-only")
        turned = await client.get("/ja")
        assert (turned.status_code, turned.headers["location"]) == (303, "/account")
        page = (await client.get("/account")).text
        assert "一度限り" in page
        token = re.search(r'name="token" value="([^"]+)"', page)
        assert token is not None
        old = {"token": token[1], "password": "first-time-only"}
        tries = [
            ({"new": "another-one-22", "again": "other"}, "一致していません"),
            ({"new": "first-time-only", "again": "first-time-only"}, "前と違う"),
            ({"new": "abe-abe-12", "again": "abe-abe-12"}, "使えません"),
            ({"new": "another-one-22", "again": "another-one-22", "password": "no"}, "現在のパスワードが違います"),
        ]
        for values, said in tries:
            answer = await client.post("/account", data={**old, **values})
            assert answer.status_code == 400
            assert said in answer.text
        done = await client.post("/account", data={**old, "new": "another-one-22", "again": "another-one-22"})
        assert (done.status_code, done.headers["location"]) == (303, "/ja")
        assert (await client.get("/ja")).json() == {"person": "abe"}

    walk(built(ledger), steps)


def test_where_it_is_open_one_says_who_one_is(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get("/en/signin")).text
        assert "no password is asked for" in page
        assert "&lt;b&gt;" in page
        assert (await enter(client, "sato", "")).status_code == 303
        assert (await client.get("/ja")).json() == {"person": "sato"}
        assert (await enter_another(client, "nobody")).status_code == 401

    async def enter_another(client: httpx.AsyncClient, name: str) -> httpx.Response:
        client.cookies.clear()
        return await enter(client, name, "")

    walk(built(ledger, open=True), steps)


def test_open_is_for_this_machine_alone(ledger: Ledger) -> None:
    token = ledger.begin_session("sato", how="open", hours=1)

    async def going() -> None:
        transport = httpx.ASGITransport(app=built(ledger, open=True), client=("192.0.2.7", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
            assert 'name="password"' in (await client.get("/signin")).text
            assert (await enter(client, "sato", "")).status_code == 401
            client.cookies.set("tensaku-session", token)
            assert (await client.get("/ja")).status_code == 303
            assert (await enter(client, "sato", PASSWORD)).status_code == 303

    asyncio.run(going())


def test_an_open_session_is_worth_nothing_once_passwords_are_asked_for(ledger: Ledger) -> None:
    token = ledger.begin_session("sato", how="open", hours=1)
    assert Access(ledger, AccessRules(open=True)).signed({"tensaku-session": token}) is not None
    assert Access(ledger, AccessRules(open=False)).signed({"tensaku-session": token}) is None


def test_who_has_no_right_to_this_task_stays_outside(ledger: Ledger) -> None:
    ledger.set_scopes("sato", ["task:weekly"])

    async def steps(client: httpx.AsyncClient) -> None:
        assert (await enter(client, "sato", PASSWORD)).status_code == 401

    walk(built(ledger), steps)
    token = ledger.begin_session("sato", how="password", hours=1)
    assert Access(ledger, AccessRules(open=False, task="monthly")).signed({"tensaku-session": token}) is None


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/x\r\nset-cookie:y"],
)
def test_nobody_is_sent_to_another_site(text: str) -> None:
    assert local_path(text, "/ja") == "/ja"
    assert local_path("/en?draft=3", "/ja") == "/en?draft=3"
