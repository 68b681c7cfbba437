"""The page of reports: what goes up, who may, what is decided, and that nothing of a report is anything but text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from tensaku.desk.inbox import add_inbox, safe_name
from tensaku.documents import Limits
from tensaku.intake import Reports, Road
from tensaku.ledger import Ledger

HEAD = "青葉アセット　月次レポート\n国内株式0\n2026年11月末現在\n\n"
BODY = "■市況\n市場は1.2％上昇しました。\n\n"
ODD = "■わたしの<b>一手</b>\n<script>window.hit=1</script>株を買いました。\n"
WHO = {"x-tensaku-desk": "1", "x-tensaku-person": "sato"}


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.add_person("sato", "佐藤", ("writer",))
        ledger.add_person("audit", "監査", ("auditor",))
        cfg = Reports(managers=("青葉アセット",), funds=("国内株式0",))
        yield Road(ledger, cfg, tmp_path / "kept", Limits(file_bytes=200_000))


@pytest.fixture
def client(road: Road) -> Iterator[TestClient]:
    app = FastAPI()
    add_inbox(app, road)
    with TestClient(app) as made:
        yield made


def upload(client: TestClient, text: str | bytes, name: str = "a.txt", **headers: str) -> tuple[int, object]:
    data = text.encode() if isinstance(text, str) else text
    answer = client.post("/desk/reports", params={"name": name}, content=data, headers={**WHO, **headers})
    return answer.status_code, answer.json()


def test_what_is_clear_is_filed_and_what_is_not_waits_and_is_decided(client: TestClient, road: Road) -> None:
    status, rows = upload(client, HEAD + BODY)
    assert (status, rows[0]["what"], rows[0]["detail"]) == (200, "filed", ["市場動向"])  # type: ignore[index]
    status, rows = upload(client, HEAD.replace("11月", "12月") + BODY + ODD, "../../b<i>.txt")
    assert rows[0]["what"] == "inbox"  # type: ignore[index]
    page = client.get("/inbox").text
    assert "どの区分か分からない見出しです: ■わたしの&lt;b&gt;一手&lt;/b&gt;" in page
    assert "<script>window" not in page
    assert "b&lt;i&gt;.txt" in page
    id, parts = road.ledger.reports("inbox")[0].id, road.ledger.reports("inbox")[0].parts
    labels = {"manager": "青葉アセット", "fund": "国内株式0", "as_of": "2026-12"}
    refused = client.post(f"/desk/reports/{id}/file", json=labels, headers=WHO)
    assert (refused.status_code, refused.json()["error"]) == (400, "「■わたしの<b>一手</b>」の区分を選んでください。")
    for wrong, said in (
        ({"as_of": "12月"}, "2026-10 のように"),
        ({"fund": " "}, "すべて入力"),
        ({"manager": ""}, "すべて入力"),
    ):
        refused = client.post(f"/desk/reports/{id}/file", json={**labels, **wrong}, headers=WHO)
        assert (refused.status_code, said in refused.json()["error"]) == (400, True)
    assert "理由" in client.post(f"/desk/reports/{id}/aside", json={"note": " "}, headers=WHO).json()["error"]
    chosen = {str(len(parts) - 1): "outlook"}
    assert client.post(f"/desk/reports/{id}/file", json={**labels, "sections": chosen}, headers=WHO).json() == {
        "id": id,
        "state": "filed",
    }
    assert [(d.section, d.by) for d in road.ledger.drafts(as_of="2026-12")] == [("market", "sato"), ("outlook", "sato")]
    again = client.post(f"/desk/reports/{id}/aside", json={"note": "x"}, headers=WHO)
    assert (again.status_code, "すでにほかの人が処理" in again.json()["error"]) == (409, True)


def test_a_zip_goes_up_and_each_file_of_it_is_told(client: TestClient, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("一.txt", HEAD + BODY)
        archive.writestr("二.pdf", b"%PDF-1.4 broken")
    _, rows = upload(client, (tmp_path / "z.zip").read_bytes(), "月次.zip", language="en")
    assert [(row["name"], row["what"]) for row in rows] == [  # type: ignore[attr-defined]
        ("月次.zip/一.txt", "filed"),
        ("月次.zip/二.pdf", "inbox"),
    ]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-tensaku-desk": ""}, 403),
        ({"x-tensaku-person": "nobody"}, 403),
        ({"x-tensaku-person": "audit"}, 403),
    ],
)
def test_only_a_writer_on_our_own_page_brings_in(
    client: TestClient, road: Road, headers: dict[str, str], status: int
) -> None:
    assert upload(client, HEAD + BODY, **headers)[0] == status
    assert road.ledger.reports() == []


def test_whoever_has_signed_in_counts_more_than_what_the_page_says(road: Road) -> None:
    from types import SimpleNamespace

    app = FastAPI()
    add_inbox(app, road)

    async def gate(scope, receive, send):  # type: ignore[no-untyped-def]
        signed = SimpleNamespace(person=road.ledger.person("audit"))
        await app({**scope, "tensaku.signed": signed}, receive, send)

    with TestClient(gate) as client:
        assert upload(client, HEAD + BODY)[0] == 403


def test_a_file_over_the_limit_is_refused_while_it_comes(client: TestClient, road: Road) -> None:
    status, answer = upload(client, b"x" * 200_001)
    assert (status, "大きすぎます" in answer["error"]) == (413, True)  # type: ignore[index]
    assert road.ledger.reports() == []


def test_a_heading_is_corrected_on_the_page(client: TestClient, road: Road) -> None:
    upload(client, HEAD + BODY)
    values = {"manager": "青葉アセット", "heading": "■市況", "section": "performance"}
    assert client.post("/desk/headings", json=values, headers=WHO).json() == {"message": "覚えました。"}
    assert [(row.heading, row.section, row.by) for row in road.ledger.headings()] == [("■市況", "performance", "sato")]
    wrong = client.post("/desk/headings", json={**values, "section": "weather"}, headers=WHO)
    assert wrong.status_code == 400


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("..\\..\\win.ini", "win.ini"),
        ("/etc/passwd", "passwd"),
        ("", "report"),
        ("..", "report"),
        ("報告\u202exslx.exe", "報告xslx.exe"),
        ("あ" * 300 + ".pdf", "あ" * 116 + ".pdf"),
    ],
)
def test_names_of_files_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.browser
def test_from_upload_to_draft_in_the_browser(page: Page, server, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    (tmp_path / "良い報告.txt").write_text(HEAD + BODY, encoding="utf-8")
    (tmp_path / "迷う報告.txt").write_text(HEAD.replace("11月", "12月") + BODY + ODD, encoding="utf-8")
    page.goto(server.url)
    page.click("[data-person=sato]")
    page.click(".nav a[href='/inbox']")
    page.set_input_files("#files", [tmp_path / "良い報告.txt", tmp_path / "迷う報告.txt"])
    page.wait_for_url("**/inbox?report=*")
    assert page.locator("#report-title").inner_text() == "迷う報告.txt"
    assert page.evaluate("window.hit") is None
    found = axe.Axe().run(page)
    serious = [v["id"] for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == []
    page.click("#file")
    page.wait_for_selector("#fault:visible")
    page.locator(".part-open select").select_option("performance")
    page.click("#file")
    page.wait_for_url("**/inbox")
    drafts = server.ledger.drafts(as_of="2026-12", fund="国内株式0")
    assert [(d.section, d.origin, d.by) for d in drafts] == [
        ("market", "迷う報告.txt", "sato"),
        ("performance", "迷う報告.txt", "sato"),
    ]
    page.goto(f"{server.url}/en/inbox")
    assert page.locator(".learnt").inner_text().startswith("Headings by manager")


def drop(page: Page, paths: list[Path], *, let_go: bool = True) -> None:
    """Drag files and folders from the machine over the page, as a hand with a mouse does, and let go."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", *(("drop",) if let_go else ())):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 400, "data": data})


@pytest.mark.browser
def test_files_and_folders_dropped_on_the_page(page: Page, server, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "十月/下"
    folder.mkdir(parents=True)
    head = HEAD.replace("国内株式0", "国内株式1").replace("青葉アセット", "北辰投資顧問")
    (folder / "明快.txt").write_text(head + BODY, encoding="utf-8")
    (folder / ".DS_Store").write_bytes(b"x")
    (tmp_path / "危険.pdf").write_bytes(b"MZ" + bytes(200))
    page.goto(server.url)
    page.click("[data-person=sato]")
    expect(page.locator("#desk-root[data-person=yes]")).to_be_visible()
    drop(page, [tmp_path / "十月"], let_go=False)
    expect(page.locator("#desk-root[data-dragging=yes]")).to_be_visible()
    drop(page, [tmp_path / "十月"])  # on the list of drafts: the folder with what is in it
    page.wait_for_url("**/inbox?report=*")
    expect(page.locator("#arrivals li")).to_have_count(1)
    expect(page.locator("#arrivals")).to_contain_text("明快.txt")
    expect(page.locator("#arrivals")).to_contain_text("市場動向")
    drafts = server.ledger.drafts(as_of="2026-11", fund="国内株式1")
    assert [(d.section, d.origin, d.by) for d in drafts] == [("market", "明快.txt", "sato")]
    drop(page, [tmp_path / "危険.pdf", folder / "明快.txt"])  # on the page of reports
    page.wait_for_url("**/inbox?report=*")
    expect(page.locator("#arrivals li")).to_have_count(2)
    expect(page.locator("#arrivals [data-what=known]")).to_contain_text("明快.txt")
    expect(page.locator("#report-title")).to_have_text("危険.pdf")
    assert len(server.ledger.drafts(as_of="2026-11", fund="国内株式1")) == 1
    drop(page, [])  # a drag of a text or a link is none of our business
    assert page.url.endswith(f"report={server.ledger.reports('inbox')[0].id}")


@pytest.mark.browser
def test_who_may_not_bring_reports_in_is_told_so(page: Page, server, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "大きい.txt").write_bytes(b"a" * 200)
    server.ledger.add_person("kansa", "監査", ("auditor",))
    page.goto(server.url)
    page.click("[data-person=kansa]")
    expect(page.locator("#desk-root[data-person=yes]")).to_be_visible()
    before = len(server.ledger.reports())
    drop(page, [tmp_path / "大きい.txt"])
    expect(page.locator("#notice")).to_be_visible()
    assert len(server.ledger.reports()) == before


def test_a_report_of_several_funds_is_decided_part_by_part(client: TestClient, road: Road) -> None:
    cfg = Reports(managers=("青葉アセット",), funds=("国内株式0", "世界債券1"))
    app = FastAPI()
    road = Road(road.ledger, cfg)
    add_inbox(app, road)
    each = "国内株式0\n\n■運用経過\n{}の騰落率は1.2％となりました。\n\n"
    text = f"青葉アセット　月次　2026年11月末\n\n{BODY}{each.format('当')}{each.replace('国内株式0', '世界債券1')}"
    with TestClient(app) as several:
        _, rows = upload(several, text)
        assert rows[0]["what"] == "inbox"  # type: ignore[index]
        row = road.ledger.reports("inbox")[0]
        page = several.get("/inbox").text
        assert page.count("全ファンド共通") == len(row.parts)
        assert "2ファンド" in page
        labels = {"manager": "青葉アセット", "fund": "2ファンド（下で確認）", "as_of": "2026-11"}
        path = f"/desk/reports/{row.id}/file"
        refused = several.post(path, json=labels, headers=WHO)
        assert "ファンドを選んでください" in refused.json()["error"]
        shared = next(str(n) for n, part in enumerate(row.parts) if part["section"] == "market")
        elsewhere = several.post(path, json={**labels, "funds": {shared: "よそのファンド", "99": "*"}}, headers=WHO)
        assert "ファンドを選んでください" in elsewhere.json()["error"]  # a fund of no part of this file is no answer
        assert several.post(path, json={**labels, "funds": {shared: "*"}}, headers=WHO).json()["state"] == "filed"
    drafts = {(d.fund, d.section) for d in road.ledger.drafts(as_of="2026-11")}
    assert drafts == {(f, s) for f in ("国内株式0", "世界債券1") for s in ("market", "performance")}
