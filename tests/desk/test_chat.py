"""Questions to the documents: what a session does, and the page in a browser."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tensaku.desk.chat import ChatSession
from tensaku.ledger import Ledger
from tensaku.retrieve.answer import Answerer
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Searcher

OPEN = "# 運用規程\n\n第3条（解約の受付） 解約の申込みは、毎営業日の午後3時30分までに受け付ける。<b>太字</b>\n"
SECRET = "# 監査手帳\n\n内部監査の暗号名は紅葉作戦であり、十月に抜き打ちで行う。\n"
ACCESS = '[[rule]]\npath = "rules/*"\nwho = ["everybody"]\n[[rule]]\npath = "rules/監査*"\nwho = ["sato"]\n'


class Talk:
    """A session whose page is a list."""

    def __init__(self, folder: Path, person: str) -> None:
        self.ledger = Ledger.open(folder / "ledger.db")
        answerer = Answerer(Searcher(folder / "index", None, Rights(folder / "rights.toml")), sure=0.4)
        self.sent: list[tuple[str, Any]] = []
        self.session = ChatSession(answerer, self.ledger, "ja", person, lambda n, v: self.sent.append((n, v)))

    def do(self, name: str, **values: Any) -> list[tuple[str, Any]]:
        self.sent.clear()
        asyncio.run(self.session.on_event(name, values))
        return list(self.sent)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/運用規程.md").write_text(OPEN, encoding="utf-8")
    (tmp_path / "rules/監査手帳.md").write_text(SECRET, encoding="utf-8")
    (tmp_path / "rights.toml").write_text(ACCESS, encoding="utf-8")
    index([Collection("rules", tmp_path / "rules")], tmp_path / "index", None)
    return tmp_path


def test_an_answer_its_source_and_an_opinion(place: Path) -> None:
    talk = Talk(place, "sato")
    talk.ledger.add_person("sato", "佐藤")
    sent = talk.do("ask", text="解約の申込みは何時まで受け付けますか")
    assert [name for name, _ in sent] == ["asked", "said", "ended"]
    assert "午後3時30分" in sent[1][1]["html"]
    assert "<b>" not in sent[1][1]["html"]
    viewer = talk.do("open", id=1, cite=1)[0][1]["html"]
    assert '<mark class="cited">第3条（解約の受付）' in viewer
    assert "<b>" not in viewer
    told = talk.do("judge", id=1, verdict="down", correction="午後3時です")
    assert told[0][0] == "judged"
    talk.do("judge", id=1, verdict="up")
    question = talk.ledger.questions()[0]
    assert (question.by, question.found, question.sources) == ("sato", True, ("rules/運用規程.md 運用規程 第3条 p.1",))
    opinions = [(o.verdict, o.correction, o.question_id) for o in talk.ledger.opinions()]
    assert opinions == [("down", "午後3時です", 1), ("up", "", 1)]
    assert talk.ledger.verify_log() is None
    assert talk.ledger.verify_records() == []


def test_only_what_the_signed_in_person_may_see(place: Path) -> None:
    question = "内部監査の暗号名は何ですか"
    assert "紅葉作戦" in str(Talk(place, "sato").do("ask", text=question))
    for person in ("", "tanaka"):
        talk = Talk(place, person)
        assert "紅葉" not in str(talk.do("ask", text=question))
        assert "紅葉" not in str(talk.do("open", id=1, cite=1))


def test_rights_taken_away_close_the_viewer_at_once(place: Path) -> None:
    talk = Talk(place, "sato")
    talk.do("ask", text="内部監査の暗号名は何ですか")
    (place / "rights.toml").write_text(ACCESS.replace("sato", "kato"), encoding="utf-8")
    shown = str(talk.do("open", id=1, cite=1))
    assert "紅葉" not in shown
    assert "閲覧できなくなりました" in shown


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("ask", {"text": "  "}, "質問を入力してください"),
        ("ask", {"text": "あ" * 1001}, "1000字まで"),
        ("ask", {}, "質問を入力してください"),
        ("open", {"id": 9, "cite": 1}, "その回答はありません"),
        ("open", {"id": "x"}, "その回答はありません"),
        ("judge", {"id": 1, "verdict": "up"}, "その回答はありません"),
    ],
)
def test_wrong_input_is_told(place: Path, name: str, values: dict[str, Any], told: str) -> None:
    sent = Talk(place, "").do(name, **values)
    assert sent[-1][0] == "fault"
    assert told in sent[-1][1]["text"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = Path(__file__).parent / "chat_server.py"
    folder = tmp_path_factory.mktemp("chat")
    running = subprocess.Popen([sys.executable, str(script), str(folder), "0"], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    yield running.stdout.readline().strip()
    running.terminate()
    running.wait(timeout=20)
    running.stdout.close()


@pytest.mark.browser
def test_the_page(chromium: Browser, address: str) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 860})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(address)
    page.locator("[data-person=tanaka]").click()
    page.locator("#desk-root").wait_for()
    for path in ("/month", "/review", "/model", "/inbox", "/read", "/plan", "/ja"):
        page.goto(f"{address}{path}")
        expect(page.locator(".nav a[href='/ask']"), path).to_have_text("質問")
    page.locator(".nav a[href='/ask']").click()
    page.wait_for_url("**/ask")
    expect(page.locator(".nav a[aria-current]")).to_have_text("質問")
    page.wait_for_function("window.socket && window.socket.connected")
    page.fill("#question", "解約の申込みは何時まで受け付けますか")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".said")).to_contain_text("午後3時30分", timeout=15_000)
    page.locator("button.cite").first.click()
    expect(page.locator("mark.cited")).to_contain_text("解約の申込みは")
    expect(page.locator("#viewer")).to_contain_text("<script>window.hit=1</script>")
    page.locator('[data-verdict="down"]').click()
    page.fill(".correction textarea", "午後3時までです")
    page.locator(".correction button").click()
    expect(page.locator(".opinion-told")).to_have_text("記録しました。")
    page.fill("#question", "それを過ぎたらどうなりますか")
    page.click("#send")
    follow = page.locator(".turn").nth(1)
    expect(follow.locator(".said").first).to_contain_text("翌営業日の受付", timeout=15_000)
    expect(follow.locator(".asked-as")).to_contain_text("解約 申込み それを過ぎたら")
    follow.locator('[data-verdict="up"]').click()
    expect(follow.locator(".opinion-told")).to_have_text("記録しました。")
    page.fill("#question", "内部監査の暗号名は何ですか")
    page.click("#send")
    expect(page.locator(".said-none")).to_be_visible(timeout=15_000)
    assert "紅葉" not in page.content()
    assert page.evaluate("window.hit") is None
    assert faults == []
    page.goto(f"{address}/en/ask")
    expect(page.locator("h1")).to_contain_text("Ask the documents")
    page.close()
