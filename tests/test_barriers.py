"""A barrier tried from every door: the API, the desk, the commands, what is exported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware
from tests.barred_house import DRAFT, FUND, OPENED, RULES, House, build_house
from tests.desk.signed import as_person, token_of

from tensaku.deploy import _sees
from tensaku.desk.access import Access, AccessRules
from tensaku.desk.approvals_acts import ACTS
from tensaku.desk.approvals_page import add_approvals
from tensaku.desk.bulk import BulkWorker
from tensaku.desk.comparison import House as Style
from tensaku.desk.gate import Gate, signed_of
from tensaku.desk.handing import add_handout
from tensaku.desk.inbox import add_inbox
from tensaku.desk.model_page import add_model_page
from tensaku.desk.month import add_month
from tensaku.desk.reading import add_reading
from tensaku.desk.review import add_review
from tensaku.desk.session import Desk, NoModel, Session
from tensaku.errors import UsageError
from tensaku.follow import Follower, Loader
from tensaku.govern.findings import add_finding
from tensaku.intake import Road
from tensaku.ledger import Conditions, Ledger, NewComparison, NewDraft, NewReport
from tensaku.pipeline import Workspace
from tensaku.records import Revision, Usage, Verdict
from tensaku.serve import Rules, build_app
from tensaku.store import SilentReporter, Store
from tensaku.testing import serving

Cli = Callable[..., Any]
TOLD = "秘密の改訂文"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The open release answers; the closed one is tried beside it on half of the questions. Both have written."""
    made = build_house(tmp_path_factory.mktemp("doors") / "desk")
    with Workspace.open(made.folder).open_ledger() as ledger:
        ledger.approve(made.open, "kuroda", "approved")
        ledger.approve(made.closed, "kuroda", "approved", share=0.5, conditions=Conditions(change="教材が替わった"))
        drafts = {draft.fund: draft.id for draft in ledger.drafts()}
        about = {"release": made.closed, "trial": "no"}
        hidden = Revision(DRAFT, TOLD, Verdict(), "stop", Usage(1, 1), about)
        kept = ledger.add_revision(drafts["国内株式F"], hidden, "sato")
        ledger.save_final(drafts["国内株式F"], "市場は1.2％上昇しました。", "sato", revision_id=kept.id)
        ledger.save_final(drafts[FUND], "秘密の確定稿1.2％上昇", "sato")
        exam = Store(Workspace.read(made.folder).root, SilentReporter()).get(made.closed).inputs["exam"]
        ledger.add_comparisons(
            [NewComparison(exam, "p0", FUND, "market", "2026-10", DRAFT, "a", TOLD, "b", "b")], "sato"
        )
        why = ({"code": "month-missing", "detail": ""},)
        parts = ({"heading": "市況", "section": "market", "fund": FUND, "text": "市況", "place": "1: line 1"},)
        ledger.add_report(NewReport("c" * 64, "混在.pdf", "青葉", "国内株式F", "2026-10", why, parts), by="sato")
        for fund, name in ((FUND, "甲.pdf"), ("", "不明.pdf")):
            ledger.add_report(NewReport(name * 8, name, "青葉", fund, "2026-10", why), by="sato")
    return made


@pytest.fixture(autouse=True)
def _rules(house: House) -> Iterator[None]:
    house.rules(RULES)
    yield
    house.rules(RULES)


@pytest.fixture
def ledger(house: House) -> Iterator[Ledger]:
    with Workspace.open(house.folder).open_ledger() as opened:
        yield opened


class Api:
    """The API over both releases, as the server has it; `get` and `post` are a person's with a key, or nobody's."""

    def __init__(self, url: str, keys: dict[str, str]) -> None:
        self._url, self._keys = url, keys

    def _heads(self, person: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self._keys[person]}"} if person else {}

    def get(self, path: str, person: str) -> httpx.Response:
        return httpx.get(self._url + path, headers=self._heads(person), timeout=60)

    def post(self, path: str, person: str, model: str) -> httpx.Response:
        bodies: dict[str, dict[str, Any]] = {
            "/v1/chat/completions": {"messages": [{"role": "user", "content": "市場"}], "max_tokens": 2},
            "/v1/completions": {"prompt": "市場", "max_tokens": 2},
            "/v1/embeddings": {"input": "市場"},
            "/v1/revise": {"draft": DRAFT, "fund": "国内株式F", "section": "market", "as_of": "2026-10"},
        }
        body = {"model": model, **bodies[path]}
        return httpx.post(self._url + path, json=body, headers=self._heads(person), timeout=60)


@pytest.fixture
def api(house: House, ledger: Ledger) -> Iterator[Api]:
    workspace = Workspace.open(house.folder)
    keys = {name: ledger.add_key(name, "test")[1] for name in ("sato", "tanaka")}
    with Loader(workspace, Store(workspace.root, SilentReporter())) as loader:
        follower = Follower(loader, ledger, "here")
        follower.look()
        app = build_app(
            engine=follower.champion.engine,
            models=follower.lineup,
            rules=Rules(record="none"),
            ledger=ledger,
            sees=_sees(follower, None),
        )
        with serving(app) as url:
            yield Api(url, keys)


DOORS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/revise")


def test_the_api_does_not_know_a_closed_model_for_an_outsider(house: House, api: Api) -> None:
    for person in ("tanaka", ""):
        listed = api.get("/v1/models", person)
        assert house.closed not in listed.text
        assert {card["id"] for card in listed.json()["data"]} == {"tiny", house.open, "base"}
        unknown = house.closed[:-1] + ("0" if house.closed[-1] != "0" else "1")
        for name in (house.closed, unknown, f"{house.open}:0.5+{house.closed}:0.5"):
            for answer in (api.get(f"/v1/models/{name}", person), *(api.post(door, person, name) for door in DOORS)):
                assert answer.status_code == 404, (name, answer.text)
                assert answer.json()["error"]["code"] == "model_not_found"
                told = answer.json()["error"]["message"]
                assert house.closed not in told.partition(". ")[2], "it says the asker's own word again, and no other"
    assert house.closed in {card["id"] for card in api.get("/v1/models", "sato").json()["data"]}
    for door in ("/v1/chat/completions", "/v1/completions", "/v1/revise"):
        assert api.post(door, "sato", house.closed).status_code == 200


def test_the_tasks_name_never_answers_an_outsider_by_the_closed_one(house: House, api: Api) -> None:
    def by(person: str) -> list[str]:
        return [
            api.post("/v1/chat/completions", person, "tiny").raise_for_status().json()["tensaku"]["release"]
            for _ in range(6)
        ]

    assert set(by("tanaka")) == {house.open}
    assert set(by("")) == {house.open}
    assert sorted(by("sato")) == sorted([house.open, house.closed] * 3)
    counted = api.get("/metrics", "tanaka").text
    assert house.open in counted
    assert house.closed not in counted
    assert house.closed in api.get("/metrics", "sato").text


def test_changed_rights_hold_for_the_next_request(house: House, api: Api) -> None:
    assert api.post("/v1/chat/completions", "tanaka", house.closed).status_code == 404
    house.rules(OPENED)
    assert api.post("/v1/chat/completions", "tanaka", house.closed).status_code == 200
    house.rules(RULES)
    assert api.post("/v1/chat/completions", "tanaka", house.closed).status_code == 404
    house.rules("[x")
    broken = api.get("/v1/models", "sato")
    assert (broken.status_code, "no TOML" in broken.text) == (503, True)
    house.rules(RULES.replace('source = "*"\nwho = ["everybody"]', 'source = "*"\nwho = ["deal"]'))
    assert {card["id"] for card in api.get("/v1/models", "tanaka").json()["data"]} == {"base"}


def walk(house: House, ledger: Ledger, person: str, steps: Callable[[httpx.AsyncClient], Any]) -> None:
    app = FastAPI()
    access = Access(ledger, AccessRules(), Workspace.read(house.folder).barriers())
    app.user_middleware.append(Middleware(Gate, access=access))
    add_month(app, access, BulkWorker(ledger, lambda by: pytest.fail("not begun")), due_day=10)
    add_review(app, access, house=Style(), text_language="ja")
    add_model_page(app, access, retrain_after=2, retrain_drift=0.05)
    add_inbox(app, Road(ledger), access.own)
    add_reading(app, access)
    add_approvals(app, access)
    add_handout(app, lambda request: access.own(signed_of(request).person.name))
    as_person(app, ledger, person, steps)


PAGES = ("/month?month=all", "/review", "/model", "/inbox", "/read")


def test_the_desks_pages_hold_nothing_from_behind(house: House, ledger: Ledger) -> None:
    drafts = {draft.fund: draft.id for draft in ledger.drafts()}
    pages: dict[str, dict[str, str]] = {}

    def steps(person: str) -> Callable[[httpx.AsyncClient], Any]:
        async def going(client: httpx.AsyncClient) -> None:
            found = {path: await client.get(start + path) for path in PAGES for start in ("", "/en")}
            assert all(one.status_code == 200 for one in found.values())
            pages[person] = {path: one.text for path, one in found.items()}
            for fund, id in drafts.items():
                for what in (f"/review?draft={id}", f"/desk/export?draft={id}&form=json&history=yes"):
                    answer = await client.get(what)
                    pages[person][f"{what} {fund}"] = f"{answer.status_code} {answer.text}"

        return going

    for person in ("sato", "tanaka"):
        walk(house, ledger, person, steps(person))
    for path, text in pages["tanaka"].items():
        for word in (FUND, house.closed, TOLD, "秘密の確定稿", "甲.pdf", "不明.pdf", "混在.pdf"):
            assert word not in text, (path, word)
    for path, word in (("/month?month=all", FUND), ("/inbox", "甲.pdf"), ("/read", FUND)):
        assert word in pages["sato"][path], path
    out = {fund: f"/desk/export?draft={id}&form=json&history=yes {fund}" for fund, id in drafts.items()}
    assert "秘密の確定稿" in pages["sato"][out[FUND]]
    assert pages["tanaka"][out[FUND]].startswith("404")
    assert pages["tanaka"][out["国内株式F"]].startswith("200")


def test_a_model_behind_a_barrier_is_in_no_inventory_and_not_decided_on(house: House, ledger: Ledger) -> None:
    store = Store(Workspace.read(house.folder).root, SilentReporter())
    adapter = store.get(house.closed).inputs["adapter"]
    due = "2099-01-01"
    found = add_finding(ledger, house.closed, "秘密の所見", "high", datetime(2099, 1, 1, tzinfo=UTC), "kuroda")
    pages: dict[str, str] = {}

    async def reads(client: httpx.AsyncClient) -> None:
        pages["list"] = (await client.get("/approvals")).text
        pages["open"] = (await client.get(f"/en/approvals?ref={house.open}")).text
        for name in ("closed", "adapter"):
            ref = house.closed if name == "closed" else adapter
            answer = await client.get(f"/approvals?ref={ref}")
            pages[name] = f"{answer.status_code} {answer.text}"

    async def tries(client: httpx.AsyncClient) -> None:
        await reads(client)
        said = {"token": token_of(pages["open"]), "mark": ledger.mark(house.closed), "note": "x", "reason": "x"}
        said |= {"ref": house.closed, "text": "x", "severity": "low", "due": due, "until": due, "rule": "gate"}
        said |= {"finding": found.subject, "rating": "low", "change": "x", "override": "x"}
        for act in ACTS:
            answer = await client.post("/approvals", data={**said, "act": act})
            assert answer.status_code == 404, act
            assert house.closed not in answer.text
        said |= {"ref": house.open, "mark": ledger.mark(house.open)}  # nor by way of another model's page
        answer = await client.post("/approvals", data={**said, "act": "close"})
        assert (answer.status_code, "秘密の所見" in answer.text) == (400, False)

    walk(house, ledger, "abe", tries)
    assert house.open in pages["list"]
    for name, text in pages.items():
        for hidden in (house.closed, adapter, "秘密の所見"):
            assert hidden not in text, (name, hidden)
    assert pages["closed"].startswith("404")
    assert pages["adapter"].startswith("404")
    assert "ended" not in ledger.standing("finding")[found.subject].content
    assert ledger.release(house.closed).status == "approved"
    with pytest.raises(UsageError, match="no finding"):
        Access(ledger, AccessRules(), Workspace.read(house.folder).barriers()).own("abe").end_filing(
            "finding", found.subject, "x", "abe"
        )
    walk(house, ledger, "kuroda", reads)
    assert house.closed in pages["list"]
    assert "秘密の所見" in pages["closed"]


def test_the_writers_page_asks_none_but_open_models(house: House, ledger: Ledger) -> None:
    workspace = Workspace.open(house.folder)
    sent: list[tuple[str, Any]] = []
    with Loader(workspace, Store(workspace.root, SilentReporter())) as loader:
        follower = Follower(loader, ledger, "here")
        follower.look()
        access = Access(ledger, AccessRules(), follower.barriers)
        first = follower.champion
        desk = Desk(access.own("tanaka"), first.engine, first.job, "t", follower.choose, access.sees)
        asked = {desk.answering("tanaka")[1].provenance["release"] for _ in range(8)}
        assert asked == {house.open}
        assert {desk.answering("sato")[1].provenance["release"] for _ in range(8)} == {house.open, house.closed}
        house.rules(RULES.replace('source = "*"\nwho = ["everybody"]', 'source = "*"\nwho = ["deal"]'))
        with pytest.raises(NoModel):
            desk.answering("tanaka")
        draft = next(row.id for row in ledger.drafts() if row.fund != FUND)

        async def going() -> None:
            session = Session(desk, "ja", lambda what, values: sent.append((what, values)), "tanaka")
            await session.on_event("hello", {"draft": draft})
            await session.on_event("ask", {"draft": draft})
            for asking in list(session._askings.values()):
                assert asking.task is not None
                await asking.task

        asyncio.run(going())
    notices = [values["message"] for what, values in sent if what == "notice"]
    assert notices == ["現在、利用できるモデルがありません。閲覧権限の管理者にお問い合わせください。"]
    assert TOLD not in json.dumps(sent, ensure_ascii=False)


def test_a_bulk_asked_for_before_the_barrier_rose_is_not_answered_after(house: House, ledger: Ledger) -> None:
    access = Access(ledger, AccessRules(), Workspace.read(house.folder).barriers())
    house.rules(OPENED)
    own = access.own("tanaka")
    late = own.add_draft(NewDraft(DRAFT, "青葉", FUND, "market", "2026-11", "paste", "late"))
    made = own.add_bulk([late.id], "tanaka")
    house.rules(RULES)
    worker = BulkWorker(ledger, lambda by: pytest.fail("it was asked"), access.own)
    assert worker._one()
    assert made is not None
    assert next(bulk for bulk in ledger.bulks(9) if bulk.id == made.id).failed == 1
    assert own.drafts(as_of="2026-11") == []


def test_the_commands_hold_nothing_from_behind(cli: Cli, house: House, tmp_path: Path) -> None:
    here = ("-C", house.folder)
    lists: tuple[tuple[object, ...], ...] = (
        ("list", "--json"),
        ("list", "release"),
        ("inventory", "list", "--json"),
        ("rollouts", "--json"),
        ("monitor", "--json"),
        ("finding", "list", "--all", "--json"),
        ("lineage", "saw", "private.jsonl:1"),
        ("inbox", "list", "--all", "--json"),
        ("barriers", "--json"),
        ("show", house.open, "--json"),
    )
    for words in lists:
        outside, inside = cli("--as", "tanaka", *words, *here), cli("--as", "sato", *words, *here)
        assert (outside.code, inside.code) == (0, 0), (words, outside.err, inside.err)
        for word in (house.closed, FUND, "private.jsonl", "甲.pdf", "混在.pdf"):
            assert word not in outside.out.replace("taught with private.jsonl:1", ""), (words, word)
    assert house.closed in cli("--as", "sato", "list", "--json", *here).out
    assert house.closed in cli("--as", "sato", "rollouts", "--json", *here).out
    draft = tmp_path / "draft.txt"
    draft.write_text(DRAFT, encoding="utf-8")
    about = ("--fund", "国内株式F", "--section", "market", "--as-of", "2026-10")
    refused: tuple[tuple[object, ...], ...] = (
        ("show", house.closed),
        ("diff", house.open, house.closed),
        ("barriers", house.closed),
        ("bom", house.closed, "--out", tmp_path / "bom.json"),
        ("revise", draft, *about, "--release", house.closed),
        ("gate", house.closed),
        ("lineage", "made", house.closed),
        ("finding", "add", house.closed, "x", "--by", "abe", "--severity", "low", "--due", "2099-01-01"),
        ("approve", house.closed, "--by", "abe"),
        ("deploy", house.closed, "--by", "abe"),
        ("withdraw", house.closed, "--by", "abe", "--note", "x"),
        ("rollback", "--by", "abe"),
        ("log", "list"),
        ("evidence", "--out", tmp_path / "pack.zip"),
        ("lineage", "rebuild"),
        ("run", "ingest"),
    )
    for words in refused:
        done = cli("--as", "tanaka", *words, *here)
        assert (done.code, done.out) == (2, ""), (words, done.out, done.err)
        assert house.closed not in done.err.replace(repr(house.closed), ""), words
    assert not (tmp_path / "pack.zip").exists()
    assert cli("--as", "sato", "revise", draft, *about, "--release", house.closed, *here).code == 0
    assert cli("--as", "sato", "log", "list", *here).code == 0


def test_what_is_exported_holds_nothing_from_behind(cli: Cli, house: House, tmp_path: Path) -> None:
    here = ("-C", house.folder)
    for person, seen in (("tanaka", False), ("sato", True)):
        out = tmp_path / person
        done = cli("--as", person, "export", "finals", "--to", "json", "--history", "--out", out, *here)
        assert done.code == 0, done.err
        text = "".join(path.read_text(encoding="utf-8") for path in out.iterdir())
        assert ("秘密の確定稿" in text, FUND in text, TOLD in text) == (seen, seen, seen)
        adapter = Store(Workspace.read(house.folder).root, SilentReporter()).get(house.closed).inputs["adapter"]
        curves = cli("--as", person, "export", adapter, "--to", "tensorboard", "--out", out / "tb", *here)
        assert curves.code == (0 if seen else 2), curves.err


def test_only_who_stands_inside_every_barrier_fills_the_warehouse(house: House, tmp_path: Path) -> None:
    """A copy there holds every fund: nobody bounds it by what this person may see."""
    from tensaku.deploy import copy_finals
    from tensaku.options import act_as

    workspace = Workspace.open(house.folder, [f'ledger.warehouse="sqlite:///{tmp_path / "there.db"}"'])
    try:
        act_as("tanaka")
        with pytest.raises(UsageError, match="'tanaka' does not stand inside every barrier"):
            copy_finals(workspace)
        assert not (tmp_path / "there.db").exists()
        act_as("sato")
        copy_finals(workspace)
        assert FUND.encode() in (tmp_path / "there.db").read_bytes()
    finally:
        act_as("")


def test_the_machines_user_acts_where_nobody_is_named(cli: Cli, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for user, seen in (("tanaka", False), ("sato", True)):
        monkeypatch.setenv("LOGNAME", user)
        assert (house.closed in cli("list", "release", "-C", house.folder).out) is seen
