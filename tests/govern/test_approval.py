from collections.abc import Iterator
from pathlib import Path

import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.govern import approve, require_approved
from tensaku.ledger import Ledger

REF = "release-0123456789ab"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        opened.add_person("suzuki", "鈴木", ("engineer", "approver"))
        opened.add_person("takahashi", "高橋", ("approver",))
        opened.add_person("sato", "佐藤", ("writer",))
        opened.add_release(REF, "suzuki", {"bleu_tuned": 88.75})
        yield opened


def test_another_person_approves_and_the_release_may_serve(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match=f"not approved.*not suzuki run: tensaku approve {REF} --by NAME.*--trial"):
        require_approved(ledger, REF, trial=False)
    row = approve(ledger, REF, "takahashi", "approved", "試験結果を確認した")
    assert (row.status, row.approvals[0].by, row.approvals[0].note) == ("approved", "takahashi", "試験結果を確認した")
    assert require_approved(ledger, REF, trial=False) is False
    assert require_approved(ledger, REF, trial=True) is False
    said = [(e.who, e.what) for e in ledger.log()][-2:]
    assert said == [("takahashi", "release.approved"), ("takahashi", "rollout.approved")]
    assert ledger.verify_records() == []


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("suzuki", "'suzuki' tuned release-0123456789ab and cannot decide"),
        ("sato", "'sato' is not an approver"),
        ("takahasi", "Did you mean takahashi"),
        ("system", "'system' is not an approver"),
    ],
)
def test_who_may_not_decide_does_not(ledger: Ledger, by: str, message: str) -> None:
    end = ledger.log_end()
    with pytest.raises(UsageError, match=message):
        approve(ledger, REF, by, "approved")
    assert ledger.release(REF).status == "candidate"
    assert ledger.log_end() == end


def test_an_approver_who_left_does_not_decide(ledger: Ledger) -> None:
    ledger.set_active("takahashi", False)
    with pytest.raises(UsageError, match="no longer active"):
        approve(ledger, REF, "takahashi", "approved")


def test_a_trial_is_let_through_and_marked(ledger: Ledger) -> None:
    assert require_approved(ledger, REF, trial=True) is True


def test_a_rejection_needs_a_note_and_outweighs_what_came_before(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="note of a rejection is empty"):
        approve(ledger, REF, "takahashi", "rejected")
    approve(ledger, REF, "takahashi", "approved")
    approve(ledger, REF, "takahashi", "rejected", "文の欠落が多い")
    with pytest.raises(UsageError, match="rejected by takahashi \\(文の欠落が多い\\)"):
        require_approved(ledger, REF, trial=False)
    assert require_approved(ledger, REF, trial=True) is True
    assert [a.decision for a in ledger.release(REF).approvals] == ["approved", "rejected"]
    approve(ledger, REF, "takahashi", "approved", "見直した")
    assert require_approved(ledger, REF, trial=False) is False


def test_a_release_that_the_ledger_does_not_know_is_refused(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="not in the ledger"):
        require_approved(ledger, "release-ffffffffffff", trial=True)
    with pytest.raises(NotFound, match="no release"):
        approve(ledger, "release-ffffffffffff", "takahashi", "approved")
    with pytest.raises(UsageError, match="Write 'approved', 'rejected' or 'withdrawn'"):
        approve(ledger, REF, "takahashi", "maybe")  # type: ignore[arg-type]
