"""Real texts made by others, read from beside the repository where they are, and the sample desk's pairs."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_SAMPLE = _REPOSITORY / "src" / "tensaku" / "sampledesk"


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """The folder of a real data set; the test is skipped, with the reason, where it is not there."""

    def find(name: str) -> Path:
        folder = _REPOSITORY.parent / "shared" / "data" / name
        if not folder.is_dir():
            pytest.skip(f"the real data {name!r} are not beside the repository ({folder})")
        return folder

    return find


@pytest.fixture(scope="session")
def pairs() -> list[dict[str, Any]]:
    """The pairs of the sample desk."""
    file = _SAMPLE / "pairs.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def names() -> dict[str, list[str]]:
    """The names of the sample desk."""
    table: dict[str, list[str]] = tomllib.loads((_SAMPLE / "names.toml").read_text(encoding="utf-8"))["names"]
    return table
