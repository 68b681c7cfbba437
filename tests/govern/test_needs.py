"""What an approval takes by risk rating, and what a material change takes: found from lineage, held by the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tensaku.errors import UsageError
from tensaku.govern import Approval, needs_by
from tensaku.govern.changes import approved_before, changes_between
from tensaku.govern.findings import add_exception
from tensaku.govern.inventory import override_rating
from tensaku.ledger import Conditions, Ledger, SeenPair

ONE, TWO, THREE = "release-aaaaaaaaaaaa", "release-bbbbbbbbbbbb", "release-cccccccccccc"
TRAITS: dict[str, Any] = {
    "base": "b" * 64,
    "base_name": "gemma",
    "data": {"lessons": {"ref": "lessons-1", "n": 20, "sha256": "1" * 64}},
    "method": {"tune": {"method": "lora", "rank": 16, "seed": 1, "precision": "fp32"}},
    "prompt": {"instruction": "c" * 64},
}
Enter = Callable[..., None]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite", needs=needs_by(Approval())) as opened:
        for name, role in (("sato", "developer"), ("kuroda", "approver"), ("abe", "validator")):
            opened.add_person(name, name, (role,))
        for lessons, pairs in (("lessons-1", range(20)), ("lessons-2", range(1, 21)), ("lessons-3", range(10, 30))):
            opened.add_lineage({}, [SeenPair(lessons, f"p{n}", "", "") for n in pairs])
        yield opened


@pytest.fixture
def enter(ledger: Ledger) -> Enter:
    def run(ref: str, **traits: Any) -> None:
        summary = {"task": "comment", "form": "adapter", "traits": {**TRAITS, **traits}}
        ledger.add_release(ref, "sato", summary)

    return run


def gated(ledger: Ledger, ref: str, champion: str = "") -> None:
    content = {"passed": True, "failed": [], "artifact": "", "champion": champion}
    ledger.file("gate", ref, content, "sato")


def validated(ledger: Ledger, ref: str) -> None:
    ledger.file("validation", f"{ref}:v", {"about": ref, "artifact": "", "kinds": {}}, "abe", about=ref)


def test_a_medium_rating_takes_gate_and_validation(ledger: Ledger, enter: Enter) -> None:
    enter(ONE)
    with pytest.raises(UsageError, match=r"no promotion gate \(rated medium.*tensaku gate release-a"):
        ledger.approve(ONE, "kuroda", "approved")
    gated(ledger, ONE)
    with pytest.raises(UsageError, match=r"not validated release-a.*tensaku validate"):
        ledger.approve(ONE, "kuroda", "approved")
    validated(ledger, ONE)
    assert ledger.approve(ONE, "kuroda", "approved").decision == "approved"
    assert ledger.release(ONE).approvals[0].conditions == Conditions()


def test_reasons_and_exceptions_let_it_pass_and_stay_on_record(ledger: Ledger, enter: Enter) -> None:
    enter(ONE)
    add_exception(ledger, ONE, "validation", "検証の順番待ち", datetime.now(UTC) + timedelta(days=9), "abe")
    with pytest.raises(UsageError, match="no promotion gate"):
        ledger.approve(ONE, "kuroda", "approved")
    ledger.approve(ONE, "kuroda", "approved", conditions=Conditions(override="最初の公開で比べる相手がない"))
    assert ledger.release(ONE).approvals[0].conditions.override == "最初の公開で比べる相手がない"
    ledger.end_filing("exception", f"{ONE}:validation", "検証を終える", "abe")
    with pytest.raises(UsageError, match="not validated"):
        ledger.approve(ONE, "kuroda", "approved", conditions=Conditions(override="同じ"))


def test_a_rejection_takes_nothing(ledger: Ledger, enter: Enter) -> None:
    enter(ONE)
    assert ledger.approve(ONE, "kuroda", "rejected", "文の欠落").decision == "rejected"


def test_the_rule_is_set_by_rating_and_by_the_task_file(ledger: Ledger, enter: Enter) -> None:
    enter(ONE)
    override_rating(ledger, ONE, "low", "社内の試作に限る", "abe")
    ledger.approve(ONE, "kuroda", "approved")
    enter(TWO)
    ledger.needs = needs_by(Approval(gate="high", validation="never"))
    ledger.approve(TWO, "kuroda", "approved")
    override_rating(ledger, TWO, "high", "公表に使う", "abe")
    with pytest.raises(UsageError, match="no promotion gate"):
        ledger.approve(TWO, "kuroda", "approved")


def test_what_is_the_same_keeps_its_validation(ledger: Ledger, enter: Enter) -> None:
    enter(ONE)
    gated(ledger, ONE)
    validated(ledger, ONE)
    ledger.approve(ONE, "kuroda", "approved")
    enter(TWO, method={"tune": {**TRAITS["method"]["tune"], "seed": 2}})
    with pytest.raises(UsageError, match="no promotion gate"):  # a gate is of one release
        ledger.approve(TWO, "kuroda", "approved")
    gated(ledger, TWO)
    with pytest.raises(UsageError, match=f"against nothing, and {ONE} answers now"):  # nor against whom it likes
        ledger.approve(TWO, "kuroda", "approved")
    gated(ledger, TWO, ONE)
    ledger.approve(TWO, "kuroda", "approved")
    ledger.approve(ONE, "kuroda", "rejected", "誤り")
    ledger.approve(TWO, "kuroda", "approved", "それでも使う")  # it answers itself by now
    assert ledger.release(TWO).approvals[0].conditions.changed == ()


@pytest.mark.parametrize(
    ("traits", "told"),
    [
        ({"base": "d" * 64}, "base model"),
        ({"method": {"tune": {**TRAITS["method"]["tune"], "rank": 8}}}, "method tune.rank: 16 → 8"),
        ({"method": {**TRAITS["method"], "dpo": {"beta": 0.1}}}, "method dpo: — → dpo"),
        ({"prompt": {"instruction": "e" * 64}}, "prompt instruction"),
        ({"data": {"lessons": {"ref": "lessons-3", "n": 20, "sha256": "3" * 64}}}, "data lessons.*66.7%"),
        (
            {"data": {"lessons": {"ref": "lessons-4", "n": 20, "sha256": "4" * 64}}},
            "data lessons",
        ),  # not known how much
    ],
)
def test_a_material_change_takes_a_reason_and_a_validation_of_its_own(
    ledger: Ledger, enter: Enter, traits: dict[str, Any], told: str
) -> None:
    enter(ONE)
    gated(ledger, ONE)
    validated(ledger, ONE)
    ledger.approve(ONE, "kuroda", "approved")
    enter(TWO, **traits)
    gated(ledger, TWO, ONE)
    with pytest.raises(UsageError, match="not validated"):
        ledger.approve(TWO, "kuroda", "approved", conditions=Conditions(change="基盤の更新"))
    validated(ledger, TWO)
    with pytest.raises(UsageError, match=f"materially changed since {ONE}.*{told}.*--change"):
        ledger.approve(TWO, "kuroda", "approved")
    ledger.approve(TWO, "kuroda", "approved", conditions=Conditions(change="基盤の更新"))
    held = ledger.release(TWO).approvals[0].conditions
    assert held.change == "基盤の更新"
    assert len(held.changed) == 1  # what was found stands beside the reason, and both in the log
    entry = next(e for e in reversed(ledger.log()) if e.what == "release.approved")
    assert entry.detail["conditions"]["changed"] == list(held.changed)
    assert ledger.verify_records() == []


def test_a_few_new_pairs_are_no_material_change(ledger: Ledger, enter: Enter) -> None:
    enter(ONE)
    ledger.needs = None
    ledger.approve(ONE, "kuroda", "approved")
    enter(TWO, data={"lessons": {"ref": "lessons-2", "n": 20, "sha256": "2" * 64}})
    row = ledger.release(TWO)
    before = approved_before(ledger, row)
    assert before is not None
    (found,) = changes_between(ledger, before, row)
    assert (found.part, found.material, round(found.share or 0, 3)) == ("data", False, round(2 / 21, 3))
    assert changes_between(ledger, before, row, share=0.05)[0].material


def test_a_release_from_before_traits_shows_what_its_artifacts_show(ledger: Ledger) -> None:
    ledger.needs = None
    made = {"base": "base-1", "lessons": "lessons-1"}
    ledger.add_release(ONE, "sato", {"task": "comment", "made_from": made})
    ledger.approve(ONE, "kuroda", "approved")
    ledger.add_release(
        TWO, "sato", {"task": "comment", "made_from": {**made, "base": "base-2", "lessons": "lessons-3"}}
    )
    ledger.add_release(THREE, "sato", {"task": "other", "made_from": made})
    one, two = ledger.release(ONE), ledger.release(TWO)
    assert [change.part for change in changes_between(ledger, one, two)] == ["base", "data"]
    assert approved_before(ledger, ledger.release(THREE)) is None  # another task
