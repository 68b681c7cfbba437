"""The gate on a workspace: a judge and blind readers where the task file asks for them, and what they are held to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.evaluate import engine_from
from tensaku.ledger import Ledger
from tensaku.records import Message
from tensaku.testing import ScriptedEngine

Cli = Callable[..., Any]


def prefers(which: str) -> Callable[[tuple[Message, ...]], str]:
    """A judge that takes the untouched draft, or the other text, wherever it stands."""

    def said(messages: tuple[Message, ...]) -> str:
        words = messages[-1].content
        found = re.search("<案A>\n(.*)\n</案A>\n\n<案B>\n(.*)\n</案B>", words, re.DOTALL)
        if found is None:
            return "評価: 3"
        draft = words.count(found[1]) > words.count(found[2])  # the draft stands above as well
        return f"判定: {'A' if draft == (which == 'draft') else 'B'}"

    return said


@pytest.mark.parametrize(("which", "passed"), [("draft", False), ("challenger", True)])
def test_the_judge_of_the_task_file_is_asked(cli: Cli, desk: Path, which: str, passed: bool) -> None:
    task = desk / "tensaku.toml"
    (release,) = [one["ref"] for one in cli("list", "release", "-C", desk, "--json").json]
    asked = ("gate", release, "--probed", "1", "-C", desk)
    refused = cli(*asked, "-s", "judge=true")
    assert (refused.code, "names none" in refused.err, "Traceback" in refused.err) == (2, True, False)
    rules = '\n[promotion]\njudge = true\n\n[judge]\nengine = { engine = "native" }\nsample = 4\n'
    task.write_text(task.read_text(encoding="utf-8") + rules, encoding="utf-8")
    with engine_from(lambda spec, path: ScriptedEngine(prefers(which), context=8192)):
        found = cli(*asked, "--json").json
    test = next(one for one in found["tests"] if one["name"] == "judge")
    share = "0.00 [0.00, 0.00]" if which == "draft" else "1.00 [1.00, 1.00]"
    assert (test["passed"], test["measured"]) == (passed, f"preferred {share} in 4 drafts against draft")
    with Ledger.open(desk / ".tensaku" / "ledger.sqlite") as ledger:
        assert ("judge" in ledger.standing("gate")[release].content["failed"]) is not passed


def test_readers_are_laid_out_for_and_counted(cli: Cli, desk: Path) -> None:
    (release,) = [one["ref"] for one in cli("list", "release", "-C", desk, "--json").json]
    cli("user", "add", "endo", "--role", "writer", "-C", desk)
    laid = cli("gate", release, "--lay-out", "3", "--by", "endo", "-C", desk, "--json").json
    assert laid == {"new": 3, "against": "draft"}
    assert cli("gate", release, "--lay-out", "3", "--by", "endo", "-C", desk, "--json").json["new"] == 0
    assert cli("gate", release, "--lay-out", "3", "--by", "nobody", "-C", desk).code == 2
    with Ledger.open(desk / ".tensaku" / "ledger.sqlite") as ledger:
        for one in ledger.comparisons():
            vote = ledger.add_vote(one.id, "left", "endo")
            if vote.left != release:
                ledger.add_vote(one.id, "right", "endo")
    found = cli("gate", release, "--probed", "1", "-s", "readers=3", "-C", desk, "--json").json
    test = next(one for one in found["tests"] if one["name"] == "readers")
    assert (test["passed"], test["measured"]) == (True, "preferred 1.00 [1.00, 1.00] in 3 drafts against draft")
    assert cli("gate", release, "-s", "reader=3", "-C", desk).code == 2
