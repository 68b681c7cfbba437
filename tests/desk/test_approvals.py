"""The page Approvals from the door: each role, each act once, what blocks, and what nobody sees past a barrier."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.desk.signed import as_person, token_of

from tensaku.desk.access import Access, AccessRules
from tensaku.desk.approvals_acts import ACTS, SeenLedger, Superseded
from tensaku.desk.approvals_page import add_approvals
from tensaku.desk.gate import Gate
from tensaku.errors import UsageError
from tensaku.govern import Approval, needs_by
from tensaku.govern.approval import approve
from tensaku.ledger import Ledger

OLD, NEW, OWN = "release-aaaaaaaaaaaa", "release-bbbbbbbbbbbb", "release-cccccccccccc"
DAY = f"{datetime.now().astimezone() + timedelta(days=30):%Y-%m-%d}"
SEEN = f"/approvals?ref={NEW}"
EVIL = "<script>alert(1)</script>"
Steps = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


def traits(words: str) -> dict[str, Any]:
    method = {"tune": {"method": "lora", "rank": 16}}
    return {"base": "b" * 64, "base_name": "gemma", "method": method, "prompt": {"instruction": words * 64}}


def gated(ledger: Ledger, ref: str, champion: str, *failed: str) -> None:
    content = {"passed": not failed, "failed": list(failed), "artifact": "", "champion": champion}
    ledger.file("gate", ref, content, "sato")


def validated(ledger: Ledger, ref: str) -> None:
    kinds = {"plain": {"n": 10, "kept": 0.9, "obeyed": 0, "refused": 0}}
    content = {"about": ref, "artifact": "", "kinds": kinds}
    ledger.file("validation", f"{ref}:v", content, "abe", about=ref)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db", needs=needs_by(Approval())) as opened:
        opened.add_person("sato", "佐藤", ("developer",))
        opened.add_person("kuroda", "黒田", ("approver",))
        opened.add_person("ito", "伊藤", ("approver",))
        opened.add_person("abe", "安倍", ("validator",))
        opened.add_person("mori", "森", ("auditor",))
        opened.add_person("endo", "遠藤", ("writer",))
        opened.add_person("both", "兼任", ("approver", "auditor"))
        for ref, by, words in ((OLD, "sato", "1"), (NEW, "sato", "2"), (OWN, "kuroda", "2")):
            made_from = {"base": "base-1"}
            opened.add_release(
                ref, by, {"task": "月次コメント", "form": "adapter", "traits": traits(words), "made_from": made_from}
            )
        opened.file("model", "base-1", {"kind": "base", "name": "gemma-3", "owner": "sato"}, "sato")
        gated(opened, OLD, "")
        validated(opened, OLD)
        opened.approve(OLD, "kuroda", "approved", "最初のリリース")
        gated(opened, NEW, OLD)
        validated(opened, NEW)
        yield opened


def walk(ledger: Ledger, person: str, steps: Steps) -> None:
    app, access = FastAPI(), Access(ledger, AccessRules())
    app.add_middleware(Gate, access=access)
    add_approvals(app, access, task="monthly-comment")
    as_person(app, ledger, person, steps)


def mark_of(page: str) -> str:
    return page.partition('name="mark" value="')[2].partition('"')[0]


def fields(page: str, act: str, **more: str) -> dict[str, str]:
    return {"token": token_of(page), "ref": NEW, "mark": mark_of(page), "act": act, **more}


async def press(client: httpx.AsyncClient, act: str, **more: str) -> httpx.Response:
    """Open the model's page and press one of its buttons."""
    page = (await client.get(SEEN)).text
    return await client.post("/approvals", data=fields(page, act, **more))


def approved(ledger: Ledger, ref: str = NEW) -> list[str]:
    return [one.decision for one in ledger.release(ref).approvals]


def test_the_inventory_says_of_each_model_where_it_stands(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get("/approvals")).text
        for text in (
            OLD,
            NEW,
            OWN,
            "gemma-3",
            "使用中",
            "検証中",
            "開発中",
            "合格",
            "実施済み",
            "未実施",
            "リリース (3)",
        ):
            assert text in page, text
        assert 'data-n="2"' in page, "two releases wait for a decision"
        assert page.index(OWN) < page.index("gemma-3"), "releases stand before their parts"
        only = (await client.get("/en/approvals?kind=base")).text
        assert "gemma-3" in only
        assert NEW not in only
        assert "No model matches" in (await client.get("/en/approvals?kind=judge&page=x")).text
        assert (await client.get("/approvals?ref=release-nothing")).status_code == 404

    walk(ledger, "mori", steps)


def test_an_approver_approves_within_limits_and_the_ledger_says_who(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get(SEEN)).text
        for text in ("重要な変更があります（1 項目）", f"{OLD} からの変更", "指示文", "90%", "重要な変更を認める理由"):
            assert text in page, text
        blocked = await press(client, "approve", note="覚え書き")
        assert blocked.status_code == 400
        assert "承認できませんでした" in blocked.text
        assert "覚え書き" in blocked.text, "what was written is not lost"
        limits = {"tasks": "月次コメント、週報", "requests": "500", "until": DAY}
        done = await press(client, "approve", change="指示文を新しい規程に合わせた", note="黒田が確認", **limits)
        assert done.headers["location"] == f"/approvals?ref={NEW}&told=approve"
        told = (await client.get(done.headers["location"])).text
        for text in (
            "承認を記録しました",
            "条件付き承認",
            "業務 月次コメント、週報 のみ",
            "0 / 500 件を使用",
            DAY,
            "使用中",
        ):
            assert text in told, text

    walk(ledger, "kuroda", steps)
    (held,) = ledger.release(NEW).approvals
    assert (held.by, held.decision, held.note) == ("kuroda", "approved", "黒田が確認")
    assert held.conditions.tasks == ("月次コメント", "週報")
    assert held.conditions.requests == 500
    assert held.conditions.until is not None
    assert f"{held.conditions.until.astimezone():%Y-%m-%d %H:%M}" == f"{DAY} 23:59"
    assert held.conditions.change == "指示文を新しい規程に合わせた"
    assert [one.what for one in ledger.log() if one.subject == "approval:2"] == ["release.approved"]


def test_a_gate_that_said_no_is_overridden_with_a_reason(ledger: Ledger) -> None:
    gated(ledger, NEW, OLD, "champion", "style")

    async def steps(client: httpx.AsyncClient) -> None:
        assert "昇格判定が不合格: 現行モデルに劣らない、文体" in (await client.get(SEEN)).text
        assert (await press(client, "approve", change="規程の改定")).status_code == 400
        reasons = {"change": "規程の改定", "override": "差は句読点だけ"}
        assert (await press(client, "approve", **reasons)).status_code == 303
        assert "判定に優先した理由: 差は句読点だけ" in (await client.get(SEEN)).text

    walk(ledger, "kuroda", steps)
    assert ledger.release(NEW).approvals[0].conditions.override == "差は句読点だけ"


def test_rejecting_and_withdrawing_take_a_reason(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        empty = await press(client, "reject", note=" \n")
        assert (empty.status_code, "理由を書いてください" in empty.text) == (400, True)
        assert (await press(client, "reject", note=f"文が落ちる{EVIL}")).status_code == 303
        page = (await client.get(SEEN)).text
        assert "却下" in page
        assert "<script>alert" not in page
        withdrawn = await press(client, "withdraw", note="誤り")
        assert withdrawn.status_code == 400, "there is no approval to take back"
        assert (await press(client, "approve", change="直した")).status_code == 303
        assert (await press(client, "withdraw", note="誤り")).status_code == 303

    walk(ledger, "kuroda", steps)
    assert approved(ledger) == ["rejected", "approved", "withdrawn"]
    now = ledger.deployed()
    assert now is not None
    assert now.champion == OLD


def test_a_validator_files_and_closes_a_finding_that_blocks(ledger: Ledger) -> None:
    async def files(client: httpx.AsyncClient) -> None:
        page = (await client.get(SEEN)).text
        assert "承認・却下・撤回は、承認者の役割を持つ人が行います" in page
        assert 'id="act-approve"' not in page
        finding = {"text": "長い原稿で一文が落ちる", "severity": "high"}
        assert (await press(client, "finding", due="いつか", **finding)).status_code == 400
        assert (await press(client, "finding", due="2020-01-01", **finding)).status_code == 400
        assert (await press(client, "finding", due=DAY, **finding)).status_code == 303
        refused = await press(client, "approve", change="x")
        assert (refused.status_code, "承認者の役割" in refused.text) == (403, True)

    async def blocked(client: httpx.AsyncClient) -> None:
        page = (await client.get(SEEN)).text
        assert "重大度「高」の所見が未了: F-0001" in page
        assert (await press(client, "approve", change="直した", override="急ぐ")).status_code == 400

    async def closes(client: httpx.AsyncClient) -> None:
        assert (await press(client, "close", finding="F-0001", reason=" ")).status_code == 400
        assert (await press(client, "close", finding="F-0009", reason="直した")).status_code == 400
        assert (await press(client, "close", finding="F-0001", reason="学習データを直した")).status_code == 303
        page = (await client.get(SEEN)).text
        assert "クローズ済み" in page
        assert "学習データを直した" in page

    walk(ledger, "abe", files)
    walk(ledger, "kuroda", blocked)
    walk(ledger, "abe", closes)
    assert approved(ledger) == []
    (held,) = ledger.standing("finding").values()
    assert (held.by, held.content["ended_why"]) == ("abe", "学習データを直した")


def test_a_finding_of_another_model_is_not_closed_from_this_page(ledger: Ledger) -> None:
    content = {"about": OLD, "text": "x", "severity": "high", "due": datetime.now(UTC).isoformat(), "evidence": ""}
    ledger.file_finding(content, "abe", about=OLD)

    async def steps(client: httpx.AsyncClient) -> None:
        assert (await press(client, "close", finding="F-0001", reason="x")).status_code == 400

    walk(ledger, "abe", steps)
    assert "ended" not in ledger.standing("finding")["F-0001"].content


def test_exceptions_have_a_reason_and_an_end(ledger: Ledger) -> None:
    content = {"about": NEW, "text": "x", "severity": "high", "due": datetime.now(UTC).isoformat(), "evidence": ""}
    ledger.file_finding(content, "abe", about=NEW)

    async def grants(client: httpx.AsyncClient) -> None:
        assert (await press(client, "except", rule="findings", until=DAY, reason="")).status_code == 400
        assert (await press(client, "except", rule="weather", until=DAY, reason="x")).status_code == 400
        assert (await press(client, "except", rule="findings", until=DAY, reason="翌月に直す")).status_code == 303
        assert "F-0001。クローズするか" not in (await client.get(SEEN)).text

    async def ends(client: httpx.AsyncClient) -> None:
        assert (await press(client, "end", rule="findings", reason="もう要らない")).status_code == 303
        assert "F-0001。クローズするか" in (await client.get(SEEN)).text

    walk(ledger, "abe", grants)
    walk(ledger, "kuroda", ends)


def test_the_second_line_rates_a_part_of_a_model_too(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get("/en/approvals?ref=base-1")).text
        assert "What an approval takes" not in page, "only releases are approved"
        values = fields(page, "rate", rating="high", reason="外部のモデル", ref="base-1")
        done = await client.post("/en/approvals", data=values)
        assert done.headers["location"] == "/en/approvals?ref=base-1&told=rate"
        told = (await client.get(done.headers["location"])).text
        assert "set by 安倍: 外部のモデル" in told
        assert OLD.partition("-")[0] in told

    walk(ledger, "abe", steps)


@pytest.mark.parametrize(
    ("person", "ref", "why"),
    [
        ("kuroda", OWN, "このモデルの作成に関わったため"),
        ("sato", NEW, "判断と記録は第二線"),
        ("mori", NEW, "監査の役割では"),
        ("both", NEW, "監査の役割では"),
    ],
)
def test_who_may_not_is_told_why_and_refused(ledger: Ledger, person: str, ref: str, why: str) -> None:
    """Whatever a form says: builders, the first line and auditors change nothing."""

    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get(f"/approvals?ref={ref}")).text
        assert why in page
        assert "<textarea" not in page
        head = {"token": form_token(client), "ref": ref, "mark": ledger.mark(ref)}
        said = {"note": "x", "text": "x", "severity": "low", "due": DAY, "until": DAY, "rule": "gate", "reason": "x"}
        said |= {"rating": "low", "finding": "F-0001", "override": "x", "change": "x"}
        for act in ACTS:
            answer = await client.post("/approvals", data={**head, **said, "act": act})
            assert answer.status_code == 403, (act, answer.text[-600:])

    before, _ = ledger.log_end()
    walk(ledger, person, steps)
    assert {entry.what for entry in ledger.log(after=before)} == {"person.signed-in"}


def form_token(client: httpx.AsyncClient) -> str:
    """The token that a form of this session carries: pages without a form do not show it."""
    from tensaku.desk.access import Signed

    token = client.cookies["tensaku-session"]
    return Signed(None, token, "open").form_token  # type: ignore[arg-type]


def test_others_do_not_see_the_page(ledger: Ledger) -> None:
    ledger.add_person("kato", "加藤", ("approver",), scopes=("fund:国内株式F",))

    async def steps(client: httpx.AsyncClient) -> None:
        for path in ("/approvals", SEEN, "/en/approvals"):
            answer = await client.get(path)
            assert answer.status_code == 403
            assert NEW not in answer.text
        data = {"token": form_token(client), "ref": NEW, "mark": ledger.mark(NEW), "act": "reject", "note": "x"}
        assert (await client.post("/approvals", data=data)).status_code == 403

    walk(ledger, "endo", steps)
    walk(ledger, "kato", steps)
    assert approved(ledger) == []


def test_a_form_of_another_site_or_of_nothing_is_refused(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get(SEEN)).text
        good = fields(page, "reject", note="x")
        assert (await client.post("/approvals", data={**good, "token": "0"})).status_code == 403
        assert (await client.post("/approvals", data={**good, "act": "delete"})).status_code == 400
        assert (await client.post("/approvals", data={**good, "ref": "release-nothing"})).status_code == 404
        assert (await client.post("/approvals", json=good)).status_code == 415
        for name, value in (("requests", "0"), ("requests", "many"), ("share", "100"), ("until", "2020-01-01")):
            bad = {**good, "act": "approve", "change": "x", name: value}
            assert (await client.post("/approvals", data=bad)).status_code == 400, name

    walk(ledger, "kuroda", steps)
    assert approved(ledger) == []


def test_a_button_pressed_twice_acts_once(ledger: Ledger) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        page = (await client.get(SEEN)).text
        finding = fields(page, "finding", text="一文が落ちる", severity="medium", due=DAY)
        assert (await client.post("/approvals", data=finding)).status_code == 303
        again = await client.post("/approvals", data=finding)
        assert again.status_code == 409
        assert "重ねては行いませんでした" in again.text
        assert "一文が落ちる" in again.text

    walk(ledger, "abe", steps)
    assert list(ledger.standing("finding")) == ["F-0001"]


def test_of_two_who_decide_at_once_the_second_is_told(ledger: Ledger) -> None:
    pages: list[str] = []

    async def reads(client: httpx.AsyncClient) -> None:
        pages.append(mark_of((await client.get(SEEN)).text))

    async def rejects(client: httpx.AsyncClient) -> None:
        assert (await press(client, "reject", note="一文が落ちる")).status_code == 303

    async def approves(client: httpx.AsyncClient) -> None:
        page = (await client.get(SEEN)).text
        values = {**fields(page, "approve", change="問題なし"), "mark": pages[0]}
        late = await client.post("/approvals", data=values)
        assert late.status_code == 409
        assert "記録が変わったため、何も行いませんでした" in late.text
        assert "問題なし" in late.text

    walk(ledger, "ito", reads)
    walk(ledger, "kuroda", rejects)
    walk(ledger, "ito", approves)
    assert approved(ledger) == ["rejected"]


def test_what_answers_since_the_page_was_read_is_not_replaced_unseen(ledger: Ledger) -> None:
    seen = ledger.mark(NEW)
    gated(ledger, OWN, OLD)
    validated(ledger, OWN)
    from tensaku.ledger import Conditions

    ledger.approve(OWN, "ito", "approved", conditions=Conditions(change="x"))
    held = SeenLedger(ledger, "kuroda", None, NEW, seen)
    with pytest.raises(Superseded, match="nothing was done"):
        approve(held, NEW, "kuroda", "approved", conditions=Conditions(change="x", override="x"))


def test_many_at_once_decide_once(ledger: Ledger) -> None:
    """In the very transaction: of ten who saw the same, one decides."""
    seen, outcomes = ledger.mark(NEW), []
    ready = threading.Barrier(10)

    def decide(number: int) -> None:
        own = SeenLedger(ledger, ("kuroda", "ito")[number % 2], None, NEW, seen)
        ready.wait()
        try:
            approve(own, NEW, ("kuroda", "ito")[number % 2], "rejected", "同時")
            outcomes.append("done")
        except UsageError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=decide, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Superseded"] * 9 + ["done"]
    assert approved(ledger) == ["rejected"]


def test_what_was_lent_counts_until_it_ends(ledger: Ledger) -> None:
    async def sees(client: httpx.AsyncClient) -> None:
        assert 'id="act-approve"' in (await client.get(SEEN)).text

    async def sees_not(client: httpx.AsyncClient) -> None:
        assert 'id="act-approve"' not in (await client.get(SEEN)).text

    ledger.delegate("abe", "approver", datetime.now(UTC) + timedelta(days=3), "休暇", "kuroda")
    walk(ledger, "abe", sees)
    ledger.end_filing("delegation", "kuroda:abe:approver", "戻った", "kuroda")
    walk(ledger, "abe", sees_not)
