"""Tasks of other kinds from a task file alone: those of benchmarks/tasks, and answers held to a few labels."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tensaku.errors import ConfigError, UsageError
from tensaku.evaluate import check_choices
from tensaku.pipeline import Workspace, build
from tensaku.store import SilentReporter, Store
from tensaku.testing import tiny_desk, tiny_pairs

PREPARE = Path(__file__).parents[2] / "benchmarks" / "tasks" / "prepare.py"
CHOICES = ("良い", "やや良い", "悪い")


def prepared(task: str, folder: Path, *data: Path) -> Workspace:
    subprocess.run([sys.executable, PREPARE, task, folder, *data], check=True)
    return Workspace.open(folder)


def walked(workspace: Workspace, until: str) -> dict[str, list[dict[str, str]]]:
    """The pairs that are taught and asked."""
    made = build(Store(workspace.root, SilentReporter()), workspace, until)
    return {
        name: list(map(json.loads, made[name].file(f"{name}.jsonl").read_text(encoding="utf-8").splitlines()))
        for name in ("lessons", "exam")
    }


def labelled(folder: Path) -> Path:
    """A desk whose finals are labels."""
    desk = tiny_desk(folder)
    pairs = [replace(pair, final=CHOICES[n % 3]) for n, pair in enumerate(tiny_pairs(60))]
    lines = (json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)
    (desk / "data" / "pairs.jsonl").write_text("".join(lines), encoding="utf-8")
    return desk


def test_the_translation_task_asks_for_what_it_did_not_teach(tmp_path: Path) -> None:
    found = walked(prepared("translation", tmp_path / "work"), "lessons")
    assert {name: len(pairs) for name, pairs in found.items()} == {"lessons": 240, "exam": 80}
    moulds = tomllib.loads((PREPARE.parent / "translation" / "sentences.toml").read_text(encoding="utf-8"))
    new = [japanese for part in moulds["exam"].values() for japanese, _ in part]
    told = {name: [[part for part in new if part in pair["draft"]] for pair in pairs] for name, pairs in found.items()}
    assert not any(told["lessons"])
    assert all(map(len, told["exam"]))


@pytest.mark.parametrize(
    ("task", "taught", "asked"), [("chabsa", 240, 80), ("chabsa_json", 240, 80), ("economy_watchers", 850, 218)]
)
def test_the_tasks_on_public_data_part_whole_groups(
    tmp_path: Path, real_data: Callable[[str], Path], task: str, taught: int, asked: int
) -> None:
    workspace = prepared(task, tmp_path / "work", real_data(task.removesuffix("_json")))
    found = walked(workspace, "lessons")
    assert {name: len(pairs) for name, pairs in found.items()} == {"lessons": taught, "exam": asked}
    groups = [{pair["manager"] for pair in pairs} for pairs in found.values()]
    assert not groups[0] & groups[1]
    for pairs in found.values():
        finals = {pair["final"] for pair in pairs}
        if task == "chabsa_json":
            assert all(set(json.loads(final)) <= {"良い", "悪い", "中立"} for final in finals)
        else:
            assert finals == set(workspace.spec.task.choices)
    assert workspace.job().choices == workspace.spec.task.choices


def test_a_model_that_knows_nothing_answers_with_a_label(tmp_path: Path) -> None:
    sets = ("lessons.labels=true", 'evaluate.scorers=[{ scorer = "f1" }]', "gate.need=[]", "tune.epochs=0.1",
            "evaluate.base_sample=0")  # fmt: skip
    choices = f"task.choices={json.dumps(CHOICES, ensure_ascii=False)}"
    desk = labelled(tmp_path / "desk")
    workspace = Workspace.open(desk, (*sets, choices))
    made = build(Store(workspace.root, SilentReporter()), workspace, "evaluate")["evaluate"]
    rows = [json.loads(line)["rows"] for line in made.file("outputs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows
    for row in rows:
        assert {row["base"]["text"], row["tuned"]["text"]} <= set(CHOICES)
    over = [gain["row"] for gain in made.facts["gains"] if gain["over"] == "majority"]
    assert over == ["base", "tuned"]
    page = made.file("report.html").read_text(encoding="utf-8")
    head = page[page.index('<header class="opening">') : page.index("<section")]
    assert "最頻の答えだけ" in head
    assert "欠落と重複" not in head
    assert re.search(r"The tuned model is (better than|worse than|not told apart from) the most frequent answer", head)
    wrong = Workspace.open(desk, (*sets, 'task.choices=["良い", "悪い"]', "tune.seed=2"))
    with pytest.raises(UsageError, match=r"finals are none of the choices: 'やや良い' \(tiny-"):
        build(Store(wrong.root, SilentReporter()), wrong, "tune")


def test_finals_that_are_none_of_the_choices() -> None:
    pairs = tiny_pairs(5)
    check_choices((), pairs)
    check_choices([pair.final for pair in pairs], pairs)
    with pytest.raises(UsageError, match=r"\[task\] choices: 4 of 5 finals .*tiny-001.*tiny-003\) and 1 more"):
        check_choices([pairs[0].final], pairs)


@pytest.mark.parametrize("choices", ['["良い"]', '["良い", "良い"]', '["良い", ""]', '["良い", " 悪い"]'])
def test_choices_that_are_none(tmp_path: Path, choices: str) -> None:
    with pytest.raises(ConfigError, match="needs two answers or more"):
        Workspace.open(tiny_desk(tmp_path / "desk"), (f"task.choices={choices}",))
