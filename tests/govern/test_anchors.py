"""The day's anchor that notes itself: when, on what, with what printer, and what is told where it could not."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tensaku.deploy import anchoring
from tensaku.errors import DataError, GateError, UsageError
from tensaku.govern import anchors as noting
from tensaku.govern.anchors import DailyAnchor, add_anchor, add_daily_anchor, missed_days, read_anchors
from tensaku.ledger import Ledger
from tensaku.pipeline import Workspace
from tensaku.testing import tiny_desk

Cli = Callable[..., Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "anchors.jsonl"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


def entered(ledger: Ledger, name: str) -> None:
    ledger.add_person(name, name)


def aged(file: Path, days: int) -> None:
    """Make the last anchor as old as that."""
    lines = file.read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    last["at"] = (datetime.fromisoformat(last["at"]) - timedelta(days=days)).isoformat()
    file.write_text("\n".join([*lines[:-1], json.dumps(last)]) + "\n", encoding="utf-8")


def test_once_a_day_and_only_where_the_log_has_grown(ledger: Ledger, file: Path) -> None:
    entered(ledger, "sato")
    first = add_daily_anchor(ledger, file)
    assert first is not None
    assert (first.seq, first.hash) == ledger.log_end()
    entered(ledger, "mori")
    assert add_daily_anchor(ledger, file) is None, "today's is noted"
    aged(file, 1)
    second = add_daily_anchor(ledger, file)
    assert second is not None
    assert (second.seq, second.hash) == ledger.log_end()
    aged(file, 1)
    assert add_daily_anchor(ledger, file) is None, "nothing is new since"
    assert len(read_anchors(file)) == 2


def test_nothing_is_noted_over_a_log_that_does_not_go_on_from_the_last(
    ledger: Ledger, file: Path, tmp_path: Path
) -> None:
    for name in ("sato", "mori", "abe"):
        entered(ledger, name)
    add_daily_anchor(ledger, file)
    noted = file.read_bytes()
    entered(ledger, "endo")
    for statement in (
        "UPDATE log SET detail = detail || ' ' WHERE seq = (SELECT max(seq) FROM log)",
        "UPDATE log SET hash = previous WHERE seq = (SELECT max(seq) - 1 FROM log)",
        "DELETE FROM log WHERE seq = (SELECT max(seq) - 1 FROM log)",
    ):
        copy = tmp_path / "copy.sqlite"
        ledger.backup(copy)
        with sqlite3.connect(copy) as raw:
            raw.execute(statement)
        raw.close()
        aged(file, 1)
        with Ledger.open(copy) as altered, pytest.raises(GateError, match="goes on from the last anchor"):
            add_daily_anchor(altered, file)
        assert len(read_anchors(file)) == 1
        copy.unlink()
        file.write_bytes(noted)


def test_half_a_line_left_by_a_crash_is_no_anchor_and_the_next_one_stands_whole(ledger: Ledger, file: Path) -> None:
    entered(ledger, "sato")
    add_anchor(ledger, file)
    aged(file, 1)
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:30])
    assert len(read_anchors(file)) == 1
    entered(ledger, "mori")
    assert add_daily_anchor(ledger, file) is not None
    assert len(read_anchors(file)) == 2
    file.write_bytes(b"x\n" + whole)
    with pytest.raises(DataError, match="line 1: this line is no anchor"):
        add_daily_anchor(ledger, file)


def test_the_printing_command_reads_the_anchor_and_a_failure_is_tried_again(
    ledger: Ledger, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(ledger, "sato")
    paper = tmp_path / "paper"
    printer = [sys.executable, "-c", f"import sys; open({str(paper)!r}, 'a').write(sys.stdin.read())"]
    broken = [sys.executable, "-c", "import sys; sys.exit('用紙がありません')"]
    with pytest.raises(UsageError, match=r"noted and was not printed: .* ended with 1: 用紙がありません"):
        add_daily_anchor(ledger, file, broken)
    assert [one.printed for one in read_anchors(file)] == [False]
    made = add_daily_anchor(ledger, file, printer)
    assert made is not None
    assert [one.printed for one in read_anchors(file)] == [False, True]
    assert made.hash in paper.read_text(encoding="utf-8")
    assert add_daily_anchor(ledger, file, printer) is None
    aged(file, 1)
    entered(ledger, "mori")
    for command, said in ((["no-such-printer"], "No such file"), (["sleep", "9"], "took longer than")):
        monkeypatch.setattr(noting, "_PRINTING", 0.2)
        with pytest.raises(UsageError, match=said):
            add_daily_anchor(ledger, file, command)


def test_days_without_an_anchor_are_counted_by_this_machines_days(
    ledger: Ledger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = ["2026-11-24T01", "2026-11-24T14", "2026-11-24T16", "2026-11-26T02"]
    monkeypatch.setattr(ledger, "log_hours", lambda: hours)
    found = noting.Anchor(1, "a" * 64, datetime(2026, 11, 24, 3, tzinfo=UTC).isoformat())
    for zone, missed in (("Asia/Tokyo", [25, 26]), ("UTC", [26])):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert missed_days(ledger, [found]) == [date(2026, 11, day) for day in missed]
    monkeypatch.undo()
    time.tzset()


def test_two_at_once_note_one(ledger: Ledger, file: Path) -> None:
    entered(ledger, "sato")
    made: list[object] = []
    threads = [threading.Thread(target=lambda: made.append(add_daily_anchor(ledger, file))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_anchors(file)) == 1
    assert sum(one is not None for one in made) == 1


def test_a_command_that_writes_notes_the_day_and_one_that_reads_does_not(cli: Cli, tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk", lessons=7, exam=3)
    anchors = folder / "anchors.jsonl"
    assert cli("user", "list", "-C", folder).code == 0
    assert not anchors.exists()
    assert cli("user", "add", "sato", "-C", folder).code == 0
    assert len(read_anchors(anchors)) == 1
    verified = cli("log", "verify", "-C", folder)
    assert "1 anchors met" in verified.out
    assert "Days with entries and without" not in verified.out
    before = anchors.read_bytes()
    assert cli("user", "list", "-C", folder).code == 0
    assert anchors.read_bytes() == before
    aged(anchors, 3)
    seen = cli("log", "verify", "-C", folder)
    assert f"without an anchor: {date.today()}" in seen.out
    assert cli("log", "verify", "--json", "-C", folder).json["missed_days"] == [str(date.today())]


def test_where_it_cannot_be_noted_the_work_is_done_and_it_is_told(cli: Cli, tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk", lessons=7, exam=3)
    task = folder / "tensaku.toml"
    text = task.read_text(encoding="utf-8")
    task.write_text(text + '\n[govern]\nanchors = "nowhere/anchors.jsonl"\n', encoding="utf-8")
    done = cli("user", "add", "sato", "-C", folder)
    assert (done.code, "sato" in done.out) == (0, True)
    assert done.err.count("the log was not anchored") == 1
    assert "No such file or directory" in done.err
    task.write_text(text + '\n[govern]\nanchors = ""\n', encoding="utf-8")
    assert cli("user", "add", "mori", "-C", folder).err == ""
    assert not (folder / "anchors.jsonl").exists()
    pack = cli("evidence", "--out", tmp_path / "pack.zip", "--json", "-C", folder).json
    assert any("no anchor outside" in gap["en"] for gap in pack["gaps"])
    (folder / "anchors.jsonl").write_text(
        json.dumps({"seq": 1, "hash": "0" * 64, "at": "2020-01-01T00:00:00+00:00"}) + "\n", encoding="utf-8"
    )
    held = cli("log", "verify", "-C", folder)
    assert (held.code, "is not the one noted outside" in held.err) == (3, True)


def test_a_server_notes_the_day_by_itself(tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk", lessons=7, exam=3)
    workspace = Workspace.open(folder)
    with workspace.open_ledger() as ledger:
        entered(ledger, "sato")
        with anchoring(workspace, ledger, every=0.05):
            _until(lambda: workspace.anchors.exists() and len(read_anchors(workspace.anchors)) == 1)
            aged(workspace.anchors, 1)  # a day goes by
            entered(ledger, "mori")
            _until(lambda: len(read_anchors(workspace.anchors)) == 2)
            assert read_anchors(workspace.anchors)[-1].seq == ledger.log_end()[0]


def _until(holds: Callable[[], bool]) -> None:
    end = datetime.now(UTC) + timedelta(seconds=60)
    while not holds():
        assert datetime.now(UTC) < end
        time.sleep(0.02)  # the thread that is waited for has to come to its turn


def test_a_fault_is_told_once_while_it_lasts(ledger: Ledger, tmp_path: Path) -> None:
    entered(ledger, "sato")
    told: list[str] = []
    daily = DailyAnchor(tmp_path / "nowhere" / "anchors.jsonl", (), told.append)
    for _ in range(3):
        daily.keep(ledger)
    assert len(told) == 1
    (tmp_path / "nowhere").mkdir()
    daily.keep(ledger)
    assert len(read_anchors(tmp_path / "nowhere" / "anchors.jsonl")) == 1
