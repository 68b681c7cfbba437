"""The commands: reports come in, wait, are filed; a watched folder; wrong words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.ledger import Ledger
from tensaku.testing import tiny_desk

HEAD = "青葉アセット　月次レポート\n国内株式ファンド\n2026年10月末現在\n\n"
BODY = "■市況\n市場は1.2％上昇しました。\n\n■運用経過\nファンドは0.9％上昇しました。\n\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tiny_desk(tmp_path / "desk", lessons=3, exam=3)
    task = made / "tensaku.toml"
    text = task.read_text(encoding="utf-8")
    task.write_text(text + '\n[reports]\nmanagers = ["青葉アセット"]\nfunds = ["国内株式ファンド"]\n', encoding="utf-8")
    with Ledger.open(made / ".tensaku" / "ledger.sqlite") as ledger:
        ledger.add_person("sato", "佐藤", ("writer",))
    return made


def test_reports_come_in_wait_and_are_filed(folder: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    (tmp_path / "a.txt").write_text(HEAD + BODY, encoding="utf-8")
    (tmp_path / "b.txt").write_text(HEAD.replace("10月", "11月") + BODY + "■一手\n株を買いました。\n", encoding="utf-8")
    done = cli("ingest", tmp_path / "a.txt", tmp_path / "b.txt", "-C", folder, "--json")
    assert done.code == 0, done.err
    assert [(row["what"], row["sections"]) for row in done.json] == [
        ("filed", {"market": 14, "performance": 16}),
        ("inbox", {}),
    ]
    table = cli("inbox", "list", "-C", folder).out
    assert "a heading of no known section: ■一手" in table
    shown = cli("inbox", "show", 2, "-C", folder).out
    assert "[3] ■一手 = ?" in shown
    wrong = cli("inbox", "file", 2, "--by", "sato", "--part", "3=outlok", "-C", folder)
    assert (wrong.code, "names no section" in wrong.err) == (2, True)
    assert cli("inbox", "file", 2, "--by", "sato", "--part", "3=outlook", "-C", folder).code == 0
    assert cli("inbox", "list", "-C", folder).out == "No report waits.\n"
    learnt = cli("inbox", "headings", "-C", folder, "--json").json
    assert {row["heading"]: row["section"] for row in learnt} == {
        "■市況": "market",
        "■運用経過": "performance",
        "■一手": "outlook",
    }
    again = cli("ingest", tmp_path / "b.txt", "-C", folder, "--json").json
    assert [row["what"] for row in again] == ["known"]


def test_what_is_said_on_the_command_counts(folder: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    (tmp_path / "a.txt").write_text(BODY, encoding="utf-8")
    words = ("--manager", "べつの会社", "--fund", "べつのファンド", "--month", "令和8年10月")
    done = cli("ingest", tmp_path / "a.txt", *words, "-C", folder, "--json")
    assert [(r["what"], r["manager"], r["as_of"]) for r in done.json] == [("filed", "べつの会社", "2026-10")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to bring in is named"),
        (("nowhere.pdf",), "there is no such file or folder"),
        (("--watch", "nowhere"), "there is no such folder"),
        (("tensaku.toml", "--month", "いつか"), "names no month"),
        (("tensaku.toml", "--by", "nobody"), "no person 'nobody'"),
        (("empty",), "there is no file in it"),
    ],
)
def test_wrong_words_are_one_message(
    folder: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    done = cli("ingest", *words)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_watched_folder_takes_each_file_once_it_is_whole(
    folder: Path, tmp_path: Path, start: Callable[..., Any]
) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    process = start("ingest", "--watch", inbox, "-C", folder, "--json")
    assert "Watching" in process.stderr.readline()
    with (inbox / "a.txt").open("w", encoding="utf-8") as file:
        for piece in (HEAD, BODY[:20], BODY[20:]):
            file.write(piece)
            file.flush()
            time.sleep(0.7)
    (row,) = json.loads(process.stdout.readline())
    assert (row["what"], row["sections"]) == ("filed", {"market": 14, "performance": 16})
