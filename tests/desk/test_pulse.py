"""A page that stays open learns that its sign-in has ended, and shows nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tensaku.desk import pulse
from tensaku.desk.access import Access, AccessRules
from tensaku.desk.pulse import Pulse
from tensaku.errors import UsageError
from tensaku.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setattr(pulse, "KNOWN_SECONDS", 0.02)
    with Ledger.open(tmp_path / "ledger.db") as made:
        made.add_person("sato", "佐藤", ("writer",))
        yield made


def opened(ledger: Ledger, steps: Callable[[Pulse, list[str]], Awaitable[None]], *, idle: float = 120.0) -> None:
    access = Access(ledger, AccessRules(idle_minutes=idle))
    token = access.begin(ledger.person("sato"), "open")
    signed = access.signed({access.cookie: token})
    assert signed is not None

    async def going() -> None:
        told: list[str] = []
        held = Pulse(access, signed, lambda: told.append("gone"))
        try:
            await asyncio.wait_for(steps(held, told), timeout=10)
        finally:
            held.close()

    asyncio.run(going())


async def until_over(held: Pulse) -> None:
    while not held.over:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["signed out", "disabled", "new password", "another task"])
def test_a_page_that_nobody_touches_ends_with_the_sign_in(ledger: Ledger, how: str) -> None:
    async def steps(held: Pulse, told: list[str]) -> None:
        await asyncio.sleep(0.1)
        assert (held.over, told) == (False, [])
        if how == "signed out":
            ledger.end_sessions("sato")
        elif how == "disabled":
            ledger.set_active("sato", False)
        elif how == "new password":
            ledger.set_password("sato", "correct-horse-1")
        else:
            held._access.rules = AccessRules(task="comment")
            ledger.set_scopes("sato", ["task:other"])
        await until_over(held)
        assert told == ["gone"]
        assert await held.person() is None
        assert told == ["gone"], "told once"

    opened(ledger, steps)


def test_what_is_written_looks_at_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "KNOWN_SECONDS", 60.0)

    async def steps(held: Pulse, told: list[str]) -> None:
        ledger.set_roles("sato", ["auditor"])
        known = await held.person(anew=False)
        assert known is not None
        assert known.roles == ("writer",), "typing does not ask each time"
        person = await held.person()
        assert person is not None
        assert person.roles == ("auditor",)
        ledger.end_sessions("sato")
        assert await held.person() is None
        assert (held.over, told) == (True, ["gone"])

    opened(ledger, steps)


def test_an_open_page_alone_is_no_use_of_the_sign_in(ledger: Ledger) -> None:
    async def steps(held: Pulse, told: list[str]) -> None:
        await until_over(held)
        assert told == ["gone"]

    opened(ledger, steps, idle=0.3 / 60)


def test_a_ledger_that_is_away_signs_nobody_out(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(held: Pulse, told: list[str]) -> None:
        def away(*args: object, **more: object) -> None:
            raise UsageError("another program holds the ledger")

        monkeypatch.setattr(ledger, "session", away)
        await asyncio.sleep(0.1)
        assert (held.over, told) == (False, [])
        monkeypatch.undo()
        assert await held.person() is not None

    opened(ledger, steps)
