"""Pictures of the comment page into docs/pictures: `python scripts/desk_screenshots.py [FOLDER]`.

A desk with the sample desk's own drafts and a scripted engine that writes the published comment, so the pictures show
what a writer sees without a model being loaded. Needs Playwright and Debian's Chromium (scripts/debian-packages).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tensaku.ledger import Ledger, NewDraft, ReasonsMissing
from tensaku.records import Message, Revision, Usage, Verdict
from tensaku.sampledesk import folder as sample

CHROMIUM = "/usr/bin/chromium"
ARGS = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"]
MONTHS = ("2026-09", "2026-10")
SHOTS: tuple[tuple[str, str, int, int, str], ...] = (
    ("page-ja", "/ja", 1280, 900, "light"),
    ("page-ja-dark", "/ja", 1280, 900, "dark"),
    ("page-en-wide", "/en", 1920, 1080, "light"),
)
"""Name, path, width, height, colours."""


def pairs() -> list[dict[str, Any]]:
    """The sample desk's pairs of the two newest months that it has, moved to `MONTHS`."""
    lines = (sample() / "pairs.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    newest = sorted({row["as_of"] for row in rows})[-2:]
    return [{**row, "to": MONTHS[newest.index(row["as_of"])]} for row in rows if row["as_of"] in newest]


def fill(path: Path, rows: list[dict[str, Any]]) -> None:
    """A ledger with last month's comments saved and this month's drafts waiting."""
    with Ledger.open(path) as ledger:
        for name, display in (("sato", "佐藤 美咲"), ("tanaka", "田中 健一")):
            ledger.add_person(name, display, ("writer",))
        for number, row in enumerate(rows[:24]):
            about = (row["manager"], row["fund"], row["section"], row["as_of"])
            draft = ledger.add_draft(NewDraft(row["draft"], *about, "sample", str(number)))
            if row["to"] == MONTHS[0]:
                made = Revision(row["draft"], row["final"], Verdict(), "stop", Usage(1, 1), {"release": "release-demo"})
                revision = ledger.add_revision(draft.id, made, "tanaka")
                with contextlib.suppress(ReasonsMissing):  # the sample has finals that add a fact
                    ledger.save_final(draft.id, row["final"], "tanaka", revision_id=revision.id)


def serve(folder: Path) -> None:
    """The desk over `folder`, until it is stopped; prints its address."""
    from tensaku.desk import mount
    from tensaku.revise import Job
    from tensaku.serve import Served, build_app, run
    from tensaku.testing import ScriptedEngine
    from tensaku.text import names_from, required_from, style_from

    rows = pairs()
    fill(folder / "ledger.sqlite", rows)

    def answer(messages: tuple[Message, ...]) -> str:
        asked = messages[-1].content
        return next((row["final"] for row in rows if row["draft"] in asked), asked)

    style = (sample() / "style.toml").read_text(encoding="utf-8")
    names = names_from((sample() / "names.toml").read_text(encoding="utf-8"))
    engine = ScriptedEngine(answer, delay=0.0, piece=8, context=8000)
    about = {"release": "release-3fa9c1d2b0aa", "trial": "no"}
    rules = style_from(style, "style.toml"), required_from(style, "style.toml")
    job = Job("添削してください。", None, names, provenance=about, style=rules[0], required=rules[1])
    app = build_app(engine=engine, models=[Served("comment", about["release"], None)])
    mount(app, ledger=Ledger.open(folder / "ledger.sqlite", names=names), engine=engine, job=job, title="月次コメント")
    run(app, port=0, ready=lambda url: print(url, flush=True))


def visit(browser: Browser, url: str, shot: tuple[str, str, int, int, str]) -> Page:
    """A page on which a comment has been written and two changes decided."""
    _, path, width, height, colours = shot
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(url + path)
    if page.locator("[data-person=sato]").count():
        page.locator("[data-person=sato]").click()
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
    page.wait_for_timeout(1500)
    return page


def main() -> None:
    """Start the desk in a process of its own and take every picture."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        desk = subprocess.Popen(
            [sys.executable, __file__, "--serve", folder],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TZ": "Asia/Tokyo"},
        )
        try:
            assert desk.stdout is not None
            url = desk.stdout.readline().strip()
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            for shot in SHOTS:
                page = visit(browser, url, shot)
                page.screenshot(path=str(out / f"{shot[0]}.png"), full_page=shot[0] != "page-ja-dark")
                print(out / f"{shot[0]}.png")
                page.context.close()
            browser.close()
        finally:
            desk.terminate()
            desk.wait(timeout=20)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]))
    else:
        main()
