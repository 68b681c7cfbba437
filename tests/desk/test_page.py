"""The desk in a real browser: from a writer's first visit to a saved comment."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from tests.desk.walking import GOOD, draft_id, open_draft, visit, write_revision

pytestmark = pytest.mark.browser


def test_a_draft_chosen_before_the_scripts_have_loaded_is_opened(page: Page, server: Any) -> None:
    visit(page, server)
    held: list[Route] = []
    # never answered, but for the page that is gone to
    page.route("**/desk/static/desk.js*", lambda route: route.continue_() if held else held.append(route))
    page.goto(f"{server.url}/ja", wait_until="commit")
    page.locator(".item").first.wait_for()
    wanted = page.locator(".item").first.get_attribute("data-draft")
    page.locator(".item").first.click(no_wait_after=True)
    expect(page.locator(f".item[aria-current][data-draft='{wanted}']")).to_be_visible()
    expect(page.locator("#draft-text")).not_to_be_empty()


def test_a_press_is_not_lost_to_a_list_that_is_drawn_anew_under_it(page: Page, server: Any) -> None:
    visit(page, server)
    item = page.locator(".item").nth(1)
    wanted = item.get_attribute("data-draft")
    item.hover()
    page.mouse.down()
    page.evaluate("desk.regions({board: document.getElementById('board').innerHTML + '<p id=again></p>'})")
    expect(page.locator("#again")).to_have_count(0)
    page.mouse.up()
    expect(page.locator(f".item[aria-current][data-draft='{wanted}']")).to_be_visible()
    expect(page.locator("#draft-text")).not_to_be_empty()


def test_from_a_first_visit_to_a_saved_comment(page: Page, server: Any) -> None:
    visit(page, server)
    expect(page.locator("#person-name")).to_have_text("佐藤 美咲")
    expect(page.locator(".tally")).to_contain_text("8件")  # this month's
    open_draft(page, "国内株式0")
    page.locator("#ask").click()
    editor = page.locator("#editor")
    expect(editor).to_have_value(re.compile("^10月の国内"))
    begun = editor.input_value()
    assert len(begun) < len(GOOD)  # it appears as it is written
    expect(page.locator("#stop")).to_be_visible()
    expect(editor).to_have_value(GOOD)
    expect(page.locator("#difference del").first).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("すべて公表文と一致しています")
    expect(page.locator("#made-by")).to_contain_text("release-3fa9c1d2b0aa")
    expect(page.locator("#made-by")).to_contain_text("試行")
    expect(page.locator(".item[aria-current]")).to_contain_text("修正案あり")
    editor.press("Control+End")
    page.keyboard.type("今後を注視します。")
    expect(page.locator("#difference ins").last).to_contain_text("今後を注視します")
    expect(page.locator("#saved-state")).to_contain_text("未保存")
    page.locator("#save").click()
    expect(page.locator("#notice")).to_have_text(re.compile("^保存しました。"))
    expect(page.locator("#saved-state")).to_contain_text("佐藤 美咲 が保存")
    expect(page.locator(".item[aria-current]")).to_contain_text("保存済み")
    (final,) = server.ledger.finals(draft_id(page))
    assert (final.text, final.by) == (GOOD + "今後を注視します。", "sato")
    assert final.revision_id == server.ledger.revisions(draft_id(page))[0].id
    page.locator(".event-final summary").click()
    expect(page.locator(".event-final .event-text")).to_have_text(final.text)


def test_a_changed_fact_is_marked_and_needs_a_reason(page: Page, server: Any) -> None:
    visit(page, server)
    open_draft(page, "事実ファンド")
    write_revision(page)
    expect(page.locator("#draft-text mark.fact")).to_have_text("３．２パーセント")
    expect(page.locator("#mirror mark.fact")).to_have_text("3.8％")
    assert page.locator("#difference mark.fact").all_text_contents() == ["３．２パーセント", "3.8％"]
    expect(page.locator("#facts-badge")).to_have_text("事実の相違 2件")
    page.locator("#save").click()
    expect(page.locator("#notice")).to_contain_text("理由を書いてから")
    expect(page.locator("[data-reason='3.2%']")).to_be_focused()
    assert server.ledger.finals(draft_id(page)) == []
    page.locator("[data-reason='3.2%']").fill("運用会社が訂正した")
    page.locator("[data-reason='3.8%']").fill("運用会社が訂正した")
    page.keyboard.press("Control+s")
    expect(page.locator("#saved-state")).to_contain_text("が保存")
    (final,) = server.ledger.finals(draft_id(page))
    assert final.reasons == {"3.2%": "運用会社が訂正した", "3.8%": "運用会社が訂正した"}
    page.reload()
    expect(page.locator("[data-reason='3.8%']")).to_have_value("運用会社が訂正した")
    page.locator("#editor").fill(GOOD)  # put right: the warning goes
    expect(page.locator("#facts-badge")).to_be_hidden()
    expect(page.locator("mark.fact:visible")).to_have_count(1)  # the legend's


def test_the_caret_stays_and_an_input_method_is_not_disturbed(page: Page, server: Any) -> None:
    visit(page, server)
    open_draft(page, "国内株式1")
    page.locator("#ask").click()
    editor = page.locator("#editor")
    expect(editor).to_have_value(re.compile("^10月の"))
    editor.evaluate("area => { area.focus(); area.setSelectionRange(2, 2); }")
    keyboard = page.context.new_cdp_session(page)
    keyboard.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    time.sleep(0.4)  # the model goes on writing meanwhile
    assert editor.input_value().startswith("10にほん月の")
    keyboard.send("Input.insertText", {"text": "日本"})
    assert editor.evaluate("area => area.selectionStart") == 4
    page.keyboard.type("語")
    expect(page.locator("#desk-root[data-asking=no]")).to_be_visible()
    expect(editor).to_have_value("10日本語" + GOOD[2:])
    assert editor.evaluate("area => area.selectionStart") == 5
    page.keyboard.press("Control+z")
    expect(editor).not_to_have_value(re.compile("日本語"))
    page.locator("#redo").click()
    expect(editor).to_have_value("10日本語" + GOOD[2:])


def test_unsaved_text_survives_a_reload_and_can_be_discarded(page: Page, server: Any) -> None:
    visit(page, server)
    open_draft(page, "国内株式2")
    page.locator("#editor").fill("まだ保存していない文。")
    expect(page.locator("#saved-state")).to_contain_text("控えがあります")
    expect(page.locator("#saved-state")).to_contain_text("書きかけを")  # and the ledger has it
    page.reload()
    expect(page.locator("#editor")).to_have_value("まだ保存していない文。")
    expect(page.locator("#notice")).to_contain_text("再開しました")
    expect(page.locator("#difference ins").first).to_be_visible()
    page.get_by_role("button", name="控えを捨てる").click()
    expect(page.locator("#editor")).to_have_value("")
    expect(page.locator("#desk-root[data-kept=no]")).to_be_visible()
    deadline = time.monotonic() + 5
    while server.ledger.work(draft_id(page)) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    page.reload()
    expect(page.locator("#draft-text")).not_to_be_empty()
    expect(page.locator("#editor")).to_have_value("")


def test_two_writers_on_one_draft(page: Page, server: Any) -> None:
    visit(page, server)
    open_draft(page, "国内株式3")
    page.locator("#editor").fill(GOOD)
    expect(page.locator("#difference ins").first).to_be_visible()
    server.ledger.save_final(draft_id(page), GOOD + "田中の文。", "tanaka")
    page.locator("#save").click()
    expect(page.locator("#merge [data-merge-message]")).to_contain_text("田中 健一 が")
    assert len(server.ledger.finals(draft_id(page))) == 1
    expect(page.locator("#merge .hunk")).to_contain_text("田中の文。")
    page.get_by_role("button", name="すべて自分の文").click()
    page.get_by_role("button", name="この文で続ける").click()
    page.locator("#save").click()
    expect(page.locator("#notice")).to_have_text(re.compile("^保存しました。"))
    newest, first = server.ledger.finals(draft_id(page))
    assert (newest.text, newest.based_on) == (GOOD, first.id)


def test_a_script_in_a_draft_is_text(page: Page, server: Any) -> None:
    visit(page, server)
    page.locator("[data-filter=month]").select_option("2026-09")
    open_draft(page, "<i>斜体</i>")
    expect(page.locator("#draft-text")).to_contain_text("<script>window.hit=1</script>")
    expect(page.locator(".crumb")).to_contain_text("<b>太字</b>社")
    write_revision(page)
    expect(page.locator("#editor")).to_have_value(re.compile("onerror=window.hit=2"))
    expect(page.locator("#difference")).to_contain_text("</textarea>")
    page.locator("#editor").press("Control+End")
    page.keyboard.type("<img src=x onerror=window.hit=3>")
    expect(page.locator("#difference ins").last).to_contain_text("window.hit=3")
    page.reload()
    expect(page.locator("#draft-text")).to_contain_text("<script>")
    assert page.evaluate("window.hit") is None
    assert page.locator("#desk-root :is(img, b:not(.people b), i)").count() == 0


def test_texts_that_are_too_long(page: Page, server: Any) -> None:
    visit(page, server)
    open_draft(page, "長文ファンド")
    page.locator("#ask").click()
    expect(page.locator("#notice")).to_contain_text("長すぎて、モデルが一度に読めません")
    expect(page.locator("#ask")).to_be_visible()
    page.locator("#editor").fill("あ" * 100_000)
    expect(page.locator("#notice")).to_contain_text("公表文が長すぎます（100,000字）")
    page.locator("#new-draft").click()
    form = page.locator("#new-form")
    form.get_by_label("運用会社").fill("青葉")
    form.get_by_label("ファンド").fill("巨大")
    form.get_by_label("区分").select_option("market")
    form.get_by_label("原稿の本文").fill("あ" * 100_000)
    form.get_by_role("button", name="登録する").click()
    expect(page.locator("#new-fault")).to_contain_text("原稿は20,000字までです（いまは100,000字）")
    form.get_by_role("button", name="やめる").click()
    open_draft(page, "国内株式4")  # the page goes on
    write_revision(page)
    expect(page.locator("#editor")).to_have_value(GOOD)


def test_a_new_draft_from_a_file(page: Page, server: Any, tmp_path: Path) -> None:
    visit(page, server)
    page.locator("#new-draft").click()
    form = page.locator("#new-form")
    expect(form.get_by_label("対象月")).to_have_value("2026-10")
    file = tmp_path / "draft.txt"
    file.write_bytes("金利は0.25％低下した。".encode("cp932"))
    page.locator("#new-file").set_input_files(file)
    expect(form.get_by_label("原稿の本文")).to_have_value("金利は0.25％低下した。")
    form.get_by_role("button", name="登録する").click()
    expect(page.locator("#new-fault")).to_have_text("運用会社を入力してください。")
    form.get_by_label("運用会社").fill("新しい会社")
    form.get_by_label("ファンド").fill("新しいファンド")
    form.get_by_label("区分").select_option("outlook")
    form.get_by_role("button", name="登録する").click()
    expect(page.locator("#draft-text")).to_have_text("金利は0.25％低下した。")
    expect(page.locator(".item[aria-current]")).to_contain_text("見通しと方針")
    made = server.ledger.draft(draft_id(page))
    assert (made.manager, made.by, made.origin) == ("新しい会社", "sato", "file")


def test_filters(page: Page, server: Any) -> None:
    visit(page, server)
    page.locator("[data-filter=manager]").select_option("北辰投資顧問")
    expect(page.locator(".tally")).to_contain_text("2件")
    page.locator("[data-filter=fund]").select_option("国内株式0")
    expect(page.locator("#board")).to_contain_text("この条件に合う原稿はありません")
    page.get_by_role("button", name="絞り込みを解除").click()
    expect(page.locator(".item-section").first).to_contain_text("2026年")  # all months, so each names its own


def test_keys_stop_and_english(page: Page, server: Any) -> None:
    visit(page, server, "/en", "tanaka")
    expect(page.locator("h1")).to_contain_text("Comment desk")
    assert page.locator("html").get_attribute("lang") == "en-US"
    open_draft(page, "国内株式5")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#writing-text")).to_have_text("Writing a revision…")
    page.locator("#stop").click()
    expect(page.locator("#notice")).to_contain_text("Stopped.")
    kept = page.locator("#editor").input_value()
    assert 0 < len(kept) < len(GOOD)
    assert server.ledger.revisions(draft_id(page)) == []
    page.locator("#language").click()
    expect(page.locator("#draft-title")).to_have_text("原稿")
    expect(page.locator("#editor")).to_have_value(kept)  # unsaved text goes along
    expect(page.locator("#person-name")).to_have_text("田中 健一")
