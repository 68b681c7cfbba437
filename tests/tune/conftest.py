"""A tiny random model in a folder, and lessons for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tensaku.testing import tiny_model
from tensaku.tune.pack import Example


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
