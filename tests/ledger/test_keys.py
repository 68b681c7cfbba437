from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import KEY_START, Ledger, Limits, tables


def test_a_key_is_shown_once_and_kept_as_a_slow_hash(ledger: Ledger) -> None:
    row, whole = ledger.add_key("sato", "batch", scopes=["task:tiny"], limits=Limits(60), by="tanaka")
    assert whole.startswith(f"{KEY_START}{row.prefix}-")
    with ledger._read() as session:
        kept = session.get_one(tables.ApiKey, row.id)
        assert kept.hash.startswith("$argon2id$")
        assert whole not in kept.hash
    assert ledger.check_key(whole) == row
    assert row.limits == Limits(requests_per_minute=60)
    assert ledger.keys() == [row]
    assert [(e.who, e.what) for e in ledger.log()[-1:]] == [("tanaka", "key.added")]
    assert whole not in str(ledger.log())
    assert ledger.verify_records() == []


def test_only_the_very_key_opens(ledger: Ledger) -> None:
    row, whole = ledger.add_key("sato", "one")
    other = ledger.add_key("sato", "two")[1]
    last = "A" if whole[-1] != "A" else "E"
    for wrong in ("", "none", whole[:-1], whole + "x", whole[:-1] + last, whole[:15] + other[15:], whole.upper()):
        assert ledger.check_key(wrong) is None
    assert ledger.check_key(whole) == row  # and again after the slow hash is known
    assert ledger.check_key(whole[:-1] + last) is None


def test_a_revoked_key_ends_at_once_in_another_process_too(ledger: Ledger, database: str | Path) -> None:
    row, whole = ledger.add_key("sato", "one")
    assert ledger.check_key(whole) is not None
    with Ledger.open(database) as another:
        revoked = another.revoke_key(row.prefix, by="tanaka")
        assert another.revoke_key(row.id) == revoked  # twice is once
    assert revoked.revoked is not None
    assert ledger.check_key(whole) is None
    assert [e.what for e in ledger.log()].count("key.revoked") == 1
    assert ledger.verify_records() == []


def test_a_key_ends_with_its_day_or_its_person(ledger: Ledger) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    row, whole = ledger.add_key("sato", "one", expires=soon)
    assert ledger.check_key(whole) == row
    ledger.set_active("sato", False)
    assert ledger.check_key(whole) is None
    ledger.set_active("sato", True)
    with ledger._write() as session:
        session.execute(update(tables.ApiKey).values(expires=datetime.now(UTC) - timedelta(seconds=1)))
    assert ledger.check_key(whole) is None
    assert [m.subject for m in ledger.verify_records()] == [f"key:{row.id}"]


def test_what_a_key_opens(ledger: Ledger) -> None:
    def allows(*scopes: str) -> tuple[bool, bool, bool]:
        row = ledger.add_key("sato", "x", scopes=scopes)[0]
        return (
            row.allows(["monthly", "release-1"], "monthly"),
            row.allows(["weekly", "release-2"], "weekly"),
            row.allows(["base"], ""),
        )

    assert allows() == (True, True, True)
    assert allows("task:monthly") == (True, False, False)
    assert allows("adapter:release-2", "adapter:base") == (False, True, True)
    assert allows("task:monthly", "adapter:release-2") == (False, False, False)
    assert allows("metrics") == (False, False, False)


def test_mistakes(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="'job:x' is no scope"):
        ledger.add_key("sato", "x", scopes=["job:x"])
    with pytest.raises(UsageError, match="tokens_per_minute is 0"):
        ledger.add_key("sato", "x", limits=Limits(tokens_per_minute=0))
    with pytest.raises(UsageError, match="would have ended"):
        ledger.add_key("sato", "x", expires=datetime.now(UTC))
    with pytest.raises(NotFound, match="no person 'satoh'"):
        ledger.add_key("satoh", "x")
    with pytest.raises(UsageError, match="label is empty"):
        ledger.add_key("sato", " ")
    with pytest.raises(NotFound, match="no key '7'"):
        ledger.revoke_key(7)
    with pytest.raises(NotFound, match="no key 'abc'"):
        ledger.revoke_key("abc")
