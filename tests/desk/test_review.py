"""The review page over HTTP: who sees what, and what the buttons do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.desk.signed import as_person, token_of

from tensaku.desk.access import Access, AccessRules
from tensaku.desk.comparison import House
from tensaku.desk.gate import Gate
from tensaku.desk.review import add_review
from tensaku.ledger import Ledger, NewDraft, reason_key
from tensaku.text import compare

TEXT = "市場は3.2％上昇した。<script>alert(1)</script>"
FINAL = "市場は3.8％上昇しました。<script>alert(1)</script>"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db", review=True) as opened:
        opened.add_person("sato", "佐藤", ("writer", "reviewer"))
        opened.add_person("mori", "森", ("reviewer",))
        opened.add_person("abe", "阿部", ("writer",))
        draft = opened.add_draft(NewDraft(TEXT, "青葉", "国内", "market", "2026-10", "paste"))
        reasons = {reason_key(b): "運用会社が<b>訂正</b>" for b in compare(TEXT, FINAL, {}, as_of="2026-10").breaks}
        opened.save_final(draft.id, FINAL, "sato", reasons=reasons)
        yield opened


def walk(ledger: Ledger, person: str, steps: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]) -> None:
    app, access = FastAPI(), Access(ledger, AccessRules())
    app.add_middleware(Gate, access=access)
    add_review(app, access, house=House(), text_language="ja")
    as_person(app, ledger, person, steps)


def test_a_reviewer_reads_the_three_texts_and_approves(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get("/review?draft=1")).text
        assert "承認して確定" in page
        assert "<script>alert" not in page
        assert 'class="fact"' in page, "a fact that differs is marked here too"
        assert "運用会社が&lt;b&gt;" in page
        values = {"token": token_of(page), "draft": "1", "final": "1", "decision": "approved", "note": ""}
        assert (await client.post("/review", data={**values, "decision": "returned"})).status_code == 400
        assert (await client.post("/review", data={**values, "decision": "deleted"})).status_code == 400
        assert (await client.post("/review", data={**values, "token": "0"})).status_code == 403
        done = await client.post("/en/review", data=values)
        assert done.headers["location"] == "/en/review?draft=1&told=approved"
        assert "This comment is final" in (await client.get(done.headers["location"])).text

    walk(ledger, "mori", steps)
    assert ledger.standings()[1].review == "approved"


@pytest.mark.parametrize(("person", "why"), [("sato", "ほかの人が確認します"), ("abe", "権限（reviewer）がありません")])
def test_others_see_why_not_and_the_server_refuses(ledger: Ledger, person: str, why: str) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get("/review?draft=1")).text
        assert why in page
        assert "承認して確定" not in page
        values = {"token": token_of(page), "draft": "1", "final": "1", "decision": "approved", "note": ""}
        assert (await client.post("/review", data=values)).status_code == 403

    walk(ledger, person, steps)
    assert ledger.reviews(1) == []


def test_nothing_and_what_is_not_theirs(ledger: Ledger) -> None:
    ledger.set_scopes("mori", ["fund:海外"])

    async def steps(client: httpx.AsyncClient) -> None:
        assert "確認待ちの公表文はありません" in (await client.get("/review")).text
        assert (await client.get("/review?draft=1")).status_code == 403
        assert (await client.get("/review?draft=99")).status_code == 404
        assert (await client.get("/review?draft=%00")).status_code == 200

    walk(ledger, "mori", steps)
