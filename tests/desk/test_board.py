"""The list of drafts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tensaku.desk.board import Filters, read_board
from tensaku.ledger import Ledger, NewDraft


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        for as_of in ("2026-09", "2026-10"):
            for manager, fund, section in (
                ("乙", "債券", "outlook"),
                ("甲", "債券", "market"),
                ("甲", "株式", "market"),
            ):
                ledger.add_draft(NewDraft("市場は上昇した。", manager, fund, section, as_of, "sample"))
        yield ledger


def test_the_newest_month_comes_first(ledger: Ledger) -> None:
    board = read_board(ledger, None)
    assert board.months == ("2026-10", "2026-09")
    assert [(d.as_of, d.fund, d.section) for d in board.drafts] == [
        ("2026-10", "債券", "market"),
        ("2026-10", "債券", "outlook"),
        ("2026-10", "株式", "market"),
    ]
    assert board.counts == {"todo": 3, "revised": 0, "review": 0, "returned": 0, "saved": 0}


def test_filters_narrow_it(ledger: Ledger) -> None:
    assert len(read_board(ledger, Filters()).drafts) == 6
    assert len(read_board(ledger, Filters(fund="債券")).drafts) == 4
    only = read_board(ledger, Filters(month="2026-09", fund="債券", manager="乙"))
    assert [d.section for d in only.drafts] == ["outlook"]
    assert only.funds == ("債券", "株式")


def test_an_empty_ledger(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "empty.db") as ledger:
        board = read_board(ledger, None)
    assert (board.drafts, board.months, board.filters) == ((), (), Filters())
