"""The question's vector is made on another thread while the words are searched, and nothing else changes by that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensaku.errors import EngineError
from tensaku.machine import cores
from tensaku.retrieve.bm25 import Bm25
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Searcher, Steps

QUESTIONS = ["解約の受付は何時までですか", "購入時の手数料", "サーバの障害はどこに連絡しますか", "監査", "fund report"]
WAIT = 20.0


class Letters:
    """Vectors by the letters of a text; `doing` is called first for a question."""

    name = "letters"

    def __init__(self) -> None:
        self.doing: Callable[[], object] = lambda: None
        self.threads: list[int] = []

    def passages(self, texts: Sequence[str]) -> Any:
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            np.add.at(row, [ord(letter) % 64 for letter in text], 1)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)

    def question(self, text: str) -> Any:
        self.threads.append(threading.get_ident())
        self.doing()
        return self.passages([text])[0]


@pytest.fixture
def asked(folder: Path) -> tuple[Searcher, Letters]:
    letters = Letters()
    index([Collection("rules", folder / "rules")], folder / "index", letters)
    return Searcher(folder / "index", letters, Rights(None)), letters


def test_words_are_searched_while_the_question_gets_its_vector(
    asked: tuple[Searcher, Letters], monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher, letters = asked
    meeting, best = threading.Barrier(2), Bm25.best

    def meets(self: Bm25, *told: Any) -> list[int]:
        meeting.wait(WAIT)
        return best(self, *told)

    letters.doing = lambda: meeting.wait(WAIT)  # one after the other neither would come to an end
    monkeypatch.setattr(Bm25, "best", meets)
    hits = searcher.search(QUESTIONS[0])
    assert {"words", "vectors"} <= set(hits[0].ranks)
    assert letters.threads != [threading.get_ident()]


def test_with_every_thread_taken_the_asker_makes_the_vector_and_finds_the_same(
    asked: tuple[Searcher, Letters], monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher, letters = asked
    also, begun, best = ["翌営業日の受付", "手数料 購入時"], threading.Event(), Bm25.best

    def waits(self: Bm25, *told: Any) -> list[int]:
        assert begun.wait(WAIT)
        return best(self, *told)

    letters.doing = begun.set
    beside = []
    with monkeypatch.context() as patched:
        patched.setattr(Bm25, "best", waits)
        for question in QUESTIONS:
            begun.clear()
            beside.append(searcher.search(question, k=9, also=also))
    assert threading.get_ident() not in letters.threads
    assert len({tuple(hit.passage for hit in hits) for hits in beside}) > 2
    letters.threads.clear()
    taken, free = threading.Barrier(cores() + 1), threading.Event()
    for _ in range(cores()):
        searcher._beside.submit(lambda: (taken.wait(WAIT), free.wait(WAIT)))
    taken.wait(WAIT)
    try:
        alone = [searcher.search(question, k=9, also=also) for question in QUESTIONS]
    finally:
        free.set()
    assert letters.threads == [threading.get_ident()] * len(QUESTIONS)
    assert alone == beside


def test_a_model_that_does_not_answer_is_told_as_it_tells_it(asked: tuple[Searcher, Letters]) -> None:
    searcher, letters = asked
    before = searcher.search(QUESTIONS[0])

    def fails() -> None:
        raise EngineError("the embeddings of letters did not come: refused", retryable=True)

    letters.doing = fails
    with pytest.raises(EngineError, match=r"^the embeddings of letters did not come: refused") as told:
        searcher.search(QUESTIONS[0])
    assert told.value.retryable
    letters.threads.clear()
    assert searcher.search(QUESTIONS[0], steps=Steps(vectors=False))
    assert letters.threads == []
    letters.doing = lambda: None
    assert searcher.search(QUESTIONS[0]) == before
