"""What a model inherits from what made it, and the ledger as it looks from either side of a barrier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.barred_house import DRAFT, FUND, OPENED, RULES, House, build_house

from tensaku.errors import NotFound, UsageError
from tensaku.govern.barred import BarredLedger
from tensaku.govern.barriers import PersonalStore
from tensaku.ledger import Ledger, NewAnswer
from tensaku.pipeline import Workspace
from tensaku.records import Revision, Usage, Verdict
from tensaku.store import SilentReporter, Store

LATER = datetime(2099, 1, 1, tzinfo=UTC)
EARLIER = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return build_house(tmp_path_factory.mktemp("barred") / "desk")


@pytest.fixture(autouse=True)
def _rules(house: House) -> Iterator[None]:
    house.rules(RULES)
    yield
    house.rules(RULES)


def test_everything_made_from_data_inherits_its_strictest_rule(house: House) -> None:
    workspace = Workspace.read(house.folder)
    barriers, store = workspace.barriers(), Store(workspace.root, SilentReporter())
    closed = barriers.origin(house.closed)
    assert closed.sources == {"data/pairs.jsonl", "data/private.jsonl"}
    assert FUND in closed.funds
    assert barriers.origin(house.open).sources == {"data/pairs.jsonl"}
    assert FUND not in barriers.origin(house.open).funds
    for ref, inside in ((house.open, True), (house.closed, False)):
        release = store.get(ref)
        parts = [release.ref, *(release.inputs[name] for name in ("adapter", "lessons", "exam", "evaluation"))]
        assert [barriers.opens("tanaka", part) for part in parts] == [inside] * 5
        assert all(barriers.opens("sato", part) for part in parts)
        assert barriers.opens("tanaka", release.inputs["base"]), "the base learnt from neither"
        assert barriers.opens("", ref) is inside
    assert barriers.people(house.open) == (None, {})
    people, because = barriers.people(house.closed)
    assert people == ["kuroda", "sato"]
    assert set(because) == {"source data/private.jsonl", f"fund {FUND}"}


def test_the_strictest_of_two_rules_holds_and_a_change_holds_at_once(house: House) -> None:
    barriers = Workspace.read(house.folder).barriers()
    assert barriers.opens("kuroda", house.closed)
    house.rules(RULES + f'[[rule]]\nfund = "{FUND}"\nwho = ["sato", "tanaka"]\n')
    assert not barriers.opens("kuroda", house.closed), "the file is open to kuroda, the fund no more"
    assert not barriers.opens("tanaka", house.closed), "the fund is open to tanaka, the file is not"
    assert barriers.opens("sato", house.closed)
    house.rules(OPENED)
    assert barriers.opens("", house.closed)
    house.rules('[[rule]]\nsource = "data/pairs.jsonl"\nwho = ["everybody"]\n')
    assert not barriers.opens("sato", house.closed), "a file that no rule fits is nobody's"
    house.rules('[[rule]]\npath = "*"\nwho = ["sato"]\n')
    assert barriers.opens("", house.closed), "rules about documents alone bind no model"


def test_without_rules_that_can_be_read_nothing_is_open(house: House) -> None:
    barriers = Workspace.read(house.folder).barriers()
    for text in ("[[rule]]", '[[rule]]\nfund = "x"\npath = "y"\nwho = ["a"]', "rule = 3", "[x"):
        house.rules(text)
        with pytest.raises(UsageError, match=r"rule|TOML|may stand"):
            barriers.opens("sato", house.open)
    (house.folder / "rights.toml").unlink()
    with pytest.raises(UsageError, match="nothing is shown"):
        barriers.opens("sato", house.open)


def test_a_lineage_that_is_not_whole_is_nobodys(house: House, tmp_path: Path) -> None:
    barriers = Workspace.read(house.folder).barriers()
    whole = Store(Workspace.read(house.folder).root, SilentReporter()).lineage(house.closed)
    read = next(one for one in whole if one.stage == "ingest")
    aside = read.path.rename(tmp_path / "aside")
    try:
        assert not barriers.opens("sato", house.closed)
        assert barriers.opens("sato", house.open), "which was made from another"
    finally:
        aside.rename(read.path)
    assert not barriers.opens("sato", "release-000000000000")
    assert barriers.opens("sato", house.closed), "what was not found is looked for again"


def test_the_store_of_a_person_knows_no_name_from_behind(house: House) -> None:
    workspace = Workspace.read(house.folder)
    barriers = workspace.barriers()
    own, whole = (PersonalStore(workspace.root, barriers, name, SilentReporter()) for name in ("tanaka", "sato"))
    assert [a.ref for a in own.list("release")] == [house.open]
    assert {a.ref for a in whole.list("release")} == {house.open, house.closed}
    with pytest.raises(NotFound) as told:
        own.get(house.closed)
    with pytest.raises(NotFound) as missing:
        own.get("release-000000000000")
    suggested = str(told.value).partition(". ")[2]
    assert house.closed not in suggested
    assert all(barriers.opens("tanaka", a.ref) for a in own.lineage(house.open))
    assert type(told.value) is type(missing.value)


def _written(release: str) -> Revision:
    made_by = {"release": release, "trial": "yes"}
    return Revision(DRAFT, "市場は1.2％上昇しました。", Verdict(), "stop", Usage(1, 1), made_by)


def test_the_ledger_of_a_person_holds_nothing_from_behind(house: House) -> None:
    workspace = Workspace.read(house.folder)
    barriers = workspace.barriers()
    with Ledger.open(workspace.ledger_file) as ledger:
        drafts = {draft.fund: draft.id for draft in ledger.drafts()}
        free, private = drafts["国内株式F"], drafts[FUND]
        hidden = ledger.add_revision(free, _written(house.closed), "sato")
        shown = ledger.add_revision(free, _written(house.open), "sato")
        over = ledger.save_final(free, "市場は1.2％上昇しています。", "sato", revision_id=hidden.id)
        new = NewAnswer(
            "chat", "tiny", house.closed, "", {"trial": "yes"}, "問い", "秘密の答え", "stop", Usage(1, 1), 0.1
        )
        ledger.add_answer(new, "full", by="sato")
        inside, outside = (BarredLedger(ledger, name, barriers) for name in ("sato", "tanaka"))

        assert {draft.id: draft.revisions for draft in outside.drafts()} == {free: 1}
        assert inside.draft(free).revisions == 2
        assert [row.id for row in outside.revisions(free)] == [shown.id]
        assert {row.between for row in outside.changes(over.id)} == {"draft-final"}
        assert len(inside.changes(over.id)) > len(outside.changes(over.id))
        assert outside.outcomes() == []
        assert len(inside.outcomes()) == 1
        assert [row.ref for row in outside.releases()] == [house.open]
        assert outside.release_refs() == [house.open]
        assert (outside.answers(), len(inside.answers())) == ([], 1)
        assert outside.answer_counts(EARLIER, LATER)[house.closed] == 0
        assert {row.release for row in outside.observed(EARLIER, LATER)} == {house.open}
        assert outside.find_sentence("秘密の答え") == []
        assert outside.pairs_of(house.closed) == (0, [])
        assert outside.ancestors(house.closed) == []
        assert outside.saw("private.jsonl:1")[1] == []
        assert house.closed in inside.saw("private.jsonl:1")[1]
        assert house.closed not in {row.subject for row in outside.filings("model")}
        assert len(inside.filings("model")) > len(outside.filings("model"))
        refused: list[Callable[[], object]] = [
            lambda: outside.draft(private),
            lambda: outside.revisions(private),
            lambda: outside.finals(private),
            lambda: outside.release(house.closed),
            lambda: outside.approve(house.closed, "abe", "approved"),
            lambda: outside.add_revision(private, _written(house.open), "tanaka"),
        ]
        for ask in refused:
            with pytest.raises(NotFound) as told:
                ask()
            assert FUND not in str(told.value)
        with pytest.raises(UsageError, match="does not stand inside every barrier"):
            outside.log()
        assert inside.log()
        house.rules(OPENED)
        assert outside.draft(private).fund == FUND, "rules that changed hold at the next question"
