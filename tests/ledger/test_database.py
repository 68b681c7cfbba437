import os
import resource
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tensaku.errors import UsageError
from tensaku.ledger import Ledger, NewDraft, database

OF_THE_FILE = True  # nothing here is asked of a server


def test_a_new_ledger_is_for_its_owner_only_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "ledger.db"
    with Ledger.open(path) as ledger:
        ledger.add_person("sato", "佐藤")
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_the_settings_that_durability_rests_on(ledger: Ledger) -> None:
    with ledger._read() as session:
        connection = session.connection()
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "application_id")
        }
    full, on = 2, 1
    assert found == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": on,
        "busy_timeout": 30_000,
        "application_id": database.APPLICATION_ID,
    }


def test_a_url_of_sqlite_is_the_same_as_its_path(ledger: Ledger, path: Path) -> None:
    with Ledger.open(f"sqlite:///{path}") as other:
        assert other.people() == ledger.people()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("sqlite://", "in memory would keep nothing"),
        ("sqlite:///:memory:", "in memory would keep nothing"),
        ("postgresql://u:secret@127.0.0.1:9/db", "cannot be reached"),
        ("mysql://u:secret@h/db", "no driver for this database"),
        ("nosuch://h/db", "no driver for this database"),
        ("://", "no database address"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_without_showing_its_password(where: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        Ledger.open(where)
    assert "secret" not in str(caught.value)


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be opened"):
        Ledger.open(tmp_path)


def test_a_place_under_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be made"):
        Ledger.open(tmp_path / "file" / "ledger.db")


def test_a_full_database_says_so_and_keeps_what_was_saved(
    ledger: Ledger, path: Path, new_draft: Callable[..., NewDraft]
) -> None:
    kept = ledger.add_draft(new_draft())
    ledger.close()
    with ledger._read() as session:  # the pool holds this one connection, and hands it out again
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(UsageError, match="the disk is full"):
        ledger.add_draft(new_draft(text="長" * 200_000))
    assert ledger.drafts() == [kept]
    assert ledger.verify_log() is None
    assert ledger.verify_records() == []
    ledger.close()  # a fresh connection knows no limit: there is room again
    assert ledger.add_draft(new_draft(text="長" * 200_000)).id > kept.id


WRITE_UNTIL_IT_FAILS = """
import resource, signal, sys
from tensaku.errors import UsageError
from tensaku.ledger import Ledger, NewDraft
ledger = Ledger.open(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    while True:
        print("saved", ledger.add_draft(NewDraft("長" * 5000, "A", "F", "market", "2026-10", "paste")).id, flush=True)
except UsageError as refused:
    print("refused:", refused, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("saved", ledger.add_draft(NewDraft("短", "A", "F", "market", "2026-10", "paste")).id, flush=True)
"""


def test_a_write_that_the_system_refuses_says_so_and_the_ledger_goes_on(path: Path) -> None:
    run = [sys.executable, "-W", "error", "-c", WRITE_UNTIL_IT_FAILS, str(path), "600000"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    lines = done.stdout.splitlines()
    assert "what was saved before is kept" in lines[-2], done.stdout
    saved = {int(line.removeprefix("saved ")) for line in lines if line.startswith("saved ")}
    assert len(saved) > 3
    with Ledger.open(path) as ledger:
        assert {d.id for d in ledger.drafts()} == saved
        assert ledger.verify_log() is None
        assert ledger.verify_records() == []


READ_THEN_WRITE = """
import os, sys
from tensaku.errors import UsageError
from tensaku.ledger import Ledger
with Ledger.open(sys.argv[2]) as other:
    other.add_person("abe", "Abe")  # everything is loaded now
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)  # rights do not bind root
try:
    Ledger.open(sys.argv[1]).add_person("abe", "Abe")
except UsageError as refused:
    print("refused:", refused)
"""


@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o555), (0o444, 0o777), (0o000, 0o777), (0o444, 0o755)])
def test_a_ledger_without_write_rights_says_so(tmp_path: Path, file: int, folder: int) -> None:
    with tempfile.TemporaryDirectory(prefix="tensaku-rights-") as made:  # pytest's own folders are closed to others
        path = Path(made) / "sub" / "ledger.db"
        Path(made).chmod(0o755)
        with Ledger.open(path) as ledger:
            end = ledger.log_end()
        path.chmod(file)
        path.parent.chmod(folder)
        run = [sys.executable, "-W", "error", "-c", READ_THEN_WRITE, str(path), str(tmp_path / "other.db")]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
        path.parent.chmod(0o755)
        path.chmod(0o600)
        assert done.stdout.startswith("refused:"), done.stdout + done.stderr
        assert str(path) in done.stdout
        assert "access" in done.stdout or "read and write" in done.stdout
        with Ledger.open(path) as ledger:
            assert ledger.log_end() == end


def test_a_ledger_that_another_program_holds_says_so(
    path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    ledger.close()  # the next connection waits no longer than that
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(UsageError, match="another program holds the ledger"):
        ledger.add_person("abe", "阿部")
    assert len(ledger.people()) == 2  # reading goes on
    raw.execute("ROLLBACK")
    raw.close()
    ledger.add_person("abe", "阿部")


def test_a_damaged_file_says_so(path: Path, ledger: Ledger, new_draft: Callable[..., NewDraft]) -> None:
    for number in range(30):
        ledger.add_draft(new_draft(text=f"{number}" * 3000))
    ledger.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with pytest.raises(UsageError, match=r"damaged.*restore a backup"), Ledger.open(path) as damaged:
        damaged.drafts()


WRITE_MANY = """
import sys
from tensaku.ledger import Ledger, NewDraft
with Ledger.open(sys.argv[1]) as ledger:
    for number in range(40):
        ledger.add_draft(NewDraft(f"{sys.argv[2]} {number}", sys.argv[2], "F", "market", "2026-10", "paste"))
"""


def test_processes_that_make_and_write_one_ledger_at_once_all_succeed(path: Path) -> None:
    runs = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", WRITE_MANY, str(path), who], stderr=subprocess.PIPE)
        for who in ("one", "two", "three")
    ]
    for run in runs:
        _, error = run.communicate(timeout=60)
        assert run.returncode == 0, error.decode()
    with Ledger.open(path) as ledger:
        assert [len(ledger.drafts(manager=who)) for who in ("one", "two", "three")] == [40, 40, 40]
        assert [e.what for e in ledger.log()].count("ledger.created") == 1
        assert ledger.verify_log() is None


def test_a_backup_is_a_ledger_of_its_own(ledger: Ledger, tmp_path: Path, new_draft: Callable[..., NewDraft]) -> None:
    kept = ledger.add_draft(new_draft())
    end = ledger.log_end()
    ledger.backup(tmp_path / "backup.db")
    ledger.add_draft(new_draft())
    assert sorted(file.name for file in tmp_path.glob("backup*")) == ["backup.db"]
    with Ledger.open(tmp_path / "backup.db") as copy:
        assert (copy.drafts(), copy.log_end()) == ([kept], end)
        assert copy.verify_log() is None
        assert copy.verify_records() == []
    with pytest.raises(UsageError, match="such a file already"):
        ledger.backup(tmp_path / "backup.db")
    with pytest.raises(UsageError, match="cannot be made"):
        ledger.backup(tmp_path / "backup.db" / "under-a-file.db")


def test_threads_share_one_ledger(ledger: Ledger, new_draft: Callable[..., NewDraft]) -> None:
    failures: list[BaseException] = []

    def write(who: str) -> None:
        try:
            for number in range(10):
                kept = ledger.add_draft(new_draft(text=f"{who} {number}"))
                assert ledger.draft(kept.id) == kept
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(ledger.drafts()) == 120
    assert ledger.verify_log() is None
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
