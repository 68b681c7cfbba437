"""The page of sizing: sliders in a real browser, and what is shown for wrong values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tensaku.desk.sizing import answered, errors_shown
from tensaku.plan import Ask, Load, plan
from tensaku.plan.memory import KINDS
from tensaku.testing import tiny_model


@pytest.mark.browser
@pytest.mark.parametrize(("path", "title"), [("/plan", "規模の見積もり"), ("/en/plan", "Sizing")])
def test_a_slider_redraws_at_once(page: Page, server: Any, path: str, title: str) -> None:
    page.goto(server.url + path)
    page.locator("[data-person=sato]").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    answer = page.locator("#sizing-answer")
    expect(answer.locator("svg").first).to_be_visible()
    before = answer.inner_text()
    page.locator("input[name=sequence]").fill("7")
    expect(page.locator("#sequence-told")).to_have_text("32768")
    expect(answer).not_to_have_text(before, use_inner_text=True)

    page.locator("select[name=method]").select_option("serve")
    expect(answer.locator("svg")).to_have_count(2)  # memory, and waiting
    expect(page.locator("input[name=users]")).to_be_visible()
    expect(page.locator("input[name=sequence]")).not_to_be_visible()
    before = answer.inner_text()
    page.locator("input[name=accepted]").fill("5")
    expect(page.locator("#accepted-told")).to_have_text("80")
    expect(answer).not_to_have_text(before, use_inner_text=True)


@pytest.mark.browser
@pytest.mark.parametrize(("path", "words"), [("/plan", "中央値"), ("/en/plan", "in the middle")])
def test_the_errors_so_far_stand_at_the_foot(page: Page, server: Any, path: str, words: str) -> None:
    page.goto(server.url + path)
    page.locator("[data-person=sato]").click()
    errors = page.locator("#sizing-errors")
    expect(errors.locator("tbody tr")).to_have_count(12)
    expect(errors.locator("tbody tr").first).to_contain_text("tune-11ab41f2")  # the newest first
    expect(errors).to_contain_text(words)
    page.set_viewport_size({"width": 420, "height": 860})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") == 420


def test_the_errors_are_those_of_the_page_that_the_command_writes(desk: Path) -> None:
    from tensaku.plan import errors_so_far
    from tensaku.plan.page import error_page

    root = desk / ".tensaku"
    rows, source = errors_so_far(root)
    assert len(rows) == 3
    written = error_page(rows, source)
    for language, words in (("ja", ("予測", "先読み＊", "同梱")), ("en", ("said", "drafting＊", "shipped"))):
        html = str(errors_shown(lambda: errors_so_far(root), language))  # type: ignore[arg-type]
        for row in rows:
            for figure in (row["name"], f"{row['seconds_predicted']:,.3f}", f"{100 * row['time_error']:+.1f} %"):
                assert figure in html
                assert figure in written
        assert all(word in html for word in words)

    before = (root / "plan-errors.jsonl").read_bytes()
    (root / "plan-errors.jsonl").unlink()
    again, _ = errors_so_far(root)  # predicted anew, and nothing is written by looking
    assert [row["name"] for row in again] == [row["name"] for row in rows]
    assert not (root / "plan-errors.jsonl").exists()
    (root / "plan-errors.jsonl").write_bytes(before)
    (root / "machine.json").write_text("{}", encoding="utf-8")
    assert "cannot be read" in errors_shown(lambda: errors_so_far(root), "ja")


def test_no_run_yet_is_said() -> None:
    assert "tensaku run を実行すると" in errors_shown(lambda: ([], "同梱"), "ja")


def test_every_method_is_shown() -> None:
    for method in ("load", "lora", "qlora", "full", "dpo", "pretrain", "serve"):
        html, told = answered({"model": "gemma-3-1b", "method": method, "hardware": "l4"}, "ja")
        assert told == method
        assert "<svg" in html
        assert "fault" not in html


def test_a_processor_is_one_machine() -> None:
    for method in ("load", "lora", "full", "serve"):
        html, _ = answered({"model": "llama-3.1-8b", "method": method, "hardware": "xeon-8480+"}, "ja")
        assert "fault" not in html
        assert "メモリ（RAM、GB）" in html
        if method != "load":
            assert "1 台（分割なし）" in html
            assert "サーバー用プロセッサーでの実測はありません" in html
            assert "GPU" not in html.partition("出典")[0]
            assert "cores" not in html.partition("出典")[0]
    html, _ = answered({"model": "llama-3.1-70b", "method": "full", "hardware": "epyc-9654"}, "ja")
    assert "RAM は 768.0 GB なので" in html


def test_the_japanese_page_speaks_japanese() -> None:
    html, _ = answered({"model": "llama-3.1-70b", "method": "full", "hardware": "h100-sxm"}, "ja")
    for word in ("重み", "オプティマイザの状態", "足りません", "仮定", "時間", "GPU での実測はありません"):
        assert word in html
    for word in ("weights", "too little", "unknown", "assumed,", " h ", "buy", "cores"):
        assert word not in html.partition("<dt>出典")[0]
    html, _ = answered({"model": "llama-3.1-70b", "method": "full", "hardware": "h100-sxm"}, "en")
    assert "too little" in html
    assert "GPU 1 枚" not in html


def test_drafting_shared_beginnings_requests_and_a_goal_are_reckoned_with() -> None:
    plain = {"model": "llama-3.1-8b", "method": "serve", "hardware": "h100-sxm"}

    def shown(**more: str) -> str:
        html, _ = answered(plain | more, "ja")
        assert "fault" not in html
        return html

    alone = shown()
    assert "回答全体の 95 % 点（秒）" in alone
    for more in ({"accepted": "5"}, {"shared": "3"}, {"rate": "6"}):
        assert shown(**more) != alone
    assert "共有プレフィックス" in shown(shared="3")
    assert "際限なし" in shown(rate="8", users="3")
    strict = shown(rate="7", users="5", within="2")
    assert "目標の 2 秒を超えます" in strict


def test_every_kind_of_memory_has_its_japanese_name() -> None:
    for method in ("lora", "full", "dpo", "serve"):
        for draft in ("", "gemma-3-1b"):
            ask = Ask(draft=draft, serve=Load(users=4, adapters=3, prefix=100, accepted=0.5))
            memory = plan("gemma-3-4b", method, ask).fit.memory  # type: ignore[union-attr]
            assert set(memory.exact) | set(memory.assumed) <= set(KINDS)


def test_mistakes_are_shown_as_text() -> None:
    html, _ = answered({"model": "<script>", "method": "lora", "hardware": "l4"}, "en")
    assert "&lt;script&gt;" in html
    assert 'class="fault"' in html
    html, method = answered({"method": "no such"}, "en")
    assert method == "load"
    assert 'class="fault"' in html
    html, _ = answered({"model": "llama-2-7b", "method": "serve", "hardware": "l4", "prompt": "7"}, "ja")
    assert "の上限（4096）を超えます" in html
    html, _ = answered(
        {"model": "gemma-3-1b", "method": "lora", "hardware": "l4", "batch": "x", "sequence": "-9"}, "en"
    )
    assert "<svg" in html


def test_the_page_opens_no_file_of_this_machine(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "m")
    for name in (folder, folder / "config.json", "/dev/zero", ""):
        html, _ = answered({"model": str(name), "method": "load", "hardware": "l4"}, "en")
        assert "no built-in model" in html
