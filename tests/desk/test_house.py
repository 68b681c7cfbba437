"""The pages beside the desk in a real browser: signing in, bulk, review, the model, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = pytest.mark.browser

PASSWORD = "correct-horse-1"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, start_desk: Any) -> Iterator[Any]:
    running = start_desk(tmp_path_factory.mktemp("house"), "account_server.py")
    yield running
    running.ledger.close()
    if running.process.poll() is None:
        code, _, err = running.stop()
        assert (code, err) == (0, ""), err


def entered(chromium: Browser, house: Any, person: str, path: str = "/ja", **more: Any) -> tuple[BrowserContext, Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, **more)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(house.url + path)
    page.locator("[name=name]").fill(person)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("button[type=submit]").click()
    page.wait_for_url(house.url + path)
    return context, page


def test_bulk_goes_on_by_itself_and_the_page_follows(chromium: Browser, house: Any) -> None:
    context, page = entered(chromium, house, "sato", "/month")
    page.get_by_role("button", name="未着手をまとめて Ask LLM（24件）").click()
    expect(page.locator("#bulk")).to_contain_text("モデルが修正案を作成しています")
    expect(page.locator(".legend-line")).to_contain_text("修正案あり 24", timeout=60_000)
    expect(page.locator("#bulk")).to_have_count(0)
    page.locator("#every").check()
    expect(page.locator("#count")).to_have_text("選択中 24件")
    page.locator("[name=to]").select_option("sato")
    page.get_by_role("button", name="担当を決める").click()
    expect(page.locator(".told")).to_have_text("24件の担当・期限を変更しました。")
    context.close()


def test_a_comment_is_written_reviewed_and_counted(chromium: Browser, house: Any) -> None:
    writer, page = entered(chromium, house, "sato", "/ja?draft=1")
    expect(page.locator("#person-name")).to_have_text("佐藤 美咲")
    page.locator("#editor").fill("当月の市場は0.5％上昇しました。")
    page.locator("#save").click()
    expect(page.locator("#saved-state")).to_contain_text("佐藤 美咲 が保存")
    expect(page.locator("#board")).to_contain_text("確認待ち")
    reviewer, other = entered(chromium, house, "mori", "/en/review?draft=1")
    other.get_by_role("button", name="Approve").click()
    expect(other.locator(".told")).to_have_text("Approved. This comment is final.")
    page.goto(house.url + "/month")
    expect(page.locator(".legend-line")).to_contain_text("確定 1")
    page.goto(house.url + "/en/model")
    expect(page.locator("h1")).to_have_text("How the model does")
    writer.close()
    reviewer.close()


def test_who_only_reads_can_save_nothing_even_past_the_page(chromium: Browser, house: Any) -> None:
    context, page = entered(chromium, house, "kansa", "/ja?draft=2")
    expect(page.locator("#heading-title")).to_contain_text("ファンド0")
    expect(page.locator("#save")).to_be_hidden()
    page.evaluate("emitEvent('desk_save', {draft: 2, based_on: null, revision: null, reasons: {}, text: '偽の文。'})")
    expect(page.locator("#notice")).to_contain_text("権限がありません")
    assert house.ledger.finals(2) == []
    context.close()


def test_an_open_page_is_shown_the_door_when_its_session_is_ended(chromium: Browser, house: Any) -> None:
    context, page = entered(chromium, house, "sato", "/ja?draft=3")
    page.locator("#editor").fill("まだ保存していない文。")
    expect(page.locator("#saved-state")).to_contain_text("控えがあります")
    house.ledger.end_sessions("sato")
    page.locator("#save").click()
    page.wait_for_url("**/signin?next=*")
    page.locator("[name=name]").fill("sato")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("button[type=submit]").click()
    expect(page.locator("#editor")).to_have_value("まだ保存していない文。")
    page.locator("#person").click()
    page.get_by_role("button", name="サインアウト").click()
    page.wait_for_url("**/signin")
    page.goto(house.url + "/ja")
    assert "/signin" in page.url
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barrier_that_axe_knows(chromium: Browser, house: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    stranger = chromium.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = stranger.new_page()
    page.goto(house.url + "/signin")
    found = axe.Axe().run(page).response["violations"]
    context, page = entered(chromium, house, "mori", "/month", color_scheme=scheme)
    for path in ("/month", "/en/review?draft=1", "/en/model", "/account"):
        page.goto(house.url + path)
        found += axe.Axe().run(page).response["violations"]
        page.wait_for_function("document.documentElement.scrollWidth <= 1280")
    barriers = sorted({f"{f['id']}: {n['html'][:160]} {n['any'][:1]}" for f in found for n in f["nodes"]})
    assert not barriers, "\n".join(barriers)
    stranger.close()
    context.close()
