"""The ladder on a tiny desk: three forms of tuned model on one exam, rungs that fail, several base models."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.errors import ConfigError
from tensaku.pipeline import Workspace, climb
from tensaku.store import SilentReporter, Store
from tensaku.testing import tiny_desk, tiny_model

Cli = Callable[..., Any]
FEW = ("-s", "tune.epochs=0.1", "-s", "evaluate.scorers=[{ scorer = 'chrf' }]")


pytestmark = pytest.mark.usefixtures("every_method")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk so small that every rung takes a second. Not to be changed: work in a copy."""
    return tiny_desk(tmp_path_factory.mktemp("ladder") / "desk", lessons=16, exam=5)


@pytest.fixture
def folder(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "desk"))


def run(cli: Cli, folder: Path, *words: str) -> Any:
    return cli("run", "tune", "--ladder", "-C", folder, *FEW, *words)


def refs(folder: Path, stage: str) -> list[str]:
    return [artifact.ref for artifact in Store(folder / ".tensaku", SilentReporter()).list(stage)]


def test_three_methods_side_by_side(cli: Cli, folder: Path) -> None:
    result = run(cli, folder, "--json")
    assert result.code == 0, result.err
    found = result.json
    assert [(row["row"], row.get("method")) for row in found["rows"]] == [
        ("draft", None),
        ("rules", None),
        ("base", None),
        ("tuned", "prompt"),
        ("tuned", "lora"),
        ("tuned", "full"),
    ]
    draft, rules, base, prompt, lora, full = found["rows"]
    assert found["scorer"] == "chrf"
    assert found["exam_n"] == draft["n"] == rules["n"] == prompt["n"] == lora["n"] == full["n"] == 5
    assert [row["form"] for row in (prompt, lora, full)] == ["prompt", "adapter", "weights"]
    assert (full["seconds"], full["memory_mb"], full["size_mb"]) == (1.5, 321.0, 12.25)
    assert full["score"] == base["score"] or base["n"] < 5  # the same weights
    for row in (prompt, lora, full):
        assert row["gain"] == pytest.approx(row["score"] - draft["score"])
        assert row["low"] <= row["score"] <= row["high"]
        assert row["failed"] == ""
        assert row["size_mb"] > 0
        assert row["seconds"] is not None
    assert draft["facts_kept"] == 1
    assert draft["gain"] is None
    store = Store(folder / ".tensaku", SilentReporter())
    ladder = store.get(found["ref"])
    assert ladder.stage == "ladder"
    assert store.verify(ladder.ref) == []
    assert {row["evaluation"] for row in (prompt, lora, full)} == set(refs(folder, "evaluate"))
    assert {row["tuned"] for row in (prompt, lora, full)} == set(refs(folder, "tune"))
    assert set(refs(folder, "tune")) < {artifact.ref for artifact in store.lineage(ladder.ref)}
    before = {path: path.stat().st_mtime_ns for path in store.artifacts.rglob("*")}
    assert run(cli, folder, "--json").json == found
    assert {path: path.stat().st_mtime_ns for path in store.artifacts.rglob("*")} == before


def test_the_table_and_the_page(cli: Cli, folder: Path) -> None:
    result = run(cli, folder, "-s", 'ladder.methods=["lora"]')
    assert result.code == 0
    assert "Ladder: 5 drafts, chrf" in result.out
    for words in ("原稿のまま", "調整なし", "lora", "gain over the draft", "facts kept", "seconds to tune"):
        assert words in result.out, words
    [ladder] = refs(folder, "ladder")
    page = (folder / ".tensaku" / "artifacts" / ladder / "ladder.html").read_text(encoding="utf-8")
    for words in ("方法とモデルの比較", "The ladder", "原稿との差", "<b>lora</b>", "path:model"):
        assert words in page, words
    assert not re.search(r"https?://|<script|url\(", page)
    assert [entry["ref"] for entry in cli("list", "ladder", "-C", folder, "--json").json] == [ladder]


def test_a_rung_that_fails_is_told_of_and_the_others_are_kept(cli: Cli, folder: Path) -> None:
    methods = ("-s", 'ladder.methods=["qlora", "lora"]')
    result = run(cli, folder, *methods, "--json")
    assert result.code == 1
    assert "Traceback" not in result.err
    failed, lora = result.json["rows"][-2:]
    assert "the disk is full" in failed["failed"]
    assert "score" not in failed
    assert lora["score"] >= 0
    shown = run(cli, folder, *methods)
    assert shown.code == 1
    assert "失敗 failed" in shown.out
    assert "qlora on path:model failed: tune: the disk is full" in shown.out
    [ladder] = refs(folder, "ladder")
    page = (folder / ".tensaku" / "artifacts" / ladder / "ladder.html").read_text(encoding="utf-8")
    assert "失敗した段" in page


def test_when_every_rung_fails(cli: Cli, folder: Path) -> None:
    result = run(cli, folder, "-s", 'ladder.methods=["qlora"]')
    assert result.code == 1
    assert "no rung was examined" in result.out


@pytest.mark.slow
def test_several_base_models(cli: Cli, folder: Path) -> None:
    tiny_model(folder / "other", seed=5)
    (folder / "model" / "README.md").write_text("license: mit\n", encoding="utf-8")
    bases = 'ladder.bases=["path:model", "path:other"]'
    found = run(cli, folder, "-s", bases, "-s", 'ladder.methods=["prompt", "full"]', "--json").json
    assert [(row["row"], row["base"], row.get("method")) for row in found["rows"]] == [
        ("draft", "", None),
        ("rules", "", None),
        ("base", "path:model", None),
        ("base", "path:other", None),
        ("tuned", "path:model", "prompt"),
        ("tuned", "path:model", "full"),
        ("tuned", "path:other", "prompt"),
        ("tuned", "path:other", "full"),
    ]
    assert len(refs(folder, "base")) == 2
    assert len(refs(folder, "lessons")) == 1


def test_a_method_has_settings_of_its_own(folder: Path) -> None:
    settings = "ladder.settings={ lora = { rank = 2, epochs = 0.2 } }"
    workspace = Workspace.open(folder, ["tune.epochs=0.1", settings, 'ladder.methods=["lora"]'])
    climb(Store(workspace.root, SilentReporter()), workspace)
    [tuned] = Store(workspace.root, SilentReporter()).list("tune")
    assert (tuned.config["rank"], tuned.config["epochs"], tuned.config["method"]) == (2, 0.2, "lora")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("ladder.methods=[]", "must name at least one method; there is: prompt, lora"),
        ('ladder.methods=["lorra"]', r"no method 'lorra'\. Did you mean (lora|qlora)"),
        ('ladder.methods=["lora", "lora"]', "names 'lora' twice"),
        ('ladder.bases=["path:model", "path:model"]', "names 'path:model' twice"),
        ('ladder.bases=["path:model", "path:./data/../model"]', "two candidates are the same model"),
        ('ladder.bases=["path:gone"]', "there is no such folder"),
        ('ladder.bases=["gemma"]', "named in no known way"),
        ("ladder.settings={ loro = { rank = 2 } }", "no method 'loro'"),
        ('ladder.settings={ lora = { method = "full" } }', "must not change the method"),
        ("ladder.settings={ lora = { rnk = 2 } }", "rank"),
        ("ladder.settings={ full = { batch = 0 } }", "batch"),
        ('evaluate.scorers=[{ scorer = "chrf" }, { scorer = "chrf" }]', "the scorer chrf is named twice"),
        ("evaluate.scorers=[]", "there is no scorer"),
        ('evaluate.also={ x = { precision = "int4" } }', "precision must be one of"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(folder: Path, change: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Workspace.open(folder, [change])
    assert not (folder / ".tensaku").exists()


def test_the_ladder_goes_with_tune_alone(cli: Cli, folder: Path) -> None:
    result = cli("run", "--ladder", "-C", folder)
    assert (result.code, result.out) == (2, "")
    assert "tensaku run tune --ladder" in result.err


def test_processes_are_told_to_tune(cli: Cli, folder: Path) -> None:
    result = cli("run", "tune", "--processes", 0, "-C", folder)
    assert result.code == 2
    assert "processes" in result.err
    assert not (folder / ".tensaku").exists()


def test_a_draft_too_long_for_the_engine_is_found_before_the_tuning(cli: Cli, folder: Path) -> None:
    context = ("-s", 'evaluate.engine={ engine = "native", context = 64 }')
    result = cli("run", "-C", folder, *context)
    assert result.code == 2
    assert "5 of 5 drafts are too long for the engine, whose context holds 64 tokens" in result.err
    assert refs(folder, "tune") == []
    assert not list((folder / ".tensaku" / "scratch").glob("tune-*"))
    climbed = run(cli, folder, *context, "--json")
    assert climbed.code == 1
    assert all("too long for the engine" in row["failed"] for row in json.loads(climbed.out)["rows"])
