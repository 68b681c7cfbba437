"""The leaderboard's page in a real browser, opened from a file: groups, votes, every output, filters, no script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tensaku.evaluate import Board, Entry
from tensaku.evaluate.checks import check_scorers
from tensaku.evaluate.decoding import Answer
from tensaku.evaluate.discipline import discipline
from tensaku.evaluate.leaderboard import _found
from tensaku.evaluate.measuring import measured, ruled, untouched
from tensaku.evaluate.panel import panel
from tensaku.evaluate.report.board import write_board
from tensaku.evaluate.results import Row
from tensaku.evaluate.votes import Vote
from tensaku.testing import tiny_pairs
from tensaku.text import compare

CHROMIUM = Path("/usr/bin/chromium")
PAIRS = [replace(pair, manager=("甲社", "乙社")[n % 2]) for n, pair in enumerate(tiny_pairs(8))]
PAIRS[1] = replace(
    PAIRS[1], draft=PAIRS[1].draft + "３％上昇。", final=PAIRS[1].final + "3％上昇。<img src=x onerror=alert(1)>"
)


def row(name: str, texts: list[str]) -> Row:
    verdicts = [compare(pair.draft, text, {}, as_of=pair.as_of) for pair, text in zip(PAIRS, texts, strict=True)]
    answers = {n: Answer(name, n, text, "stop", 9, 0.1, verdicts[n], {}) for n, text in enumerate(texts)}
    return Row(name, answers)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    path = tmp_path_factory.mktemp("board") / "leaderboard.html"
    scorers = ({"scorer": "chrf"}, {"scorer": "strokes"})
    good, poor = row("good", [p.final for p in PAIRS]), row("poor", [p.draft.replace("３", "9") for p in PAIRS])
    rows = {"draft": untouched(PAIRS), "rules": ruled(PAIRS, [], {}), "good": good, "poor": poor}
    parts = {label: part() for label, part in check_scorers(scorers).items()}
    results = measured(parts, rows, PAIRS, {}, [], 100, 1)
    results.discipline = discipline(PAIRS, [replace(PAIRS[0], id="lesson-1")], results, "the-canary")
    entries = tuple(Entry(name=name, row="answer", about="試し") for name in ("good", "poor"))
    cfg = Board(entries=entries, scorers=scorers, resamples=100, seed=1, alpha=0.05)
    exam: Any = SimpleNamespace(ref="exam-1", facts={})
    found = _found(results, cfg, exam)
    votes = [Vote("good", "poor", "left" if n else "right", pair.id, by) for n, pair in enumerate(PAIRS) for by in "ab"]
    found["panel"] = panel(votes, None, 50, 1)
    write_board(path, found, results)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=False)
        opened = context.new_page()
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(path.as_uri())
        assert asked == [path.as_uri()]  # one file, and nothing else is loaded
        yield opened
        browser.close()


@pytest.mark.browser
def test_what_stands_on_it(page: Page) -> None:
    expect(page.get_by_role("heading", name="候補の比較")).to_be_visible()
    expect(page.get_by_text("打鍵数／件（低いほどよい）").first).to_be_visible()
    expect(page.get_by_role("heading", name="人の読み比べ")).to_be_visible()
    expect(page.get_by_text("Krippendorff").first).to_be_visible()
    expect(page.get_by_text("学習用と重なる 2 件を除いた 6 件でも、順位は変わらない。")).to_be_visible()
    expect(page.get_by_role("columnheader", name="重なりを除く")).to_be_visible()
    expect(page.get_by_text("lesson-1")).to_have_count(3)  # each side of a pair with the lesson it stands in
    assert page.locator("main").bounding_box()["width"] <= 1280  # type: ignore[index]
    assert page.locator("img").count() == 0


@pytest.mark.browser
def test_filters_without_a_script(page: Page) -> None:
    shown = page.locator(".every .case:visible")
    expect(shown).to_have_count(8)  # of the first candidate alone
    page.locator(".f-r").select_option("poor")
    expect(shown).to_have_count(8)
    page.locator(".f-m").select_option("甲社")
    expect(shown).to_have_count(4)
    page.locator(".f-m").select_option("乙社")
    page.locator(".f-broken").check()
    broken = sum(not compare(p.draft, p.draft.replace("３", "9"), {}, as_of=p.as_of).kept for p in PAIRS[1::2])
    assert 1 <= broken < 4
    expect(shown).to_have_count(broken)
    expect(shown.first.locator("del, mark, ins").first).to_be_visible()
    page.locator(".f-r").select_option("good")
    page.locator(".f-broken").uncheck()
    page.locator(".f-m").select_option("")
    page.locator(".f-inexact").check()
    expect(shown).to_have_count(0)
    page.locator(".f-inexact").uncheck()


@pytest.mark.browser
def test_only_what_was_changed_and_only_long_drafts(page: Page) -> None:
    shown = page.locator(".every .case:visible")
    page.locator(".f-r").select_option("poor")
    page.locator(".f-m").select_option("")
    page.locator(".f-broken").uncheck()
    page.locator(".f-changed").check()
    changed = [pair for pair in PAIRS if "３" in pair.draft]
    assert 0 < len(changed) < 8
    expect(shown).to_have_count(len(changed))
    page.locator(".f-changed").uncheck()
    lengths = page.locator(".f-l option").all_inner_texts()
    assert lengths[1:] == ["短い short", "長い long"]  # none of these drafts lies between
    counts = []
    for name in lengths[1:]:
        page.locator(".f-l").select_option(name)
        counts.append(shown.count())
    assert sum(counts) == 8
    assert all(counts)
    page.locator(".f-l").select_option("")
