"""Roles that bind: who built a model decides nothing on it, and an approval's limits are held to by the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.gate import check_standard
from tensaku.govern import approve, require_approved
from tensaku.govern.findings import add_exception, add_finding, open_findings
from tensaku.govern.inventory import enter, inventory, override_rating, retire
from tensaku.ledger import Conditions, Ledger, NewAnswer
from tensaku.records import Usage

REF, OTHER = "release-aaaaaaaaaaaa", "release-bbbbbbbbbbbb"
MADE = {"adapter": "tune-1", "base": "base-1", "lessons": "lessons-1"}


def days(n: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=n)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        for name, roles in (
            ("sato", ("engineer", "approver")),
            ("ito", ("engineer", "approver")),
            ("kuroda", ("approver",)),
            ("abe", ("approver",)),
            ("mori", ("writer", "auditor", "approver")),
            ("endo", ("writer",)),
        ):
            opened.add_person(name, name, roles)
        opened.add_release(REF, "sato", {"task": "comment", "made_from": MADE})
        opened.add_release(OTHER, "ito", {"task": "comment", "made_from": MADE})
        opened.add_lineage({REF: MADE.values(), OTHER: MADE.values()})
        yield opened


def answer(ledger: Ledger, ref: str = REF, trial: str = "no") -> None:
    new = NewAnswer("chat", "comment", ref, "", {"trial": trial}, "a", "b", "stop", Usage(1, 1), 0.1)
    ledger.add_answer(new, "hash")


def test_who_tuned_or_tuned_its_kin_decides_nothing_on_it(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="'sato' tuned"):
        approve(ledger, REF, "sato", "approved")
    with pytest.raises(UsageError, match="'ito' built release-a"):  # from the same lessons
        approve(ledger, REF, "ito", "approved")
    for name in ("sato", "ito"):
        with pytest.raises(UsageError, match="built"):
            add_finding(ledger, REF, "数値が落ちる", "high", days(9), name)
        with pytest.raises(UsageError, match="built"):
            override_rating(ledger, REF, "low", "why", name)
        with pytest.raises(UsageError, match="built"):
            add_exception(ledger, REF, "findings", "why", days(9), name)
    assert approve(ledger, REF, "kuroda", "approved").status == "approved"


def test_the_third_line_changes_nothing(ledger: Ledger) -> None:
    for deed in (
        lambda: approve(ledger, REF, "mori", "approved"),
        lambda: add_finding(ledger, REF, "x", "low", days(1), "mori"),
        lambda: enter(ledger, "judge-1", {"kind": "judge"}, "mori"),
        lambda: retire(ledger, REF, "why", "mori"),
    ):
        with pytest.raises(UsageError, match="'mori' is an auditor"):
            deed()
    approve(ledger, REF, "kuroda", "approved")
    with pytest.raises(UsageError, match="may not choose"):
        ledger.deploy(REF, "mori")
    end = ledger.log_end()
    assert inventory(ledger)
    assert ledger.log_end() == end


def test_a_condition_counts_answers_to_the_last_one(ledger: Ledger) -> None:
    approve(ledger, OTHER, "kuroda", "approved")
    approve(ledger, REF, "kuroda", "approved", conditions=Conditions(tasks=("comment",), requests=2))
    with pytest.raises(UsageError, match="approved for comment alone, not for other"):
        ledger.check_use(REF, "other")
    with pytest.raises(UsageError, match="cannot be a part of a sum"):
        ledger.check_use(REF, "comment", summed=True)
    answer(ledger)
    answer(ledger, trial="yes")  # counts too: it was answered
    assert ledger.release(REF).status == "expired"
    with pytest.raises(UsageError, match="approved for 2 answers, and that is used up"):
        answer(ledger)
    now = ledger.deployed()
    assert now is not None
    assert now.champion == OTHER  # the one before it answers again
    approve(ledger, REF, "kuroda", "approved", "for good")
    answer(ledger)
    assert ledger.verify_records() == []


def test_a_condition_ends_on_its_day(ledger: Ledger) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)  # the machine may be busy
    approve(ledger, REF, "kuroda", "approved", conditions=Conditions(until=soon))
    answer(ledger)
    assert inventory(ledger)[0].status in ("conditional", "in development")
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()) + 0.01)
    with pytest.raises(UsageError, match="approved until"):
        answer(ledger)
    with pytest.raises(UsageError, match="approved until"):
        require_approved(ledger, REF, trial=False)
    assert ledger.deployed() is None
    assert next(m for m in inventory(ledger) if m.ref == REF).status == "expired"


@pytest.mark.parametrize("wrong", [Conditions(requests=0), Conditions(until=days(-1)), Conditions(tasks=("\x00",))])
def test_conditions_that_nothing_meets(ledger: Ledger, wrong: Conditions) -> None:
    with pytest.raises(UsageError):
        approve(ledger, REF, "kuroda", "approved", conditions=wrong)
    assert ledger.release(REF).status == "candidate"


def test_a_withdrawal_takes_effect_and_needs_a_reason(ledger: Ledger) -> None:
    approve(ledger, REF, "kuroda", "approved")
    with pytest.raises(UsageError, match="withdrawal"):
        approve(ledger, REF, "abe", "withdrawn")
    approve(ledger, REF, "abe", "withdrawn", "数値の誤り")
    with pytest.raises(UsageError, match="is withdrawn"):
        answer(ledger)
    with pytest.raises(UsageError, match="is withdrawn"):
        ledger.deploy(REF, "kuroda")
    entry = next(e for e in ledger.log() if e.what == "release.withdrawn")
    assert (entry.detail["before"], entry.detail["after"]) == ("approved", "withdrawn")


def test_open_high_findings_block_until_closed_or_excepted(ledger: Ledger) -> None:
    low = add_finding(ledger, REF, "文体の揺れ", "low", days(30), "abe")
    high = add_finding(ledger, REF, "％を落とす", "high", days(9), "abe")
    assert (low.subject, high.subject) == ("F-0001", "F-0002")
    with pytest.raises(UsageError, match="open findings of high severity: F-0002"):
        approve(ledger, REF, "kuroda", "approved")
    add_exception(ledger, REF, "findings", "試行に限る", days(9), "abe")
    approve(ledger, REF, "kuroda", "approved")
    ledger.end_filing("exception", f"{REF}:findings", "試行は終わった", "abe")
    with pytest.raises(UsageError, match="F-0002"):
        approve(ledger, REF, "kuroda", "approved")
    with pytest.raises(UsageError, match="built"):
        ledger.end_filing("finding", "F-0002", "直した", "sato")
    ledger.end_filing("finding", "F-0002", "直したものを確かめた", "abe")
    approve(ledger, REF, "kuroda", "approved")
    assert [row.subject for row in open_findings(ledger)] == ["F-0001"]
    with pytest.raises(NotFound, match="severity"):
        add_finding(ledger, REF, "x", "urgent", days(1), "abe")
    with pytest.raises(UsageError, match="overdue"):
        add_finding(ledger, REF, "x", "low", days(-1), "abe")
    with pytest.raises(UsageError, match="ended already"):
        add_exception(ledger, REF, "gate", "x", days(-1), "abe")


def test_findings_written_at_once_keep_their_own_numbers(ledger: Ledger) -> None:
    """A finding that took another's number would end it: only the newest of a number counts."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: add_finding(ledger, REF, f"{n}", "high", days(9), "abe").subject, range(16)))
    assert sorted(made) == [f"F-{n:04d}" for n in range(1, 17)]
    assert len(open_findings(ledger, REF)) == 16


def test_only_the_second_line_sets_another_standard_for_the_gate(ledger: Ledger) -> None:
    check_standard(ledger, REF, False, "")
    for by, why in (("", "second line's to set"), ("sato", "may not"), ("mori", "auditor")):
        with pytest.raises(UsageError, match=why):
            check_standard(ledger, REF, True, by)
    check_standard(ledger, REF, True, "abe")


def test_a_gate_that_said_no_is_overridden_only_with_a_reason(ledger: Ledger) -> None:
    ledger.file("gate", REF, {"passed": False, "failed": ["facts"]}, "sato")
    with pytest.raises(UsageError, match=r"promotion gate said no to release-a\w+ \(facts\)"):
        approve(ledger, REF, "kuroda", "approved")
    approve(ledger, REF, "kuroda", "approved", conditions=Conditions(override="月末まで旧版が使えない"))
    assert ledger.release(REF).approvals[-1].conditions.override == "月末まで旧版が使えない"


def test_a_role_is_lent_until_a_day_and_does_not_unbind(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="is not an approver"):
        approve(ledger, REF, "endo", "approved")
    with pytest.raises(NotFound, match="role that can be lent"):
        ledger.delegate("endo", "auditor", days(3), "休暇", "kuroda")
    with pytest.raises(UsageError, match="does not hold"):
        ledger.delegate("endo", "validator", days(3), "休暇", "kuroda")
    with pytest.raises(UsageError, match="cannot be lent"):
        ledger.delegate("mori", "approver", days(3), "休暇", "kuroda")
    ledger.delegate("endo", "approver", days(3), "休暇", "sato")
    with pytest.raises(UsageError, match="'sato' built"):  # what the lender may not do, nobody does in their name
        approve(ledger, REF, "endo", "approved")
    ledger.end_filing("delegation", "sato:endo:approver", "戻った", "sato")
    ledger.delegate("endo", "approver", days(3), "休暇", "kuroda")
    assert approve(ledger, REF, "endo", "approved").status == "approved"
    ledger.set_active("kuroda", False)
    with pytest.raises(UsageError, match="is not an approver"):
        approve(ledger, OTHER, "endo", "approved")


def test_what_is_retired_or_not_entered_does_not_answer(ledger: Ledger, tmp_path: Path) -> None:
    approve(ledger, REF, "kuroda", "approved")
    enter(ledger, "base-1", {"kind": "base", "name": "gemma", "owner": "運用企画部"}, "sato")
    retire(ledger, "base-1", "ライセンスの変更", "kuroda")
    with pytest.raises(UsageError, match="base-1 is retired"):
        answer(ledger)
    with pytest.raises(UsageError, match="base-1 is retired"):
        require_approved(ledger, REF, trial=False)
    assert ledger.deployed() is None
    retire(ledger, REF, "使わない", "sato")
    for name, why in (("sato", "may not take back"), ("mori", "is an auditor")):
        with pytest.raises(UsageError, match=why):
            retire(ledger, REF, "また使う", name, back=True)
    retire(ledger, REF, "また使う", "kuroda", back=True)
    retire(ledger, "base-1", "新しい条件を確認", "kuroda", back=True)
    answer(ledger)
    import sqlite3

    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        raw.execute("DELETE FROM filings WHERE kind = 'model'")
    raw.close()
    with pytest.raises(UsageError, match="not in the inventory"):
        answer(ledger)
    assert ledger.verify_records()


def test_the_rating_is_by_rule_and_the_second_line_overrides(ledger: Ledger) -> None:
    model = next(m for m in inventory(ledger) if m.ref == REF)
    assert (model.materiality, model.complexity, model.rating, model.rating_by) == (2, 2, "medium", "rule")
    enter(ledger, REF, {"use_class": "unread", "owner": "運用企画部"}, "sato")
    model = next(m for m in inventory(ledger) if m.ref == REF)
    assert (model.materiality, model.rating, model.owner) == (3, "high", "運用企画部")
    with pytest.raises(UsageError, match="no reason"):
        override_rating(ledger, REF, "medium", " ", "kuroda")
    override_rating(ledger, REF, "medium", "全件を人が確認する", "kuroda")
    model = next(m for m in inventory(ledger) if m.ref == REF)
    assert (model.rating, model.rating_by, model.rating_reason) == ("medium", "kuroda", "全件を人が確認する")
    with pytest.raises(UsageError, match="'endo' may not file a rating"):
        override_rating(ledger, REF, "low", "why", "endo")
    with pytest.raises(NotFound, match="kind of model"):
        enter(ledger, "x", {"kind": "robot"}, "sato")
    entry = [e for e in ledger.log() if e.what == "model.filed"][-1]
    assert entry.detail["before"].get("owner") is None
    assert entry.detail["after"]["owner"] == "運用企画部"
