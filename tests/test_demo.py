"""The demonstration: laid out whole or refused, its people and drafts entered once, its figures in one line."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tensaku.demo import PEOPLE, TUNER, lay_out, summary, walk
from tensaku.errors import UsageError
from tensaku.ledger import Ledger
from tensaku.pipeline import Workspace
from tensaku.store import SilentReporter, Store
from tensaku.testing import tiny_desk

FIGURES = [
    "exam_n",
    "bleu_draft",
    "bleu_base",
    "bleu_tuned",
    "chrf_tuned",
    "facts_kept",
    "dropped_sentences",
    "doubled_sentences",
    "form_seen_share",
    "tune_seconds",
    "total_seconds",
    "decode_tokens_per_second",
    "release",
]
LAID_OUT = [
    "data/drafts.jsonl",
    "data/old-system.csv",
    "data/pairs.jsonl",
    "house-style.md",
    "instruction.md",
    "names.toml",
    "style.toml",
    "tensaku.toml",
]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_sample_desk_is_laid_out_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "desk"
    lay_out(folder)
    assert files(folder) == LAID_OUT
    Workspace.open(folder)
    sample = resources.files("tensaku.sampledesk")
    for name in LAID_OUT:
        assert (folder / name).read_bytes() == (sample / Path(name).name).read_bytes()


def test_what_stands_there_is_left_as_it_is(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / "instruction.md").write_text("私の指示。", encoding="utf-8")
    (tmp_path / "data" / "pairs.jsonl").unlink()
    (tmp_path / "notes.txt").write_text("mine")
    lay_out(tmp_path)
    assert (tmp_path / "instruction.md").read_text(encoding="utf-8") == "私の指示。"
    assert (tmp_path / "data" / "pairs.jsonl").exists()


@pytest.mark.parametrize("name", ["letter.txt", "data/customers.csv", ".git/config", "src/x.py"])
def test_a_folder_with_other_things_in_it_is_refused_untouched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=r"holds other things and no tensaku\.toml.*new or empty folder"):
        lay_out(tmp_path)
    assert files(tmp_path) == [name]


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "desk").write_text("mine")
    for folder in (tmp_path / "desk", tmp_path / "desk" / "deeper"):
        with pytest.raises(UsageError):
            lay_out(folder)
    assert (tmp_path / "desk").read_text() == "mine"


def test_cut_short_at_any_file_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill, or a disk that fills, between any two files; and in the middle of one."""
    copy = shutil.copyfile
    for stop in range(len(LAID_OUT)):
        folder = tmp_path / str(stop)
        left = stop

        def failing(source: Any, target: Path) -> None:
            nonlocal left
            if left == 0:
                Path(target).write_bytes(b"half a fi")
                raise OSError(28, "No space left on device")
            left -= 1
            copy(source, target)

        monkeypatch.setattr("tensaku.demo.shutil.copyfile", failing)
        with pytest.raises(UsageError, match="cannot be written \\(No space left on device\\)"):
            lay_out(folder)
        monkeypatch.undo()
        assert not (folder / "tensaku.toml").exists()  # it is no workspace until it is whole
        lay_out(folder)
        assert [name for name in files(folder) if not name.endswith(".new")] == LAID_OUT
        Workspace.open(folder)


def test_many_lay_out_one_folder_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(lay_out, tmp_path / "desk") for _ in range(24)]:
            done.result()
    assert files(tmp_path / "desk") == LAID_OUT


@pytest.fixture
def tiny_demo(tmp_path: Path) -> Path:
    """A tiny desk in the place where the demonstration's own would be laid out, its data beside it."""
    folder = tiny_desk(tmp_path / "demo")
    lay_out(folder)
    return folder


def test_the_walk_enters_people_drafts_and_the_release_once(tiny_demo: Path) -> None:
    counts = []
    for _ in range(2):
        started = time.monotonic()
        workspace, _, built = walk(tiny_demo, SilentReporter())
        with Ledger.open(workspace.ledger_file, names=workspace.names()) as ledger:
            assert {person.name for person in ledger.people()} == {name for name, _, _ in PEOPLE}
            [release] = ledger.releases()
            assert (release.ref, release.tuned_by, release.status) == (built["release"].ref, TUNER, "candidate")
            counts.append((len(ledger.drafts()), len(ledger.log())))
            assert ledger.verify_log() is None
            assert {draft.as_of for draft in ledger.drafts()} == {"2026-10"}
    lines = (tiny_demo / "data" / "drafts.jsonl").read_text(encoding="utf-8").split("\n")
    assert counts[0][0] == len([line for line in lines if line])
    assert counts[0] == counts[1]
    figures = summary(built, started)
    assert set(FIGURES) < set(figures)
    assert figures["exam_n"] == 10
    assert 0 <= figures["facts_kept"] <= 1
    assert figures["total_seconds"] < 60
    json.dumps(figures, allow_nan=False)


def test_the_command_ends_with_one_line_of_json(tiny_demo: Path, cli: Callable[..., Any]) -> None:
    result = cli("demo", tiny_demo, "--no-serve", "--json")
    assert result.code == 0, result.err
    assert result.out.count("\n") == 1
    assert list(result.json) == [*FIGURES[:-1], "matrix_gflops", "release"]
    [release] = Store(tiny_demo / ".tensaku", SilentReporter()).list("release")
    assert result.json["release"] == release.ref
    shown = cli("demo", tiny_demo, "--no-serve")
    assert shown.code == 0
    assert "tune" not in [line.split(" ")[0] for line in shown.err.splitlines()]  # nothing was done again
    for words in ("Exam: 10 drafts", "Report ", f"Release   {release.ref}, a candidate", "invented", "--by takahashi"):
        assert words in shown.out, words
    approved = cli("approve", release.ref, "--by", "takahashi", "-C", tiny_demo)
    assert approved.out == f"{release.ref}: approved\n"
    refused = cli("approve", release.ref, "--by", TUNER, "-C", tiny_demo)
    assert refused.code == 2


@pytest.mark.slow
def test_two_demonstrations_in_one_folder(tiny_demo: Path, start: Callable[..., Any]) -> None:
    both = [start("demo", tiny_demo, "--no-serve", "--json") for _ in range(2)]
    ended = [process.communicate(timeout=250) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    first, second = (json.loads(out) for out, _ in ended)
    assert {k: v for k, v in first.items() if k != "total_seconds"} == {
        k: v for k, v in second.items() if k != "total_seconds"
    }
    workspace = Workspace.open(tiny_demo)
    with Ledger.open(workspace.ledger_file) as ledger:
        assert len(ledger.people()) == len(PEOPLE)
        assert len(ledger.drafts()) == len({draft.reference for draft in ledger.drafts()})
        assert [release.ref for release in ledger.releases()] == [first["release"]]
        assert ledger.verify_log() is None


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_real_demonstration(tmp_path: Path, start: Callable[..., Any]) -> None:
    """With the real model: some twenty minutes on two cores."""
    process = start("demo", tmp_path / "demo", "--no-serve", "--json")
    out, err = process.communicate(timeout=3500)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    told = json.loads(out.splitlines()[-1])
    assert set(FIGURES) <= set(told)
    assert told["bleu_tuned"] >= 86.6
    assert told["bleu_tuned"] >= told["bleu_draft"] + 20
    assert 40 <= told["bleu_draft"] <= 65
    assert told["facts_kept"] >= 0.95
    assert told["form_seen_share"] < 0.6
    assert told["exam_n"] >= 90
