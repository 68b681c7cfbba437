"""What a writer does on the comment page, for every test of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

GOOD = "10月の国内株式市場は、日本銀行の政策を背景に3.2％上昇しました。円相場は一時的に円安になりませんでした。"


def visit(page: Page, server: Any, path: str = "/ja", person: str = "sato") -> None:
    page.goto(server.url + path)
    page.locator(f"[data-person={person}]").click()
    expect(page.locator("#desk-root[data-person=yes]")).to_be_visible()


def open_draft(page: Page, fund: str) -> None:
    page.get_by_role("region", name=fund, exact=True).locator(".item").first.click()
    expect(page.locator(".heading-title")).to_contain_text(fund)
    expect(page.locator("#draft-text")).not_to_be_empty()


def write_revision(page: Page) -> None:
    page.locator("#ask").click()
    expect(page.locator("#desk-root[data-asking=yes]")).to_be_visible()
    expect(page.locator("#desk-root[data-asking=no]")).to_be_visible()


def draft_id(page: Page) -> int:
    found = re.search(r"draft=(\d+)", page.url)
    assert found is not None
    return int(found[1])


def barriers(page: Page) -> list[str]:
    """What axe finds wrong with the page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return sorted({f"{f['id']}: {n['html'][:200]} {n['any'][:1]}" for f in found for n in f["nodes"]})
