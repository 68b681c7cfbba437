"""Who may reach the page, who can use it, and how it ends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

pytestmark = pytest.mark.browser


def entered(url: str) -> dict[str, str]:
    """The cookie of a browser that has said who it is."""
    with httpx.Client(base_url=url) as client:
        token = re.search(r'name="token" value="([^"]+)"', client.get("/signin").text)
        assert token is not None
        client.post("/signin", data={"token": token[1], "name": "sato"})
        return {"cookie": f"tensaku-session={client.cookies['tensaku-session']}"}


SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport="


def test_another_sites_page_cannot_open_the_socket(server: Any) -> None:
    address = server.url.replace("http", "ws", 1) + SOCKET + "websocket"
    with pytest.raises(InvalidStatus) as refused:
        connect(address, origin=Origin("http://evil.example"))
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as stranger:
        connect(address, origin=Origin(server.url))
    assert stranger.value.response.status_code == 403, "nobody has signed in"
    with connect(address, origin=Origin(server.url), additional_headers=entered(server.url)) as own:
        assert str(own.recv()).startswith("0{")
    polling = httpx.get(server.url + SOCKET + "polling", headers={"origin": "http://evil.example"})
    assert polling.status_code == 403
    assert httpx.get(server.url + "/ja", headers={"host": "evil.example"}).status_code == 400


def test_page_and_api_share_the_port(server: Any) -> None:
    assert httpx.get(server.url + "/").headers["location"] == "/signin"
    assert "原稿一覧" in httpx.get(server.url + "/", headers=entered(server.url)).text
    assert httpx.get(server.url + "/v1/models").json()["data"][0]["id"] == "comment"
    assert httpx.get(server.url + "/v1/nothing").json()["error"]["code"] == "not_found"
    assert httpx.get(server.url + "/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/ja", "/en"])
@pytest.mark.parametrize("width", [1280, 1920])
def test_no_barrier_that_axe_knows(page: Page, server: Any, path: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(server.url + path)
    expect(page.locator("#who")).to_be_visible()
    found = axe.Axe().run(page).response["violations"]
    page.locator("[data-person=sato]").click()
    expect(page.locator("#desk-root[data-person=yes]")).to_be_visible()
    found += axe.Axe().run(page).response["violations"]
    page.get_by_role("region", name="事実ファンド", exact=True).locator(".item").click()
    page.locator("#ask").click()
    expect(page.locator("#writing")).to_be_visible()
    found += axe.Axe().run(page).response["violations"]
    expect(page.locator("#facts-badge")).to_be_visible()
    found += axe.Axe().run(page).response["violations"]
    page.locator("#new-draft").click()
    found += axe.Axe().run(page).response["violations"]
    barriers = sorted({f"{f['id']}: {n['html'][:160]} {n['any'][:1]}" for f in found for n in f["nodes"]})
    assert not barriers, "\n".join(barriers)


def test_nothing_is_wider_than_the_window(page: Page, server: Any) -> None:
    page.goto(server.url + "/ja")
    page.locator("[data-person=sato]").click()
    page.get_by_role("region", name="事実ファンド", exact=True).locator(".item").click()
    page.locator("#ask").click()
    expect(page.locator("#facts-badge")).to_be_visible()
    for width in (1920, 1280, 800, 420):
        page.set_viewport_size({"width": width, "height": 900})
        # The window takes a moment to shrink.
        page.wait_for_function(f"innerWidth === {width} && document.documentElement.scrollWidth <= {width}")


def test_ctrl_c_ends_it_while_a_revision_is_written(page: Page, server: Any, tmp_path: Path) -> None:
    """Last in this file: it stops the server, and starts it again where it was."""
    page.goto(server.url + "/ja")
    page.locator("[data-person=sato]").click()
    page.get_by_role("region", name="国内株式0", exact=True).locator(".item").click()
    page.locator("#editor").fill("止まる前に書いた文。")
    expect(page.locator("#saved-state")).to_contain_text("控えがあります")
    other = page.get_by_role("region", name="国内株式1", exact=True).locator(".item")
    other.click()
    expect(other).to_have_attribute("aria-current", "true")
    page.locator("#ask").click()
    expect(page.locator("#writing")).to_contain_text("作成しています")
    code, out, err = server.stop()
    assert (code, out.strip(), err) == (0, "ended", "")
