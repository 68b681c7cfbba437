from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import DraftRow, Ledger, NewDraft, ReasonsMissing, RevisionRow, SavedMeanwhile, reason_key
from tensaku.records import Pair, Revision, from_dict
from tensaku.text import compare

FINAL = "当月の国内株式市場は3.2%上昇となりました。日銀は政策金利を据え置きました。"
WRONG = "当月の国内株式市場は3.5%上昇となりました。日銀は政策金利を据え置きました。"


def test_a_final_is_kept_with_who_when_and_every_change(ledger: Ledger, draft: DraftRow, revision: RevisionRow) -> None:
    before = datetime.now(UTC)
    saved = ledger.save_final(draft.id, FINAL, "sato", revision_id=revision.id)
    assert (saved.by, saved.text, saved.revision_id, saved.based_on) == ("sato", FINAL, revision.id, None)
    assert before <= saved.at <= datetime.now(UTC)
    assert saved.verdict.kept
    assert ledger.finals(draft.id) == [saved]
    kinds = {row.between for row in ledger.changes(saved.id)}
    assert kinds == {"draft-revision", "revision-final", "draft-final"}
    decided = {row.change.new: row.decision for row in ledger.changes(saved.id) if row.between == "draft-revision"}
    assert decided["3.2%"] == "accepted"
    assert all((row.decision is None) == (row.between != "draft-revision") for row in ledger.changes(saved.id))
    assert ledger.log()[-1].subject == f"final:{saved.id}"
    assert ledger.verify_records() == []


def test_a_final_without_a_revision_holds_the_changes_to_the_draft(ledger: Ledger, draft: DraftRow) -> None:
    saved = ledger.save_final(draft.id, FINAL, "sato")
    assert {row.between for row in ledger.changes(saved.id)} == {"draft-final"}


def test_a_broken_fact_needs_a_written_reason(ledger: Ledger, draft: DraftRow) -> None:
    breaks = compare(draft.text, WRONG, as_of=draft.as_of).breaks
    assert len(breaks) == 2
    with pytest.raises(ReasonsMissing, match=r"'３．２％' \(missing percent\), '3\.5%' \(added percent\)") as caught:
        ledger.save_final(draft.id, WRONG, "sato")
    assert caught.value.breaks == breaks
    half = {reason_key(breaks[0]): "運用会社に確認済み"}
    with pytest.raises(UsageError, match=r"without a reason: '3\.5%' \(added percent\)\."):
        ledger.save_final(draft.id, WRONG, "sato", reasons=half)
    with pytest.raises(UsageError, match=r"without a reason: '3\.5%'"):
        ledger.save_final(draft.id, WRONG, "sato", reasons={**half, reason_key(breaks[1]): " \n"})
    assert ledger.finals(draft.id) == []
    reasons = {reason_key(b): "運用会社に確認済み" for b in breaks}
    saved = ledger.save_final(draft.id, WRONG, "sato", reasons={**reasons, "9%": "古い理由"})
    assert saved.reasons == reasons
    assert ledger.finals(draft.id)[0].verdict.breaks == breaks
    assert ledger.log()[-1].detail["reasons"] == reasons


def test_the_houses_names_are_facts(path: object, ledger: Ledger, draft: DraftRow) -> None:
    text = FINAL.replace("日銀", "中央銀行")
    with Ledger.open(ledger.where, names={"日本銀行": ["日銀", "日本銀行"]}) as strict:
        with pytest.raises(UsageError, match=r"'日銀' \(missing name\)"):
            strict.save_final(draft.id, text, "sato")
        strict.save_final(draft.id, FINAL.replace("日銀", "日本銀行"), "sato")


def test_a_final_that_another_saved_meanwhile_is_not_written_over(ledger: Ledger, draft: DraftRow) -> None:
    first = ledger.save_final(draft.id, FINAL, "sato")
    with pytest.raises(SavedMeanwhile, match=f"sato saved final {first.id} of this draft meanwhile") as caught:
        ledger.save_final(draft.id, FINAL + "以上です。", "tanaka")
    assert caught.value.newest == first
    second = ledger.save_final(draft.id, FINAL + "以上です。", "tanaka", based_on=first.id)
    with pytest.raises(UsageError, match=f"tanaka saved final {second.id}"):
        ledger.save_final(draft.id, FINAL + "以上。", "sato", based_on=first.id)
    assert [f.id for f in ledger.finals(draft.id)] == [second.id, first.id]
    assert second.based_on == first.id


def test_a_final_based_on_what_is_not_there_is_refused(ledger: Ledger, draft: DraftRow) -> None:
    with pytest.raises(UsageError, match="no final 5 of this draft"):
        ledger.save_final(draft.id, FINAL, "sato", based_on=5)


def test_saving_the_same_again_is_the_same_final(ledger: Ledger, draft: DraftRow) -> None:
    first = ledger.save_final(draft.id, FINAL, "sato")
    end = ledger.log_end()
    assert ledger.save_final(draft.id, FINAL, "sato") == first
    assert ledger.save_final(draft.id, FINAL, "sato", based_on=first.id) == first
    assert ledger.log_end() == end
    with pytest.raises(UsageError, match="meanwhile"):
        ledger.save_final(draft.id, FINAL, "tanaka")


def test_only_an_active_writer_saves(ledger: Ledger, draft: DraftRow) -> None:
    ledger.add_person("abe", "阿部", ("auditor",))
    with pytest.raises(UsageError, match="'abe' is not a writer"):
        ledger.save_final(draft.id, FINAL, "abe")
    with pytest.raises(NotFound, match="no person 'nobody'"):
        ledger.save_final(draft.id, FINAL, "nobody")
    ledger.set_active("sato", False)
    with pytest.raises(UsageError, match="no longer active"):
        ledger.save_final(draft.id, FINAL, "sato")
    with pytest.raises(UsageError, match="the final is empty"):
        ledger.save_final(draft.id, "　\n", "tanaka")
    assert ledger.finals(draft.id) == []


def test_a_revision_of_another_draft_is_refused(
    ledger: Ledger, draft: DraftRow, revision: RevisionRow, new_draft: Callable[..., NewDraft]
) -> None:
    other = ledger.add_draft(new_draft())
    with pytest.raises(UsageError, match=f"made of draft {draft.id}, not of draft {other.id}"):
        ledger.save_final(other.id, FINAL, "sato", revision_id=revision.id)
    with pytest.raises(NotFound, match="no revision"):
        ledger.save_final(draft.id, FINAL, "sato", revision_id=99)


def test_freezing_gives_the_newest_final_of_each_draft_as_a_pair(
    ledger: Ledger, draft: DraftRow, new_draft: Callable[..., NewDraft]
) -> None:
    other = ledger.add_draft(new_draft(fund="外国債券F"))
    ledger.add_draft(new_draft(fund="まだ書いていないF"))
    first = ledger.save_final(draft.id, FINAL, "sato")
    newest = ledger.save_final(draft.id, FINAL + "以上です。", "sato", based_on=first.id)
    moment = datetime.now(UTC)
    late = ledger.save_final(other.id, FINAL, "tanaka")
    pairs = [from_dict(Pair, values) for values in ledger.freeze()]
    assert [(p.draft, p.final, p.fund, p.as_of) for p in pairs] == [
        (draft.text, newest.text, "国内株式F", "2026-10"),
        (other.text, late.text, "外国債券F", "2026-10"),
    ]
    assert pairs[0].family != pairs[1].family
    assert len({p.id for p in pairs}) == 2
    assert [values["final"] for values in ledger.freeze(since=moment)] == [late.text]


def test_a_revision_may_follow_a_final(ledger: Ledger, draft: DraftRow, new_revision: Callable[..., Revision]) -> None:
    first = ledger.save_final(draft.id, FINAL, "sato")
    asked = ledger.add_revision(draft.id, new_revision(), by="sato")
    again = ledger.save_final(draft.id, asked.text, "sato", revision_id=asked.id, based_on=first.id)
    decisions = [row.decision for row in ledger.changes(again.id) if row.between == "draft-revision"]
    assert decisions
    assert set(decisions) == {"accepted"}
    assert (ledger.draft(draft.id).revisions, ledger.draft(draft.id).finals) == (1, 2)
