"""Candidates side by side from one file: tuned here, untuned, an adapter made elsewhere, a model at an address."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tensaku import plugins
from tensaku.config import load as load_config
from tensaku.errors import ConfigError, EngineError, UsageError
from tensaku.evaluate.entries import Entry, entry_costs, read_row
from tensaku.ledger import Ledger
from tensaku.pipeline import Spec, Workspace, build
from tensaku.records import Message, Pair, from_dict
from tensaku.serve import Served, build_app
from tensaku.store import SilentReporter, Store
from tensaku.testing import ScriptedEngine, serving, tiny_desk, tiny_model

Cli = Callable[..., Any]
FEW = ("-s", "tune.epochs=0.1", "-s", "evaluate.scorers=[{ scorer = 'chrf' }, { scorer = 'strokes' }]")
BOARD = """
[leaderboard.candidates.plain]

[leaderboard.candidates.lora]
method = "lora"
settings = { rank = 2 }

[leaderboard.candidates.api]
engine = { engine = "far", url = "https://models.invalid/v1" }
consent = "試験のため、2026-11-20、高橋"
yen_read = 100.0
yen_written = 400.0
"""


class Far:
    """What answers at the address: the published text, until it is told to fail."""

    def __init__(self, folder: Path) -> None:
        rows = [json.loads(line) for line in (folder / "data/pairs.jsonl").read_text(encoding="utf-8").splitlines()]
        self.finals: dict[str, str] = {row["draft"]: row["final"] for row in rows}
        self.left = 10_000
        self.asked = 0

    def __call__(self, messages: tuple[Message, ...]) -> str:
        if self.left <= 0:
            raise EngineError("the endpoint closed the connection", retryable=True)
        self.left -= 1
        self.asked += 1
        return next(final for draft, final in self.finals.items() if draft in messages[-1].content)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk that every walk takes a second on. Not to be changed: work in a copy."""
    folder = tiny_desk(tmp_path_factory.mktemp("board") / "desk", lessons=16, exam=5)
    with (folder / "tensaku.toml").open("a", encoding="utf-8") as file:
        file.write(BOARD)
    return folder


@pytest.fixture
def folder(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "desk"))


@pytest.fixture
def far(folder: Path) -> Iterator[Far]:
    """An engine at an address, known to the task file as `far`."""
    answers = Far(folder)

    def engine(base: Path, /, *, url: str) -> ScriptedEngine:
        return ScriptedEngine(answers)

    plugins.engines._parts["far"] = engine
    yield answers
    del plugins.engines._parts["far"]


def run(cli: Cli, folder: Path, *words: str) -> Any:
    return cli("run", "evaluate", "-C", folder, *FEW, *words)


def board_of(folder: Path) -> Any:
    store = Store(folder / ".tensaku", SilentReporter())
    artifact = store.list("leaderboard")[-1]
    assert store.verify(artifact.ref) == []
    return artifact, json.loads(artifact.file("leaderboard.json").read_text(encoding="utf-8"))


def test_one_file_puts_them_side_by_side(cli: Cli, folder: Path, far: Far) -> None:
    result = run(cli, folder)
    assert result.code == 0, result.err
    artifact, found = board_of(folder)
    assert {row["name"] for row in found["rows"]} == {"draft", "rules", "plain", "lora", "api"}
    assert found["order"][0] == "api"
    assert found["rows"][0]["scores"]["chrf"]["value"] == 100
    assert found["rows"][0]["costs"]["yen_per_thousand"] > 0
    assert found["rows"][0]["costs"]["memory_mb"] is None  # it is not on this machine
    for row in found["rows"]:
        score = row["scores"]["chrf"]
        assert score["low"] <= score["value"] <= score["high"]
        assert score["n"] == 5
    assert found["clean"]["n"] + found["clean"]["caught"] == 5
    assert sorted(found["clean"]["order"]) == (sorted(found["order"]) if found["clean"]["n"] else [])
    assert set(found["by"]) == {"manager", "section", "month", "length"}
    assert sum(part["n"] for part in found["by"]["month"] if part["row"] == "api") == 5
    assert len(found["apart"]) == 10
    for words in ("Leaderboard: 5 drafts", "api", "原稿のまま", "規則だけ", "over-editing"):
        assert words in result.out, words
    page = artifact.file("leaderboard.html").read_text(encoding="utf-8")
    for words in ("候補の比較", "運用会社別", "欄別", "月別", "社外へ送った原稿", "試験のため、2026-11-20、高橋"):
        assert words in page, words
    assert not re.search(r"<script|src=|url\(|@import", page)
    assert "首位の組は <b>api、規則だけ、原稿のまま、" in page
    assert f"（{found['trials']:,} 回）" in page
    assert found["trials"] == 400 > found["resamples"]  # 10 pairs, told apart at 0.05 twice over
    with artifact.file("leaderboard.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == found["order"]
    assert all(None not in row and None not in row.values() for row in rows)


def test_the_same_outputs_give_the_same_bytes_without_a_model(cli: Cli, folder: Path, far: Far) -> None:
    run(cli, folder)
    artifact, _ = board_of(folder)
    kept = {name: artifact.file(name).read_bytes() for name in artifact.files}
    asked = far.asked
    shutil.rmtree(artifact.path, ignore_errors=False)
    assert run(cli, folder).code == 0
    again, _ = board_of(folder)
    assert far.asked == asked
    assert {name: again.file(name).read_bytes() for name in again.files} == kept


def test_an_address_that_fails_midway_keeps_what_it_answered_and_the_others(cli: Cli, folder: Path, far: Far) -> None:
    far.left = 3 + 2  # the probes, and two answers
    result = run(cli, folder, "-s", "evaluate.at_once=1")
    assert result.code == 1
    assert "Traceback" not in result.err
    assert "api failed: examine: EngineError: the endpoint closed the connection" in result.out
    _, found = board_of(folder)
    assert [one["name"] for one in found["failed"]] == ["api"]
    assert {row["name"] for row in found["rows"]} == {"draft", "rules", "plain", "lora"}
    far.left, before = 10_000, far.asked
    assert run(cli, folder, "-s", "evaluate.at_once=1").code == 0
    assert far.asked - before == 3 + 3  # the probes again, and the three that were missing


def test_an_adapter_made_elsewhere(cli: Cli, folder: Path, far: Far) -> None:
    workspace = Workspace.open(folder, ["tune.epochs=0.1"])
    tuned = build(Store(workspace.root, SilentReporter()), workspace, "tune")["tune"]
    shutil.copytree(tuned.path / "adapter", folder / "bought")
    result = run(cli, folder, "-s", 'leaderboard.candidates.bought={ adapter = "bought" }')
    assert result.code == 0, result.err
    _, found = board_of(folder)
    held = {row["name"]: row for row in found["rows"]}
    assert held["bought"]["about"] == "path:model, bought"


def test_outputs_of_another_exam_are_refused(cli: Cli, folder: Path, far: Far) -> None:
    run(cli, folder)
    store = Store(folder / ".tensaku", SilentReporter())
    [made] = store.list("examine")[:1]
    lines = store.list("exam")[0].file("exam.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [from_dict(Pair, json.loads(line)) for line in lines]
    with pytest.raises(UsageError, match="are of another exam: 4 of its 4 pairs are the same"):
        read_row(made, Entry(name="x", row="answer"), pairs[:-1], {})
    with pytest.raises(UsageError, match="no answer to pair"):
        read_row(made, Entry(name="x", row="tuned"), pairs, {})
    entry = Entry(name="x", row="answer", yen_per_hour=3600.0)
    row = read_row(made, entry, pairs, {})
    assert len(row.answers) == 5
    costs = entry_costs(made, entry, row)
    assert costs.seconds is not None
    assert costs.yen_per_thousand == pytest.approx(1000 * costs.seconds)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ('leaderboard.candidates.api.consent=""', "sends every draft to models.invalid, and nobody is named"),
        (
            'evaluate.engine={ engine = "far", url = "https://models.invalid/v1" }',
            "nobody is named",
        ),
        ('leaderboard.candidates.api.engine={ engine = "farr" }', "no engine 'farr'"),
        ('leaderboard.candidates.lora.method="lorra"', "method"),
        ("leaderboard.candidates.lora.settings={ rnk = 2 }", "rank"),
        ('leaderboard.candidates.x={ adapter = "gone" }', "there is no such file"),
        ('leaderboard.candidates.x={ base = "path:gone" }', "there is no such folder"),
        ('leaderboard.candidates.x={ method = "lora", adapter = "a" }', "not both"),
        ("leaderboard.candidates.x={ settings = { rank = 2 } }", "no method"),
        ("leaderboard.candidates.draft={}", "cannot call a candidate 'draft'"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(folder: Path, far: Far, change: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Workspace.open(folder, [change])
    assert not (folder / ".tensaku").exists()


def test_a_candidate_answered_by_the_engine_of_evaluate_elsewhere_needs_its_own_consent(folder: Path, far: Far) -> None:
    elsewhere = [
        'evaluate.engine={ engine = "far", url = "https://models.invalid/v1" }',
        'evaluate.consent="高橋、2026-11-20"',
    ]
    with pytest.raises(ConfigError, match=r"leaderboard\.candidates\.plain\] consent"):
        Workspace.open(folder, elsewhere)
    Workspace.open(folder, [*elsewhere, 'leaderboard.candidates.plain.consent="高橋、2026-11-20"'])


def test_two_candidates_with_one_name(folder: Path) -> None:
    with (folder / "tensaku.toml").open("a", encoding="utf-8") as file:
        file.write("\n[leaderboard.candidates.plain]\n")
    with pytest.raises(ConfigError, match="plain"):
        Workspace.open(folder)


EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "desk-table" / "tensaku.toml"
TABLE = ("gemma-lora", "smollm2-lora", "third-lora", "fourth-lora")
LOCAL = {"demo:gemma-3-270m": "path:model", "gguf:models/smollm2.gguf": "path:second"}


def test_the_example_of_a_desks_table_is_in_order() -> None:
    spec = load_config(EXAMPLE, Spec)
    candidates = spec.leaderboard.candidates
    assert [one.method for one in candidates.values()] == ["lora"] * 4 + [""]
    assert len({one.base for one in candidates.values() if one.method}) == 4
    assert spec.judge.engine["url"] == candidates["api"].engine["url"]


@pytest.mark.slow
def test_four_models_with_lora_and_one_behind_the_real_wire_from_one_file(cli: Cli, tmp_path: Path) -> None:
    """The example file as it stands but for the sizes of its models and the address, which is our own server's."""
    folder = tiny_desk(tmp_path / "desk", lessons=16, exam=5)
    for seed, name in enumerate(("second", "models/third", "models/fourth"), start=1):
        tiny_model(folder / name, seed=seed)
    answers = Far(folder)

    def answer(messages: tuple[Message, ...]) -> str:
        if "案A" in messages[-1].content:
            left = re.findall("<案A>\n(.*)\n</案A>", messages[-1].content, re.DOTALL)[0]
            return '{"verdict": "A"}' if left in answers.finals else "分からない"
        return answers(messages) if "5 段階" not in messages[-1].content else '{"grade": "4"}'

    engine = ScriptedEngine(answer, can=("json",))
    models = [Served("monthly-comment", "release-1", None), Served("base", "release-2", None)]
    with serving(build_app(engine=engine, models=models)) as url:
        words = EXAMPLE.read_text(encoding="utf-8").replace("http://127.0.0.1:8090", url)
        for model, small in LOCAL.items():
            assert model in words
            words = words.replace(model, small)
        (folder / "tensaku.toml").write_text(words + '\n[trim]\nkeep = "all"\n', encoding="utf-8")
        result = run(cli, folder)
        assert result.code == 0, result.err
        asked = len(engine.requests)
        assert run(cli, folder).code == 0
        assert len(engine.requests) == asked  # nothing is asked twice
    artifact, found = board_of(folder)
    assert {row["name"] for row in found["rows"]} == {"draft", "rules", *TABLE, "api"}
    assert found["order"][0] == "api"
    held = {row["name"]: row for row in found["rows"]}
    assert held["api"]["costs"]["yen_per_thousand"] > 0
    bases = ["path:model", "path:second", "path:models/third", "path:models/fourth"]
    assert [held[name]["about"] for name in TABLE] == [f"{base}, lora" for base in bases]
    judged = found["panel"]["judge"]["sealed"]
    assert set(judged["contestants"]) == {"draft", *TABLE, "api"}
    graded = sum(sum(one["given"]) for one in judged["grades"].values()) + sum(judged["ungraded"].values())
    assert judged["verdicts"] + sum(judged["unusable"].values()) + graded == judged["questions"] > 0
    assert judged["unusable"]["no plain verdict"] > 0  # a server that holds to no schema is not helped out
    assert judged["grades"]["api"]["mean"] == 4
    page = artifact.file("leaderboard.html").read_text(encoding="utf-8")
    for words in ("読み比べと判定", "すべての出力", "公表文"):
        assert words in page, words


def test_people_read_and_the_board_shows_it(cli: Cli, folder: Path, far: Far) -> None:
    """From the board to the desk and back: laid out, voted on, ranked, and on the next board without asking a model."""
    assert cli("read", "--by", "sato", "-C", folder).code == 2  # nothing was evaluated yet
    run(cli, folder)
    with Ledger.open(folder / ".tensaku" / "ledger.sqlite") as ledger:
        for person in ("sato", "tanaka"):
            ledger.add_person(person, person, ("writer",))
    wrong = cli("read", "--by", "sato", "--candidates", "api,lorra", "-C", folder)
    assert wrong.code == 2
    assert "Did you mean lora" in wrong.err
    shown = cli("read", "--by", "sato", "--candidates", "api,draft,reference", "-C", folder)
    assert shown.code == 0, shown.err
    assert "10 comparisons laid out" in shown.out or "5 comparisons laid out" in shown.out  # api is the reference
    with Ledger.open(folder / ".tensaku" / "ledger.sqlite") as ledger:
        for person in ("sato", "tanaka"):
            while (seen := ledger.reading(person)).next is not None:
                names = (seen.next.two, seen.next.one) if seen.turned else (seen.next.one, seen.next.two)
                ledger.add_vote(seen.next.id, "right" if names[0] == "draft" else "left", person)
    ranked = cli("rank", "-C", folder)
    assert ranked.code == 0, ranked.err
    for words in ("Votes of the people", "Krippendorff's alpha", "Cohen's kappa sato, tanaka", "Side, people"):
        assert words in ranked.out, words
    asked = far.asked
    prices = ("-s", "leaderboard.candidates.api.yen_read=200", "-s", "evaluate.yen_per_hour=50")
    assert run(cli, folder, *prices).code == 0
    assert far.asked == asked  # neither for votes nor for other prices
    artifact, found = board_of(folder)
    assert found["panel"]["people"]["voters"] == {"sato": 10, "tanaka": 10}
    assert found["panel"]["agreement"]["same"] == 1
    assert "人の読み比べ" in artifact.file("leaderboard.html").read_text(encoding="utf-8")
