"""Two hundred drafts asked about from the page, seen in two browsers, by a server that is killed and comes back."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tensaku.ledger import Ledger, NewDraft

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "correct-horse-1"
COUNT = 200


def enter(page: Page, url: str, person: str = "sato") -> None:
    page.goto(url + "/signin")
    page.fill("[name=name]", person)
    page.fill("[name=password]", PASSWORD)
    page.locator(".entry-form button").click()
    page.wait_for_url("**/ja")


def until_done(page: Page, count: int) -> None:
    """Watch the page's own progress; its policy lets no script of ours be evaluated for waiting."""
    for _ in range(600):
        if done_at(page) >= count:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the page does not come to {count}")


def done_at(page: Page) -> int:
    return int(page.locator("#bulk[data-running=yes]").get_attribute("data-done") or 0)


def test_two_hundred_drafts_in_bulk(chromium: Browser, start_desk: Any, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db", review=True) as ledger:
        for name, display, role in (("sato", "佐藤 美咲", "writer"), ("mori", "森 直子", "reviewer")):
            ledger.add_person(name, display, (role,))
            ledger.set_password(name, PASSWORD)
        for n in range(COUNT):
            about = ("青葉", f"ファンド{n // 4:02d}", ("market", "performance", "outlook", "esg")[n % 4], "2026-10")
            ledger.add_draft(NewDraft(f"当月の市場は{n}.5％上昇した。", *about, "sample", str(n)))
    first = start_desk(tmp_path, "account_server.py")
    context = chromium.new_context(viewport={"width": 1280, "height": 860}, locale="ja-JP")
    page = context.new_page()
    enter(page, first.url)
    page.goto(first.url + "/month")
    expect(page.locator("tbody input[name=draft]")).to_have_count(COUNT)
    page.locator("button[name=which][value=all]").click()
    expect(page.locator(".told")).to_contain_text(f"{COUNT}件")
    until_done(page, 5)
    other = chromium.new_context(viewport={"width": 1280, "height": 860}, locale="en-US")
    second_page = other.new_page()
    enter(second_page, first.url, "mori")  # a reviewer, who asked for nothing
    second_page.goto(first.url + "/en/month")
    seen = done_at(second_page)
    until_done(second_page, seen + 1)
    expect(second_page.locator("#bulk-words")).to_contain_text(f"of {COUNT} done")
    other.close()
    page.locator("select[name=fund]").select_option(label="ファンド49")  # the page is of use meanwhile
    expect(page.locator("tbody input[name=draft]")).to_have_count(4)
    expect(page.locator("#bulk[data-running=yes]")).to_be_visible()
    page.goto(first.url + "/ja")
    page.get_by_role("region", name="ファンド49", exact=True).locator(".item").first.click()
    page.locator("#editor").fill("書きかけの文。")
    expect(page.locator("#desk-root[data-kept=yes]")).to_be_visible()
    page.goto(first.url + "/month")
    assert done_at(page) > seen, "progress is read anew, not begun anew"
    until_done(page, 20)
    page.close()  # the work goes on without anybody looking
    port = int(first.url.rsplit(":", 1)[1])
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.communicate(timeout=10)
    done = sum(draft.revisions for draft in first.ledger.drafts())
    assert 20 <= done < COUNT
    second = start_desk(tmp_path, "account_server.py", port)
    page = context.new_page()
    page.goto(second.url + "/month")  # the session outlived the server
    expect(page.locator("#bulk[data-running=yes]")).to_be_visible()
    page.locator("#bulk").wait_for(state="detached", timeout=120_000)  # it ends, and the page is read anew
    expect(page.locator(".legend-line")).to_contain_text(f"修正案あり {COUNT}")
    assert [draft.revisions for draft in second.ledger.drafts()] == [1] * COUNT
    assert second.ledger.verify_log() is None
    context.close()
    first.ledger.close()
    second.ledger.close()
    code, _, err = second.stop()
    assert (code, err) == (0, "")
