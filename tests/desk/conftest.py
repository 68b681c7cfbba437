"""A desk in a process of its own, and Debian's Chromium before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request, WebSocket, expect, sync_playwright

from tensaku.ledger import Ledger

CHROMIUM = Path("/usr/bin/chromium")
SHOW = Path(__file__).parents[2] / "scripts/desk_show.py"
expect.set_options(timeout=15_000)  # the machine may be busy
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@dataclass
class Server:
    """A running desk. `ledger` is a second connection to its ledger."""

    folder: Path
    url: str
    process: subprocess.Popen[str]
    ledger: Ledger

    def stop(self) -> tuple[int, str, str]:
        """Ctrl-C; gives the exit code and what it printed."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


def start(folder: Path, script_name: str = "desk_server.py", port: int = 0) -> Server:
    script = Path(__file__).parent / script_name
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TZ": "Asia/Tokyo"},
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    if not url:
        raise RuntimeError(process.communicate()[1])
    return Server(folder, url, process, Ledger.open(folder / "ledger.db"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(tmp_path_factory.mktemp("desk"))
    yield running
    running.ledger.close()
    if running.process.poll() is None:
        code, _, err = running.stop()
        assert (code, err) == (0, ""), err


@pytest.fixture(scope="session")
def start_desk() -> Callable[..., Server]:
    """Starts another desk, `start_desk(folder, script)`; the folder may hold the ledger of one that was killed."""
    return start


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    # Of module scope: an event loop of Playwright's own runs meanwhile, and other modules use asyncio.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    """A page of a fresh visitor. No request may leave the machine, no script fail, no dialog of the browser open."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="ja-JP")
    page = context.new_page()
    page.set_default_timeout(15_000)
    outside: list[str] = []
    faults: list[str] = []

    def seen(request: Request) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            outside.append(request.url)

    def seen_socket(socket: WebSocket) -> None:
        if not socket.url.startswith(server.url.replace("http", "ws", 1)):
            outside.append(socket.url)

    def asked(dialog: Dialog) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    context.on("request", seen)
    page.on("websocket", seen_socket)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", asked)
    yield page
    context.close()
    assert outside == []
    assert faults == []


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The desk of which the pictures in docs are taken."""
    running = start(tmp_path_factory.mktemp("shown"), str(SHOW))
    yield running
    running.ledger.close()
    code, _, err = running.stop()
    assert (code, err) == (0, "")


@pytest.fixture
def enter(chromium: Browser, shown: Server) -> Iterator[Callable[..., Page]]:
    """Opens that desk as a person, `enter(person, language)`, in a browser of their own."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def entering(person: str, language: str = "ja-JP") -> Page:
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale=language)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: faults.append(str(error)))

        def seen(request: Request) -> None:
            if not request.url.startswith((shown.url, "data:")):
                faults.append(request.url)

        page.on("request", seen)
        page.goto(shown.url + "/signin")
        page.locator(f"[data-person={person}]").click()
        expect(page.locator("#desk-root[data-person=yes]")).to_be_visible()
        return page

    yield entering
    for context in contexts:
        context.close()
    assert faults == []
