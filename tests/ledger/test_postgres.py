"""The ledger on a PostgreSQL: what SQLite's file cannot show. The other tests of the ledger run there too (slow)."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from tensaku.errors import UsageError
from tensaku.ledger import DraftRow, Ledger, NewDraft, RevisionRow, SavedMeanwhile, audit, chain, migrate
from tensaku.ledger.database import connect, url_of
from tensaku.pipeline import Workspace


def draft_for(n: int) -> NewDraft:
    return NewDraft(
        "当月の国内株式市場は３．２％上昇した。", "みさき投信", f"F{n}", "market", "2026-10", "paste", str(n)
    )


def test_a_whole_life_of_a_comment(cluster: Any) -> None:
    with Ledger.open(cluster.new(), review=True) as ledger:
        ledger.add_person("sato", "佐藤 花子", ("writer",))
        ledger.add_person("mori", "森", ("reviewer",))
        draft = ledger.add_draft(draft_for(1), by="sato")
        final = ledger.save_final(draft.id, "当月の国内株式市場は3.2%上昇しました。", "sato")
        with pytest.raises(SavedMeanwhile):
            ledger.save_final(draft.id, "当月の国内株式市場は3.2%上昇した。", "sato")
        ledger.add_review(final.id, "approved", "mori")
        assert [pair["final"] for pair in ledger.freeze()] == [final.text]
        ledger.set_password("sato", "正しい合言葉は長い1")
        assert ledger.check_password("sato", "正しい合言葉は長い1") is not None
        token = ledger.begin_session("sato", how="password", hours=1)
        assert ledger.session(token, idle_minutes=5) is not None
        assert ledger.verify_log() is None
        assert ledger.verify_records() == []


@pytest.mark.parametrize("what", ["verify_log", "verify_records"])
def test_what_is_written_meanwhile_is_no_tampering(cluster: Any, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    with Ledger.open(cluster.new()) as ledger:
        ledger.add_person("sato", "佐藤", ("writer",))
        place, name = (chain, "hash_of") if what == "verify_log" else (audit, "entry_of")
        before = getattr(place, name)
        written: list[int] = []

        def reading(row: Any) -> Any:
            if not written:  # while the log is read, somebody goes on working
                written.append(1)
                ledger.add_draft(draft_for(1), by="sato")
            return before(row)

        monkeypatch.setattr(place, name, reading)
        assert not getattr(ledger, what)()
        assert written == [1]
        assert len(ledger.drafts()) == 1


def test_a_commit_waits_for_the_disk_whatever_the_server_says(cluster: Any) -> None:
    address = cluster.new()
    with Ledger.open(address) as ledger, ledger._engine.connect() as connection:
        name = url_of(address).database
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit TO off"))
        connection.commit()
    with Ledger.open(address) as ledger, ledger._engine.connect() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"password": "wrong"}, "does not let this account in"),
        ({"username": "nobody"}, "does not let this account in"),
        ({"database": "nothing_here"}, "does not exist"),
        ({"port": 9}, "cannot be reached"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(cluster: Any, change: dict[str, Any], why: str) -> None:
    address = url_of(cluster.new()).set(**change)
    with pytest.raises(UsageError, match=why) as caught:
        Ledger.open(address)
    assert cluster.password not in str(caught.value)
    assert "wrong" not in str(caught.value).replace("correct", "")


def test_the_task_file_names_the_server_and_the_environment_the_password(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tensaku.testing import tiny_desk

    folder = tiny_desk(tmp_path / "desk")
    address = url_of(cluster.new())
    bare = address._replace(password=None).render_as_string()
    with (folder / "tensaku.toml").open("a") as file:
        file.write(f'\n[ledger]\nurl = "{bare}"\n')
    monkeypatch.setenv("TENSAKU_LEDGER_PASSWORD", cluster.password)
    with caplog.at_level(logging.DEBUG), Workspace.open(folder).open_ledger() as ledger:
        ledger.add_person("sato", "佐藤")
        assert ledger.where == address.render_as_string(hide_password=True)
    assert cluster.password not in caplog.text
    assert not (folder / ".tensaku" / "ledger.sqlite").exists()
    monkeypatch.delenv("TENSAKU_LEDGER_PASSWORD")
    with pytest.raises(UsageError, match="does not let this account in"):
        Workspace.open(folder).open_ledger()
    with pytest.raises(UsageError, match="address holds a password"):
        Workspace.open(folder, [f'ledger.url="{address.render_as_string(hide_password=False)}"']).open_ledger()


def test_a_database_of_something_else_is_left_alone(cluster: Any) -> None:
    address = cluster.new()
    engine = connect(url_of(address))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id integer)"))
    with pytest.raises(UsageError, match="not a Tensaku ledger"):
        Ledger.open(address)
    assert inspect(engine).get_table_names() == ["orders"]
    engine.dispose()


def test_twenty_writers_at_once_lose_nothing_and_keep_one_line(cluster: Any) -> None:
    address, each = cluster.new(), 3
    with Ledger.open(address) as ledger:
        ledger.add_person("sato", "佐藤")
        shared = ledger.add_draft(draft_for(0))
    ledgers = [Ledger.open(address) for _ in range(20)]  # a connection pool each, as of twenty processes
    told: list[str] = []

    def write(ledger: Ledger, n: int) -> None:
        for k in range(each):
            draft = ledger.add_draft(draft_for(n * each + k + 1))
            told.append(
                ledger.save_final(draft.id, f"当月の国内株式市場は3.2%上昇しました{'。' * (n + 1)}", "sato").text
            )
        while True:
            newest = ledger.finals(shared.id)
            try:
                said = "当月の国内株式市場は3.2%上昇しました" + "。" * (n + 1)
                ledger.save_final(shared.id, said, "sato", based_on=newest[0].id if newest else None)
                return
            except SavedMeanwhile:
                continue

    threads = [threading.Thread(target=write, args=(ledger, n)) for n, ledger in enumerate(ledgers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Ledger.open(address) as ledger:
        finals = ledger.finals(shared.id)[::-1]
        assert len(told) == 20 * each
        assert len(ledger.drafts()) == 20 * each + 1
        assert len(finals) == 20
        assert [final.based_on for final in finals] == [None, *(final.id for final in finals[:-1])]
        assert ledger.verify_log() is None
        assert ledger.verify_records() == []
    for ledger in ledgers:
        ledger.close()


WRITER = """
import os, sys
from tensaku.errors import TensakuError
from tensaku.ledger import Ledger, NewDraft
with Ledger.open(os.environ["ADDRESS"]) as ledger:
    n = int(sys.argv[1])
    while True:
        n += 1
        text = f"原稿{n}番"
        try:
            row = ledger.add_draft(NewDraft(text, "A", "F", "market", "2026-10", "paste", str(n)))
        except TensakuError as error:
            print(f"refused {error.what}", flush=True)
            break
        print(f"kept {row.id} {n}", flush=True)
"""


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_kills_of_writer_and_server(mortal: Any, kills: int) -> None:
    """By turns the writer's process and the whole database server are killed while drafts are being added."""
    address = mortal.new()
    Ledger.open(address).close()
    kept: dict[int, int] = {}
    environment = {**os.environ, "ADDRESS": address}
    for turn in range(kills):
        run = [sys.executable, "-c", WRITER, str(max(kept.values(), default=0) + 1000)]
        with subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(3 + turn % 5)]
            time.sleep(0.003 * (turn % 4))
            if turn % 2:
                mortal.kill()
                lines += writer.stdout.readlines()
                assert writer.wait(timeout=30) == 0
                assert re.search("server has gone away|cannot be reached", lines.pop())
                mortal.start()
            else:
                os.kill(writer.pid, signal.SIGKILL)
                lines += writer.stdout.readlines()
        for line in lines:
            _, id, n = line.split()
            kept[int(id)] = int(n)
        with Ledger.open(address) as ledger:
            held = {draft.id: draft.text for draft in ledger.drafts()}
            assert {id: held.get(id) for id in kept} == {id: f"原稿{n}番" for id, n in kept.items()}
            assert ledger.verify_log() is None
            assert ledger.verify_records() == []
    assert len(kept) >= 3 * kills


@pytest.mark.slow
def test_a_ledger_goes_on_when_its_server_is_back(mortal: Any) -> None:
    with Ledger.open(mortal.new()) as ledger:
        ledger.add_draft(draft_for(1))
        mortal.kill()
        with pytest.raises(UsageError, match=r"gone away|cannot be reached"):
            ledger.add_draft(draft_for(2))
        mortal.start()
        ledger.add_draft(draft_for(3))
        assert [draft.fund for draft in ledger.drafts()] == ["F1", "F3"]


def test_processes_that_make_one_ledger_at_once_all_succeed(cluster: Any) -> None:
    address = cluster.new()
    made: list[Ledger] = []
    threads = [threading.Thread(target=lambda: made.append(Ledger.open(address))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert [entry.what for entry in made[0].log()] == ["ledger.created"]
    for ledger in made:
        ledger.close()


def test_only_the_file_is_copied(cluster: Any, tmp_path: Path) -> None:
    with Ledger.open(cluster.new()) as ledger, pytest.raises(UsageError, match="pg_dump"):
        ledger.backup(tmp_path / "copy")


def shape(address: str | Path) -> dict[str, list[str]]:
    """Tables and their columns."""
    engine = connect(url_of(address))
    looked = inspect(engine)
    found = {name: sorted(c["name"] for c in looked.get_columns(name)) for name in sorted(looked.get_table_names())}
    engine.dispose()
    return found


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_migrations_go_down_and_up_again_and_keep_what_is_older(
    cluster: Any, path: Path, kind: str, new_revision: Callable[..., Any]
) -> None:
    from alembic.script import ScriptDirectory

    address = path if kind == "sqlite" else cluster.new()
    with Ledger.open(address) as ledger:
        ledger.add_person("sato", "佐藤", ("writer",))
        draft: DraftRow = ledger.add_draft(draft_for(1))
        revision: RevisionRow = ledger.add_revision(draft.id, new_revision(draft.text), by="sato")
        ledger.save_final(draft.id, "当月の国内株式市場は3.2%上昇しました。", "sato", revision_id=revision.id)
    newest = shape(address)
    scripts = ScriptDirectory.from_config(migrate.config())
    engine = connect(url_of(address))
    steps = list(scripts.walk_revisions())
    for script in steps[:-1]:
        if not hasattr(script.module, "downgrade"):
            with pytest.raises(UsageError, match="one way only"):
                migrate.downgrade(engine, "here", str(script.down_revision))
            break
        migrate.downgrade(engine, "here", str(script.down_revision))
    engine.dispose()
    assert shape(address) != newest
    with Ledger.open(address) as ledger:
        assert ledger.draft(draft.id).finals == 1
        assert ledger.revisions(draft.id)[0].text == revision.text
        assert ledger.verify_log() is None
        assert ledger.verify_records() == []
        assert "ledger.downgraded" in [entry.what for entry in ledger.log()]
        assert ledger.log()[-1].what == "ledger.migrated"
    assert shape(address) == newest
