"""One model and no leaderboard: what people and a judge say of its outputs stands in its own report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tensaku import plugins
from tensaku.errors import EngineError
from tensaku.ledger import Ledger
from tensaku.pipeline import Workspace, build
from tensaku.records import Message
from tensaku.store import SilentReporter, Store
from tensaku.testing import ScriptedEngine, tiny_desk

Cli = Callable[..., Any]
FEW = ("-s", "tune.epochs=0.1", "-s", "evaluate.base_sample=0", "-s", "evaluate.scorers=[{ scorer = 'chrf' }]")
JUDGE = ("-s", 'judge.engine={ engine = "first" }', "-s", "judge.sample=0")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_desk(tmp_path_factory.mktemp("one") / "desk", lessons=16, exam=5)


@pytest.fixture
def folder(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "desk"))


class First:
    """A judge that takes what stands first, until it is told to fail."""

    def __init__(self) -> None:
        self.asked, self.fails = 0, False

    def __call__(self, messages: tuple[Message, ...]) -> str:
        if self.fails:
            raise EngineError("the endpoint closed the connection")
        self.asked += 1
        return "評価: 3" if "5 段階" in messages[-1].content else "先に読んだ。\n判定: A"


@pytest.fixture
def first() -> Iterator[First]:
    judge = First()

    def engine(base: Path, /) -> ScriptedEngine:
        return ScriptedEngine(judge)

    plugins.engines._parts["first"] = engine
    yield judge
    del plugins.engines._parts["first"]


def run(cli: Cli, folder: Path, *words: str) -> Any:
    return cli("run", "evaluate", "-C", folder, *FEW, *words)


def newest(folder: Path) -> Any:
    store = Store(folder / ".tensaku", SilentReporter())
    made = store.list("evaluate")[-1]
    assert store.verify(made.ref) == []
    return made


def vote_on_everything(folder: Path, *people: str) -> int:
    """Everybody prefers the draft to what stands beside it; how many comparisons there are (none with a blank)."""
    with Ledger.open(folder / ".tensaku" / "ledger.sqlite") as ledger:
        for person in people:
            while (seen := ledger.reading(person)).next is not None:
                names = (seen.next.two, seen.next.one) if seen.turned else (seen.next.one, seen.next.two)
                ledger.add_vote(seen.next.id, "left" if names[0] == "draft" else "right", person)
        return len(ledger.comparisons())


def test_people_and_the_judge_in_the_report_of_one_model(cli: Cli, folder: Path, first: First) -> None:
    assert run(cli, folder).code == 0
    plain = newest(folder)
    assert "読み比べと判定" not in plain.file("report.html").read_text(encoding="utf-8")
    with Ledger.open(folder / ".tensaku" / "ledger.sqlite") as ledger:
        for person in ("sato", "tanaka"):
            ledger.add_person(person, person, ("writer",))
    laid = cli("read", "--by", "sato", "--candidates", "draft,tuned", "-C", folder)
    assert laid.code == 0, laid.err
    n = vote_on_everything(folder, "sato", "tanaka")
    assert n >= 1
    assert run(cli, folder, *JUDGE).code == 0
    made = newest(folder)
    assert made.ref != plain.ref
    said = json.loads(made.file("scores.json").read_text(encoding="utf-8"))["panel"]
    assert said["people"]["voters"] == {"sato": n, "tanaka": n}
    assert said["agreement"]["same"] == 1
    assert said["judge"]["bias"]["left"]["share"] == 1
    assert said["judge_people"]["comparisons"] == n
    assert said["judge_people"]["same"] == 0  # what holds in one order only is a tie
    page = made.file("report.html").read_text(encoding="utf-8")
    for words in ("読み比べと判定", "人どうし", "判定モデルと多数意見", "位置だけで決定", "調整済みモデル"):
        assert words in page, words
    assert made.file("outputs.jsonl").read_bytes() == plain.file("outputs.jsonl").read_bytes()
    asked = first.asked
    assert run(cli, folder, *JUDGE).code == 0
    assert first.asked == asked  # neither twice


def test_votes_cast_later_leave_a_release_as_it_is(cli: Cli, folder: Path) -> None:
    before = cli("run", "-C", folder, *FEW)
    assert before.code == 0, before.err
    store = Store(folder / ".tensaku", SilentReporter())
    release = store.list("release")[-1]
    with Ledger.open(folder / ".tensaku" / "ledger.sqlite") as ledger:
        ledger.add_person("sato", "sato", ("writer",))
    cli("read", "--by", "sato", "--candidates", "draft,tuned", "-C", folder)
    vote_on_everything(folder, "sato")
    assert run(cli, folder).code == 0
    assert "votes" in newest(folder).inputs
    again = build(store, Workspace.open(folder, [one for one in FEW if one != "-s"]))
    assert again["release"].ref == release.ref


def test_a_judge_that_fails_keeps_the_evaluation(cli: Cli, folder: Path, first: First) -> None:
    first.fails = True
    failed = run(cli, folder, *JUDGE)
    assert failed.code == 1
    assert "the endpoint closed the connection" in failed.err
    assert "Traceback" not in failed.err
    assert newest(folder).facts["exam_n"] == 5


def test_a_judge_that_fails_keeps_the_leaderboard(cli: Cli, folder: Path, first: First) -> None:
    with (folder / "tensaku.toml").open("a", encoding="utf-8") as file:
        file.write("\n[leaderboard.candidates.plain]\n")
    first.fails = True
    failed = run(cli, folder, *JUDGE)
    assert failed.code == 1
    assert "The judge failed: " in failed.out
    store = Store(folder / ".tensaku", SilentReporter())
    board = store.list("leaderboard")[-1]
    found = json.loads(board.file("leaderboard.json").read_text(encoding="utf-8"))
    assert {row["name"] for row in found["rows"]} == {"draft", "rules", "plain"}
    page = board.file("leaderboard.html").read_text(encoding="utf-8")
    assert "<b>判定モデル judge</b>: judge: EngineError: the endpoint closed the connection" in page
    first.fails = False
    assert run(cli, folder, *JUDGE).code == 0
    board = store.list("leaderboard")[-1]
    assert json.loads(board.file("leaderboard.json").read_text(encoding="utf-8"))["panel"]["judge"]["sealed"][
        "verdicts"
    ]


def test_votes_on_former_outputs_are_left_out_of_the_ranking(cli: Cli, folder: Path) -> None:
    """Two models of one name are two models: what people said of the former is not held against the new one."""
    assert run(cli, folder).code == 0
    with Ledger.open(folder / ".tensaku" / "ledger.sqlite") as ledger:
        ledger.add_person("sato", "sato", ("writer",))
    cli("read", "--by", "sato", "--candidates", "draft,tuned", "-C", folder)
    vote_on_everything(folder, "sato")
    ranked = cli("rank", "-C", folder)
    assert ranked.code == 0, ranked.err
    assert "no candidate gives" not in ranked.out
    (folder / "instruction.md").write_text("短く書き直してください。", encoding="utf-8")
    assert run(cli, folder).code == 0
    ranked = cli("rank", "-C", folder)  # an untaught model may say the same by chance
    assert "on outputs that no candidate gives any more" in " ".join((ranked.out + ranked.err).split())
