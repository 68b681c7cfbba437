"""Decisions, work in progress and choices: kept, and kept apart."""

from collections.abc import Callable

import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import DraftRow, Ledger, NewDraft, RevisionRow, WorkMeanwhile
from tensaku.records import Revision
from tensaku.text import changes


def test_the_newest_decision_on_a_change_counts_and_all_are_kept(
    ledger: Ledger, draft: DraftRow, revision: RevisionRow
) -> None:
    change = changes(draft.text, revision.text)[0]
    ledger.add_decision(draft.id, change, "accepted", "sato", revision_id=revision.id)
    last = ledger.add_decision(
        draft.id, change, "rejected", "tanaka", revision_id=revision.id, reason="style", note=" 当社の表記 "
    )
    assert (last.reason, last.note, last.by, last.old, last.new) == (
        "style",
        "当社の表記",
        "tanaka",
        change.old,
        change.new,
    )
    assert ledger.decisions(draft.id) == [last]
    assert [row.decision for row in ledger.decisions(draft.id, newest=False)] == ["accepted", "rejected"]
    assert ledger.verify_log() is None
    assert ledger.verify_records() == []


@pytest.mark.parametrize(
    ("decision", "reason", "by"), [("maybe", "", "sato"), ("accepted", "mood", "sato"), ("accepted", "", "nobody")]
)
def test_what_is_no_decision_is_refused(
    ledger: Ledger, draft: DraftRow, revision: RevisionRow, decision: str, reason: str, by: str
) -> None:
    change = changes(draft.text, revision.text)[0]
    with pytest.raises((UsageError, NotFound)):
        ledger.add_decision(draft.id, change, decision, by, reason=reason)  # type: ignore[arg-type]
    assert ledger.decisions(draft.id) == []


def test_work_is_kept_a_person_and_never_overwritten_unseen(ledger: Ledger, draft: DraftRow) -> None:
    first = ledger.keep_work(draft.id, "書きかけ", "sato", reasons={"3.2%": "訂正"})
    second = ledger.keep_work(draft.id, "書きかけの続き", "sato", version=first.version)
    ledger.keep_work(draft.id, "田中の文", "tanaka")
    with pytest.raises(WorkMeanwhile) as refused:
        ledger.keep_work(draft.id, "別の窓の文", "sato", version=first.version)
    assert refused.value.newest == second
    assert {row.by: row.text for row in ledger.work(draft.id)} == {"sato": "書きかけの続き", "tanaka": "田中の文"}
    ledger.drop_work(draft.id, "sato", version=1)  # it has gone on since: nothing is dropped
    assert len(ledger.work(draft.id)) == 2


def test_a_saved_final_ends_its_writers_work_and_no_other(ledger: Ledger, draft: DraftRow) -> None:
    ledger.keep_work(draft.id, draft.text, "sato")
    ledger.keep_work(draft.id, "田中の文", "tanaka")
    ledger.save_final(draft.id, draft.text, "sato")
    assert [row.by for row in ledger.work(draft.id)] == ["tanaka"]


def test_a_choice_is_one_of_what_was_shown(
    ledger: Ledger, draft: DraftRow, revision: RevisionRow, new_revision: Callable[..., Revision]
) -> None:
    other = ledger.add_revision(draft.id, new_revision(text="別の案。"), by="sato")
    made = ledger.add_choice(draft.id, [other.id, revision.id], revision.id, "sato")
    assert ledger.choices(draft.id) == [made]
    assert made.shown == (other.id, revision.id)
    for shown, chosen in (([revision.id], revision.id), ([other.id, revision.id], 999)):
        with pytest.raises(UsageError):
            ledger.add_choice(draft.id, shown, chosen, "sato")
    foreign = ledger.add_draft(NewDraft("別の原稿。", "A", "G", "market", "2026-10", "paste"))
    with pytest.raises(UsageError, match="was made of draft"):
        ledger.add_choice(foreign.id, [other.id, revision.id], other.id, "sato")
    assert ledger.verify_records() == []
