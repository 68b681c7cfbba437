"""Whoever may write for one fund neither sees nor changes what comes in for another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tensaku.desk.access import Access, AccessRules
from tensaku.desk.gate import Gate
from tensaku.desk.inbox import add_inbox
from tensaku.intake import Reports, Road
from tensaku.ledger import Ledger

HEAD = "青葉アセット　月次レポート\n{fund}\n2026年11月末現在\n\n"
BODY = "■市況\n{text}\n\n"
SECRET = "秘密の市場は1.2％上昇しました。"
OURS = {"x-tensaku-desk": "1"}


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.add_person("ono", "小野", ("writer",), scopes=["fund:国内株式"])
        ledger.add_person("sato", "佐藤", ("writer",))
        yield Road(ledger, Reports(managers=("青葉アセット",), funds=("国内株式", "国内株式・秘密")), tmp_path / "kept")


def client(road: Road, person: str) -> TestClient:
    app = FastAPI()
    add_inbox(app, road)
    token = road.ledger.begin_session(person, how="open", hours=1)
    gated = Gate(app, Access(road.ledger, AccessRules()))
    return TestClient(gated, cookies={"tensaku-session": token}, client=("127.0.0.1", 1))


def upload(who: TestClient, text: str, name: str = "a.txt") -> dict[str, object]:
    answer = who.post("/desk/reports", params={"name": name}, content=text.encode(), headers=OURS)
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()[0]
    return found


def report(fund: str, odd: str = "") -> str:
    return HEAD.format(fund=fund) + BODY.format(text=SECRET) + odd


def test_a_report_of_another_fund_waits_for_somebody_with_the_right(road: Road) -> None:
    ono = client(road, "ono")
    assert upload(ono, report("国内株式"))["what"] == "filed"
    told = upload(ono, report("国内株式・秘密"), "b.txt")
    assert (told["what"], told["detail"]) == ("known", [])
    assert [draft.fund for draft in road.ledger.drafts()] == ["国内株式"], "nothing was filed in another fund"
    waiting = road.ledger.reports("inbox")
    assert [(row.fund, row.reasons[0]["code"]) for row in waiting] == [("国内株式・秘密", "fund-of-others")]
    assert "秘密の市場" not in ono.get(f"/inbox?report={waiting[0].id}").text
    sato = client(road, "sato").get(f"/inbox?report={waiting[0].id}").text
    assert "秘密の市場" in sato
    assert "権限のないファンドです: 国内株式・秘密" in sato


def test_what_waits_for_another_fund_is_neither_seen_nor_decided(road: Road) -> None:
    upload(client(road, "sato"), report("国内株式・秘密", "■わたしの一手\n株を買いました。\n"), "秘密の報告.txt")
    upload(client(road, "sato"), report("", "■わたしの一手\n株を買いました。\n"), "無名の報告.txt")
    secret, unnamed = sorted(row.id for row in road.ledger.reports("inbox"))
    ono = client(road, "ono")
    for path in ("/inbox", f"/inbox?report={secret}", f"/en/inbox?report={unnamed}"):
        page = ono.get(path).text
        assert "秘密の" not in page
        assert "無名の報告" not in page
        assert "国内株式・秘密" not in page
    labels = {"manager": "青葉アセット", "as_of": "2026-11", "sections": {"1": "outlook", "0": "market"}}
    for id in (secret, unnamed):
        for fund in ("国内株式", "国内株式・秘密"):
            filed = ono.post(f"/desk/reports/{id}/file", json={**labels, "fund": fund}, headers=OURS)
            assert filed.status_code == 403, filed.text
        assert ono.post(f"/desk/reports/{id}/aside", json={"note": "x"}, headers=OURS).status_code == 403
    assert road.ledger.drafts() == []
    assert [row.state for row in road.ledger.reports()] == ["inbox", "inbox"]


def test_what_one_brought_in_oneself_is_filed_in_ones_own_funds_alone(road: Road) -> None:
    ono = client(road, "ono")
    assert upload(ono, report(""))["what"] == "inbox"
    id = road.ledger.reports("inbox")[0].id
    assert "秘密の市場" in ono.get(f"/inbox?report={id}").text
    labels = {"manager": "青葉アセット", "as_of": "2026-11"}
    other = ono.post(f"/desk/reports/{id}/file", json={**labels, "fund": "国内株式・秘密"}, headers=OURS)
    assert (other.status_code, road.ledger.drafts()) == (403, [])
    assert ono.post(f"/desk/reports/{id}/file", json={**labels, "fund": "国内株式"}, headers=OURS).status_code == 200
    assert [draft.fund for draft in road.ledger.drafts()] == ["国内株式"]
