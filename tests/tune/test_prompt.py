"""The search for a prompt: what is set aside, what is quoted, what is kept, and that nothing is answered twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tensaku.config import Section
from tensaku.errors import EngineError, UsageError
from tensaku.models.base import Base, base, source_files
from tensaku.records import Message, Pair, to_dict
from tensaku.retrieve import Examples
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage
from tensaku.testing import ScriptedEngine, tiny_pairs
from tensaku.tune import Tune, prompt, tune

PAIRS = tiny_pairs(24)
SETTINGS = Tune(method="prompt", context=4096)


class Given(Section):
    """Pairs as they are."""

    rows: tuple[dict[str, str], ...]


@stage(version=1)
def lessons(bench: Bench, cfg: Given) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in cfg.rows)
    (bench.path / "lessons.jsonl").write_text("".join(lines), encoding="utf-8")


def given(store: Store, model: Path, pairs: list[Pair]) -> dict[str, Any]:
    cfg = Base(model=f"path:{model}")
    (store.root.parent / "instruction.md").write_text("公表文に直してください。\n", encoding="utf-8")
    return {
        "base": store.run(base, cfg, files=source_files(cfg, Path())),
        "lessons": store.run(lessons, Given(rows=tuple(to_dict(pair) for pair in pairs))),
        "instruction": SourceFile(store.root.parent / "instruction.md"),
    }


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


Scripted = Callable[..., list[ScriptedEngine]]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Puts scripted engines in the place of our own; the list fills as they are opened."""

    def use(answer: Any, context: int = 8192) -> list[ScriptedEngine]:
        opened: list[ScriptedEngine] = []

        def open_scripted(cfg: object, folder: Path) -> ScriptedEngine:
            opened.append(ScriptedEngine(answer, context=context))
            return opened[-1]

        monkeypatch.setattr(prompt, "_open", open_scripted)
        return opened

    return use


def of_draft(text: str) -> Pair:
    return next(pair for pair in PAIRS if pair.draft in text)


def quoted(messages: tuple[Message, ...]) -> list[Pair]:
    return [of_draft(message.content) for message in messages[1:-1] if message.role == "user"]


def best_with_four_last(messages: tuple[Message, ...]) -> str:
    """The final where four pairs are quoted, the nearest at the end; else the draft."""
    pair = of_draft(messages[-1].content)
    right = Examples(tuple(PAIRS[:18]), 4, "nearest-last").nearest(pair.draft, pair.section, pair.fund)
    return pair.final if quoted(messages) == right else pair.draft


def read(made: Artifact, name: str) -> Any:
    return json.loads(made.file(name).read_text(encoding="utf-8"))


def test_the_best_number_and_order_are_found(store: Store, gemma: Path, scripted: Scripted) -> None:
    opened = scripted(best_with_four_last)
    made = store.run(tune, SETTINGS, **given(store, gemma, PAIRS))
    assert made.files == ["examples.jsonl", "prompt.json", "report.html", "usage.jsonl"]
    told = read(made, "prompt.json")
    assert (told["k"], told["order"]) == (4, "nearest-last")
    tried = [(row["k"], row["order"]) for row in told["searched"]]
    assert tried == [
        (0, "nearest-last"),
        (1, "nearest-last"),
        (2, "nearest-last"),
        (4, "nearest-last"),
        (8, "nearest-last"),
        (4, "nearest-first"),
    ]
    scores = {(row["k"], row["order"]): row["score"] for row in told["searched"]}
    assert scores[4, "nearest-last"] == 100
    assert max(score for way, score in scores.items() if way != (4, "nearest-last")) < 100
    assert told["validation"] == {"drafts": 6, "first": "2026-07", "last": "2026-12", "quoted_from": 18}
    assert list(Examples.load(made.path).pairs) == PAIRS
    facts = made.facts
    assert (facts["method"], facts["form"], facts["steps"], facts["trainable_parameters"]) == ("prompt", "prompt", 0, 0)
    assert (facts["k"], facts["order"], facts["validation_score"], facts["searched"]) == (4, "nearest-last", 100, 6)
    assert facts["lessons"] == 24
    assert facts["first_loss"] is None
    assert facts["size_mb"] > 0
    (engine,) = opened
    assert engine._closed


def test_no_draft_sees_its_own_family_nor_another_that_is_asked(store: Store, gemma: Path, scripted: Scripted) -> None:
    # a second draft of the newest month's family stands in an old month: it must not be quoted either
    strays = [replace(PAIRS[-1], id="stray", draft=PAIRS[-1].draft + "以上です。", as_of="2025-01")]
    opened = scripted(lambda messages: of_draft(messages[-1].content).final if len(quoted(messages)) == 8 else "")
    store.run(tune, SETTINGS, **given(store, gemma, [*strays, *PAIRS]))
    apart = prompt.slice_of([*strays, *PAIRS])
    assert apart is not None
    assert {pair.id for pair in apart.asked} >= {"stray", PAIRS[-1].id}
    asked = {pair.family for pair in apart.asked}
    requests = opened[0].requests
    assert len(requests) == 6 * len(apart.asked)
    assert max(len(quoted(request.messages)) for request in requests) == 8
    for request in requests:
        assert not {pair.family for pair in quoted(request.messages)} & asked
        assert not {pair.final for pair in quoted(request.messages)} & {of_draft(request.messages[-1].content).final}


def test_a_search_goes_on_where_it_was_stopped(store: Store, gemma: Path, scripted: Scripted) -> None:
    count = 0

    def breaks(messages: tuple[Message, ...]) -> str:
        nonlocal count
        count += 1
        if len(quoted(messages)) == 4:
            raise EngineError("the power went")
        return best_with_four_last(messages)

    inputs = given(store, gemma, PAIRS)
    scripted(breaks)
    with pytest.raises(Exception, match="the power went"):
        store.run(tune, SETTINGS, **inputs)
    (journal,) = store.root.glob("scratch/tune-*.aside/search.jsonl")
    assert len(journal.read_text().splitlines()) == 3 * 6
    journal.write_bytes(journal.read_bytes()[:-20])  # as a kill in the middle of a line leaves it
    opened = scripted(best_with_four_last)
    made = store.run(tune, SETTINGS, **inputs)
    assert len(opened[0].requests) == 6 * 6 - 3 * 6 + 1
    whole = Store(store.root.parent / "whole", SilentReporter()).run(tune, SETTINGS, **inputs)
    for row in (told := [read(made, "prompt.json"), read(whole, "prompt.json")])[0]["searched"] + told[1]["searched"]:
        del row["seconds"]
    assert told[0] == told[1]
    assert made.file("examples.jsonl").read_bytes() == whole.file("examples.jsonl").read_bytes()


def test_examples_that_do_not_fit_are_counted(store: Store, gemma: Path, scripted: Scripted) -> None:
    scripted(best_with_four_last, context=700)
    told = read(store.run(tune, SETTINGS, **given(store, gemma, PAIRS)), "prompt.json")
    fewer = {row["k"]: row["fewer_examples"] for row in told["searched"]}
    assert fewer[0] == fewer[1] == 0
    assert fewer[8] == 6


def test_our_own_engine_searches_too(store: Store, gemma: Path) -> None:
    pairs = tiny_pairs(8)
    made = store.run(tune, SETTINGS, **given(store, gemma, pairs))
    told = read(made, "prompt.json")
    assert [row["k"] for row in told["searched"]][:4] == [0, 1, 2, 4]
    assert told["validation"]["drafts"] == told["validation"]["quoted_from"] == 4
    assert made.facts["tokens_per_second"] > 0
    assert made.facts["tune_seconds"] > 0


@pytest.mark.parametrize(("n", "k"), [(7, 4), (3, 3), (1, 1)])
def test_too_few_lessons_to_set_any_aside(store: Store, gemma: Path, n: int, k: int) -> None:
    made = store.run(tune, SETTINGS, **given(store, gemma, tiny_pairs(n)))
    told = read(made, "prompt.json")
    assert (told["k"], told["order"], told["searched"]) == (k, "nearest-last", [])
    assert "too few lessons" in told["note"]
    assert made.facts["validation_score"] is None
    assert made.facts["searched"] == 0


def test_no_lessons(store: Store, gemma: Path) -> None:
    with pytest.raises(UsageError, match="there are no lessons to quote"):
        store.run(tune, SETTINGS, **given(store, gemma, []))


def test_what_is_set_aside() -> None:
    apart = prompt.slice_of(tiny_pairs(200))
    assert apart is not None
    assert len(apart.asked) == prompt.MOST
    assert min(pair.as_of for pair in apart.asked) > max(pair.as_of for pair in apart.quoted)
    month = [replace(pair, as_of="2026-01") for pair in tiny_pairs(40)]
    assert prompt.slice_of(month) is None  # one month cannot be split by date
    many = [replace(pair, as_of="2026-02") for pair in tiny_pairs(80)[40:]]
    crowded = prompt.slice_of([*month, *many])
    assert crowded is not None
    assert (len(crowded.asked), len(crowded.quoted)) == (24, 40)
    assert crowded.asked[0] == many[0]
    assert crowded.asked[-1] == many[-1]
