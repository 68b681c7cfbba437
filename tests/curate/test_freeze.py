"""From a ledger to preferences: what is taken, what is set aside and why; the same decisions are one artifact."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tensaku.config import Section
from tensaku.curate.freeze import Decisions, decisions, slice_file
from tensaku.errors import UsageError
from tensaku.ledger import Ledger, NewDraft
from tensaku.records import Pair, Revision, Usage, Verdict, to_dict
from tensaku.store import Artifact, Bench, SilentReporter, Store, stage

DRAFT = "当月の国内株式市場は3.2%の上昇となった。日銀は政策金利を据え置いた。"
MODEL = "当月の国内株式市場は3.2%上昇しました。日銀は政策金利を維持した。"
FINAL = "当月の国内株式市場は3.2%上昇しました。日銀は政策金利を据え置いた。"


class Given(Section):
    """Exam pairs as they are."""

    rows: tuple[dict[str, str], ...]


@stage(version=1)
def exam(bench: Bench, cfg: Given) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in cfg.rows)
    (bench.path / "exam.jsonl").write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


@pytest.fixture
def asked(store: Store) -> Artifact:
    text = "当ファンドの騰落率は1.5%となり、ベンチマークを上回った。為替のヘッジは行わなかった。"
    pair = Pair("e1", text, text + "以上。", "青葉", "為替F", "market", "2026-09", "為替F/market/2026-07")
    return store.run(exam, Given(rows=(to_dict(pair),)))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.add_person("sato", "佐藤 花子", ("writer",))
        yield opened


def decide(
    ledger: Ledger,
    *,
    draft: str = DRAFT,
    model: str = MODEL,
    final: str = FINAL,
    month: str = "2026-05",
    fund: str = "国内株式F",
    finish: Any = "stop",
    reasons: dict[str, str] | None = None,
) -> int:
    """A draft, a revision, a final; returns the draft's number."""
    made = ledger.add_draft(NewDraft(draft, "青葉", fund, "market", month, "paste"))
    revision = ledger.add_revision(made.id, Revision(draft, model, Verdict(), finish, Usage(9, 9)), by="sato")
    ledger.save_final(made.id, final, "sato", revision_id=revision.id, reasons=reasons)
    return made.id


def frozen(store: Store, ledger: Ledger, asked: Artifact, **settings: Any) -> Artifact:
    return store.run(decisions, Decisions(**settings), ledger=slice_file(ledger, store.root / "slices"), exam=asked)


def lines(artifact: Artifact, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in artifact.file(name).read_text(encoding="utf-8").split("\n") if line]


def test_a_rejected_change_becomes_one_minimal_preference(store: Store, ledger: Ledger, asked: Artifact) -> None:
    decide(ledger)
    made = frozen(store, ledger, asked)
    (row,) = lines(made, "preferences.jsonl")
    assert (row["draft"], row["chosen"], row["rejected"]) == (DRAFT, FINAL, MODEL)
    assert (row["kind"], row["decided_by"], row["as_of"], row["fund"]) == ("rejected", "sato", "2026-05", "国内株式F")
    assert row["final_id"] == 1
    assert row["revision_id"] == 1
    assert made.facts["kinds"] == {"rejected": 1}
    assert made.facts["dropped"] == {"kind": 2}  # the changes that were accepted
    assert [drop["row"]["kind"] for drop in lines(made, "drops.jsonl")] == ["accepted", "accepted"]


def test_accepted_changes_on_request(store: Store, ledger: Ledger, asked: Artifact) -> None:
    decide(ledger)
    made = frozen(store, ledger, asked, kinds=("accepted",))
    rows = lines(made, "preferences.jsonl")
    assert [row["rejected"] for row in rows] == [FINAL.replace("3.2%", "3.2%の"), FINAL.replace("しました", "となった")]


def test_the_same_decisions_are_the_same_artifact(store: Store, ledger: Ledger, asked: Artifact) -> None:
    decide(ledger)
    first = frozen(store, ledger, asked)
    ledger.add_draft(NewDraft("まだ誰も見ていない原稿。", "青葉", "国内株式F", "market", "2026-10", "paste"))
    ledger.add_person("tanaka", "田中", ("writer",))
    assert frozen(store, ledger, asked).key == first.key
    decide(ledger, month="2026-06")
    assert frozen(store, ledger, asked).key != first.key


def test_only_the_newest_final_counts(store: Store, ledger: Ledger, asked: Artifact) -> None:
    draft = decide(ledger)
    better = FINAL.replace("据え置いた", "据え置きました")
    ledger.save_final(draft, better, "sato", revision_id=1, based_on=1)
    rows = lines(frozen(store, ledger, asked), "preferences.jsonl")
    assert {row["chosen"] for row in rows} == {better}
    assert {row["final_id"] for row in rows} == {2}


def test_the_slice_is_its_owners_alone(store: Store, ledger: Ledger) -> None:
    decide(ledger)
    path = slice_file(ledger, store.root / "slices").path
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_nothing_of_the_exam_gets_in(store: Store, ledger: Ledger, asked: Artifact) -> None:
    decide(ledger)
    decide(ledger, month="2026-09")
    decide(ledger, month="2026-07", fund="為替F")
    near = "当ファンドの騰落率は1.5%となり、ベンチマークを上回った。為替のヘッジは行わなかったです。"
    decide(ledger, draft=near, model=near + "以上。", final=near, month="2026-06")
    made = frozen(store, ledger, asked)
    assert made.facts["n"] == 1
    reasons = {drop["reason"]: drop["row"]["final_id"] for drop in lines(made, "drops.jsonl")}
    assert reasons == {"exam-month": 2, "exam-family": 3, "near-exam": 4, "kind": 1}


def test_what_else_is_set_aside(store: Store, ledger: Ledger, asked: Artifact) -> None:
    decide(ledger)
    decide(ledger)  # the same again
    decide(ledger, month="2025-01")
    decide(ledger, month="2026-06", finish="length")
    decide(ledger, month="2026-06", final=MODEL)
    decide(ledger, month="2026-06", final=FINAL.replace("3.2", "3.4"), reasons={"3.2%": "x", "3.4%": "訂正"} | REASONS)
    for model, final in ((MODEL, FINAL), (FINAL, MODEL)):
        decide(ledger, fund="債券F", model=model, final=final)
    made = frozen(store, ledger, asked, since="2026-01")
    dropped = made.facts["dropped"]
    assert dropped.pop("kind") > 0
    wanted = {"duplicate": 1, "month": 1, "unfinished": 1, "all-accepted": 1, "facts-changed": 1, "contradicted": 2}
    assert dropped == wanted
    assert made.facts["n"] == 1
    assert made.facts["newer_than_exam"] == 0


REASONS = {"number:3.2": "x", "number:3.4": "x", "percent:3.2": "x", "percent:3.4": "x"}


def test_no_decision_yet(store: Store, ledger: Ledger, asked: Artifact) -> None:
    with pytest.raises(UsageError, match=r"no writer has decided on a revision yet.*save finals first"):
        frozen(store, ledger, asked)
    made = ledger.add_draft(NewDraft(DRAFT, "青葉", "国内株式F", "market", "2026-05", "paste"))
    ledger.save_final(made.id, FINAL, "sato")  # written by hand, no revision
    with pytest.raises(UsageError, match="no writer has decided on a revision yet"):
        frozen(store, ledger, asked)


def test_nothing_left(store: Store, ledger: Ledger, asked: Artifact) -> None:
    decide(ledger, final=MODEL)
    with pytest.raises(UsageError, match=r"none of the decisions on 1 finals can be learnt from \(all-accepted 1\)"):
        frozen(store, ledger, asked)


@pytest.mark.parametrize("wrong", ["2026", "2026-13", "2026-1"])
def test_a_month_is_a_month(wrong: str) -> None:
    with pytest.raises(ValueError, match="since"):
        Decisions(since=wrong)


def test_a_choice_between_candidates_and_what_was_said_of_changes_go_along(
    store: Store, ledger: Ledger, asked: Artifact
) -> None:
    draft = decide(ledger)
    other = "当月の国内株式市場は3.2%値上がりしました。日銀は政策金利を維持した。"
    second = ledger.add_revision(draft, Revision(DRAFT, other, Verdict(), "stop", Usage(9, 9)), by="sato")
    ledger.add_choice(draft, [second.id, 1], 1, "sato")
    edit = next(
        row.change for row in ledger.changes(1) if row.between == "draft-revision" and row.decision == "rejected"
    )
    ledger.add_decision(draft, edit, "rejected", "sato", revision_id=1, reason="tone", note="当社の語")
    rows = lines(frozen(store, ledger, asked), "preferences.jsonl")
    (chosen,) = [row for row in rows if row["kind"] == "chosen"]
    assert (chosen["chosen"], chosen["rejected"]) == (MODEL, other)
    (said,) = [row["said"] for row in rows if row["kind"] == "rejected"]
    assert said[edit.id]["reason"] == "tone"
    assert said[edit.id]["by"] == "sato"
    with pytest.raises(UsageError, match="excluded 1"):
        frozen(store, ledger, asked, without_funds=("国内株式F",))
