"""Requests of somebody who has signed in, to pages without a server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
from fastapi import FastAPI

from tensaku.ledger import Ledger


def as_person(
    app: FastAPI, ledger: Ledger, person: str, steps: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]
) -> None:
    cookies = {"tensaku-session": ledger.begin_session(person, how="open", hours=1)}

    async def going() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", cookies=cookies) as client:
            await steps(client)

    asyncio.run(going())


def token_of(page: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found is not None
    return found[1]
