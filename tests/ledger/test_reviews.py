from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tensaku.curate.freeze import slice_of
from tensaku.errors import NotFound, UsageError
from tensaku.ledger import DraftRow, FinalRow, Ledger, NewDraft, NotAllowed, RevisionRow, Standing

FINAL = "当月の国内株式市場は3.2%上昇しました。日銀は政策金利を据え置きました。"


@pytest.fixture
def ledger(database: str | Path) -> Iterator[Ledger]:
    with Ledger.open(database, review=True) as opened:
        opened.add_person("sato", "佐藤 花子", ("writer",))
        opened.add_person("abe", "阿部", ("writer", "reviewer"))
        opened.add_person("mori", "森", ("reviewer",))
        yield opened


@pytest.fixture
def final(ledger: Ledger, draft: DraftRow, revision: RevisionRow) -> FinalRow:
    return ledger.save_final(draft.id, FINAL, "sato", revision_id=revision.id)


def test_a_final_is_one_once_another_has_approved_it(ledger: Ledger, final: FinalRow) -> None:
    assert ledger.freeze() == []
    assert list(slice_of(ledger)) == []
    made = ledger.add_review(final.id, "approved", "mori")
    assert ledger.add_review(final.id, "approved", "mori") == made
    assert [pair["final"] for pair in ledger.freeze()] == [FINAL]
    assert len(list(slice_of(ledger))) == 1
    standing = ledger.standings()[final.draft_id]
    assert (standing.review, standing.reviewed_by, standing.final_by) == ("approved", "mori", "sato")
    assert ledger.verify_records() == []


def test_a_later_text_is_not_final_and_the_approved_one_stays(ledger: Ledger, final: FinalRow) -> None:
    ledger.add_review(final.id, "approved", "mori")
    later = ledger.save_final(final.draft_id, FINAL + "。", "sato", based_on=final.id)
    assert [pair["final"] for pair in ledger.freeze()] == [FINAL]
    assert ledger.standings()[final.draft_id].review is None
    ledger.add_review(later.id, "returned", "mori", note="句点が二つあります")
    assert [pair["final"] for pair in ledger.freeze()] == [FINAL]
    assert ledger.standings()[final.draft_id].review == "returned"
    assert [review.decision for review in ledger.reviews(final.draft_id)] == ["approved", "returned"]


def test_nobody_approves_their_own_words(ledger: Ledger, final: FinalRow) -> None:
    with pytest.raises(NotAllowed, match="not a reviewer"):
        ledger.add_review(final.id, "approved", "sato")
    later = ledger.save_final(final.draft_id, FINAL + "。", "abe", based_on=final.id)
    last = ledger.save_final(final.draft_id, FINAL, "sato", based_on=later.id)
    with pytest.raises(NotAllowed, match="four eyes"):
        ledger.add_review(last.id, "approved", "abe")
    ledger.add_review(last.id, "comment", "abe", note="私が直した箇所です")
    assert ledger.approved_finals() == set()


def test_what_was_decided_or_replaced_is_not_decided_again(ledger: Ledger, final: FinalRow) -> None:
    ledger.add_review(final.id, "returned", "mori", note="数値を確認")
    with pytest.raises(UsageError, match="mori has returned"):
        ledger.add_review(final.id, "approved", "abe")
    later = ledger.save_final(final.draft_id, FINAL + "。", "sato", based_on=final.id)
    with pytest.raises(UsageError, match=f"final {later.id} was saved after"):
        ledger.add_review(final.id, "approved", "mori")
    with pytest.raises(NotFound):
        ledger.add_review(99, "approved", "mori")


@pytest.mark.parametrize("decision", ["returned", "comment"])
def test_a_note_is_wanted(ledger: Ledger, final: FinalRow, decision: str) -> None:
    with pytest.raises(UsageError, match="need a note"):
        ledger.add_review(final.id, decision, "mori", note=" \n")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="2001 characters"):
        ledger.add_review(final.id, "comment", "mori", note="あ" * 2001)


def test_without_review_what_is_saved_is_final(path: Path, ledger: Ledger, final: FinalRow) -> None:
    with Ledger.open(path) as plain:
        assert [pair["final"] for pair in plain.freeze()] == [FINAL]


def test_drafts_change_hands_and_days(ledger: Ledger, new_draft: Callable[..., NewDraft]) -> None:
    ids = [ledger.add_draft(new_draft(reference=str(n))).id for n in range(3)]
    assert ledger.assign(ids, "sato", None, by="mori") == 3
    assert ledger.assign(ids, "sato", None, by="mori") == 0
    assert ledger.assign(ids[:1], "abe", "2026-11-05", by="sato") == 1
    assert ledger.standings()[ids[0]] == Standing(ids[0], person="abe", due="2026-11-05")
    ledger.assign(ids[:1], None, None, by="sato")
    assert ledger.standings()[ids[0]] == Standing(ids[0])
    assert ledger.verify_records() == []


@pytest.mark.parametrize(
    ("person", "due", "why"),
    [
        ("mori", None, "cannot be given drafts"),
        ("nobody", None, "no person"),
        ("sato", "2026-13-01", "is no day"),
        ("sato", "20261105", "is no day"),
    ],
)
def test_wrong_hands_and_days_change_nothing(
    ledger: Ledger, draft: DraftRow, person: str, due: str | None, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        ledger.assign([draft.id], person, due, by="sato")
    with pytest.raises(NotFound):
        ledger.assign([draft.id, 99], "sato", None, by="sato")
    assert ledger.standings() == {}
