"""What the ledger holds of curation: rulings on drops, and topics that one person proposes and another decides on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import Ledger, NewRuling, NewTopic

RULING = NewRuling("a.csv#abc", "near-duplicate", "curate-1", "みずいろ", True, "別の内容")
TOPIC = NewTopic("knowledge", "為替", "円安の影響。")


def test_the_newest_ruling_of_a_drop_counts_and_all_stay(ledger: Ledger) -> None:
    ledger.add_ruling(RULING, by="sato")
    ledger.add_ruling(replace(RULING, reason="duplicate"), by="sato")
    ledger.add_ruling(replace(RULING, kept=False, note="やはり同じ"), by="sato")
    assert [(row.reason, row.kept) for row in ledger.rulings()] == [("duplicate", True), ("near-duplicate", False)]
    assert sum(entry.what == "drop.ruled" for entry in ledger.log()) == 3
    assert ledger.verify_records() == []
    for wrong, what in (
        (replace(RULING, note=" "), "empty"),
        (replace(RULING, row="r" * 501), "501"),
        (replace(RULING, note="a\x00"), "cannot be stored"),
    ):
        with pytest.raises(UsageError, match=what):
            ledger.add_ruling(wrong, by="sato")
    with pytest.raises(NotFound):
        ledger.add_ruling(RULING, by="nobody")


def test_a_topic_stands_once_another_person_has_approved_it(ledger: Ledger) -> None:
    ledger.add_person("mori", "森", ("developer",))
    made = ledger.add_topic(TOPIC, by="sato")
    assert made.state == "proposed"
    with pytest.raises(UsageError, match="there is a topic"):
        ledger.add_topic(TOPIC, by="mori")
    with pytest.raises(UsageError, match="cannot decide on it"):
        ledger.review_topic(made.id, "approved", by="sato")
    with pytest.raises(UsageError, match="is proposed already"):
        ledger.review_topic(made.id, "retired", by="mori")
    assert ledger.review_topic(made.id, "approved", by="mori", note="よい").state == "approved"
    with pytest.raises(UsageError, match="is approved already"):
        ledger.review_topic(made.id, "rejected", by="mori")
    assert [(row.state, row.reviewed_by, row.note) for row in ledger.topics()] == [("approved", "mori", "よい")]
    assert ledger.review_topic(made.id, "retired", by="sato").state == "retired"
    assert ledger.add_topic(TOPIC, by="mori").state == "proposed"
    with pytest.raises(NotFound):
        ledger.review_topic(99, "approved", by="mori")
    with pytest.raises(UsageError, match="both its draft and its final"):
        ledger.add_topic(replace(TOPIC, name="片方", draft="原稿。"), by="sato")
    assert ledger.verify_records() == []
