"""The desk's door: whoever is not signed in reaches the sign-in page and nothing else, by HTTP or by socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from tensaku.desk.access import Access, Signed, cookies_of
from tensaku.ledger import PersonRow

__all__ = ["SIGNED", "Gate", "may_govern", "signed_of"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SIGNED = "tensaku.signed"
"""Where the person stands in a request's scope."""

_OPEN = ("/v1/", "/desk/static/", "/_nicegui/", "/signin", "/en/signin", "/oidc/")
_OPEN_EXACTLY = ("/v1", "/metrics", "/healthz", "/readyz", "/openapi.json", "/favicon.ico")
_PASSWORD = ("/account", "/en/account", "/signout")


GOVERNORS = ("developer", "validator", "approver", "auditor", "admin")
"""Roles that see where models come from and how they do."""


def may_govern(person: PersonRow) -> bool:
    """Whether a person sees those pages: they speak of every fund, so nobody whose rights end at some funds does."""
    return bool(set(person.roles) & set(GOVERNORS)) and not person.bounded


def signed_of(request: Any) -> Signed:
    """The person behind a request that came through the gate."""
    signed = request.scope[SIGNED]
    assert isinstance(signed, Signed)
    return signed


class Gate:
    """Plain ASGI, since the socket passes here too. The API has keys of its own and is let through."""

    def __init__(self, app: App, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it through with the person in its scope."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        if path in _OPEN_EXACTLY or path.startswith(_OPEN):
            await self._let_in(scope, receive, send)
            return
        opens = self._access.opens(scope.get("client"))
        signed = await asyncio.to_thread(self._access.signed, cookies_of(scope["headers"]), opens=opens)
        settled = signed is not None and (signed.person.credential != "once" or signed.how != "password")
        if settled or (signed is not None and path in _PASSWORD):
            assert signed is not None
            await self._let_in({**scope, SIGNED: signed}, receive, send)
        else:
            await _turn_away(scope, receive, send, "/account" if signed is not None else "/signin")

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on. Who left before the answer is no fault; the framework raises one, which ends here."""
        gone = False

        async def heard() -> MutableMapping[str, Any]:
            nonlocal gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            return message

        try:
            await self._app(scope, heard, send)
        except RuntimeError as error:
            if not gone or str(error) != "No response returned.":
                raise


async def _turn_away(scope: Scope, receive: Receive, send: Send, to: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "sign in first"})
        return
    path, query = str(scope["path"]), scope.get("query_string", b"").decode("latin-1")
    english = path == "/en" or path.startswith("/en/")
    if scope["method"] != "GET" or path.startswith("/_nicegui"):
        body = b"sign in first"
        await send({"type": "http.response.start", "status": 401, "headers": _plain(body)})
        await send({"type": "http.response.body", "body": body})
        return
    there = quote(path + (f"?{query}" if query else ""), safe="")
    place = ("/en" if english else "") + to + (f"?next={there}" if to == "/signin" and path != "/" else "")
    headers = [(b"location", place.encode()), (b"cache-control", b"no-store"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _plain(body: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
