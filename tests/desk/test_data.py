"""The page of what was set aside: who sees what, and a pair taken back with its reason."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.curate.test_pool import source
from tests.desk.signed import as_person, token_of

from tensaku.curate import Curate, curate
from tensaku.curate.drops import Drops
from tensaku.desk.access import Access, AccessRules
from tensaku.desk.data import add_data
from tensaku.desk.gate import Gate
from tensaku.desk.topics import add_topics
from tensaku.govern.barriers import Barriers
from tensaku.ledger import Ledger
from tensaku.retrieve.rights import Rights
from tensaku.store import Artifact

EVIL = "円安。<script>alert(1)</script>"


@pytest.fixture
def pool(tmp_path: Path) -> Artifact:
    rows = [{"draft": f"株は{n}円。", "final": f"株式は{n}円でした。"} for n in range(40)]
    rows += [{"draft": EVIL, "final": f"円安が{n}円進みました。"} for n in range(35)]
    rows += [{"draft": "空", "final": " "}, {"draft": "密", "final": "秘密です。", "fund": "しろがね"}]
    rows += [{"draft": "密", "final": "別の秘密です。", "fund": "しろがね"}]
    rows += [{"draft": "共有の原稿", "final": "こちらの公表文。"}]
    rows += [{"draft": "共有の原稿", "final": "よその秘密です。", "fund": "しろがね", "as_of": "2026-02"}]
    store, made = source(tmp_path, rows)
    return store.run(curate, Curate(), source=made)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        opened.add_person("ueda", "上田", ("developer",))
        opened.add_person("kato", "加藤", ("developer",), scopes=("fund:みずいろ",))
        opened.add_person("ota", "太田", ("auditor",))
        opened.add_person("abe", "阿部", ("writer",))
        yield opened


def walk(
    ledger: Ledger,
    pool: Artifact | None,
    person: str,
    steps: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]],
    barriers: Barriers | None = None,
) -> None:
    app, access = FastAPI(), Access(ledger, AccessRules(), barriers)
    app.add_middleware(Gate, access=access)
    add_data(app, access, lambda: pool)
    as_person(app, ledger, person, steps)


def test_a_developer_takes_a_pair_back_and_leaves_it_out_again(ledger: Ledger, pool: Artifact) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        listed = (await client.get("/data?reason=contradictory-twin&page=2")).text
        assert "2 / 2" in listed
        assert "同じ原稿に別の公表文がある 36" in listed
        page = (await client.get("/data?drop=3")).text
        assert "<script>alert" not in page
        assert "代わりに残した組" in page
        values = {"token": token_of(page), "drop": "3", "pool": pool.ref, "decision": "kept", "note": "別の相場観"}
        assert (await client.post("/data", data={**values, "decision": "burnt"})).status_code == 400
        assert (await client.post("/data", data={**values, "token": "0"})).status_code == 403
        assert (await client.post("/data", data={**values, "note": " "})).status_code == 400
        assert (await client.post("/data", data={**values, "pool": "curate-0"})).status_code == 409
        assert (await client.post("/data", data={**values, "drop": "0"})).status_code == 400, "it has no final"
        done = await client.post("/en/data", data={**values, "reason": "contradictory-twin", "page": "1"})
        assert done.headers["location"] == "/en/data?drop=3&told=kept&reason=contradictory-twin&page=1"
        told = (await client.get(done.headers["location"])).text
        assert "The next data keeps this pair" in told
        assert "別の相場観" in told
        assert "Leave it out" in told
        assert (await client.post("/data", data={**values, "decision": "left"})).status_code == 303

    walk(ledger, pool, "ueda", steps)
    assert [(row.kept, row.by, row.reason) for row in ledger.rulings()] == [(False, "ueda", "contradictory-twin")]
    assert ledger.verify_records() == []


def test_everybody_sees_what_is_theirs_and_no_more(ledger: Ledger, pool: Artifact) -> None:
    async def of_another_fund(client: httpx.AsyncClient) -> None:
        page = (await client.get("/data")).text
        assert "しろがね" not in page
        every = [(await client.get(f"/data?drop={number}")).text for number in range(len(Drops(pool).all))]
        assert sum("こちらの公表文" in text for text in every) == 1
        assert not any("秘密" in text for text in every), "nor is what stayed in the place of a pair of theirs"

    async def reads_only(client: httpx.AsyncClient) -> None:
        page = (await client.get("/data?drop=3")).text
        assert "判断できるのは開発の担当者です" in page
        assert "<textarea" not in page

    async def writes_only(client: httpx.AsyncClient) -> None:
        assert (await client.get("/data")).status_code == 403

    async def nothing_yet(client: httpx.AsyncClient) -> None:
        assert "まだ作られていません" in (await client.get("/data")).text
        assert "No training data has been made yet" in (await client.get("/en/data?drop=1")).text

    walk(ledger, pool, "kato", of_another_fund)
    walk(ledger, pool, "ota", reads_only)
    walk(ledger, pool, "abe", writes_only)
    walk(ledger, None, "ueda", nothing_yet)


def test_topics_are_proposed_by_one_person_and_decided_on_by_another(ledger: Ledger) -> None:
    told = {"kind": "knowledge", "name": "<b>為替</b>", "says": "円安の影響。", "draft": "", "final": ""}

    async def proposes(client: httpx.AsyncClient) -> None:
        page = (await client.get("/data/topics")).text
        assert "要因分析" in page, "what comes with the product is shown too"
        values = {"token": token_of(page), **told}
        assert (await client.post("/data/topics", data={**values, "kind": "joke"})).status_code == 400
        assert (await client.post("/data/topics", data={**values, "draft": "片方"})).status_code == 400
        assert (await client.post("/data/topics", data=values)).headers["location"] == "/data/topics?told=proposed"
        page = (await client.get("/en/data/topics?told=proposed")).text
        assert "It waits for another person" in page
        assert "&lt;b&gt;為替" in page
        mine = {"token": token_of(page), "topic": "1", "verdict": "approved", "note": ""}
        assert (await client.post("/data/topics/review", data=mine)).status_code == 400

    async def approves(client: httpx.AsyncClient) -> None:
        page = (await client.get("/data/topics")).text
        values = {"token": token_of(page), "topic": "1", "note": "よい"}
        assert (await client.post("/data/topics/review", data={**values, "verdict": "x"})).status_code == 400
        done = await client.post("/data/topics/review", data={**values, "verdict": "approved"})
        assert done.headers["location"] == "/data/topics?told=approved"

    async def reads(client: httpx.AsyncClient) -> None:
        page = (await client.get("/data/topics")).text
        assert 'name="verdict"' not in page
        assert "<textarea" not in page

    async def sees_nothing(client: httpx.AsyncClient) -> None:
        assert (await client.get("/data/topics")).status_code == 403

    for person, steps in (("ueda", proposes), ("kato", approves), ("ota", reads), ("abe", sees_nothing)):
        app, access = FastAPI(), Access(ledger, AccessRules())
        app.add_middleware(Gate, access=access)
        add_topics(app, access)
        as_person(app, ledger, person, steps)
    assert [(row.state, row.reviewed_by) for row in ledger.topics()] == [("approved", "kato")]


def test_what_is_behind_a_barrier_is_not_there(ledger: Ledger, pool: Artifact, tmp_path: Path) -> None:
    rules = tmp_path / "rights.toml"
    rules.write_text(
        '[[rule]]\nfund = "*"\nwho = ["everybody"]\n[[rule]]\nfund = "しろがね"\nwho = ["ota"]\n', encoding="utf-8"
    )
    number = next(dropped.number for dropped in Drops(pool).all if dropped.fund == "しろがね" and dropped.back)

    async def outside(client: httpx.AsyncClient) -> None:
        page = (await client.get(f"/data?drop={number}")).text
        assert "しろがね" not in page
        assert "秘密" not in page
        token = token_of((await client.get("/data")).text)
        values = {"token": token, "drop": str(number), "pool": pool.ref, "decision": "kept", "note": "x"}
        assert (await client.post("/data", data=values)).status_code == 403

    walk(ledger, pool, "ueda", outside, Barriers(tmp_path / "work", Rights(rules)))
    assert ledger.rulings() == []
