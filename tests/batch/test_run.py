"""A month's tables through the command: killed, resumed, done twice."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.ledger import Conditions
from tensaku.pipeline import Workspace

Cli = Callable[..., Any]


@pytest.fixture
def drafts(road: Path, tmp_path: Path) -> Path:
    pairs = (road / "data" / "pairs.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in pairs[:6]]
    with (tmp_path / "month.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "fund", "section", "as_of", "draft"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / "month.csv"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_killed_run_goes_on_and_a_finished_one_is_not_done_again(cli: Cli, desk: Path, drafts: Path) -> None:
    target = drafts.with_name("month.revised.csv")
    journal = target.with_name("month.revised.csv.journal")
    words = [
        sys.executable,
        "-c",
        "from tensaku.cli import main; main()",
        "revise",
        str(drafts),
        "--trial",
        "-C",
        str(desk),
    ]
    process = subprocess.Popen([*words, "--json"], env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE)
    until = time.monotonic() + 100
    while not (journal.exists() and journal.stat().st_size) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if process.returncode == -signal.SIGKILL:
        assert not target.exists()
        kept = journal.read_bytes().splitlines()[0]
    told = cli("revise", drafts, "--trial", "-C", desk, "--json").json
    assert [(one["rows"], one["before"]) for one in told] == [(6, False)]
    assert not journal.exists()
    rows = read(target)
    assert [{k: row[k] for k in old} for row, old in zip(rows, read(drafts), strict=True)] == read(drafts)
    assert {row["release"].partition("-")[0] for row in rows} == {"release"}
    assert all(len(row["adapter"]) == 64 for row in rows)
    if process.returncode == -signal.SIGKILL:
        assert json.loads(kept)["row"]["revision"] in [row["revision"] for row in rows]
    again = cli("revise", drafts, "--trial", "-C", desk)
    assert "month.revised.csv: 6 drafts" in again.out
    assert "(done before)" in again.out
    target.write_text(target.read_text(encoding="utf-8").replace("。", "！", 1), encoding="utf-8")
    refused = cli("revise", drafts, "--trial", "-C", desk)
    assert refused.code == 2
    assert "was made of other drafts" in refused.err
    out = cli("revise", drafts, "--trial", "-C", desk, "--out", drafts.parent / "out", "--json")
    assert read(Path(out.json[0]["file"])) == rows


def test_what_was_approved_for_some_answers_or_another_task_gives_no_more_here_either(
    cli: Cli, desk: Path, drafts: Path
) -> None:
    with Workspace.open(desk).open_ledger() as ledger:
        (release,) = ledger.releases()
        ledger.add_person("kuroda", "黒田", ("approver",))
        ledger.approve(release.ref, "kuroda", "approved", conditions=Conditions(requests=4))
    refused = cli("revise", drafts, "-C", desk)
    assert (refused.code, "approved for 4 answers, and that is used up" in refused.err) == (2, True)
    assert not drafts.with_name("month.revised.csv").exists()
    with Workspace.open(desk).open_ledger() as ledger:
        assert [(row.door, row.release) for row in ledger.answers()] == [("revise", release.ref)] * 4
        ledger.approve(release.ref, "kuroda", "approved", conditions=Conditions(tasks=("other",)))
    refused = cli("revise", drafts, "--release", release.ref, "-C", desk)
    assert (refused.code, "was approved for other alone" in refused.err) == (2, True)


def test_mistakes_are_told_before_a_model_is_loaded(
    cli: Cli, road: Path, drafts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensaku.engines.open_engine", None)
    (drafts.parent / "a.txt").write_text("x")
    for words, said in (
        ([drafts, drafts.parent / "a.txt"], "this is no table"),
        ([drafts.parent / "none.csv"], "there is no such file"),
        ([drafts, "--fund", "fond"], "there is no such column"),
        ([drafts, drafts], "two tables would be written here"),
        ([drafts.parent / "a.txt"], "a single draft needs --fund and --section and --as-of"),
    ):
        result = cli("revise", *words, "--trial", "-C", road)
        assert result.code == 2
        assert said in result.err
        assert "Traceback" not in result.err
