"""The pages on lineage and monitoring: the three questions, control charts with limits, and who may see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.desk.signed import as_person

from tensaku.desk.access import Access, AccessRules
from tensaku.desk.gate import Gate
from tensaku.desk.lineage_page import add_lineage
from tensaku.desk.watch_page import add_watch
from tensaku.ledger import Ledger, NewAnswer, NewDraft, SeenPair
from tensaku.records import Revision, Usage, Verdict
from tensaku.text import style_from

REF, OLD = "release-aaaaaaaaaaaa", "release-bbbbbbbbbbbb"
THIS = datetime.now(UTC)
MONTHS = [f"{THIS.year - (THIS.month <= n)}-{(THIS.month - n - 1) % 12 + 1:02d}" for n in (6, 5, 4, 3, 2, 1)]
SENTENCE = "国内株式市場は3.2％上昇しました。"
RULE = '[[rule]]\nname = "丸い数"\npattern = "約"\nsay = "約は使わない"\n'


def at_work(ledger: Ledger, month: str, edited: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers and finals of a month, with the clock set to it."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime(int(month[:4]), int(month[5:]), 15, tzinfo=UTC)

    with monkeypatch.context() as patch:
        for module in ("answers", "drafts", "finals"):
            patch.setattr(f"tensaku.ledger.{module}.datetime", Clock)
        for n in range(3):
            new = NewDraft(SENTENCE + "甲乙丙"[n], "みさき投信", "国内株式F", "market", month, "paste")
            draft = ledger.add_draft(new, by="endo")
            made_by = {"release": REF, "trial": "no"}
            made = Revision(new.text, f"{SENTENCE}約{'甲乙丙'[n]}", Verdict(), "stop", Usage(9, 12 + n), made_by)
            held = ledger.add_revision(draft.id, made, by="endo")
            ledger.save_final(draft.id, f"{SENTENCE}{edited}", "endo", revision_id=held.id)
            answer = NewAnswer("chat", "c", REF, "", {"trial": "no"}, "a", SENTENCE, "stop", Usage(3, 9), seconds)
            ledger.add_answer(answer, "full")


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        people = (("endo", "writer"), ("sato", "developer"), ("abe", "approver"), ("mori", "auditor"))
        for name, role in people:
            opened.add_person(name, name, (role,))
        opened.add_person("kato", "加藤", ("developer",), scopes=("fund:国内株式F",))
        for ref in (OLD, REF):
            opened.add_release(ref, "sato", {"task": "comment"})
            opened.approve(ref, "abe", "approved", f"{ref} を使う")
        pairs = [SeenPair("lessons-1", f"p{n}", f"data/pairs.jsonl#{n}", "みさき投信") for n in range(40)]
        opened.add_lineage({REF: ["tune-1"], "tune-1": ["lessons-1", "base-1"]}, pairs)
        for month in MONTHS[:-1]:
            at_work(opened, month, "", 0.5, monkeypatch)
        at_work(opened, MONTHS[-1], "まったく別の文に書き直した。", 3.5, monkeypatch)
        opened.file("decision", REF, {"decision": "retrain", "gain": "+1", "cost": "1日", "reason": "遅い"}, "sato")
        yield opened


def pages(ledger: Ledger, person: str, *paths: str) -> list[tuple[int, str]]:
    app = FastAPI()
    access = Access(ledger, AccessRules())
    add_lineage(app, access)
    add_watch(app, access, style=style_from(RULE, "style.toml"))
    app.add_middleware(Gate, access=access)
    found: list[tuple[int, str]] = []

    async def steps(client: httpx.AsyncClient) -> None:
        for path in paths:
            answer = await client.get(path)
            found.append((answer.status_code, answer.text))

    as_person(app, ledger, person, steps)
    return found


def test_the_three_questions_are_answered(ledger: Ledger) -> None:
    (_, made), (_, by_name), (_, saw), (_, then), (_, before) = pages(
        ledger,
        "mori",
        f"/lineage?made={SENTENCE}",
        f"/en/lineage?made={REF}",
        "/lineage?saw=data/pairs.jsonl%237",
        f"/lineage?at={datetime.now().astimezone() + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}",
        "/en/lineage?at=2020-01-01T00:00",
    )
    for text in (REF, "40 対", "はじめの 20 対", "answer:", "tune-1", "data/pairs.jsonl#", "秒で回答"):
        assert text in made, text
    assert "40 pairs" in by_name
    assert re.search(rf'href="/lineage\?made={REF}#made"', saw)  # from a document back to the model
    assert f"{REF} を使う" in then
    assert "Nothing was in use" in before


def test_what_is_not_there_is_said(ledger: Ledger) -> None:
    found = pages(
        ledger,
        "abe",
        "/lineage",
        "/lineage?made=ない文",
        "/lineage?saw=nobody",
        "/lineage?at=いつか",
        "/lineage?made=<b>x",
    )
    assert {code for code, _ in found} == {200}
    for (_, page), text in zip(
        found[1:4], ("残っていません", "どのモデルの教材にもありません", "日時を読み取れません"), strict=True
    ):
        assert text in page
    assert "<b>x" not in found[4][1]


def test_charts_show_limits_alerts_and_what_was_decided(ledger: Ledger) -> None:
    ((code, page), (_, english)) = pages(ledger, "abe", "/watch", "/en/watch")
    assert 'id="language" href="/en/watch"' in page
    assert 'id="language" href="/watch"' in english
    assert code == 200
    assert page.count("<svg viewBox") >= 6
    assert 'class="bound"' in page
    assert 'class="reading-dot out"' in page
    alert = f'<td class="when">{MONTHS[-1]}</td>'
    assert page.index(alert) < page.index('role="img"')  # the alert stands above the charts
    for text in ("応答時間（秒）", "3.5", "文体規則の違反（1件あたり）", "遅い", "見込み +1、費用 1日", "使用中"):
        assert text in page, text
    assert "seconds an answer" in english
    assert int(re.search(r'data-alerts="(\d+)"', page)[1]) >= 2  # type: ignore[index]


def test_only_those_who_govern_see_them(ledger: Ledger) -> None:
    for person, allowed in (("sato", True), ("abe", True), ("mori", True), ("endo", False), ("kato", False)):
        for code, page in pages(ledger, person, "/lineage", "/en/watch"):
            assert code == (200 if allowed else 403), person
            assert ('href="/lineage"' in page or 'href="/en/lineage"' in page) == allowed
            assert (SENTENCE in page) is False


def test_nothing_has_answered_yet(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.add_person("abe", "安倍", ("approver",))
        ((code, page),) = pages(ledger, "abe", "/watch")
        assert (code, "まだどのリリースも応答していません" in page) == (200, True)
