"""Pairs that say the same in other words, by the model of meaning that comes with the packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.curate.test_steps import pairs, reasons, walk

from tensaku.curate.dedup import vectors
from tensaku.curate.dedup.vectors import KeptVectors, near_vectors
from tensaku.errors import UsageError
from tensaku.models.embed import Local

UP = "当月の国内株式市場は、企業決算が好調だったことから上昇しました。"
UP_TOO = "今月の国内株式市場は、企業の好決算を受けて上昇した。"
DOWN = "原油価格は在庫の増加が嫌気され、月末にかけて大きく下落しました。"
BONDS = "長期金利は、中央銀行が利上げを見送ったことで低下しました。"


def test_what_says_the_same_leaves_for_the_newest() -> None:
    rows = pairs(
        {"draft": UP, "final": UP},
        {"draft": DOWN, "final": DOWN},
        {"draft": UP_TOO, "final": UP_TOO, "as_of": "2026-02"},
        {"draft": BONDS, "final": BONDS},
        {"draft": UP + "日経平均は3.2%高。", "final": UP + "日経平均は3.2%高。"},
        {"draft": UP_TOO + "日経平均は4.5%高。", "final": UP_TOO + "日経平均は4.5%高。"},
    )
    kept, dropped, tally = walk("semantic-duplicates", rows, likeness=0.93)
    assert reasons(dropped) == [("semantic-duplicate", "a.csv:1")]
    assert dropped[0].partner == "a.csv:3"
    assert len(kept) == 5
    assert tally["pairs that say the same"] == 1
    _, dropped, _ = walk("semantic-duplicates", rows, likeness=0.93, keep="first", side="final")
    assert reasons(dropped) == [("semantic-duplicate", "a.csv:3")]
    with pytest.raises(UsageError, match="without a model"):
        walk("semantic-duplicates", rows, embedding={"model": "none"})
    with pytest.raises(UsageError, match="semantic-duplicates"):
        walk("semantic-duplicates", rows, embedding={"model": "local", "url": "x"})


def test_vectors_are_kept_even_if_the_file_was_cut_off(tmp_path: Path) -> None:
    class Counting(Local):
        seen = 0

        def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            self.seen += len(texts)
            return super().passages(texts)

    model = Counting()
    first = KeptVectors(model, tmp_path).of([UP, DOWN, UP, BONDS])
    assert first.shape == (4, 384)
    assert model.seen == 3
    (file,) = tmp_path.iterdir()
    with file.open("r+b") as cut:
        cut.truncate(file.stat().st_size - 5)
    again = KeptVectors(model, tmp_path).of([UP, DOWN, UP, BONDS])
    assert model.seen == 4
    assert (again == first).all()
    assert (KeptVectors(model, tmp_path).of([BONDS]) == first[3:]).all()
    assert model.seen == 4


def test_clusters_find_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(3)
    centres = dice.normal(size=(30, 64))
    made = centres[dice.integers(0, 30, 900)] + 0.3 * dice.normal(size=(900, 64))
    made[100:200] = made[:100] + 0.05 * dice.normal(size=(100, 64))
    rows = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16)
    every = near_vectors(rows, 0.985)
    cosines = rows.astype(np.float32) @ rows.astype(np.float32).T
    assert {link[:2] for link in every} == {(a, b) for a, b in np.argwhere(np.triu(cosines, 1) >= 0.985).tolist()}
    assert len(every) >= 100
    monkeypatch.setattr(vectors, "EXACT", 10)
    monkeypatch.setattr(vectors, "_CLUSTER", 100)
    found = near_vectors(rows, 0.985)
    assert {link[:2] for link in found} <= {link[:2] for link in every}
    assert len(found) >= 0.98 * len(every)
    assert found == near_vectors(rows, 0.985)
    assert near_vectors(np.zeros((0, 4), np.float16), 0.9) == []
    monkeypatch.setattr(vectors, "MOST", 50)
    with pytest.raises(UsageError, match="Raise likeness"):
        near_vectors(rows, 0.985)
