"""Pictures of every page of the desk into docs/pictures: `python scripts/desk_screenshots.py [FOLDER] [NAME ...]`.

With names, only those pictures. The desks are those of `desk_show.py`. Needs Playwright, Pillow and Debian's Chromium
(scripts/debian-packages).
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGS = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"]
PASSWORD = "correct-horse-1"  # noqa: S105  as in desk_show.py

LINEAGE = urlencode(
    {
        "made": "release-7d10b95ce421",
        "saw": "data/pairs.jsonl",
        "at": f"{datetime.now() - timedelta(days=30):%Y-%m-%dT12:00:00}",
    }
)
"""The three questions of lineage: of a release, of a file, and of a moment."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: where it is taken, what is done before, and how large and in which colours the window is."""

    name: str
    path: str
    do: Callable[[Page], None] = lambda page: None
    width: int = 1280
    height: int = 860
    colours: str = "light"
    desk: str = "full"
    person: str = "sato"
    whole: bool = False
    """The page to its end, not only what the window shows."""


def written(page: Page) -> None:
    """A comment has been written and two changes decided."""
    page.locator(".item:has(.state-todo)").first.click()
    page.locator("#ask").click()
    page.locator("[data-row]").first.wait_for()
    page.locator("[data-row] [data-do=accepted]").first.click()
    page.locator("[data-row] [data-do=rejected]").nth(1).click()
    page.locator("#desk-root[data-deciding='0']").wait_for()
    page.locator("[data-why]").nth(1).select_option("style")
    page.locator("[data-beside=similar]").click()
    page.locator("#beside .past, #beside .quiet-text").first.wait_for()
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1200)


def broken(page: Page) -> None:
    """A figure differs from the draft's, and saving asks for a reason."""
    written(page)
    page.locator("#editor").evaluate(
        "e => { e.value = e.value.replace(/\\d\\.\\d[%％]/, '9.9%');"
        " e.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    page.locator("#facts-badge:visible").wait_for()
    page.locator("#save").click()
    page.locator("#notice:visible").wait_for()
    page.wait_for_timeout(600)


def merging(page: Page) -> None:
    """Somebody else has saved the same draft meanwhile."""
    page.locator(".item:has(.state-todo)").first.click()
    page.locator("#ask").click()
    page.locator("[data-row]").first.wait_for()
    text = page.locator("#editor").input_value()
    other = page.context.browser.new_context()  # type: ignore[union-attr]
    second = other.new_page()
    second.goto(page.url)
    enter(second, "tanaka")
    second.goto(page.url)
    second.locator("#draft-text:not(:empty)").wait_for()
    second.locator("#editor").fill(text.replace("。", "、堅調だった。", 1))
    second.locator("#save").click()
    second.locator("#desk-root[data-unsaved=no]").wait_for()
    page.locator("#editor").fill("なお、" + text.replace("。", "と考えられる。", 1))
    page.locator("#difference ins").first.wait_for()
    page.locator("#save").click()
    page.locator("#merge[open]").wait_for()
    page.wait_for_timeout(400)
    other.close()


def candidates(page: Page) -> None:
    """Several comments to choose from."""
    page.locator(".item:has(.state-todo)").first.click()
    page.locator("#draft-text:not(:empty)").wait_for()
    page.locator("#several").click()
    page.locator(".candidate").nth(1).wait_for()
    page.wait_for_timeout(300)


def reported(page: Page) -> None:
    """A report that waits, on the page of reports."""
    page.locator(".reports .item").first.click()
    page.locator("#report-title").wait_for()


def asked(page: Page) -> None:
    """A question, its answer, and the source opened."""
    page.wait_for_function("window.socket && window.socket.connected")
    for question in ("公表文の案はいつまでに提出しますか", "公表文は誰が確認しますか"):
        before = page.locator(".opinion").count()
        page.fill("#question", question)
        page.keyboard.press("Control+Enter")
        page.locator(".opinion").nth(before).wait_for()
    page.locator("button.cite").last.click()
    page.locator("mark.cited").first.wait_for()


def sized(page: Page) -> None:
    """The first answer of sizing has come."""
    page.locator("#sizing-answer figure").first.wait_for()


def serving(page: Page) -> None:
    """What serving takes."""
    sized(page)
    page.locator("#sizing-form [name=method]").select_option("serve")
    page.locator("#sizing-form[data-method=serve]").wait_for()
    page.wait_for_timeout(400)


def refused(page: Page) -> None:
    """A sign-in with a wrong password."""
    page.fill("[name=name]", "sato")
    page.fill("[name=password]", "not-the-password")
    page.locator(".entry-form button").click()
    page.locator(".fault").wait_for()


def bulk(page: Page) -> None:
    """The model is asked about everything that waits."""
    page.locator("button[name=which][value=all]").click()
    page.locator("#bulk").wait_for()
    page.wait_for_timeout(500)


def ticked(page: Page) -> None:
    """Two drafts of the month are ticked."""
    for number in range(2):
        page.locator("input[name=draft]").nth(number).check()


def all_read(page: Page) -> None:
    """Everything has been compared."""
    while page.locator("[data-key='1']").count():
        page.locator("[data-key='1']").click()
        page.wait_for_load_state()


SHOTS = (
    Shot("signin", "/signin", desk="empty", person=""),
    Shot("signin-refused", "/en/signin", refused, desk="empty", person=""),
    Shot("signin-open", "/signin", person=""),
    Shot("account", "/account", desk="empty"),
    Shot("desk-start", "/ja"),
    Shot("page-ja", "/ja", written, whole=True),
    Shot("page-ja-dark", "/ja", written, colours="dark"),
    Shot("page-en-wide", "/en", written, 1920, 1080),
    Shot("page-facts", "/ja", broken, height=1480),
    Shot("merge", "/ja", merging),
    Shot("candidates", "/ja", candidates),
    Shot("help", "/ja", lambda page: page.locator("#help-open").dispatch_event("click")),
    Shot("new-draft", "/ja", lambda page: page.locator("#new-draft").click()),
    Shot("month", "/month", ticked),
    Shot("month-bulk-dark", "/month", bulk, colours="dark"),
    Shot("review", "/review?draft=first", person="mori", whole=True),
    Shot("model", "/model", whole=True),
    Shot("model-dark", "/en/model", colours="dark"),
    Shot("approvals", "/approvals", person="kuroda"),
    Shot("approval", "/approvals?ref=release-7d10b95ce421", person="kuroda", whole=True),
    Shot("approval-dark", "/en/approvals?ref=release-7d10b95ce421", colours="dark", person="abe"),
    Shot("inbox", "/inbox", reported),
    Shot("inbox-dark", "/inbox", reported, colours="dark"),
    Shot("read", "/read"),
    Shot("read-dark", "/read", colours="dark"),
    Shot("read-done", "/read", all_read, person="tanaka"),
    Shot("plan", "/plan", sized),
    Shot("plan-dark", "/plan", serving, colours="dark"),
    Shot("ask", "/ask", asked),
    Shot("ask-dark", "/ask", asked, colours="dark"),
    Shot("watch", "/watch", person="kansa", whole=True),
    Shot("lineage", f"/lineage?{LINEAGE}", person="kansa", whole=True),
    Shot("page-en", "/en", written, whole=True),
    Shot("page-en-dark", "/en", written, colours="dark"),
    Shot("desk-start-en", "/en"),
    Shot("month-en", "/en/month", ticked),
    Shot("month-en-dark", "/en/month", bulk, colours="dark"),
    Shot("model-en", "/en/model", whole=True),
    Shot("inbox-en", "/en/inbox", reported),
    Shot("inbox-en-dark", "/en/inbox", reported, colours="dark"),
    Shot("ask-en", "/en/ask", asked),
    Shot("ask-en-dark", "/en/ask", asked, colours="dark"),
    Shot("plan-en", "/en/plan", sized),
    Shot("plan-en-dark", "/en/plan", serving, colours="dark"),
    Shot("watch-en", "/en/watch", person="kansa"),
    Shot("watch-en-dark", "/en/watch", person="kansa", colours="dark"),
    Shot("lineage-en", f"/en/lineage?{LINEAGE}", person="kansa", whole=True),
    Shot("lineage-en-dark", "/en/lineage", person="kansa", colours="dark"),
    Shot("empty-desk", "/ja", desk="empty"),
    Shot("empty-month", "/month", desk="empty"),
    Shot("empty-review", "/review", desk="empty"),
    Shot("empty-model", "/model", desk="empty"),
    Shot("empty-inbox", "/inbox", desk="empty"),
    Shot("empty-read", "/read", desk="empty"),
    Shot("not-found", "/review?draft=999999", desk="empty"),
)


def kind_of(shot: Shot) -> tuple[str, bool]:
    """Which desk a picture is taken of, and whether of its English pages."""
    return shot.desk, shot.path.startswith("/en")


@contextlib.contextmanager
def desk(kind: str) -> Iterator[str]:
    """The address of a desk in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        show = Path(__file__).with_name("desk_show.py")
        running = subprocess.Popen(
            [sys.executable, str(show), folder, "0", kind],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TZ": "Asia/Tokyo"},
        )
        try:
            assert running.stdout is not None
            yield running.stdout.readline().strip()
        finally:
            running.terminate()
            running.wait(timeout=20)


def enter(page: Page, person: str) -> None:
    """Sign in, by name where that suffices."""
    if page.locator(f"[data-person={person}]").count():
        page.locator(f"[data-person={person}]").click()
    elif page.locator("[name=password]").count():
        page.fill("[name=name]", person)
        page.fill("[name=password]", PASSWORD)
        page.locator(".entry-form button").click()
    page.locator("#who:not(.entry)").wait_for(state="attached")


def entered(browser: Browser, url: str, person: str) -> dict[str, Any]:
    """What a browser keeps of somebody who has signed in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url + "/signin")
    enter(page, person)
    kept = context.storage_state()
    context.close()
    return {"cookies": kept["cookies"]}


def visit(browser: Browser, url: str, shot: Shot, kept: dict[str, Any] | None) -> Page:
    """The page as it is to be seen."""
    window = {"width": shot.width, "height": shot.height}
    spoken = "en-US" if shot.path.startswith("/en") else "ja-JP"
    context = browser.new_context(
        viewport=window,  # type: ignore[arg-type]
        color_scheme=shot.colours,  # type: ignore[arg-type]
        locale=spoken,
        storage_state=kept,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    path = shot.path
    if path.endswith("draft=first"):
        page.goto(url + "/review")
        path = page.locator(".list a").first.get_attribute("href") or path
    page.goto(url + path)
    if page.locator("#desk-root").count():
        page.locator("#desk-root[data-person=yes]").wait_for()
    shot.do(page)
    page.wait_for_timeout(150)
    return page


def compact(picture: bytes) -> bytes:
    """The same picture in 256 colours, a fourth of the bytes: a page is a few flat colours, which stay as they are, and
    the edges of its letters, which take the nearest."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    colours = cast("list[tuple[int, tuple[int, int, int]]]", image.getcolors(image.width * image.height))
    counted = sorted(colours, key=lambda one: -one[0])
    flat = [colour for _, colour in counted[:160]]
    rest = Image.new("RGB", (max(1, len(counted) - 160), 1))
    rest.putdata([colour for _, colour in counted[160:]] or [(0, 0, 0)])  # each once: a small mark keeps its colour
    edges = rest.quantize(256 - len(flat), method=Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(part for colour in flat for part in colour), *edges][:768])
    out = io.BytesIO()
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> int:
    """Take the pictures, desk by desk; one that fails is named, and the others are taken. Returns the exit code."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    wanted = [shot for shot in SHOTS if not sys.argv[2:] or shot.name in sys.argv[2:]]
    out.mkdir(parents=True, exist_ok=True)
    failed = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        # A desk of its own for each language: what waits in one has been written in the other.
        for kind in dict.fromkeys(map(kind_of, wanted)):
            kept: dict[str, dict[str, Any] | None] = {"": None}
            with desk(kind[0]) as url:
                for shot in (shot for shot in wanted if kind_of(shot) == kind):
                    try:
                        if shot.person not in kept:
                            kept[shot.person] = entered(browser, url, shot.person)
                        page = visit(browser, url, shot, kept[shot.person])
                        (out / f"{shot.name}.png").write_bytes(compact(page.screenshot(full_page=shot.whole)))
                        print(out / f"{shot.name}.png", flush=True)
                    except Error as error:
                        print(f"{shot.name}: {error.message}", file=sys.stderr, flush=True)
                        failed += 1
                    for context in browser.contexts:
                        context.close()
        browser.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
