"""Comments saved at the desk as lessons: which, once, with whom and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tensaku.curate import Finals, Sources, files, finals_file, ingest
from tensaku.curate.finals import finals_of
from tensaku.curate.rows import PairFile, read_drops
from tensaku.ledger import Ledger, NewDraft
from tensaku.records import Revision, Usage, Verdict
from tensaku.store import Artifact, SilentReporter, Store
from tensaku.text import changes

DRAFT = "当月の国内株式市場は3.2%の上昇となった。"
MODEL = "当月の国内株式市場は3.2%上昇しました。"
FINAL = "当月の国内株式市場は3.2%上昇した。"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        for name in ("sato", "tanaka"):
            opened.add_person(name, name, ("writer",))
        yield opened


def save(ledger: Ledger, text: str, *, by: str = "sato", fund: str = "A", month: str = "2026-10", **more: Any) -> int:
    draft = ledger.add_draft(NewDraft(DRAFT, "青葉", fund, "market", month, "paste"))
    revision = ledger.add_revision(draft.id, Revision(DRAFT, MODEL, Verdict(), "stop", Usage(9, 9)), by=by)
    change = changes(DRAFT, MODEL)[0]
    ledger.add_decision(draft.id, change, "altered", by, revision_id=revision.id, reason="tone")
    ledger.save_final(draft.id, text, by, revision_id=revision.id, **more)
    return draft.id


def taken(folder: Path, ledger: Ledger, **settings: Any) -> Artifact:
    cfg = Sources(finals=Finals(use=True, **settings))
    given = {**files(cfg, folder), "finals": finals_file(ledger, folder / "finals")}
    return Store(folder / "work", SilentReporter()).run(ingest, cfg, **given)


def test_the_newest_final_of_each_draft_is_a_pair_once(tmp_path: Path, ledger: Ledger) -> None:
    draft = save(ledger, MODEL)
    ledger.save_final(draft, FINAL, "tanaka", revision_id=1, based_on=1)
    found = taken(tmp_path, ledger)
    (pair,) = PairFile(found.file("pairs.jsonl"))
    assert (pair.draft, pair.final, pair.source) == (DRAFT, FINAL, "ledger:final:2")
    assert taken(tmp_path, ledger).key == found.key  # the same finals are one artifact
    (frozen,) = (tmp_path / "finals").glob("finals-*.jsonl")
    row = json.loads(frozen.read_text(encoding="utf-8"))
    assert (row["decided_by"], row["said"][0]["reason"], row["said"][0]["by"]) == ("tanaka", "tone", "sato")


def test_what_was_erased_teaches_nothing(tmp_path: Path, ledger: Ledger) -> None:
    ledger.add_person("oda", "oda", ("admin",))
    gone, kept = save(ledger, FINAL, fund="A"), save(ledger, FINAL, fund="B")
    ledger.erase([f"final:{ledger.finals(gone)[0].id}"], "oda", "a request")
    assert [row["fund"] for row in finals_of(ledger)] == ["B"]
    ledger.erase([f"draft:{kept}"], "oda", "a request")
    assert list(finals_of(ledger)) == []


def test_each_exclusion_is_a_counted_drop(tmp_path: Path, ledger: Ledger) -> None:
    save(ledger, FINAL, fund="残す")
    save(ledger, FINAL, fund="秘密")
    save(ledger, FINAL, by="tanaka", fund="B")
    save(ledger, FINAL, month="2025-01", fund="C")
    save(ledger, FINAL.replace("3.2", "3.3"), fund="D", reasons={"3.2%": "訂正", "3.3%": "訂正"})
    found = taken(tmp_path, ledger, since="2026-01", without_funds=("秘密",), without_writers=("tanaka",))
    assert [pair.fund for pair in PairFile(found.file("pairs.jsonl"))] == ["残す"]
    reasons = sorted(drop.reason for drop in read_drops(found.file("drops.jsonl")))
    assert reasons == ["excluded-fund", "excluded-writer", "facts-changed", "month"]
    assert found.facts["files"][0]["decided_by"] == {"sato": 1}
    later = taken(tmp_path, ledger, saved_until="2020-01-01")
    assert {drop.reason for drop in read_drops(later.file("drops.jsonl"))} == {"saved-later"}


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_what_repeats_the_model_has_the_weight_of_the_task(tmp_path: Path, ledger: Ledger, weight: float) -> None:
    for number in range(4):
        text = DRAFT.replace("国内", f"第{'一二三四'[number]}")
        draft = ledger.add_draft(NewDraft(text, "青葉", f"F{number}", "market", "2026-10", "paste"))
        revision = ledger.add_revision(draft.id, Revision(text, text, Verdict(), "stop", Usage(9, 9)), by="sato")
        ledger.save_final(draft.id, text, "sato", revision_id=revision.id)
    save(ledger, FINAL, fund="直した")
    found = taken(tmp_path, ledger, verbatim=weight)
    pairs = {pair.fund: pair.weight for pair in PairFile(found.file("pairs.jsonl"))}
    assert pairs == {"直した": 1.0, **({f"F{n}": weight for n in range(4)} if weight else {})}
    rows = found.file("pairs.jsonl").read_text(encoding="utf-8").splitlines()
    assert sum("weight" in row for row in rows) == (4 if weight == 0.25 else 0)
    reasons = [drop.reason for drop in read_drops(found.file("drops.jsonl"))]
    assert reasons == ([] if weight else ["verbatim"] * 4)
    assert taken(tmp_path, ledger, verbatim=weight).key == found.key
