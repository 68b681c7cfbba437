"""Every command on a tiny desk: what it prints, its exit code, and one clear message for each mistake."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.pipeline import Workspace
from tensaku.store import SilentReporter, Store
from tensaku.testing import tiny_desk

Cli = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]
Mount = Callable[..., Path]

DRAFT = "2026年9月の市場は1.2パーセントの上昇となった。弊社は引き続き慎重に運用して参ります。"
ABOUT = ("--fund", "青葉ファンド", "--section", "market", "--as-of", "2026-09")


def refs(folder: Path) -> dict[str, str]:
    return {a.stage: a.ref for a in Store(folder / ".tensaku", SilentReporter()).list()}


def only_message(result: Any, *words: str, code: int = 2) -> None:
    """The command failed with one message that holds `words`, and nothing on standard output."""
    assert result.code == code, result
    assert result.out == ""
    said = [line for line in result.err.splitlines() if line.startswith("tensaku: ")]
    assert len(said) == 1, result.err
    for word in words:
        assert word in result.err, result.err
    assert "Traceback" not in result.err


# What a user sees who does nothing wrong


def test_run_tells_in_one_line_of_json_what_every_stage_found(road: Path) -> None:
    printed = (road.parent / "out.json").read_text(encoding="utf-8")
    assert printed.count("\n") == 1
    told = json.loads(printed)
    assert list(told) == [
        "ingest",
        "curate",
        "exam",
        "lessons",
        "base",
        "trim",
        "tune",
        "answers",
        "evaluate",
        "release",
    ]
    assert {stage: entry["ref"] for stage, entry in told.items() if stage != "trim"} == refs(road)
    assert told["evaluate"]["facts"]["exam_n"] == 10


def test_a_second_run_does_nothing_and_is_quick(cli: Cli, desk: Path, road: Path) -> None:
    files = {p: p.stat().st_mtime_ns for p in (desk / ".tensaku" / "artifacts").rglob("*")}
    started = time.monotonic()
    result = cli("run", "-C", desk, "--json")
    assert time.monotonic() - started < 60
    assert result.code == 0
    assert result.json == json.loads((road.parent / "out.json").read_text(encoding="utf-8"))
    assert {p: p.stat().st_mtime_ns for p in (desk / ".tensaku" / "artifacts").rglob("*")} == files
    assert "tune" not in result.err  # no step was begun


def test_the_table_for_people(cli: Cli, desk: Path) -> None:
    result = cli("run", "-C", desk)
    assert result.code == 0
    assert "Exam: 10 drafts" in result.out
    assert re.search(r"Report\s+\S*report\.html", result.out)
    for ref in refs(desk).values():
        assert ref in result.out


def test_list(cli: Cli, road: Path) -> None:
    made = refs(road)
    assert [entry["ref"] for entry in cli("list", "-C", road, "--json").json] == list(made.values())
    assert [entry["stage"] for entry in cli("list", "tune", "-C", road, "--json").json] == ["tune"]
    shown = cli("list", "-C", road).out
    assert all(ref in shown for ref in made.values())
    only_message(cli("list", "tunes", "-C", road), "no stage 'tunes'", "Did you mean tune")


def test_show_by_the_first_letters_and_every_byte_checked(cli: Cli, desk: Path) -> None:
    ref = refs(desk)["tune"]
    told = cli("show", ref[:8], "-C", desk, "--json")
    assert told.code == 0
    assert told.json["stage"] == "tune"
    assert told.json["faults"] == []
    assert told.json["lineage"][-1] == ref
    shown = cli("show", "tune", "-C", desk)
    assert shown.code == 0
    for words in (
        ref,
        "learning_rate",
        "last_loss",
        "adapter/adapter_model.safetensors",
        "every byte as it was sealed",
    ):
        assert words in shown.out, words
    file = desk / ".tensaku" / "artifacts" / ref / "loss.jsonl"
    file.chmod(0o644)
    file.write_text(file.read_text().replace("1", "2", 1))
    altered = cli("show", ref, "-C", desk)
    assert altered.code == 2
    assert "loss.jsonl: altered" in altered.out
    assert "1 faults since it was sealed" in altered.err
    only_message(cli("show", "tuna", "-C", desk), "no artifact 'tuna'")


def test_names_with_brackets_are_shown_as_they_are(cli: Cli, road: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(road, tmp_path / "[bold]desk[" / "x]"))
    shown = cli("show", "exam", "-C", folder)
    assert shown.code == 0
    assert "[bold]desk[/x]" in shown.out


def test_diff(cli: Cli, desk: Path) -> None:
    old = refs(desk)["lessons"]
    assert cli("run", "lessons", "-C", desk, "-s", "lessons.near=0.95", "--json").code == 0
    [new] = {entry["ref"] for entry in cli("list", "lessons", "-C", desk, "--json").json} - {old}
    result = cli("diff", old, new, "-C", desk)
    assert result.code == 0
    assert result.out.startswith("settings")
    assert re.search(r"^near +0\.9 +0\.95 +\+0\.05 \(\+5\.6 %\)", result.out, re.MULTILINE)
    [first, *_] = cli("diff", old, new, "-C", desk, "--json").json
    assert first == {"where": "config.near", "old": 0.9, "new": 0.95, "change": pytest.approx(0.05)}
    assert cli("diff", old, old, "-C", desk).out == "No difference.\n"


def test_new_check_and_the_first_stages_of_the_sample_desk(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert "tensaku.toml" in cli("new", folder).out
    checked = cli("check", "-C", folder, "-s", "tune.epochs=1")
    assert (checked.code, checked.err) == (0, "")
    assert "in order (monthly-comment, base demo:gemma-3-270m)" in checked.out
    result = cli("run", "ingest", "-C", folder, "--json")
    assert result.code == 0
    assert result.json["ingest"]["facts"]["n"] >= 800


def test_version_and_help(cli: Cli) -> None:
    assert re.fullmatch(r"tensaku \d+\.\d+\.\d+\n", cli("--version").out)
    shown = cli("--help")
    assert shown.code == 0
    for name in ("demo", "new", "check", "run", "list", "show", "diff", "revise", "approve", "serve", "user"):
        assert re.search(rf"^\W*{name}\b", shown.out, re.MULTILINE), name


def test_people_approval_and_what_it_opens(cli: Cli, desk: Path, tmp_path: Path) -> None:
    """The one who tuned cannot approve; another can; then drafts are revised without --trial."""
    draft = tmp_path / "draft.txt"
    draft.write_text(DRAFT, encoding="utf-8")
    ref = refs(desk)["release"]
    [tuner] = cli("user", "list", "-C", desk, "--json").json
    assert tuner["roles"] == ["developer"]
    only_message(cli("revise", draft, *ABOUT, "-C", desk), f"release {ref} is not approved", "--trial")
    only_message(cli("approve", ref, "--by", "nobody", "-C", desk), "no person 'nobody'")
    only_message(cli("approve", ref, "--by", tuner["name"], "-C", desk), "tuned", "cannot decide")
    added = cli("user", "add", "kuroda", "--display", "黒田 薫", "--role", "approver", "-C", desk)
    assert added.out == "kuroda (黒田 薫): approver\n"
    assert "黒田 薫" in cli("user", "list", "-C", desk).out
    only_message(cli("approve", refs(desk)["tune"], "--by", "kuroda", "-C", desk), "no release")
    only_message(cli("approve", ref, "--by", "kuroda", "--reject", "-C", desk), "note")
    rejected = cli("approve", ref, "--by", "kuroda", "--reject", "--note", "まだ", "-C", desk)
    assert rejected.out == f"{ref}: rejected\n"
    only_message(cli("revise", draft, *ABOUT, "-C", desk), "was rejected by kuroda (まだ)")
    approved = cli("approve", ref[:12], "--by", "kuroda", "--json", "-C", desk)
    assert approved.json == {"release": ref, "status": "approved", "by": "kuroda"}
    result = cli("revise", draft, *ABOUT, "-C", desk, "--json")
    assert result.code == 0
    assert result.json["provenance"]["trial"] == "no"
    only_message(cli("user", "add", "kuroda", "-C", desk), "'kuroda' is already 黒田 薫 (approver)")
    only_message(cli("user", "add", "x y", "-C", desk), "cannot be a person's name")
    only_message(cli("user", "add", "mori", "--role", "approvr", "-C", desk), "no role 'approvr'", "approver")


def test_revise_on_trial(cli: Cli, desk: Path, tmp_path: Path) -> None:
    draft = tmp_path / "draft.txt"
    draft.write_text(DRAFT, encoding="utf-8-sig")  # with the mark that Windows puts in front
    told = cli("revise", draft, *ABOUT, "--trial", "-C", desk, "--json").json
    assert told["draft"] == DRAFT
    assert told["provenance"]["release"] == refs(desk)["release"]
    assert told["provenance"]["trial"] == "yes"
    assert told["facts_kept"] is (not told["verdict"]["breaks"])
    result = cli("revise", draft, *ABOUT, "--trial", "-C", desk)
    assert result.code == 0
    assert result.out.rstrip("\n") == told["text"]
    assert "trial: yes" in result.err


@pytest.mark.parametrize(
    ("content", "about", "words"),
    [
        (None, ABOUT, ("there is no such file",)),
        (b"", ABOUT, ("the draft is empty",)),
        (DRAFT.encode("cp932"), ABOUT, ("not UTF-8", "Save it as UTF-8")),
        ("市".encode() * 100_000, ABOUT, ("100,000 characters", "20,000", "Split it")),
        (DRAFT.encode(), (*ABOUT[:-1], "2026年9月"), ("the month is '2026年9月'", "2026-10")),
    ],
)
def test_drafts_that_cannot_be_revised_are_refused_before_a_model_is_loaded(
    cli: Cli,
    road: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    about: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    monkeypatch.setattr("tensaku.engines.open_engine", None)
    if content is not None:
        (tmp_path / "draft.txt").write_bytes(content)
    only_message(cli("revise", tmp_path / "draft.txt", *about, "--trial", "-C", road), *words)


# Mistakes


def test_a_misspelt_key_is_named_with_its_line_and_the_right_one(cli: Cli, tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    task = folder / "tensaku.toml"
    text = task.read_text(encoding="utf-8").replace("epochs = 0.2", "epoch = 0.2")
    task.write_text(text, encoding="utf-8")
    line = text.split("\n").index("epoch = 0.2") + 1
    for words in (("check",), ("run",), ("serve",), ("user", "list")):
        result = cli(*words, "-C", folder)
        only_message(result, str(task), f"line {line}", "unknown key 'tune.epoch'", "did you mean 'epochs'")
    only_message(cli("check", "-C", folder, "-s", "tune.rnk=3"), "2 faults", "tune.rnk", "'rank'")
    assert not (folder / ".tensaku").exists()


def test_a_base_that_is_no_model(cli: Cli, tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    (folder / "model" / "config.json").unlink()
    only_message(cli("run", "-C", folder), "this folder is no model: it has no config.json", str(folder / "model"))
    assert not (folder / ".tensaku").exists()


@pytest.mark.parametrize("words", [("run",), ("check",), ("list",), ("show", "x"), ("user", "list"), ("serve",)])
def test_a_folder_that_is_no_workspace(cli: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    only_message(cli(*words, "-C", tmp_path), "tensaku.toml")
    only_message(cli(*words, "-C", tmp_path / "nowhere"), "tensaku.toml")
    assert list(tmp_path.iterdir()) == []


def test_words_that_no_command_knows(cli: Cli, road: Path) -> None:
    for words in (("rnu",), ("run", "--quick"), ("approve",), ("revise",), ("run", "tune", "evaluate")):
        result = cli(*words)
        assert result.code == 2, words
        assert "Traceback" not in result.err
    only_message(cli("run", "tunes", "-C", road), "no stage 'tunes'. Did you mean tune")


def test_a_release_too_few(cli: Cli, tmp_path: Path, road: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    only_message(cli("serve", "-C", folder), "there is no release yet", "tensaku run")
    only_message(cli("serve", refs(road)["tune"], "-C", road), "is no release but the result of 'tune'")


def test_who_is_to_sign_is_asked_before_the_work(cli: Cli, tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    only_message(cli("run", "-C", folder, "--by", "nobody"), "no person 'nobody'")
    assert refs(folder) == {}


def test_a_gate_that_says_no_is_exit_3(cli: Cli, desk: Path) -> None:
    need = 'gate.need=[{ gate = "beats-draft", by = 5.0 }]'
    only_message(cli("run", "-C", desk, "-s", need, "--json"), "gate 'beats-draft' refused", "wanted", code=3)


def test_serving_is_refused_before_anything_is_loaded(
    cli: Cli, road: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensaku.engines.open_engine", None)
    only_message(cli("serve", "-C", road, "--port", "0"), "is not approved", "tensaku approve", "--trial")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = (f"port {port} is in use by another program", "choose another port")
        only_message(cli("serve", "--trial", "-C", road, "--port", port), *words)
        only_message(cli("demo", tmp_path / "demo", "--port", port), *words)
    assert not (tmp_path / "demo").exists()


# What may happen to a machine


def test_a_read_only_workspace(cli: Cli, tmp_path: Path, mount: Mount) -> None:
    folder = tiny_desk(tmp_path / "desk")
    mount(folder, "--bind", "-o", "ro", str(folder))
    before = sorted(folder.rglob("*"))
    for words in (("run",), ("user", "add", "mori"), ("serve", "--trial")):
        result = cli(*words, "-C", folder)
        assert result.code == 2, words
        assert "Traceback" not in result.err
        assert len([line for line in result.err.splitlines() if line.startswith("tensaku: ")]) == 1
    only_message(cli("run", "-C", folder), "the workspace cannot be used", "Read-only file system")
    assert sorted(folder.rglob("*")) == before
    for asked in (("new", folder / "new"), ("demo", folder / "new", "--no-serve")):
        only_message(cli(*asked), "Read-only file system")


def test_a_finished_workspace_can_be_read_where_nothing_can_be_written(cli: Cli, desk: Path, mount: Mount) -> None:
    mount(desk, "--bind", "-o", "ro", str(desk))
    assert cli("list", "-C", desk, "--json").code == 0
    assert cli("show", "tune", "-C", desk).code == 0
    assert cli("run", "evaluate", "-C", desk, "--json").code == 0


@pytest.mark.parametrize("room", [0, 60, 250, 330])
def test_a_full_disk(cli: Cli, tmp_path: Path, mount: Mount, room: int) -> None:
    """`room` kilobytes are left: none, enough to begin, not enough for the base model, not enough for the adapter."""
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=8m", "tmpfs")
    folder = tiny_desk(disk / "desk")
    with (disk / "filler").open("wb", buffering=0) as filler:
        free = shutil.disk_usage(disk).free
        filler.write(bytes(max(0, free - room * 1024)))
    result = cli("run", "tune", "-C", folder, "--json")
    assert result.code in (1, 2), result
    assert result.out == ""
    assert "Traceback" not in result.err
    said = [line for line in result.err.splitlines() if line.startswith("tensaku: ")]
    assert len(said) == 1
    assert "no space left on" in said[0].lower()
    assert "un again" in said[0]
    sealed = refs(folder)
    assert "tune" not in sealed
    (disk / "filler").unlink()
    again = cli("run", "tune", "-C", folder, "--json")
    assert again.code == 0, again.err
    assert refs(folder).items() >= sealed.items()
    store = Store(folder / ".tensaku", SilentReporter())
    assert [store.verify(ref) for ref in refs(folder).values()] == [[]] * 6


def test_two_runs_at_once_do_the_work_once(start: Start, tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    both = [start("run", "tune", "-C", folder, "--json") for _ in range(2)]
    ended = [process.communicate(timeout=250) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert ended[0][0] == ended[1][0]
    said = "".join(err for _, err in ended)
    assert "Traceback" not in said
    for step in ("tune", "base model path:model", "curate: repair, .*"):
        assert len(re.findall(rf"^{step} \.\.\.$", said, re.MULTILINE)) == 1, step
    assert len(refs(folder)) == 6


def test_ctrl_c_while_tuning_ends_with_a_word_and_the_next_run_goes_on(start: Start, cli: Cli, tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    process = start("run", "tune", "-C", folder, "-s", "tune.epochs=40")
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line == "tune ...\n":
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, said + err
    assert out == ""
    assert "Traceback" not in err
    assert err.endswith("tensaku: stopped. What was finished is kept; run the same command to go on.\n")
    assert set(refs(folder)) == {"ingest", "curate", "exam", "lessons", "base"}
    again = cli("run", "tune", "-C", folder, "--json")
    assert again.code == 0
    assert "base model" not in again.err  # that was done


def test_serve_on_trial_answers_and_ctrl_c_ends_it(start: Start, cli: Cli, desk: Path) -> None:
    assert cli("user", "add", "sato", "--display", "佐藤 美咲", "--role", "writer", "-C", desk).code == 0
    process = start("serve", "--trial", "-C", desk, "--port", "0")
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("Ctrl-C"):
            break
    found = re.search(r"API\s+(http://127\.0\.0\.1:\d+/v1)", said)
    assert found, said + process.communicate()[1]
    assert "nobody has approved this release" in said
    with urllib.request.urlopen(f"{found[1]}/models", timeout=20) as answer:
        assert "tiny" in [model["id"] for model in json.load(answer)["data"]]
    with Workspace.read(desk).open_ledger() as ledger:
        token = ledger.begin_session("sato", how="open", hours=1)
    asked = urllib.request.Request(found[1][:-3] + "/plan", headers={"Cookie": f"tensaku-session={token}"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        assert f"{refs(desk)['tune']}" in answer.read().decode()  # what the plan said of it
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
