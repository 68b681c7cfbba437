"""What a person may do is decided where it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tensaku.desk.board import read_board
from tensaku.desk.rights import PersonalLedger
from tensaku.errors import UsageError
from tensaku.ledger import Ledger, NewDraft, NotAllowed
from tensaku.records import Revision, Usage, Verdict

TEXT = "市場は3.2％上昇した。"
FINAL = "市場は3.2％上昇しました。"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.add_person("sato", "佐藤", ("writer",))
        ledger.add_person("mori", "森", ("reviewer",))
        ledger.add_person("kansa", "監査", ("auditor",))
        ledger.set_scopes("sato", ["fund:国内"])
        for fund in ("国内", "海外"):
            ledger.add_draft(NewDraft(TEXT, "青葉", fund, "market", "2026-10", "paste", fund))
        yield ledger


def revision() -> Revision:
    return Revision(TEXT, FINAL, Verdict(), "stop", Usage(1, 1), {"release": "r"})


def test_drafts_of_other_funds_are_not_there(house: Ledger) -> None:
    own = PersonalLedger(house, "sato")
    assert [draft.fund for draft in own.drafts()] == ["国内"]
    assert read_board(own, None).funds == ("国内",)
    other = next(draft.id for draft in house.drafts() if draft.fund == "海外")
    kept = house.add_revision(other, revision(), "mori")
    final = house.save_final(*_writer(house, other))
    reads: list[Callable[[], object]] = [
        lambda: own.draft(other),
        lambda: own.revisions(other),
        lambda: own.finals(other),
        lambda: own.changes(final.id),
        lambda: own.reviews(other),
        lambda: own.save_final(other, FINAL, "sato", revision_id=kept.id, based_on=final.id),
        lambda: own.add_revision(other, revision(), "sato"),
        lambda: own.add_bulk([other], "sato"),
        lambda: own.add_draft(NewDraft(TEXT, "青葉", "海外", "market", "2026-11", "paste")),
    ]
    for read in reads:
        with pytest.raises(NotAllowed, match="海外"):
            read()


def _writer(house: Ledger, draft: int) -> tuple[int, str, str]:
    house.add_person("abe", "阿部", ("writer",))
    return draft, FINAL, "abe"


def test_nobody_acts_in_another_name(house: Ledger) -> None:
    own = PersonalLedger(house, "sato")
    draft = own.drafts()[0].id
    with pytest.raises(NotAllowed, match="cannot act as 'mori'"):
        own.add_revision(draft, revision(), "mori")
    assert own.add_draft(NewDraft(TEXT, "青葉", "国内", "market", "2026-11", "paste")).by == "sato"


def test_each_act_needs_its_role(house: Ledger) -> None:
    draft = house.drafts()[0].id
    reviewer, auditor = PersonalLedger(house, "mori"), PersonalLedger(house, "kansa")
    assert len(auditor.drafts()) == 2, "an auditor reads everything"
    for own, name in ((reviewer, "mori"), (auditor, "kansa")):
        with pytest.raises(UsageError, match=r"writer|may read"):
            own.save_final(draft, FINAL, name)
        with pytest.raises(NotAllowed):
            own.add_revision(draft, revision(), name)
        with pytest.raises(NotAllowed):
            own.add_draft(NewDraft(TEXT, "青葉", "国内", "market", "2026-11", "paste"))
    with pytest.raises(NotAllowed, match="may read"):
        auditor.add_person("x", "X", by="kansa")
    assert reviewer.assign([draft], "sato", "2026-11-05", by="mori") == 1


def test_a_right_that_is_taken_away_is_gone_for_pages_that_are_open(house: Ledger) -> None:
    own = PersonalLedger(house, "sato")
    draft = own.drafts()[0].id
    final = own.save_final(draft, FINAL, "sato")
    house.set_roles("sato", ("auditor",))
    with pytest.raises(NotAllowed, match="may read"):
        own.save_final(draft, FINAL + "。", "sato", based_on=final.id)
    house.set_active("sato", False)
    with pytest.raises(UsageError, match="no longer active"):
        own.save_final(draft, FINAL + "。", "sato", based_on=final.id)


def test_a_fund_that_is_not_told_may_be_any(house: Ledger) -> None:
    assert [PersonalLedger(house, "sato").may(fund) for fund in ("国内", "海外", "")] == [True, False, False]
    assert [PersonalLedger(house, "mori").may(fund) for fund in ("国内", "海外", "")] == [True, True, True]


def test_a_bulk_of_another_fund_is_neither_seen_nor_ended(house: Ledger) -> None:
    own, (first, second) = PersonalLedger(house, "sato"), sorted(house.drafts(), key=lambda draft: draft.fund)
    house.add_person("abe", "阿部", ("writer",))
    other = house.add_bulk([next(d.id for d in (first, second) if d.fund == "海外")], "abe")
    assert other is not None
    assert own.bulks() == []
    with pytest.raises(NotAllowed, match="海外"):
        own.cancel_bulk(other.id, "sato")
    mine = own.add_bulk([next(d.id for d in (first, second) if d.fund == "国内")], "sato")
    assert mine is not None
    assert [bulk.id for bulk in own.bulks()] == [mine.id]
    own.cancel_bulk(mine.id, "sato")
    with pytest.raises(NotAllowed, match="no writer"):
        PersonalLedger(house, "kansa").cancel_bulk(other.id, "kansa")
    assert [bulk.waiting for bulk in house.bulks(9)] == [0, 1]


def test_drafts_are_given_to_nobody_whose_rights_do_not_reach_them(house: Ledger) -> None:
    other = next(draft.id for draft in house.drafts() if draft.fund == "海外")
    with pytest.raises(UsageError, match="'sato' has no right to the fund '海外'"):
        PersonalLedger(house, "mori").assign([other], "sato", None, by="mori")
    assert house.standings() == {}
