"""The inverted index in ranges is the one that is made at once; rows on disk are NumPy's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tensaku.retrieve import postings
from tensaku.retrieve.postings import Rows, write_postings

NAMES = ("terms", "starts", "holders", "counts")


def made(folder: Path, passages: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    folder.mkdir()
    terms, counts = Rows(folder / "t.part", np.uint64), Rows(folder / "c.part", np.uint8)
    with terms, counts:
        for one, often in passages:
            terms.write(one)
            counts.write(often)
    write_postings(folder, terms, counts, np.asarray([len(one) for one, _ in passages], np.int64))
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.npy" for name in NAMES)
    return {name: np.load(folder / f"{name}.npy") for name in NAMES}


def test_ranges_and_parts_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(0)
    every = drawn.integers(0, 2**64, 300, np.uint64)
    passages = []
    for number in range(200):
        own = np.sort(drawn.choice(every, 0 if number % 17 == 0 else 40, replace=False))
        passages.append((own, drawn.integers(1, 9, len(own)).astype(np.uint8)))
    whole = made(tmp_path / "whole", passages)
    monkeypatch.setattr(postings, "_SORTED", 1000)
    monkeypatch.setattr(postings, "_PART", 333)
    parts = made(tmp_path / "parts", passages)
    assert all(np.array_equal(whole[name], parts[name]) for name in NAMES)
    term = int(whole["terms"][7])
    span = slice(int(whole["starts"][7]), int(whole["starts"][8]))
    want = [(n, int(often[own == term][0])) for n, (own, often) in enumerate(passages) if term in own]
    assert list(zip(whole["holders"][span].tolist(), whole["counts"][span].tolist(), strict=True)) == want


def test_no_passages_at_all(tmp_path: Path) -> None:
    found = made(tmp_path / "none", [])
    assert [len(found[name]) for name in NAMES] == [0, 1, 0, 0]


def test_rows_are_an_array_of_numpy(tmp_path: Path) -> None:
    with Rows(tmp_path / "a.npy", np.int8, 3) as rows:
        for start in range(0, 3000, 300):
            rows.write(np.arange(start, start + 300).astype(np.int8))
    found = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert found.shape == (1000, 3)
    assert np.array_equal(np.asarray(found).reshape(-1), np.arange(3000).astype(np.int8))
