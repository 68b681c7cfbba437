import pytest

from tensaku.errors import UsageError
from tensaku.ledger import Ledger, NewAnswer
from tensaku.records import Usage


@pytest.fixture
def releases(ledger: Ledger) -> list[str]:
    refs = [f"release-{n}" for n in (1, 2, 3)]
    for ref in refs:
        ledger.add_release(ref, "sato", {})
    return refs


def now(ledger: Ledger) -> tuple[str, str | None, float | None] | None:
    found = ledger.deployed()
    return None if found is None else (found.champion, found.challenger, found.share)


def test_what_is_approved_answers_and_going_back_goes_back_step_by_step(ledger: Ledger, releases: list[str]) -> None:
    assert now(ledger) is None
    for ref in releases:
        ledger.approve(ref, "tanaka", "approved")
        assert now(ledger) == (ref, None, None)
    ledger.roll_back("sato", note="it drops sentences")
    assert now(ledger) == ("release-2", None, None)
    ledger.roll_back("sato")
    assert now(ledger) == ("release-1", None, None)
    with pytest.raises(UsageError, match="no earlier release"):
        ledger.roll_back("sato")
    ledger.deploy("release-3", "sato")
    assert now(ledger) == ("release-3", None, None)
    assert [row.event for row in ledger.rollouts()] == ["deployed", *["rolled-back"] * 2, *["approved"] * 3]
    assert ledger.verify_records() == []


def test_a_challenger_gets_a_share_and_going_back_ends_it(ledger: Ledger, releases: list[str]) -> None:
    with pytest.raises(UsageError, match="no release answers yet"):
        ledger.approve("release-1", "tanaka", "approved", share=0.5)
    assert ledger.release("release-1").status == "candidate"  # the decision was undone with it
    ledger.approve("release-1", "tanaka", "approved")
    ledger.approve("release-2", "tanaka", "approved", share=0.25)
    assert now(ledger) == ("release-1", "release-2", 0.25)
    ledger.roll_back("tanaka")
    assert now(ledger) == ("release-1", None, None)
    ledger.deploy("release-2", "sato", share=0.5)
    ledger.deploy("release-2", "sato")
    assert now(ledger) == ("release-2", None, None)
    ledger.roll_back("tanaka")
    assert now(ledger) == ("release-1", "release-2", 0.5)


def test_what_is_rejected_gives_way(ledger: Ledger, releases: list[str]) -> None:
    ledger.approve("release-1", "tanaka", "approved")
    ledger.approve("release-2", "tanaka", "approved")
    ledger.approve("release-3", "tanaka", "approved", share=0.1)
    ledger.approve("release-3", "tanaka", "rejected", "worse")
    assert now(ledger) == ("release-2", None, None)
    ledger.approve("release-2", "tanaka", "rejected", "worse")
    assert now(ledger) == ("release-1", None, None)


def test_mistakes(ledger: Ledger, releases: list[str]) -> None:
    with pytest.raises(UsageError, match="is candidate, and only approved ones answer"):
        ledger.deploy("release-1", "sato")
    ledger.approve("release-1", "tanaka", "approved")
    ledger.approve("release-2", "tanaka", "approved")
    for share in (0.0, 1.0, -1.0, 2.0, float("nan")):
        with pytest.raises(UsageError, match="share of"):
            ledger.deploy("release-1", "sato", share=share)
    with pytest.raises(UsageError, match="answers already"):
        ledger.deploy("release-2", "sato", share=0.5)
    ledger.add_person("mori", "森", ("writer", "auditor"))
    with pytest.raises(UsageError, match="'mori' may not choose which release answers"):
        ledger.deploy("release-1", "mori")
    with pytest.raises(UsageError, match="'mori' may not choose which release answers"):
        ledger.roll_back("mori")


@pytest.mark.parametrize("policy", ["full", "hash", "none"])
def test_an_answer_is_kept_as_the_policy_says(ledger: Ledger, policy: str) -> None:
    made_by = {"release": "release-1", "adapter": "a" * 64}
    new = NewAnswer("chat", "tiny", "release-1", "champion", made_by, "原稿\x00", "公表文", "stop", Usage(5, 3), 0.5)
    row = ledger.add_answer(new, policy, by="sato")  # type: ignore[arg-type]
    assert ledger.answers() == [row]
    assert (row.prompt, row.answer) == (("原稿\\x00", "公表文") if policy == "full" else (None, None))
    assert (row.prompt_sha256 is None, row.answer_sha256 is None) == (policy == "none", policy == "none")
    assert (row.by, row.arm, row.usage, row.provenance) == ("sato", "champion", Usage(5, 3), made_by)
    assert "公表文" not in str(ledger.log())
    assert ledger.verify_records() == []
    assert ledger.answers(after=row.id) == []
