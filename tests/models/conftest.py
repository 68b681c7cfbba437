"""A tiny random model of each family, a store to work in, and small artifacts to work from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tensaku.config import Section
from tensaku.records import Pair, to_dict
from tensaku.store import Artifact, Bench, SilentReporter, Store, stage
from tensaku.testing import tiny_model


class Given(Section):
    """Pairs as they are."""

    rows: tuple[dict[str, str], ...]


@stage(version=1, name="lessons")
def _lessons(bench: Bench, cfg: Given) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in cfg.rows)
    (bench.path / "lessons.jsonl").write_text("".join(lines), encoding="utf-8")


class Shop:
    """A store, and artifacts made by hand."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root, SilentReporter())

    def lessons(self, pairs: Sequence[Pair]) -> Artifact:
        return self.store.run(_lessons, Given(rows=tuple(to_dict(pair) for pair in pairs)))


@pytest.fixture
def shop(workspace: Path) -> Shop:
    return Shop(workspace)


@pytest.fixture
def gemma(tmp_path: Path) -> Path:
    return tiny_model(tmp_path / "gemma")


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return tiny_model(tmp_path / "llama", family="llama")
