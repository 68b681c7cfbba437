"""The month-end page: what it shows, and what its buttons do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.desk.signed import as_person, token_of

from tensaku.desk.access import Access, AccessRules
from tensaku.desk.board import usual_due
from tensaku.desk.bulk import BulkWorker
from tensaku.desk.gate import Gate
from tensaku.desk.month import Wanted, add_month, read_month
from tensaku.ledger import Ledger, NewDraft
from tensaku.records import Revision, Usage, Verdict

TEXT, FINAL = "市場は3.2％上昇した。", "市場は3.2％上昇しました。"
TODAY = date(2026, 11, 12)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db", review=True) as opened:
        opened.add_person("sato", "佐藤", ("writer",))
        opened.add_person("abe", "阿部", ("writer",))
        opened.add_person("mori", "森", ("reviewer",))
        opened.add_person("kansa", "監査", ("auditor",))
        for fund in ("国内", "海外", "<i>斜体</i>", "債券", "不動産"):
            opened.add_draft(NewDraft(TEXT, "青葉", fund, "market", "2026-10", "paste"))
        opened.add_draft(NewDraft(TEXT, "青葉", "国内", "market", "2026-09", "paste"))
        for id in (2, 3, 4, 5):
            opened.add_revision(id, Revision(TEXT, FINAL, Verdict(), "stop", Usage(1, 1), {}), "sato")
        finals = [opened.save_final(id, FINAL, "sato").id for id in (3, 4, 5)]
        opened.add_review(finals[1], "returned", "mori", note="語尾を確認")
        opened.add_review(finals[2], "approved", "mori")
        yield opened


def test_every_draft_stands_somewhere_and_lateness_is_counted(ledger: Ledger) -> None:
    ledger.assign([1], "abe", "2026-11-20", by="sato")
    month = read_month(ledger, Wanted(), due_day=10, today=TODAY)
    assert month.counts == {"todo": 1, "revised": 1, "review": 1, "returned": 1, "saved": 1}
    assert {line.draft.id: line.late for line in month.lines} == {1: 0, 2: 2, 3: 2, 4: 2, 5: 0}
    assert month.late == 3
    assert month.due == date(2026, 11, 10)
    assert read_month(ledger, Wanted(), due_day=0, today=TODAY).late == 0


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(state="review"), {3}),
        (Wanted(person="abe"), {1}),
        (Wanted(person="-"), {2, 3, 4, 5}),
        (Wanted(fund="国内"), {1}),
        (Wanted(late="yes"), {1, 2, 3, 4}),
        (Wanted(month="2026-09"), {6}),
        (Wanted(month="all"), {1, 2, 3, 4, 5, 6}),
        (Wanted(manager="なし"), set()),
    ],
)
def test_filters(ledger: Ledger, wanted: Wanted, ids: set[int]) -> None:
    ledger.assign([1], "abe", None, by="sato")
    month = read_month(ledger, wanted, due_day=10, today=TODAY)
    assert {line.draft.id for line in month.lines} == ids


def test_the_usual_day_turns_the_year() -> None:
    assert usual_due("2026-12", 10) == date(2027, 1, 10)
    assert usual_due("2026-01", 28) == date(2026, 2, 28)


Steps = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


def walk(ledger: Ledger, person: str, steps: Steps) -> None:
    app, access = FastAPI(), Access(ledger, AccessRules())
    app.add_middleware(Gate, access=access)
    worker = BulkWorker(ledger, lambda by: pytest.fail("it was not begun"))
    add_month(app, access, worker, due_day=10)
    as_person(app, ledger, person, steps)


def test_drafts_are_handed_out_with_person_and_day(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get("/month")).text
        assert "&lt;i&gt;斜体" in page
        assert "<i>斜体" not in page
        values = {"token": token_of(page), "draft": ["1", "2", "x"], "to": "abe", "due": "2026-11-20", "fund": "国内"}
        done = await client.post("/en/month/assign", data=values)
        assert done.headers["location"].startswith("/en/month?fund=")
        assert "2 drafts were reassigned" in (await client.get(done.headers["location"])).text
        kept = await client.post("/month/assign", data={**values, "draft": ["1"], "to": "=", "due": "2026-11-25"})
        assert kept.status_code == 303
        wrong = await client.post("/month/assign", data={**values, "due": "昨日"})
        assert wrong.status_code == 400
        assert "昨日" in wrong.text
        assert (await client.post("/month/assign", data={**values, "token": "x"})).status_code == 403
        nobody = await client.post("/month/assign", data={**values, "to": "mori"})
        assert nobody.status_code == 400, "a reviewer writes nothing"

    walk(ledger, "sato", steps)
    standings = ledger.standings()
    assert (standings[1].person, standings[1].due) == ("abe", "2026-11-25")
    assert (standings[2].person, standings[2].due) == ("abe", "2026-11-20")
    assert ledger.verify_records() == []


def test_bulk_takes_what_waits_and_tells_how_far_it_is(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        assert (await client.get("/month/progress")).json() == {"total": 0, "ended": True}
        token = token_of((await client.get("/month")).text)
        asked = await client.post("/month/ask", data={"token": token, "which": "all"})
        assert asked.headers["location"] == "/month?told=bulk_asked%3A1"
        again = await client.post("/month/ask", data={"token": token, "which": "all"})
        assert again.headers["location"] == "/month?told=bulk_none"
        told = (await client.get("/month/progress")).json()
        assert (told["total"], told["done"], told["ended"]) == (1, 0, False)
        page = (await client.get("/month")).text
        assert "モデルが修正案を作成しています" in page
        await client.post("/month/cancel", data={"token": token, "bulk": str(told["id"])})
        assert (await client.get("/month/progress")).json()["ended"]

    walk(ledger, "sato", steps)


@pytest.mark.parametrize("person", ["kansa", "mori"])
def test_who_may_not_is_refused_by_the_server_and_not_only_by_the_page(ledger: Ledger, person: str) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get("/month")).text
        assert "Ask LLM（" not in page
        data = {"token": token_of(page), "draft": "1", "to": "abe", "due": "", "which": "all"}
        assert (await client.post("/month/ask", data=data)).status_code == 403
        assert (await client.post("/month/assign", data=data)).status_code == (403 if person == "kansa" else 303)

    walk(ledger, person, steps)


def test_only_ones_own_funds_are_listed(ledger: Ledger) -> None:
    ledger.set_scopes("sato", ["fund:国内"])

    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get("/month?month=2026-10")).text
        assert "国内" in page
        assert "海外" not in page
        data = {"token": token_of(page), "draft": "2", "to": "abe", "due": ""}
        assert (await client.post("/month/assign", data=data)).status_code == 403

    walk(ledger, "sato", steps)
