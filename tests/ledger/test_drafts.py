from collections.abc import Callable

import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import DraftRow, Ledger, NewDraft
from tensaku.records import Fact, FactBreak, Revision, Usage, Verdict

DRAFT = "当月の国内株式市場は３．２％上昇した。日銀は政策金利を据え置いた。"


def test_drafts_are_found_by_month_fund_and_manager(ledger: Ledger, new_draft: Callable[..., NewDraft]) -> None:
    first = ledger.add_draft(new_draft(as_of="2026-09"))
    second = ledger.add_draft(new_draft(fund="外国債券F"))
    assert [d.id for d in ledger.drafts()] == [second.id, first.id]
    assert ledger.drafts(as_of="2026-09") == [first]
    assert ledger.drafts(fund="外国債券F", manager="みさき投信") == [second]
    assert ledger.drafts(as_of="2026-09", fund="外国債券F") == []
    assert ledger.draft(first.id) == first


def test_the_same_draft_with_a_reference_stands_once(ledger: Ledger, new_draft: Callable[..., NewDraft]) -> None:
    first = ledger.add_draft(new_draft(reference="row 7"))
    assert ledger.add_draft(new_draft(reference="row 7")) == first
    other = ledger.add_draft(new_draft(text=DRAFT + "追記。", reference="row 7"))
    assert other.id != first.id
    assert ledger.add_draft(new_draft()).id != ledger.add_draft(new_draft()).id


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"text": " \n"}, "the draft is empty"),
        ({"text": "a\x00b"}, r"U\+0000.*character 2"),
        ({"text": "a\ud800"}, r"U\+D800"),
        ({"as_of": "2026-13"}, "Write it as 2026-10"),
        ({"fund": ""}, "fund is empty"),
        ({"manager": "x" * 201}, "201 characters"),
    ],
)
def test_a_draft_that_cannot_be_kept_is_refused_and_nothing_is_written(
    ledger: Ledger, values: dict[str, str], message: str
) -> None:
    fields = {"text": DRAFT, "manager": "A", "fund": "F", "section": "market", "as_of": "2026-10", "origin": "paste"}
    before = ledger.log_end()
    with pytest.raises(UsageError, match=message):
        ledger.add_draft(NewDraft(**{**fields, **values}))
    assert ledger.drafts() == []
    assert ledger.log_end() == before


def test_odd_text_comes_back_as_it_was(ledger: Ledger, new_draft: Callable[..., NewDraft]) -> None:
    text = "𠮷野家\r\n<script>alert('x')</script>\u200b🙂 が"
    kept = ledger.add_draft(new_draft(text=text))
    assert ledger.draft(kept.id).text == text
    assert ledger.verify_records() == []


def test_a_revision_keeps_its_maker_verdict_and_usage(ledger: Ledger, draft: DraftRow) -> None:
    verdict = Verdict((FactBreak("missing", Fact("percent", "3.2%", "３．２％", 10, 14)),))
    made = Revision(DRAFT, "本文", verdict, "length", Usage(5, 6), {"release": "release-1", "trial": "yes"})
    kept = ledger.add_revision(draft.id, made, by="sato")
    assert ledger.revisions(draft.id) == [kept]
    assert (kept.verdict, kept.usage, kept.finish, kept.trial, kept.by) == (
        verdict,
        Usage(5, 6),
        "length",
        True,
        "sato",
    )
    assert ledger.draft(draft.id).revisions == 1


def test_an_empty_revision_is_kept_for_what_it_is(
    ledger: Ledger, draft: DraftRow, new_revision: Callable[..., Revision]
) -> None:
    assert ledger.add_revision(draft.id, new_revision(text=""), by="sato").text == ""


def test_a_revision_of_another_text_is_refused(
    ledger: Ledger, draft: DraftRow, new_revision: Callable[..., Revision]
) -> None:
    with pytest.raises(UsageError, match="another text than draft"):
        ledger.add_revision(draft.id, new_revision(draft="別の原稿"), by="sato")
    assert ledger.revisions(draft.id) == []


def test_what_is_not_there_is_named(ledger: Ledger, draft: DraftRow, new_revision: Callable[..., Revision]) -> None:
    for number in (99, 0, -1, 2**31, 2**80):
        with pytest.raises(NotFound, match=f"no draft '{number}'"):
            ledger.draft(number)
    with pytest.raises(NotFound, match="no person 'nobody'"):
        ledger.add_revision(draft.id, new_revision(), by="nobody")
