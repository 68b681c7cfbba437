"""Control limits, drift, alerts, and the figures of a month as the ledger has them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tensaku.govern.monitor import alerts_of, control_limits, figures_by_month, psi
from tensaku.ledger import Ledger, NewDraft
from tensaku.records import Revision, Usage, Verdict


def test_limits_by_moving_range() -> None:
    found = control_limits([10.0, 12.0, 11.0, 13.0])
    assert found is not None
    assert found.mean == 11.5
    assert found.high - found.mean == pytest.approx(2.66 * 5 / 3)
    assert control_limits([1.0, 2.0]) is None
    assert alerts_of({"length": 20.0}, {"length": found})[0]["figure"] == "length"
    assert alerts_of({"length": 12.0}, {"length": found}) == []
    assert alerts_of({"length": 99.0}, {"length": None}) == []


def test_psi() -> None:
    assert psi({"a": 5, "b": 5}, {"a": 50, "b": 50}) == 0
    assert psi({"a": 90, "b": 10}, {"a": 50, "b": 50}) == pytest.approx(
        0.4 * math.log(9 / 5) + 0.4 * math.log(5), abs=1e-9
    )
    assert psi({"a": 10}, {"b": 10}) > 2
    assert psi({}, {"a": 1}) == 0
    assert alerts_of({"psi_manager": 0.3}, {})[0]["wanted"] == "< 0.25"


def test_the_figures_of_a_month(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_person("endo", "遠藤", ("writer",))
        made_by = {"release": "release-1", "trial": "yes"}
        for text, final in (("市場は上昇しました。", "市場は上昇した。"), ("債券は横ばい。", "債券は横ばい。")):
            draft = ledger.add_draft(NewDraft(text, "みさき投信", "F", "market", "2026-10", "paste"), by="endo")
            held = ledger.add_revision(
                draft.id, Revision(text, text, Verdict(), "stop", Usage(1, 4), made_by), by="endo"
            )
            ledger.save_final(draft.id, final, by="endo", revision_id=held.id)
        (line,) = figures_by_month(ledger, datetime.now(UTC))
        assert (line["release"], line["n"], line["alerts"]) == ("release-1", 2, [])
        assert line["figures"]["edit_distance"] == pytest.approx((2 / 8 + 0) / 2)
        assert line["figures"]["length"] == 4
        assert line["figures"]["breaks"] == 0
