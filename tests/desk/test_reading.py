"""Blind reading in a real browser: who reads, no names, both orders, votes kept; wrong forms; hostile texts."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.desk.signed import token_of

from tensaku.ledger import Ledger, NewComparison

A = "10月の国内株式市場は、日本銀行の政策を背景に3.2％上昇しました。"
B = "当月の国内株式市場は、日銀の政策を受けて3.2％の上昇となりました。"


def lay_out(ledger: Ledger, n: int = 4) -> None:
    told = ("国内株式ファンド", "market", "2026-10", "当月の国内株式市場は３．２パーセント上昇した。")
    new = [NewComparison("exam-1", f"p{k}", *told, "secret-api", A, "secret-lora", B) for k in range(n)]
    ledger.add_comparisons(new, "sato")


@pytest.mark.browser
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_person_reads_them_all(page: Page, server: Any, language: str) -> None:
    lay_out(server.ledger)
    path, person = ("/read", "sato") if language == "ja" else ("/en/read", "tanaka")
    page.goto(server.url + path)
    page.locator(f"[data-person={person}]").click()
    left = "左がよい" if language == "ja" else "Left is better"
    for number in range(4):
        expect(page.locator(".progress b")).to_have_text(f"{number} / 4")
        assert "secret" not in page.content()
        assert "built-in" not in page.content()
        sides = page.locator(".version .prose").all_inner_texts()
        assert sorted(sides) == sorted([A, B])
        expect(page.locator(".version mark").first).to_be_visible()
        if number == 1:
            page.keyboard.press("0")
        elif number == 2:
            page.locator("textarea").fill("012 数値が正しい")  # figures typed as a reason are no votes
            page.get_by_role("button", name=left).click()
        else:
            page.get_by_role("button", name=left).click()
    expect(page.get_by_role("heading")).to_have_text(re.compile("すべて読み終えました|You have read them all"))
    votes = [vote for vote in server.ledger.votes() if vote.by == person]
    assert [vote.winner for vote in votes] == ["left", "tie", "left", "left"]
    assert votes[2].reason == "012 数値が正しい"
    assert sorted(vote.left for vote in votes) == ["secret-api"] * 2 + ["secret-lora"] * 2
    page.locator("main a").click()  # think better of the last one
    expect(page.locator(".earlier")).to_be_visible()
    page.keyboard.press("2")
    expect(page.locator(".tally")).to_contain_text("4 / 4")
    assert [v.winner for v in server.ledger.votes() if v.by == person][-1] == "right"
    assert server.ledger.verify_records() == []


def form_token(client: httpx.Client) -> str:
    return token_of(client.get("/account").text)


def signed_in(server: Any, person: str) -> httpx.Client:
    token = server.ledger.begin_session(person, how="open", hours=1)
    return httpx.Client(base_url=server.url, cookies={"tensaku-session": token})


def test_forms_that_are_not_whole(server: Any) -> None:
    lay_out(server.ledger)
    with signed_in(server, "sato") as client:
        before = len(server.ledger.votes())
        token, vote = {"token": form_token(client)}, {"comparison": "1", "winner": "left"}
        for form in ({}, {"comparison": "x", "winner": "left"}, {"comparison": "1", "winner": "both"}):
            answer = client.post("/read", data={**form, **token})
            assert answer.status_code == 400
            assert "回答を記録できませんでした" in answer.text
        assert client.post("/read", data={"comparison": "999", "winner": "left", **token}).status_code == 400
        assert client.post("/read", content=b"a" * 200_000).status_code == 415
        assert client.post("/read", data={**vote, **token, "reason": "a" * 300_000}).status_code == 413
        assert client.post("/read", data=vote).status_code == 403, "a form that this session was not given"
        elsewhere = client.post("/read", data={**vote, **token}, headers={"Origin": "https://evil.example"})
        assert elsewhere.status_code == 403
        assert len(server.ledger.votes()) == before
    with httpx.Client(base_url=server.url, cookies={"tensaku-session": "nobody" * 5}) as client:
        assert client.post("/read", data={"comparison": "1", "winner": "left"}).status_code == 401
        assert client.get("/read").headers["location"].startswith("/signin")


def test_nobody_reads_of_a_fund_that_is_not_theirs(server: Any) -> None:
    lay_out(server.ledger)
    told = ("秘密ファンド", "market", "2026-10", "秘密の原稿。")
    server.ledger.add_comparisons([NewComparison("exam-9", "s", *told, "a", "秘密の案。", "b", "秘密の別案。")], "sato")
    secret = server.ledger.comparisons()[-1].id
    server.ledger.add_person("ono", "小野", ("writer",), scopes=["fund:国内株式ファンド"])
    with signed_in(server, "ono") as client:
        token = form_token(client)
        vote = {"comparison": str(secret), "winner": "left", "token": token}
        assert client.post("/read", data=vote).status_code == 403
        for _ in range(10):
            html = client.get("/read").text
            assert "秘密" not in html
            number = re.search(r'name="comparison" value="(\d+)"', html)
            if number is None:
                break
            client.post("/read", data={"comparison": number[1], "winner": "left", "token": token})
        assert "すべて読み終えました" in html
    assert secret not in {held.comparison_id for held in server.ledger.votes() if held.by == "ono"}
    server.ledger.set_scopes("ono", ["fund:別のファンド"])
    with signed_in(server, "ono") as client:  # what was read before is not theirs to see any more either
        assert A not in client.get("/read?back=1").text


def test_an_auditor_reads_and_votes_on_nothing(server: Any) -> None:
    lay_out(server.ledger)
    server.ledger.add_person("kansa", "監査", ("auditor",))
    with signed_in(server, "kansa") as client:
        html = client.get("/read").text
        assert "原稿" in html
        assert "data-key" not in html
        number = re.search(r'name="comparison" value="(\d+)"', html)
        assert number is not None
        vote = {"comparison": number[1], "winner": "left", "token": token_of(html)}
        assert client.post("/read", data=vote).status_code == 403
    assert all(held.by != "kansa" for held in server.ledger.votes())


def test_hostile_texts_stay_texts(server: Any) -> None:
    told = ("<b>f</b>", "market", "2026-10", "<script>alert(1)</script>")
    evil = NewComparison("exam-2", "evil", *told, "a", "<img src=x onerror=alert(1)>左", "b", "<i>右</i>")
    server.ledger.add_comparisons([evil], "sato")
    server.ledger.add_person("suzuki", "<i>鈴木</i>", ("writer",))
    with signed_in(server, "suzuki") as client:
        for _ in range(5):
            html = client.get("/read").text
            assert "<img" not in html
            assert "<i>" not in html
            assert "<script>alert" not in html
            number = re.search(r'name="comparison" value="(\d+)"', html)
            if number is None:
                break
            client.post("/read", data={"comparison": number[1], "winner": "tie", "token": token_of(html)})
    assert any(vote.item == "evil" for vote in server.ledger.votes())
