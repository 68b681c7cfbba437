"""Approving in a real browser: the second line settles what blocks, an approver approves, somebody else is too late."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.desk.walking import barriers

pytestmark = pytest.mark.browser

NEWER = "release-7d10b95ce421"
DAY = f"{datetime.now().astimezone() + timedelta(days=30):%Y-%m-%d}"


def test_both_pages_have_no_barriers_and_do_not_jut_out(enter: Any, shown: Any) -> None:
    page = enter("kuroda")
    for path in ("/approvals", f"/approvals?ref={NEWER}", f"/en/approvals?ref={NEWER}"):
        page.goto(shown.url + path)
        found = barriers(page)
        page.emulate_media(color_scheme="dark")
        found += [f"dark {one}" for one in barriers(page)]
        page.emulate_media(color_scheme="light")
        for width in (1920, 1280, 420):
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator("#main")).to_be_visible()
            page.wait_for_function(f"innerWidth == {width} && document.documentElement.scrollWidth <= {width}")
            found += [f"{width} {one}" for one in barriers(page)]
        assert not found, "\n".join(found)


def test_a_release_is_settled_and_approved_and_who_comes_late_is_told(enter: Any, shown: Any) -> None:
    approver, late, validator = enter("kuroda"), enter("kuroda"), enter("abe")
    approver.goto(shown.url + "/ja")
    approver.get_by_role("navigation", name="ページ").get_by_role("link", name="承認", exact=True).click()
    approver.locator(f"a[href*='{NEWER}']").click()
    expect(approver.locator("[data-rule=findings]")).to_contain_text("F-0001")
    approver.locator("#act-approve [name=override]").fill("差は句読点だけ")
    approver.locator("#act-approve [name=change]").fill("指示文を改めた")
    approver.locator("#act-approve button[value=approve]").click()
    expect(approver.get_by_role("alert")).to_contain_text("承認できませんでした")

    validator.goto(f"{shown.url}/approvals?ref={NEWER}")
    expect(validator.locator("#act-approve")).to_have_count(0)
    finding = validator.locator("[data-finding=F-0001]")
    finding.locator("[name=reason]").fill("指示の混入を弾く試験を足した")
    finding.locator("button").click()
    expect(validator.get_by_role("status")).to_contain_text("クローズしました")
    expect(finding).to_have_attribute("data-ended", "yes")

    late.goto(f"{shown.url}/approvals?ref={NEWER}")
    approver.locator("#act-approve [name=requests]").fill("300")
    approver.locator("#act-approve [name=until]").fill(DAY)
    approver.locator("#act-approve button[value=approve]").click()
    expect(approver.get_by_role("alert")).to_contain_text("記録が変わったため")  # the finding was closed meanwhile
    expect(approver.locator("#act-approve [name=override]")).to_have_value("差は句読点だけ")  # nothing written is lost
    approver.locator("#act-approve button[value=approve]").dblclick()
    # Of the two clicks one acted: the page says either that it is done, or that it is done already.
    expect(approver.locator(".page-head .mark")).to_have_text("条件付き承認")
    approver.goto(f"{shown.url}/approvals?ref={NEWER}")
    expect(approver.locator(".apv-record .e-approved")).to_have_count(1)
    expect(approver.locator(".apv-about .bound")).to_contain_text(f"{DAY} 23:59 まで")

    late.locator("#act-reject summary").click()
    late.locator("#act-reject [name=note]").fill("一文が落ちる")
    late.locator("#act-reject button").click()
    expect(late.get_by_role("alert")).to_contain_text("重ねては行いませんでした")
    decided = shown.ledger.release(NEWER).approvals
    assert [(one.by, one.decision, one.conditions.requests) for one in decided] == [("kuroda", "approved", 300)]


def test_an_auditor_reads_it_all_and_finds_no_button(enter: Any, shown: Any) -> None:
    page = enter("kansa", "en-US")
    page.goto(f"{shown.url}/en/approvals?ref={NEWER}")
    expect(page.locator(".apv-acts")).to_contain_text("Auditors read everything and change nothing")
    expect(page.locator("#main form, #main button")).to_have_count(0)
    expect(page.locator("#validation")).to_contain_text("安倍 涼子")


def test_the_bar_of_all_pages_keeps_its_parts_apart(enter: Any, shown: Any) -> None:
    """Whoever governs has every page in the bar; in English its names are the longest."""
    page = enter("kuroda")
    parts = "[...document.querySelectorAll('.bar > *')].map((part) => part.getBoundingClientRect())"
    for width in (1920, 1421, 1280, 1024, 420):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{shown.url}/en/lineage")
        boxes = page.evaluate(f"{parts}.map(({{ left, right }}) => [left, right])")
        assert len(boxes) == 3
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(boxes)), (width, boxes)
        assert page.evaluate("document.querySelector('.bar').scrollWidth") <= width
        if width >= 1280:
            assert page.evaluate("(nav => nav.scrollWidth <= nav.clientWidth)(document.querySelector('.bar .nav'))")
