"""The gate's judge and blind readers on a workspace: what is laid out, whose votes count, what the judge is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tensaku import gate
from tensaku.config import Section
from tensaku.demo import lay_out
from tensaku.errors import NotFound, UsageError
from tensaku.evaluate import engine_from
from tensaku.govern.promotion import Promoting, promotion
from tensaku.govern.said import told
from tensaku.ledger import Ledger
from tensaku.pipeline import Workspace
from tensaku.records import Message
from tensaku.store import Artifact, Bench, SilentReporter, Store, stage
from tensaku.testing import ScriptedEngine

RULES = '\n[promotion]\njudge = true\nreaders = 2\n\n[judge]\nengine = { engine = "native" }\nsample = 0\n'
GAIN = {"row": "tuned", "over": "draft", "scorer": "chrf", "value": 9, "low": 7, "high": 11}
ONE, TWO = "なお一。", "なお二。"  # what the outputs of either release end with


class Rows(Section):
    rows: tuple[dict[str, str], ...] = ()
    end: str = ""


@stage(version=1)
def exam(bench: Bench, cfg: Rows) -> None:
    lines = (json.dumps({"source": "x", **row}, ensure_ascii=False) + "\n" for row in cfg.rows)
    (bench.path / "exam.jsonl").write_text("".join(lines), encoding="utf-8")


@stage(version=1)
def base(bench: Bench, cfg: Rows) -> None:
    (bench.path / "config.json").write_text("{}")


@stage(version=1)
def evaluate(bench: Bench, cfg: Rows, *, exam: Artifact) -> None:
    with (bench.path / "outputs.jsonl").open("w", encoding="utf-8") as out:
        for row in cfg.rows:
            made: dict[str, Any] = {
                "text": row["final"] + cfg.end,
                "finish": "stop",
                "provenance": {},
                "scores": {"chrf": 50.0},
            }
            made |= {"kept": True, "style": [], "seconds": 1.0}
            about = {"id": row["id"], "draft": row["draft"], "reference": row["final"]}
            out.write(json.dumps({**about, "rows": {"tuned": made}}, ensure_ascii=False) + "\n")
    bench.facts.update(gains=[GAIN], lower_is_better=[])


@stage(version=1)
def release(bench: Bench, cfg: Rows, *, evaluation: Artifact, base: Artifact) -> None:
    (bench.path / "instruction.md").write_text("公表文に直してください。", encoding="utf-8")
    bench.facts.update(task="comment")


def released(store: Store, rows: tuple[dict[str, str], ...], end: str, asked: Artifact, model: Artifact) -> Artifact:
    measured = store.run(evaluate, Rows(rows=rows, end=end), exam=asked)
    return store.run(release, Rows(rows=rows, end=end), evaluation=measured, base=model)


@dataclass
class House:
    folder: Path
    workspace: Workspace
    store: Store
    ledger: Ledger
    one: Artifact
    two: Artifact


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A workspace with two releases, of which nobody has approved any; nothing was tuned for it."""
    folder = tmp_path / "desk"
    lay_out(folder)
    task = folder / "tensaku.toml"
    task.write_text(task.read_text(encoding="utf-8") + RULES, encoding="utf-8")
    lines = (folder / "data" / "pairs.jsonl").read_text(encoding="utf-8").split("\n")[:4]
    rows = tuple(json.loads(line) for line in lines)
    workspace = Workspace.open(folder)
    store = Store(workspace.root, SilentReporter())
    asked, model = store.run(exam, Rows(rows=rows)), store.run(base, Rows())
    one, two = (released(store, rows, end, asked, model) for end in (ONE, TWO))
    with workspace.open_ledger() as ledger:
        for name, role in (("sato", "developer"), ("endo", "writer"), ("kuroda", "approver")):
            ledger.add_person(name, name, (role,))
        for ref in (one, two):
            ledger.add_release(ref.ref, "sato", ref.facts)
        ledger.needs = None
        yield House(folder, workspace, store, ledger, one, two)


def likes(ending: str) -> ScriptedEngine:
    def said(messages: tuple[Message, ...]) -> str:
        both = re.search("<案A>\n(.*)\n</案A>\n\n<案B>\n(.*)\n</案B>", messages[-1].content, re.DOTALL)
        if both is None:
            return "評価: 3"
        return "判定: " + ("A" if ending in both[1] else "B" if ending in both[2] else "引き分け")

    return ScriptedEngine(said, context=8192)


def test_what_is_laid_out_to_be_read(house: House) -> None:
    quiet = SilentReporter()
    assert gate.lay_out_gate(house.folder, house.one.ref, 2, "endo", quiet) == (2, "draft")  # nothing answers yet
    house.ledger.approve(house.one.ref, "kuroda", "approved")
    assert gate.lay_out_gate(house.folder, house.two.ref, 0, "endo", quiet) == (4, house.one.ref)
    assert gate.lay_out_gate(house.folder, house.two.ref, 0, "endo", quiet) == (0, house.one.ref)
    with pytest.raises(NotFound, match="no person"):
        gate.lay_out_gate(house.folder, house.two.ref, 0, "nobody", quiet)
    with pytest.raises(UsageError, match="is no release"):
        gate.lay_out_gate(house.folder, house.two.inputs["evaluation"], 0, "endo", quiet)


def test_a_rival_that_wrote_nothing_is_not_laid_out(house: House) -> None:
    asked, model = (
        house.store.get(ref)
        for ref in (house.store.get(house.two.inputs["evaluation"]).inputs["exam"], house.two.inputs["base"])
    )
    lines = asked.file("exam.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [{key: value for key, value in json.loads(line).items() if key != "source"} for line in lines]
    rows[0]["final"] = "  "
    silent = released(house.store, tuple(rows), "", asked, model)
    house.ledger.add_release(silent.ref, "sato", silent.facts)
    house.ledger.approve(silent.ref, "kuroda", "approved")
    assert gate.lay_out_gate(house.folder, house.two.ref, 0, "endo", SilentReporter()) == (3, silent.ref)


@pytest.mark.parametrize(("ending", "passed"), [(TWO, True), (ONE, False)])
def test_readers_and_judge_decide(house: House, ending: str, passed: bool) -> None:
    house.ledger.approve(house.one.ref, "kuroda", "approved")
    gate.lay_out_gate(house.folder, house.two.ref, 0, "endo", SilentReporter())
    liked = house.two.ref if ending == TWO else house.one.ref
    other = house.one.ref if ending == TWO else house.two.ref
    for one in house.ledger.comparisons():
        for reader, wanted in (("endo", liked), ("sato", other)):  # sato built it: that vote must not count
            vote = house.ledger.add_vote(one.id, "left", reader)
            if vote.left != wanted:
                house.ledger.add_vote(one.id, "right", reader)
    match = gate._matched(house.store, house.ledger, house.two)
    read = gate._read(house.workspace, house.ledger, house.two, match)
    assert read is not None
    assert match.theirs is not None
    with engine_from(lambda spec, path: likes(ending)):
        judged = gate._judged(house.store, house.workspace, house.two, match)
    cfg = Promoting(**house.workspace.spec.promotion.model_dump(), other=match.other)
    inputs = {"challenger": house.two, "evaluation": match.ours, "champion": match.theirs, "judged": judged}
    made = house.store.run(promotion, cfg, **inputs, read=read)
    tests = {one["name"]: one for one in json.loads(made.file("promotion.json").read_text(encoding="utf-8"))["tests"]}
    share = "1.00 [1.00, 1.00]" if passed else "0.00 [0.00, 0.00]"
    for name in ("judge", "readers"):
        found = (tests[name]["passed"], told(tests[name]["measured"], japanese=False))
        assert found == (passed, f"preferred {share} in 4 drafts against {house.one.ref}"), name


def test_a_judge_that_nobody_names(house: House) -> None:
    match = gate._matched(house.store, house.ledger, house.two)
    with pytest.raises(UsageError, match="the task file names none"):
        gate._judged(house.store, house.workspace.altered("judge.engine={}"), house.two, match)
