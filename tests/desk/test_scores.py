"""The page Model's figures, from outcomes made by hand and from a real ledger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from tensaku.desk.access import Access, AccessRules
from tensaku.desk.gate import Gate
from tensaku.desk.model_page import add_model_page, columns
from tensaku.desk.scores import KINDS, advise, kind_of, scores
from tensaku.ledger import Ledger, NewDraft
from tensaku.ledger.outcomes import OutcomeRow
from tensaku.records import Revision, Usage, Verdict

START = datetime(2026, 6, 1, tzinfo=UTC)


def row(as_of: str = "2026-06", final: str = "あいうえお", minutes: float = 5, **more: Any) -> OutcomeRow:
    asked = START + timedelta(days=30 * (int(as_of[5:]) - 6))
    values: dict[str, Any] = {
        "draft_id": 1,
        "manager": "青葉",
        "fund": "国内",
        "writer": "sato",
        "release": "r1",
        "changes": (),
    }
    return OutcomeRow(
        **{**values, **more},
        as_of=as_of,
        revision="あいうえお",
        final=final,
        asked=asked,
        saved=asked + timedelta(minutes=minutes),
    )


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("３．２％", "3.2%", "marks"),
        ("、", "", "marks"),
        ("3.2%", "3.8%", "figure"),
        ("10月", "11月", "figure"),
        ("した", "しました", "ending"),
        ("", "大幅に", "added"),
        ("皆様の", "", "removed"),
        ("物価高", "インフレ", "wording"),
    ],
)
def test_kinds_of_change(old: str, new: str, kind: str) -> None:
    assert kind_of(old, new) == kind


@given(st.text(max_size=20), st.text(max_size=20))
def test_every_change_is_of_some_kind(old: str, new: str) -> None:
    assert kind_of(old, new) in KINDS


def test_means_medians_and_groups() -> None:
    rows = [
        row(minutes=4),
        row(final="あいうえか", minutes=10, manager="北辰", writer="abe"),
        row("2026-07", final="かきくけこ", minutes=600, changes=(("た", "した", "accepted"), ("", "大", "rejected"))),
    ]
    found = scores(rows)
    assert found is not None
    assert found.whole.edited == pytest.approx((0 + 0.2 + 1) / 3)
    assert found.whole.untouched == pytest.approx(1 / 3)
    assert found.whole.minutes == 7, "ten hours are an interruption"
    assert [(g.name, g.n) for g in found.months] == [("2026-06", 2), ("2026-07", 1)]
    assert [(g.name, g.n) for g in found.managers] == [("青葉", 2), ("北辰", 1)]
    assert found.writers[1].name == "abe"
    assert found.writers[1].edited == pytest.approx(0.2)
    assert found.kinds == {
        "ending": {"accepted": 1, "altered": 0, "rejected": 0},
        "added": {"accepted": 0, "altered": 0, "rejected": 1},
    }
    assert found.accepted == 0.5
    assert scores([]) is None


def test_retraining_is_suggested_for_enough_new_finals_or_for_drift() -> None:
    calm = [row("2026-06") for _ in range(3)] + [row("2026-08") for _ in range(3)]
    few = advise(calm, {}, wanted=100, drift=0.05)
    assert few is not None
    assert (few.needed, few.new, few.first, few.last) == (False, 6, 0.0, 0.0)
    enough = advise(calm, {}, wanted=6, drift=0.05)
    assert enough is not None
    assert (enough.enough, enough.drifted) == (True, False)
    later = advise(calm, {"r1": START + timedelta(days=30)}, wanted=6, drift=0.05)
    assert later is not None
    assert later.new == 3, "what was saved before the release was made is in it already"
    worse = advise([*calm[:3], *(row("2026-08", final="あいうえか") for _ in range(3))], {}, wanted=100, drift=0.2)
    assert worse is not None
    assert (worse.needed, worse.drifted, worse.first) == (True, True, 0.0)
    assert worse.last == pytest.approx(0.2)
    two = advise([*calm[:3], row("2026-08", final="かきくけこ")], {}, wanted=100, drift=0.2)
    assert two is not None
    assert not two.needed, "one comment is no month"
    assert advise([], {}, wanted=1, drift=0.1) is None


def test_a_drawing_says_its_figures_in_words_too() -> None:
    drawn = columns("編集率", [("26/6", 12.34, 3), ("<b>", 0.0, 1)], unit="%")
    assert 'aria-label="編集率: 26/6 12.3%, &lt;b&gt; 0.0%"' in drawn
    assert drawn.count('class="bar-body"') == 2


def test_the_page_counts_what_the_ledger_holds(tmp_path: Path) -> None:
    text, revised = "市場は3.2％上昇した。", "市場は3.2％上昇しました。"
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.add_person("sato", "佐藤", ("writer",))
        for fund, final in (("国内", revised), ("<i>海外</i>", text)):
            draft = ledger.add_draft(NewDraft(text, f"{fund}社", fund, "market", "2026-10", "paste"))
            made = Revision(text, revised, Verdict(), "stop", Usage(1, 1), {"release": "r1"})
            asked = ledger.add_revision(draft.id, made, "sato")
            ledger.save_final(draft.id, final, "sato", revision_id=asked.id)
        app, access = FastAPI(), Access(ledger, AccessRules())
        app.add_middleware(Gate, access=access)
        add_model_page(app, access, retrain_after=2, retrain_drift=0.05)
        cookies = {"tensaku-session": ledger.begin_session("sato", how="open", hours=1)}

        async def pages() -> tuple[str, str]:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", cookies=cookies) as client:
                both = (await client.get("/model")).text
                ledger.set_scopes("sato", ["fund:国内"])
                return both, (await client.get("/en/model")).text

        both, own = asyncio.run(pages())
    assert "再学習をお勧めします" in both
    assert "2 件あります（目安 2 件）" in both
    assert "&lt;i&gt;海外&lt;/i&gt;社" in both
    assert "海外" not in own
    assert "No need to retrain now" in own
