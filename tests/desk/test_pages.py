"""Every page of the desk in a real browser: no barrier that axe knows, light and dark; nothing juts out or fails."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.desk.walking import barriers

pytestmark = pytest.mark.browser

PAGES = ("/ja", "/month", "/review", "/model", "/inbox", "/read", "/plan", "/ask", "/account")


@pytest.fixture
def visitor(enter: Any) -> Page:
    page: Page = enter("sato")
    return page


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_barriers_and_does_not_jut_out(visitor: Page, shown: Any, path: str) -> None:
    page = visitor
    page.goto(shown.url + path)
    if path == "/plan":
        page.locator("#sizing-answer figure").first.wait_for()
    if path == "/review":
        page.locator(".list a").first.click()
        page.locator(".three").wait_for()
    found = barriers(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark {one}" for one in barriers(page)]
    assert not found, "\n".join(found)
    for width in (1920, 1280, 420):
        page.set_viewport_size({"width": width, "height": 860})
        deadline = time.monotonic() + 5  # the window takes a moment to shrink
        while page.evaluate("document.documentElement.scrollWidth") > width and time.monotonic() < deadline:
            page.wait_for_timeout(50)
        assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [width, width]


def test_the_pages_lead_to_each_other_and_back(visitor: Page, shown: Any) -> None:
    page = visitor
    page.goto(shown.url + "/en/plan")
    names = ("Month-end", "Review", "Model", "Reports", "Reading", "Sizing", "Ask", "Desk")
    for name in names:
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
        here = page.locator(".bar .nav a[aria-current]")
        expect(here).to_have_text(name)
        expect(page.locator("#person-name")).to_have_text("佐藤 美咲")
        expect(page.locator("h1")).to_have_count(1)
    page.locator("#language").click()
    expect(page.locator(".bar .nav a[aria-current]")).to_have_text("推敲")


def test_who_leaves_before_the_answer_leaves_no_trace(shown: Any) -> None:
    """The fixture sees at its end that the server wrote nothing."""
    token = shown.ledger.begin_session("sato", how="open", hours=1)
    host, port = shown.url.removeprefix("http://").split(":")
    asked = f"GET /ja HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: tensaku-session={token}\r\n\r\n".encode()
    for n in range(20):
        with socket.create_connection((host, int(port))) as gone:
            gone.sendall(asked)
            time.sleep(0.01 * (n % 5))
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed at once
    answer = httpx.get(shown.url + "/ja", cookies={"tensaku-session": token}, timeout=30)
    assert answer.status_code == 200


def test_a_question_and_its_source_have_no_barriers(visitor: Page, shown: Any) -> None:
    page = visitor
    page.goto(shown.url + "/ask")
    page.wait_for_function("window.socket && window.socket.connected")
    page.fill("#question", "公表文は誰が確認しますか")
    page.keyboard.press("Control+Enter")
    page.locator("button.cite").first.click()
    page.locator("mark.cited").first.wait_for()
    found = barriers(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark {one}" for one in barriers(page)]
    assert not found, "\n".join(found)
