"""The sample desk: an invented asset manager's pairs of drafts and published comments, and their generator."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FILES", "folder"]

FILES = (
    "pairs.jsonl",
    "drafts.jsonl",
    "old-system.csv",
    "house-style.md",
    "instruction.md",
    "names.toml",
    "style.toml",
    "tensaku.toml",
)
"""What a task folder gets."""


def folder() -> Path:
    """Where the committed files lie."""
    return Path(__file__).parent
