"""Reading documents on: rows of tokens, every one scored, and a model that then tunes as any base does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.models.base import Base, base, source_files
from tensaku.models.decoder import Decoder
from tensaku.models.products import product
from tensaku.models.tokenizer import Tokenizer
from tensaku.models.weights import Weights
from tensaku.records import to_dict
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage
from tensaku.testing import tiny_pairs
from tensaku.tune import Tune, tune
from tensaku.tune.full import Full
from tensaku.tune.learner import DecoderLearner
from tensaku.tune.pretrain import Pretrain, held_out, pretrain
from tensaku.tune.rows import RowLearner, rows_of

PACE = Pretrain(epochs=3, learning_rate=0.003, context=64, batch=128, validation=0.2)


class Given(Section):
    """Rows as they are."""

    rows: tuple[dict[str, str], ...]


def _write(path: Path, rows: tuple[dict[str, str], ...]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@stage(version=1)
def documents(bench: Bench, cfg: Given) -> None:
    _write(bench.path / "documents.jsonl", cfg.rows)


@stage(version=1)
def lessons(bench: Bench, cfg: Given) -> None:
    _write(bench.path / "lessons.jsonl", cfg.rows)


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


@pytest.fixture
def model(store: Store, gemma: Path) -> Artifact:
    cfg = Base(model=f"path:{gemma}")
    return store.run(base, cfg, files=source_files(cfg, Path()))


def read(store: Store, texts: list[str]) -> Artifact:
    return store.run(documents, Given(rows=tuple({"id": str(n), "text": text} for n, text in enumerate(texts))))


def texts() -> list[str]:
    return [pair.final * 2 for pair in tiny_pairs(20)]


@given(st.lists(st.lists(st.integers(5, 40), max_size=30), max_size=8), st.integers(1, 20))
def test_rows_hold_every_token_once_and_in_order(given: list[list[int]], context: int) -> None:
    rows = list(rows_of(given, start=2, end=1, context=context))
    assert [t for row in rows for piece in row for t in piece.completion] == [t for text in given for t in [*text, 1]]
    sizes = [sum(len(piece.completion) for piece in row) for row in rows]
    assert all(size == context for size in sizes[:-1])
    assert all(0 < size <= context for size in sizes)
    assert all(piece.prompt == [2] for row in rows for piece in row)
    assert all(1 not in piece.completion[:-1] for row in rows for piece in row)  # no piece reaches over a document


def test_documents_do_not_see_each_other(gemma: Path) -> None:
    """A row's loss is that of its pieces alone."""
    weights = Weights.load(gemma)
    multiply = product("plain")
    learner = RowLearner(DecoderLearner(Decoder(weights), Full(weights, multiply, gemma), 0, multiply))
    (row,) = rows_of([[9, 8, 7, 6, 5], [30, 31, 32], [40] * 7], start=2, end=1, context=64)
    alone = sum(learner.loss([(piece,)]).loss for piece in row)
    together = learner.loss([row])
    assert together.loss == pytest.approx(alone, rel=1e-5)
    assert (together.scored, together.tokens) == (18, 18)
    assert learner.count([row, row]) == 36


def test_it_reads_and_the_job_is_taught_on_top(store: Store, model: Artifact, tmp_path: Path) -> None:
    made = store.run(pretrain, PACE, base=model, documents=read(store, texts()))
    facts = made.facts
    assert facts["held_loss_after"] < facts["held_loss_before"] - 0.3
    assert facts["last_loss"] < facts["first_loss"]
    assert (facts["documents"], facts["validation_documents"]) == (16, 4)
    assert facts["pretrained_from"] == model.ref
    assert facts["sha256"] != model.facts["sha256"]
    for name in ("licence", "source", "family", "vocabulary", "parameters"):
        assert facts[name] == model.facts[name], name
    assert {*model.files} <= {*made.files}
    was, now = (load_file(a.file("model.safetensors")) for a in (model, made))
    assert {n: t.shape for n, t in was.items()} == {n: t.shape for n, t in now.items()}
    assert not torch.equal(was["model.embed_tokens.weight"], now["model.embed_tokens.weight"])
    instruction = tmp_path / "instruction.md"
    instruction.write_text("公表文に直してください。\n", encoding="utf-8")
    taught = store.run(lessons, Given(rows=tuple(to_dict(pair) for pair in tiny_pairs(12))))
    given: dict[str, Any] = {"lessons": taught, "instruction": SourceFile(instruction)}
    job = Tune(epochs=1, rank=4, learning_rate=0.01)
    on_top, without = (store.run(tune, job, base=under, **given) for under in (made, model))
    assert on_top.facts["base"] == made.ref
    assert on_top.facts["first_loss"] < without.facts["first_loss"]  # it has read such texts
    again = store.run(pretrain, PACE, base=made, documents=read(store, texts()[:8]))
    assert [n for n in again.files if n.endswith(".jsonl")] == ["loss.jsonl", "usage.jsonl"]
    assert len(again.file("loss.jsonl").read_text().splitlines()) == again.facts["steps"]


def test_the_words_read_are_the_documents(store: Store, model: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensaku.tune import loop

    seen: list[Any] = []
    train = loop.train

    def spy(*args: Any, **more: Any) -> Any:
        seen.extend(args[1])
        return train(*args, **more)

    monkeypatch.setattr(loop, "train", spy)
    given = ["市場は<eos>上昇。" * 8, "日本" * 20]
    store.run(pretrain, Pretrain(validation=0, context=32), base=model, documents=read(store, given))
    tokenizer = Tokenizer.load(model.path)
    pieces = [piece.completion for row in seen for piece in row]
    whole = [t for piece in pieces for t in piece]
    assert sum(t in tokenizer.eos for t in whole) == 2  # a document cannot end itself
    assert tokenizer.decode(whole).replace("\u200b", "") == "".join(given)
    assert tokenizer.start == 2


def test_held_out_by_the_text_itself() -> None:
    given = texts()
    learn, held = held_out(given, 0.2)
    assert len(held) == 4
    assert sorted(learn + held) == sorted(given)
    assert {*held_out(given[::-1], 0.2)[1]} == {*held}
    assert held_out(["a"], 0.5) == (["a"], [])


def test_no_document(store: Store, model: Artifact) -> None:
    with pytest.raises(UsageError, match="there is no document to read"):
        store.run(pretrain, PACE, base=model, documents=read(store, []))


def test_less_than_a_row(store: Store, model: Artifact) -> None:
    with pytest.raises(UsageError, match=r"the documents are 5 tokens together, less than one row of 64.*context"):
        store.run(pretrain, PACE, base=model, documents=read(store, ["上昇した"]))
