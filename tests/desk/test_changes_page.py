"""Writing in a real browser: changes decided one by one, work that survives, two at one comment."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.desk.walking import GOOD, draft_id, open_draft, visit, write_revision

pytestmark = pytest.mark.browser


def settled(page: Page) -> None:
    """Every decision is on the disk."""
    expect(page.locator("#desk-root[data-deciding='0']")).to_be_visible()


def row(page: Page, words: str) -> Any:
    return page.locator("[data-row]").filter(has_text=words)


def test_changes_are_decided_one_by_one_and_each_is_kept(page: Page, server: Any) -> None:
    visit(page, server)
    open_draft(page, "国内株式5")
    write_revision(page)
    expect(page.locator("#decided")).to_have_text("0 / 5 件 判断済み")
    row(page, "日本銀行").get_by_role("button", name="戻す").click()
    editor = page.locator("#editor")
    expect(editor).to_have_value(GOOD.replace("日本銀行", "日銀"))
    expect(row(page, "日本銀行").locator(".row-state")).to_contain_text("原稿に戻した・佐藤 美咲")
    row(page, "日本銀行").locator("select").select_option("style")
    settled(page)
    expect(page.locator("#decided")).to_have_text("1 / 5 件 判断済み")
    (said,) = server.ledger.decisions(draft_id(page))
    assert (said.old, said.new, said.decision, said.reason, said.by) == (
        "日銀",
        "日本銀行",
        "rejected",
        "style",
        "sato",
    )
    row(page, "日本銀行").get_by_role("button", name="採用").click()
    expect(editor).to_have_value(GOOD)
    settled(page)
    page.locator("#undo").click()
    expect(editor).to_have_value(GOOD.replace("日本銀行", "日銀"))  # and the decision goes with the text
    settled(page)
    assert [d.decision for d in server.ledger.decisions(draft_id(page))] == ["rejected"]
    page.locator("#accept-rest").click()
    settled(page)
    expect(page.locator("#decided")).to_have_text("5 / 5 件 判断済み")
    page.reload()
    expect(page.locator("#decided")).to_have_text("5 / 5 件 判断済み")
    expect(row(page, "日本銀行").locator("select")).to_have_value("style")
    assert server.ledger.verify_records() == []


def test_everything_goes_by_keyboard(page: Page, server: Any) -> None:
    visit(page, server)
    open_draft(page, "国内株式4")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-row]")).to_have_count(5)
    page.locator("#editor").focus()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("[data-row]").nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("r")  # the bank's name goes back, the focus to the next change
    expect(page.locator("#editor")).to_have_value(GOOD.replace("日本銀行", "日銀"))
    expect(page.locator("[data-row]").nth(2)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("4")
    page.keyboard.press("n")
    page.keyboard.type("社名の表記")
    page.keyboard.press("Tab")
    settled(page)
    said = next(d for d in server.ledger.decisions(draft_id(page)) if d.old == "日銀")
    assert (said.decision, said.reason, said.note) == ("rejected", "compliance", "社名の表記")
    page.locator("[data-row]").nth(3).focus()
    page.keyboard.press("e")  # to the place itself, marked for writing over
    expect(page.locator("#editor")).to_be_focused()
    page.keyboard.type("てい")
    expect(page.locator("[data-row]").nth(3)).to_have_class("row row-altered row-said row-current")
    page.keyboard.press("Alt+f")
    expect(page.locator("#editor")).to_have_value(
        GOOD.replace("日本銀行", "日銀").replace("しまし", "してい").replace("％", "%")
    )
    page.keyboard.press("Control+s")
    expect(page.locator("#saved-state")).to_contain_text("が保存")


def test_lines_that_stay_keep_focus_and_are_numbered_anew(page: Page, server: Any) -> None:
    visit(page, server)
    open_draft(page, "国内株式3")
    write_revision(page)
    lines = page.locator("[data-row]")
    expect(lines).to_have_count(5)
    lines.nth(1).get_by_role("textbox").fill("書きかけのメモ")  # not sent before the field is left
    page.evaluate("[...document.querySelectorAll('[data-row]')].forEach((line) => (line.mine = true))")
    page.evaluate("""text => {
        const editor = document.getElementById("editor");
        editor.setRangeText(text, 0, 0);
        editor.dispatchEvent(new Event("input", { bubbles: true }));
    }""", "なお、")  # fmt: skip
    expect(lines).to_have_count(6)
    expect(lines.locator(".row-n")).to_have_text(["1", "2", "3", "4", "5", "6"])
    assert [str(line.get_attribute("aria-label"))[:2] for line in lines.all()] == [f"{n}:" for n in range(1, 7)]
    expect(lines.nth(0)).to_contain_text("なお、")
    assert page.evaluate("[...document.querySelectorAll('[data-row]')].filter((line) => line.mine).length") > 3
    note = lines.nth(2).get_by_role("textbox")
    expect(note).to_be_focused()
    expect(note).to_have_value("書きかけのメモ")
    page.locator("#editor").fill("")
    expect(lines).to_have_count(0)
    expect(page.locator("#changes")).to_contain_text("変更がここに並びます")


def test_a_required_passage_must_stand_or_be_reasoned_away(page: Page, server: Any) -> None:
    visit(page, server)
    page.locator("[data-filter=month]").select_option("2026-08")
    open_draft(page, "文言ファンド")
    page.locator("#editor").fill("堅調とみています。")
    expect(page.locator("#facts")).to_contain_text("将来の成果を約束するものではありません。")
    page.locator("#save").click()
    expect(page.locator("#notice")).to_contain_text("理由を書いてから")
    assert server.ledger.finals(draft_id(page)) == []
    page.get_by_role("button", name="末尾に入れる").click()
    page.locator("#save").click()
    expect(page.locator("#saved-state")).to_contain_text("が保存")


def test_two_at_one_comment_see_each_other_and_lose_nothing(page: Page, server: Any, chromium: Browser) -> None:
    visit(page, server)
    open_draft(page, "国内株式0")
    draft = draft_id(page)
    context = chromium.new_context(locale="ja-JP")
    other = context.new_page()
    visit(other, server, f"/ja?draft={draft}", person="tanaka")
    other.goto(f"{server.url}/ja?draft={draft}")
    expect(other.locator("#others")).to_contain_text("佐藤 美咲 さんもこの原稿を開いています")
    expect(page.locator("#others")).to_contain_text("田中 健一 さんも")
    other.locator("#editor").fill("前半は田中。後半は同じ。")
    expect(page.locator("#others")).to_contain_text("田中 健一 さんがこの公表文を編集中です")
    other.locator("#editor").fill(GOOD + "田中が足した。")
    other.locator("#save").click()
    expect(other.locator("#saved-state")).to_contain_text("が保存")
    page.locator("#editor").fill("なお、" + GOOD)
    expect(page.locator("#difference ins").first).to_be_visible()
    page.locator("#save").click()
    dialog = page.locator("#merge")
    expect(dialog).to_contain_text("田中 健一 が")
    expect(dialog.locator(".hunk")).to_have_count(2)
    while dialog.locator(".hunk[data-chosen=open]").count():
        dialog.locator(".hunk[data-chosen=open] button").last.click()
    dialog.locator(".hunk").first.locator("[data-side=mine]").click()
    dialog.locator(".hunk").last.locator("[data-side=theirs]").click()
    page.get_by_role("button", name="この文で続ける").click()
    expect(page.locator("#editor")).to_have_value("なお、" + GOOD + "田中が足した。")
    page.locator("#save").click()
    expect(page.locator("#notice")).to_have_text("保存しました。×")
    assert server.ledger.finals(draft)[0].text == "なお、" + GOOD + "田中が足した。"
    context.close()


def test_work_survives_a_killed_server_and_a_closed_browser(chromium: Browser, start_desk: Any, tmp_path: Path) -> None:
    first = start_desk(tmp_path)
    context = chromium.new_context(locale="ja-JP")
    page = context.new_page()
    visit(page, first)
    open_draft(page, "国内株式1")
    write_revision(page)
    row(page, "日本銀行").get_by_role("button", name="戻す").click()
    settled(page)
    page.locator("#editor").press("Control+End")
    page.keyboard.type("ここまで書いた。")
    expect(page.locator("#desk-root[data-kept=yes]")).to_be_visible()
    draft, text = draft_id(page), page.locator("#editor").input_value()
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.communicate(timeout=10)
    first.ledger.close()
    context.close()  # with all that this browser kept
    second = start_desk(tmp_path)
    try:
        context = chromium.new_context(locale="ja-JP")
        page = context.new_page()
        visit(page, second)
        page.goto(f"{second.url}/ja?draft={draft}")
        expect(page.locator("#editor")).to_have_value(text)
        expect(page.locator("#notice")).to_contain_text("再開しました")
        expect(row(page, "日本銀行").locator(".row-state")).to_contain_text("原稿に戻した・佐藤 美咲")
        assert second.ledger.verify_log() is None
        assert second.ledger.verify_records() == []
        context.close()
    finally:
        second.ledger.close()
        second.stop()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium: Browser, server: Any, colours: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="ja-JP", color_scheme=colours)
    page = context.new_page()
    page.set_default_timeout(15_000)
    visit(page, server)
    open_draft(page, "事実ファンド")
    write_revision(page)
    expect(page.locator("[data-row]")).to_have_count(5)
    page.locator("[data-row] [data-do=accepted]").first.click()
    page.locator("[data-beside=similar]").click()
    expect(page.locator("[data-beside=similar][aria-pressed=true]")).to_be_visible()
    settled(page)
    found = axe.Axe().run(page).response["violations"]
    grave = [(v["id"], [n["target"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]
    assert grave == []
    page.locator("#help-open").click()
    found = axe.Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    context.close()


@pytest.mark.parametrize("form", ["docx", "xlsx", "csv", "json"])
def test_a_saved_comment_is_handed_out(page: Page, server: Any, form: str) -> None:
    draft = next(d for d in server.ledger.drafts() if d.fund == "国内株式2")
    if not server.ledger.finals(draft.id):
        server.ledger.save_final(draft.id, GOOD, "sato")
    visit(page, server)
    open_draft(page, "国内株式2")
    page.locator("#out summary").click()
    with page.expect_download() as waiting:
        page.locator(f"#out [value={form}]").click()
    file = Path(waiting.value.path())
    assert waiting.value.suggested_filename == f"comment-2026-10-{draft.id}.{form}"
    content = file.read_bytes()
    assert content[:2] == b"PK" if form in ("docx", "xlsx") else GOOD in content.decode("utf-8-sig")
