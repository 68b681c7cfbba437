import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tensaku.ledger import Ledger, NewDraft

DRAFT = "当月の国内株式市場は３．２％上昇した。日銀は政策金利を据え置いた。"
ZEROS = "0" * 64

OF_THE_FILE = True  # nothing here is asked of a server


@pytest.fixture
def written(ledger: Ledger, path: Path, new_draft: Callable[..., NewDraft]) -> Path:
    for fund in "ABCDE":
        ledger.add_draft(new_draft(fund=fund), by="sato")
    assert ledger.verify_log() is None
    return path


def tamper(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as raw:
        for statement in statements:
            raw.execute(statement)
    raw.close()


def rehash(path: Path) -> None:
    """Compute the whole chain anew, as one who can write to the database could, by the documented recipe."""
    with sqlite3.connect(path) as raw:
        raw.row_factory = sqlite3.Row
        previous, seq = ZEROS, 0
        for row in raw.execute("SELECT * FROM log ORDER BY seq").fetchall():
            content = {k: row[k] for k in ("seq", "at", "who", "what", "subject", "detail")}
            text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            new = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
            raw.execute("UPDATE log SET previous = ?, hash = ? WHERE seq = ?", (previous, new, row["seq"]))
            previous, seq = new, row["seq"]
        raw.execute("UPDATE log_head SET seq = ?, hash = ?", (seq, previous))
    raw.close()


def test_the_documented_recipe_gives_the_same_hashes(ledger: Ledger, written: Path) -> None:
    before = ledger.log()
    rehash(written)
    assert ledger.log() == before


@pytest.mark.parametrize(
    ("column", "value"),
    [("at", "2020-01-01"), ("who", "tanaka"), ("what", "x"), ("subject", "draft:9"), ("detail", "{}"), ("hash", ZEROS)],
)
def test_an_altered_entry_is_found(ledger: Ledger, written: Path, column: str, value: str) -> None:
    tamper(written, f"UPDATE log SET {column} = '{value}' WHERE seq = 5")
    broken = ledger.verify_log()
    assert broken is not None
    assert (broken.seq, broken.why) == (5, "entry 5 was altered")
    assert broken.entry is not None


def test_a_detail_that_is_no_json_any_more_is_shown(ledger: Ledger, written: Path) -> None:
    tamper(written, "UPDATE log SET detail = '{' WHERE seq = 5")
    broken = ledger.verify_log()
    assert broken is not None
    assert broken.entry is not None
    assert broken.entry.detail == {"unreadable": "{"}


def test_a_removed_entry_is_found(ledger: Ledger, written: Path) -> None:
    tamper(written, "DELETE FROM log WHERE seq = 5")
    broken = ledger.verify_log()
    assert broken is not None
    assert (broken.seq, broken.why) == (5, "entry 5 is missing")


def test_a_removed_entry_with_the_rest_renumbered_is_found(ledger: Ledger, written: Path) -> None:
    tamper(written, "DELETE FROM log WHERE seq = 5", "UPDATE log SET seq = seq - 1 WHERE seq > 5")
    broken = ledger.verify_log()
    assert broken is not None
    assert (broken.seq, broken.why) == (5, "entry 5 does not follow entry 4")


def test_entries_in_another_order_are_found(ledger: Ledger, written: Path) -> None:
    swap = ["UPDATE log SET seq = 99 WHERE seq = 5", "UPDATE log SET seq = 5 WHERE seq = 6"]
    tamper(written, *swap, "UPDATE log SET seq = 6 WHERE seq = 99")
    broken = ledger.verify_log()
    assert broken is not None
    assert broken.seq == 5


def test_an_entry_put_in_at_the_end_is_found(ledger: Ledger, written: Path) -> None:
    tamper(
        written,
        "INSERT INTO log SELECT seq + 1, at, who, what, subject, detail, hash, hash FROM log ORDER BY seq DESC LIMIT 1",
    )
    broken = ledger.verify_log()
    assert broken is not None
    assert broken.seq == 9


def test_a_log_cut_short_is_found_by_its_end(ledger: Ledger, written: Path) -> None:
    tamper(written, "DELETE FROM log WHERE seq > 6")
    broken = ledger.verify_log()
    assert broken is not None
    assert broken.why == "the log ends at entry 6, which is not where it was last written to"


def test_a_log_cut_short_with_its_end_rewritten_needs_a_note_from_outside(ledger: Ledger, written: Path) -> None:
    noted = ledger.log_end()
    tamper(
        written,
        "DELETE FROM log WHERE seq > 6",
        "UPDATE log_head SET seq = 6, hash = (SELECT hash FROM log WHERE seq = 6)",
    )
    assert ledger.verify_log() is None
    broken = ledger.verify_log(noted)
    assert broken is not None
    assert broken.why == "the log ends at entry 6; entry 8 was noted outside"


def test_a_whole_chain_computed_anew_needs_a_note_from_outside(ledger: Ledger, written: Path) -> None:
    noted = ledger.log_end()
    tamper(written, "UPDATE log SET who = 'tanaka' WHERE seq = 5")
    rehash(written)
    assert ledger.verify_log() is None
    broken = ledger.verify_log(noted)
    assert broken is not None
    assert broken.why == "entry 8 is not the one noted outside"


def test_a_note_still_holds_after_more_was_written(
    ledger: Ledger, written: Path, new_draft: Callable[..., NewDraft]
) -> None:
    noted = ledger.log_end()
    ledger.add_draft(new_draft(text=DRAFT + "。"))
    assert ledger.verify_log(noted) is None


def test_a_ledger_without_the_end_of_its_log_takes_nothing(
    ledger: Ledger, written: Path, new_draft: Callable[..., NewDraft]
) -> None:
    tamper(written, "DELETE FROM log_head")
    assert ledger.verify_log() is not None
    with pytest.raises(Exception, match="lost the end of its log"):
        ledger.add_draft(new_draft())


@pytest.mark.parametrize(
    ("statement", "subject", "why"),
    [
        ("UPDATE drafts SET text = 'x' WHERE id = 2", "draft:2", "was altered after it was logged"),
        ("DELETE FROM drafts WHERE id = 3", "draft:3", "is in the log and no longer in its table"),
        (
            "INSERT INTO people VALUES ('eve', 'Eve', '[]', 1, NULL, '2026-01-01 00:00:00', NULL, NULL)",
            "person:eve",
            "is not in the log",
        ),
    ],
)
def test_rows_are_held_against_the_log(ledger: Ledger, written: Path, statement: str, subject: str, why: str) -> None:
    assert ledger.verify_records() == []
    tamper(written, statement)
    assert [(m.subject, m.why) for m in ledger.verify_records()] == [(subject, why)]
    assert ledger.verify_log() is None
