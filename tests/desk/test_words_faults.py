"""No Japanese page says what is wrong in English."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tensaku.desk.words_faults import FAULTS, UNKNOWN, fault_words, japanese_of
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.ledger.database import MEANINGS

HOME = Path(__file__).parents[2] / "src/tensaku"
LEDGER = (
    "accounts", "chain", "database", "drafts", "finals", "lines", "questions", "readings", "reports", "reviews",
    "rollouts", "topics", "transactions", "writing",
)  # fmt: skip
ROOMS = [
    *(HOME / "ledger" / f"{name}.py" for name in LEDGER),
    *(HOME / "ledger" / f"{name}.py" for name in ("ancestors", "filings", "obstacles", "releases")),
    HOME / "govern/findings.py",
    HOME / "govern/inventory.py",
    HOME / "intake/road.py",
    HOME / "plan/answer.py",
    *sorted((HOME / "revise").glob("*.py")),
    *sorted((HOME / "desk").glob("*.py")),
]
"""Where errors are raised that reach a page."""
RAISED = {"UsageError", "NotAllowed", "NotCovered", "Blocked", "DataError", "TemplateFault"}


def sentences(node: ast.expr, held: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Every sentence that an expression may be, with 12 for each value in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(v.value) if isinstance(v, ast.Constant) else "12" for v in node.values)
    elif isinstance(node, ast.IfExp):
        yield from sentences(node.body, held)
        yield from sentences(node.orelse, held)
    elif isinstance(node, ast.Name):
        for value in held.get(node.id, []):
            yield from sentences(value, {})


def raised() -> Iterator[tuple[str, str]]:
    for path in ROOMS:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            held: dict[str, list[ast.expr]] = {}
            for node in ast.walk(function):
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    held.setdefault(node.targets[0].id, []).append(node.value)
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in RAISED and node.args:
                    for said in sentences(node.args[0], held):
                        yield f"{path.relative_to(HOME)}:{node.lineno}", said


FOUND = [*raised(), *((f"ledger/database.py {name}", what) for name, (what, _) in MEANINGS.items())]


def test_the_walk_finds_what_is_raised() -> None:
    assert len(FOUND) > 80
    assert {"the draft is empty", "the password is too short", "the disk is full"} <= {said for _, said in FOUND}


def test_every_error_that_reaches_a_page_has_japanese_words() -> None:
    without = [f"{where}: {said}" for where, said in FOUND if japanese_of(said) is None and said != "12 (12)"]
    assert without == []


def test_no_page_shows_the_words_of_an_error_itself() -> None:
    """What the ledger keeps (bulk) and what is compared (gate) is no page; the rest asks for the reader's words."""
    raw = re.compile(r"str\((?:error|refused|failed|wrong)\)|\{(?:error|refused)\}|(?:error|refused)\.(?:what|fix)\b")
    kept = {
        "bulk.py",
        "gate.py",
        "handing.py",
        "words_faults.py",
        "template.py",
    }  # template.py joins what fault_words then reads
    found = {path.name for path in (HOME / "desk").glob("*.py") if raw.search(path.read_text(encoding="utf-8"))}
    assert found - kept == {"sizing.py"}, "sizing.py says what the plan says in both languages"


@pytest.mark.parametrize("said", [said for _, said in FAULTS])
def test_japanese_words_hold_no_english(said: str) -> None:
    plain = re.sub(r"Ask LLM|Word|API|GPU|U\+|\{(?:word)?\d\}", "", said)
    assert not re.search(r"[a-z]{3}", plain)


def test_values_are_named_and_the_rest_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    refused = UsageError("'sato' has no right to the fund '国内株式F'", where="ledger.db", fix="Ask an administrator")
    assert fault_words(refused, "ja").startswith("satoさんには「国内株式F」を扱う権限がありません。")
    assert fault_words(refused, "en") == str(refused)
    assert fault_words(UsageError("'kansa' is no writer or reviewer"), "ja").count("（執筆者・確認者）") == 1
    assert fault_words(NotFound("draft", "7", ["1"]), "ja").startswith("原稿7が見つかりません")
    assert fault_words(UsageError("the note has 9,000 characters"), "ja") == "メモが長すぎます（9,000字）。"
    assert fault_words(EngineError("connection refused"), "ja") == UNKNOWN
    assert "connection refused" in caplog.text
