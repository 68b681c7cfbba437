import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import Ledger
from tensaku.ledger.accounts import one_time_password

RIGHT = "ひみつの合言葉は長い"


@pytest.fixture
def known(ledger: Ledger) -> Ledger:
    ledger.set_password("sato", RIGHT)
    return ledger


def test_the_right_password_opens_and_its_hash_is_argon2(known: Ledger) -> None:
    found = known.check_password("sato", RIGHT)
    assert found is not None
    assert (found.name, found.credential) == ("sato", "set")
    with known._engine.connect() as connection:
        held = connection.execute(text("SELECT password FROM people WHERE name = 'sato'")).scalar_one()
    assert held.startswith("$argon2id$")
    assert RIGHT not in str([entry.detail for entry in known.log()])
    assert known.verify_records() == []


def test_letters_that_a_keyboard_composes_otherwise_are_the_same(known: Ledger) -> None:
    known.set_password("sato", "ガラスの靴ＡＢＣ123")
    assert known.check_password("sato", "ガラスの靴ABC123") is not None


@pytest.mark.parametrize(("name", "password"), [("sato", "wrong"), ("nobody", RIGHT), ("tanaka", RIGHT), ("", "\0")])
def test_anything_else_does_not(known: Ledger, name: str, password: str) -> None:
    assert known.check_password(name, password) is None


def test_a_name_is_locked_after_failures_and_a_new_password_lifts_it(known: Ledger) -> None:
    for _ in range(3):
        assert known.check_password("sato", "wrong", failures=3) is None
    assert known.check_password("sato", RIGHT, failures=3) is None
    assert [entry.subject for entry in known.log() if entry.what == "person.locked"] == ["person:sato"]
    known.set_password("sato", RIGHT)
    assert known.check_password("sato", RIGHT, failures=3) is not None


def test_a_lock_ends_by_itself_and_a_right_password_forgets_the_wrong_ones(known: Ledger) -> None:
    for _ in range(3):
        known.check_password("sato", "wrong", failures=3, minutes=0.0)
    assert known.check_password("sato", RIGHT, failures=3) is not None
    for _ in range(2):
        known.check_password("sato", "wrong", failures=3)
        known.check_password("sato", "wrong", failures=3)
        assert known.check_password("sato", RIGHT, failures=3) is not None


def test_guesses_at_once_are_all_counted(known: Ledger) -> None:
    threads = [threading.Thread(target=known.check_password, args=("sato", f"guess {n}")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert known.check_password("sato", RIGHT) is None


@pytest.mark.parametrize(
    ("password", "why"), [("short", "too short"), ("x" * 201, "too long"), ("sato-sato1", "holds the name")]
)
def test_a_weak_password_is_refused(known: Ledger, password: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        known.set_password("sato", password)
    assert known.check_password("sato", RIGHT) is not None


def test_a_one_time_password_says_so_until_it_is_changed(ledger: Ledger) -> None:
    once = one_time_password()
    assert ledger.set_password("sato", once, once=True).credential == "once"
    assert once != one_time_password()
    assert ledger.set_password("sato", RIGHT, by="sato").credential == "set"


def test_a_session_lives_until_it_ends(ledger: Ledger) -> None:
    token = ledger.begin_session("sato", how="password", hours=1)
    found = ledger.session(token, idle_minutes=10)
    assert found is not None
    assert (found[1].name, found[0].how) == ("sato", "password")
    assert ledger.session(token + "x", idle_minutes=10) is None
    ledger.end_session(token)
    ledger.end_session(token)
    assert ledger.session(token, idle_minutes=10) is None
    assert [e.what for e in ledger.log()].count("person.signed-out") == 1


def test_the_token_is_not_in_the_database(ledger: Ledger, path: Path) -> None:
    token = ledger.begin_session("sato", how="password", hours=1)
    with ledger._engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM sessions")).all()
    assert rows
    assert token not in str(rows)


def test_a_session_expires_and_idles_out(ledger: Ledger) -> None:
    assert ledger.session(ledger.begin_session("sato", how="open", hours=0), idle_minutes=10) is None
    token = ledger.begin_session("sato", how="open", hours=1)
    past = datetime.now(UTC) - timedelta(minutes=9)
    with ledger._engine.begin() as connection:
        connection.execute(text("UPDATE sessions SET seen = :past"), {"past": past.replace(tzinfo=None)})
    assert ledger.session(token, idle_minutes=10) is not None, "nine of ten minutes"
    found = ledger.session(token, idle_minutes=10)
    assert found is not None
    assert found[0].seen > past + timedelta(minutes=8), "a visit is noted"
    assert ledger.session(token, idle_minutes=0) is None


@pytest.mark.parametrize("end", ["disable", "password", "everywhere"])
def test_sessions_are_revoked(ledger: Ledger, end: str) -> None:
    tokens = [ledger.begin_session("sato", how="password", hours=1) for _ in range(2)]
    other = ledger.begin_session("tanaka", how="password", hours=1)
    if end == "disable":
        ledger.set_active("sato", False)
        ledger.set_active("sato", True)
    elif end == "password":
        ledger.set_password("sato", RIGHT)
    else:
        ledger.end_sessions("sato")
    assert [ledger.session(token, idle_minutes=10) for token in tokens] == [None, None]
    assert ledger.session(other, idle_minutes=10) is not None


def test_who_is_disabled_gets_no_session(ledger: Ledger) -> None:
    ledger.set_password("sato", RIGHT)
    ledger.set_active("sato", False)
    assert ledger.check_password("sato", RIGHT) is None
    with pytest.raises(UsageError, match="no longer active"):
        ledger.begin_session("sato", how="oidc", hours=1)
    with pytest.raises(NotFound):
        ledger.begin_session("nobody", how="oidc", hours=1)


def test_rights_reach_as_far_as_their_scopes(ledger: Ledger) -> None:
    row = ledger.set_scopes("sato", ["fund:国内株式F", "task:monthly"])
    assert row.may(fund="国内株式F", task="monthly")
    assert not row.may(fund="外国債券F")
    assert not row.may(task="weekly")
    assert ledger.set_scopes("sato", []).may(fund="外国債券F")
    assert ledger.verify_records() == []
    with pytest.raises(UsageError, match="bounds no right"):
        ledger.set_scopes("sato", ["company:x"])
