"""Who is next, and how much one key may ask for."""

from __future__ import annotations

import asyncio

import pytest

from tensaku.ledger import KeyRow, Limits
from tensaku.serve.budget import Bucket, Budgets
from tensaku.serve.errors import WireError
from tensaku.serve.turns import Turns


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_one_caller_with_many_requests_delays_another_by_one_answer() -> None:
    async def run() -> list[str]:
        turns, order = Turns(1, 100), []
        await turns.take("first")

        async def ask(who: str, name: str) -> None:
            await turns.take(who)
            order.append(name)
            turns.leave(who)

        tasks = [asyncio.create_task(ask("greedy", f"g{i}")) for i in range(6)]
        await settle()
        tasks += [asyncio.create_task(ask("modest", f"m{i}")) for i in range(2)]
        await settle()
        assert (turns.running, turns.waiting) == (1, 8)
        turns.leave("first")
        await asyncio.gather(*tasks)
        assert (turns.running, turns.waiting) == (0, 0)
        return order

    assert asyncio.run(run()) == ["g0", "m0", "g1", "m1", "g2", "g3", "g4", "g5"]


def test_the_line_is_bounded_and_says_when_to_come_again() -> None:
    async def run() -> None:
        turns = Turns(2, 1)
        await turns.take("a")
        await turns.take("a")
        waiting = asyncio.create_task(turns.take("b"))
        await settle()
        with pytest.raises(WireError) as caught:
            await turns.take("c")
        assert (caught.value.status, caught.value.code, caught.value.after) == (429, "queue_full", 5)
        turns.leave("a", seconds=100.0)
        await waiting
        assert turns.after > 10

    asyncio.run(run())


def test_who_leaves_the_line_or_is_cancelled_on_the_step_gives_the_place_back() -> None:
    async def run() -> None:
        turns = Turns(1, 10)
        await turns.take("a")
        gone, stays = asyncio.create_task(turns.take("b")), asyncio.create_task(turns.take("c"))
        await settle()
        gone.cancel()
        await settle()
        assert turns.waiting == 1
        turns.leave("a")
        stays.cancel()  # its turn was granted in the same moment
        await settle()
        assert (turns.running, turns.waiting) == (0, 0)
        await turns.take("d")

    asyncio.run(run())


def test_several_slots_at_once_are_not_overtaken_and_a_callers_own_bound_holds_nobody_else() -> None:
    async def run() -> None:
        turns = Turns(3, 10)
        await turns.take("a")
        wide = asyncio.create_task(turns.take("b", weight=3))
        await settle()
        narrow = asyncio.create_task(turns.take("c"))
        await settle()
        assert not narrow.done()  # else the wide one would wait for ever
        turns.leave("a")
        await settle()
        assert wide.done()
        turns.leave("b", 3)
        await settle()
        assert narrow.done()
        bounded = [asyncio.create_task(turns.take("d", most=1)) for _ in range(2)]
        await settle()
        assert [task.done() for task in bounded] == [True, False]
        await turns.take("e")
        bounded[1].cancel()

    asyncio.run(run())


def key(**limits: int) -> KeyRow:
    return KeyRow(1, "sato", "x", "abc", (), Limits(**limits), None, None, None)  # type: ignore[arg-type]


def test_a_bucket_fills_up_over_a_minute() -> None:
    now = [0.0]
    bucket = Bucket(60, lambda: now[0])
    bucket.take(60)
    assert bucket.missing(1) == 1
    assert bucket.missing(30) == 30
    assert bucket.missing(1000) == 60  # more than a bucketful asks for a full one
    now[0] = 30.0
    assert bucket.missing(30) == 0
    assert bucket.missing(31) == 1
    now[0] = 1e6
    bucket.take(-1000)
    assert bucket.missing(60) == 0


def test_requests_and_tokens_of_a_key() -> None:
    now = [0.0]
    budgets = Budgets(lambda: now[0])
    two = key(requests_per_minute=2, tokens_per_minute=100)
    budgets.take(two, 90)
    with pytest.raises(WireError, match="tokens per minute; try again in 48 seconds") as caught:
        budgets.take(two, 90)
    assert (caught.value.status, caught.value.code) == (429, "rate_limit_exceeded")
    budgets.settle(two, 90, 10)  # the answer was short
    budgets.take(two, 90)
    with pytest.raises(WireError, match="requests per minute; try again in 30 seconds"):
        budgets.take(two, 0)
    budgets.take(None, 10**9)
    budgets.take(key(), 10**9)  # other limits of the same key count from now on
