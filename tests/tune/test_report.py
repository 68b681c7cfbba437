"""The report of a training: whole, offline, sensible for long and short logs, and right in a real browser."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tensaku.errors import DataError
from tensaku.tune.report import write_report
from tensaku.tune.report.course import Course

CHROMIUM = Path("/usr/bin/chromium")
CONFIG = {"method": "lora", "learning_rate": 1e-3, "rank": 16, "targets": [], "rslora": False}
EVIL = "<script>alert('対')</script>"


def log(folder: Path, steps: list[dict[str, Any]] | None, samples: list[dict[str, Any]] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("loss.jsonl", steps), ("usage.jsonl", samples)):
        if rows is not None:
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def steps(n: int, every: int = 10) -> list[dict[str, Any]]:
    return [
        {
            "step": i,
            "loss": 0.2 + 2 * math.exp(-i / 20),
            "lr": 1e-3 / i,
            "tokens": 800,
            "seconds": 1.5 * i,
            "memory_mb": 900,
        }
        | {"grad_norm": 1.0 + 1 / i}
        | ({"validation_loss": 0.3 + 2 * math.exp(-i / 20)} if i % every == 0 else {})
        for i in range(1, n + 1)
    ]


def samples(runs: int = 2, n: int = 60, joules: bool = True) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    at = 0.0
    for run in range(1, runs + 1):
        header = {
            "seconds": at,
            "run": run,
            "started": "2026-11-24T10:00:00+00:00",
            "cores": 2,
            "processor": "Some CPU",
        }
        energy = {"energy_from": ["package-0"]} if joules else {"energy_why_not": "not told by this machine"}
        found.append(header | energy | ({"joules": at * 50} if joules else {}))
        for _ in range(n):
            at += 1.0
            row = {
                "seconds": at,
                "run": run,
                "step": 40 * (run - 1) + 1,
                "cpu": 1.8,
                "rss_mb": 2000.0,
                "available_mb": 9000.0,
            }
            found.append(row | ({"joules": at * 50} if joules else {}))
    return found


def text_of(folder: Path, facts: dict[str, Any], config: dict[str, Any] | None = None) -> str:
    write_report(folder, facts, CONFIG if config is None else config)
    return (folder / "report.html").read_text(encoding="utf-8")


def full(folder: Path) -> str:
    facts = {"method": "lora", "base": EVIL, "lessons": 1204, "too_long": ["a-1", EVIL], "tune_seconds": 3723.0}
    facts |= {"kept_step": 80, "peak_memory_mb": 3120, "last_loss": 0.2, "unheard_of": 7, "size_mb": 14.6}
    facts |= {"memorised": {"ja": "覚え込んでいる。", "en": "The lessons are memorised."}}
    return text_of(log(folder, steps(120), samples()), facts)


def test_it_holds_everything_and_loads_nothing(tmp_path: Path) -> None:
    page = full(tmp_path)
    assert not re.search(r"https?://|@import|url\(|<script|<link|<img", page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert page.count("<svg") == 7
    for words in (
        "学習報告書", "Training report", "LoRA: low-rank", "1 h 02 min", "3,120 MB", "検証 <small>validation",
        "再開 resumed", "採用 kept", "覚え込んでいる。", "The lessons are memorised.", "中央値 median 533",
        "平均 mean 1.80 / 2", "計 total 1.67 Wh", "tune.learning_rate", "unheard_of", "1,204", "left out as too long",
        "package-0", "いいえ no",
    ):  # fmt: skip
        assert words in page, words
    assert page.count("再開 resumed") == 4  # of learning the first, of the machine all; not on the speed


def test_markup_in_the_facts_is_text(tmp_path: Path) -> None:
    page = full(tmp_path)
    assert EVIL not in page
    assert page.count("&lt;script&gt;") == 2


@pytest.mark.parametrize("n", [1, 2, 3, 9])
@pytest.mark.parametrize("told", [True, False])
def test_short_logs(tmp_path: Path, n: int, told: bool) -> None:
    page = text_of(log(tmp_path, steps(n, every=99), samples(1, 1, joules=False) if told else None), {"method": "lora"})
    assert "損失" in page
    assert "検証の損失</span>" not in page
    assert "消費電力" not in page
    assert ("not told by this machine" in page) is told
    assert "nan" not in page
    assert "inf" not in page.replace("info", "")


def test_a_method_without_steps(tmp_path: Path) -> None:
    facts = {
        "method": "prompt",
        "form": "prompt",
        "k": 4,
        "order": "nearest-last",
        "lessons": 300,
        "tune_seconds": 41.0,
    }
    page = text_of(tmp_path, facts, {"method": "prompt"})
    assert "<svg" not in page
    for words in ("examples only", "例の数", "nearest-last", "41.0 s", "tune.method"):
        assert words in page


def test_nothing_at_all(tmp_path: Path) -> None:
    assert "学習報告書" in text_of(tmp_path, {}, {})


def test_a_gradient_or_loss_that_is_not_a_number_is_a_gap(tmp_path: Path) -> None:
    rows = steps(20)
    rows[5]["grad_norm"] = rows[6]["loss"] = math.nan
    rows[7].pop("grad_norm")
    page = text_of(log(tmp_path, rows), {"method": "full"})
    assert "nan" not in page


def test_a_loss_that_rose_is_said_plainly(tmp_path: Path) -> None:
    rows = steps(20)
    for row in rows:
        row["loss"] = float(row["step"])
    assert "下がらなかった" in text_of(log(tmp_path, rows), {})


def test_a_damaged_log_names_its_line(tmp_path: Path) -> None:
    log(tmp_path, steps(3))
    (tmp_path / "loss.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2\n')
    with pytest.raises(DataError, match=r"loss\.jsonl, line 2: this line is not JSON"):
        write_report(tmp_path, {}, {})
    (tmp_path / "loss.jsonl").write_text('{"step": 1}\n')
    with pytest.raises(DataError, match=r"line 1, field 'loss'"):
        write_report(tmp_path, {}, {})
    assert not (tmp_path / "report.html").exists()


def test_speed_and_power_come_from_differences(tmp_path: Path) -> None:
    course = Course.read(log(tmp_path, steps(3), samples(2, 2)))
    assert [seconds for seconds, _ in course.speed] == [1.5, 3.0, 4.5]
    assert [rate for _, rate in course.speed] == pytest.approx([800 / 1.5] * 3)
    assert course.power == [(1.0, 50.0), (2.0, 50.0), (2.0, None), (3.0, 50.0), (4.0, 50.0)]
    assert course.resumed_seconds == [2.0]
    assert course.resumed_steps == [41]
    assert [y for _, y in course.over_time("cpu")] == [1.8, 1.8, None, 1.8, 1.8]


def test_energy_that_is_told_from_the_second_run_on(tmp_path: Path) -> None:
    rows = [
        *samples(1, 2, joules=False),
        {"seconds": 2.0, "run": 2, "started": "2026-11-24T11:00:00+00:00"},
        {"seconds": 3.0, "run": 2, "joules": 900.0},
        {"seconds": 4.0, "run": 2, "joules": 950.0},
    ]
    assert Course.read(log(tmp_path, [], rows)).power == [(2.0, None), (4.0, 50.0)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser(tmp_path: Path, browser: Any, scheme: str, width: int) -> None:
    """Nothing is asked for but the file; nothing juts out; no word is cut off; and axe finds no barrier."""
    full(tmp_path)
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page, asked, told = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    out = """[...document.querySelectorAll('svg')].flatMap(svg => { const box = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].filter(t => { const b = t.getBoundingClientRect();
        return b.left < box.left - 1 || b.right > box.right + 1 || b.bottom > box.bottom + 1 || b.top < box.top - 1 })
        .map(t => t.textContent) })"""
    assert page.evaluate(out) == []
    assert page.evaluate("document.querySelectorAll('svg polyline').length") > 8
    assert asked == [(tmp_path / "report.html").as_uri()]
    assert told == []
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = axe.Axe().run(page).response["violations"]
    assert [(fault["id"], [node["html"][:120] for node in fault["nodes"][:3]]) for fault in found] == []
    context.close()
