"""A tiny random model in a folder, and lessons for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tensaku.config import Section
from tensaku.models.base import Base, base, source_files
from tensaku.records import Pair, to_dict
from tensaku.store import Bench, SourceFile, Store, stage
from tensaku.testing import tiny_model, tiny_pairs
from tensaku.tune.pack import Example


class Given(Section):
    """Pairs as they are."""

    rows: tuple[dict[str, str], ...]


@stage(version=1)
def lessons(bench: Bench, cfg: Given) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in cfg.rows)
    (bench.path / "lessons.jsonl").write_text("".join(lines), encoding="utf-8")


def _inputs(store: Store, model: Path, pairs: list[Pair] | None = None) -> dict[str, Any]:
    cfg = Base(model=f"path:{model}")
    instruction = store.root.parent / "instruction.md"
    instruction.write_text("公表文に直してください。\n", encoding="utf-8")
    rows = tuple(to_dict(pair) for pair in (tiny_pairs(12) if pairs is None else pairs))
    return {
        "base": store.run(base, cfg, files=source_files(cfg, Path())),
        "lessons": store.run(lessons, Given(rows=rows)),
        "instruction": SourceFile(instruction),
    }


@pytest.fixture
def inputs_of() -> Callable[..., dict[str, Any]]:
    """`inputs_of(store, model)`: what the stage `tune` takes in, a dozen pairs unless others are given."""
    return _inputs


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread here and in processes that a test starts."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _workers_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"PPid:\t{pid}\n" in (entry / "status").read_text():
                found += [int(entry.name)] * (b"tensaku.tune.worker" in (entry / "cmdline").read_bytes())
        except OSError:
            continue  # it has ended meanwhile
    return sorted(found)


@pytest.fixture
def workers_of() -> Callable[[int], list[int]]:
    """`workers_of(pid)`: the processes that share a step and were started by `pid`, in order of their rank."""
    if not Path("/proc/self").is_dir():
        pytest.skip("needs Linux")
    return _workers_of


@pytest.fixture(scope="session")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("gemma"))


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("llama"), family="llama")


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Prompts that share nine tokens, of different lengths, some longer than the sliding window."""
    random = torch.Generator().manual_seed(7)

    def some(low: int, high: int) -> list[int]:
        count = int(torch.randint(low, high, (1,), generator=random))
        return torch.randint(3, 97, (count,), generator=random).tolist()

    shared = some(9, 10)
    return [Example([*shared, 3 + n, *some(4, 20)], [*some(3, 12), 1]) for n in range(10)]
