"""The sample desk's pairs and names."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_SAMPLE = _REPOSITORY / "src" / "tensaku" / "sampledesk"


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
