import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import Ledger


def test_a_release_is_entered_once_and_never_with_other_figures(ledger: Ledger) -> None:
    first = ledger.add_release("release-1", "sato", {"bleu": 88.0, "gates": {"beats-draft": "ok"}, "n": 3})
    assert first.status == "candidate"
    assert ledger.add_release("release-1", "sato", {"n": 3, "gates": {"beats-draft": "ok"}, "bleu": 88.0}) == first
    with pytest.raises(UsageError, match="another tuner or other figures"):
        ledger.add_release("release-1", "sato", {"bleu": 89.0})
    with pytest.raises(UsageError, match="another tuner"):
        ledger.add_release("release-1", "tanaka", first.summary)
    second = ledger.add_release("release-2", "sato", {})
    assert [r.ref for r in ledger.releases()] == [second.ref, first.ref]


@pytest.mark.parametrize("summary", [{"bleu": float("nan")}, {"x": object()}])
def test_figures_that_json_cannot_hold_are_refused(ledger: Ledger, summary: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="summary cannot be kept"):
        ledger.add_release("release-1", "sato", summary)
    assert ledger.releases() == []


def test_deployments_are_kept_as_they_come(ledger: Ledger) -> None:
    ledger.add_release("release-1", "sato", {})
    ledger.add_deployment("release-1", "sato", place="127.0.0.1:8080", trial=True)
    ledger.add_deployment("release-1", "sato", place="127.0.0.1:8080", trial=True, event="stopped")
    assert [(d.event, d.trial) for d in ledger.deployments("release-1")] == [("stopped", True), ("started", True)]
    assert ledger.deployments("release-2") == []
    with pytest.raises(NotFound, match="no release"):
        ledger.add_deployment("release-9", "sato", place="x", trial=False)
    assert ledger.verify_records() == []
