"""The mark of a made-up pair. It stands in the id, which no step rewrites and which goes with it into any file."""

from __future__ import annotations

import hashlib

from tensaku.records import Pair

__all__ = ["MADE", "is_made", "made_id"]

MADE = "made.jsonl"
"""The file of made-up pairs."""
_MARK = "made-"


def made_id(method: str, draft: str, final: str) -> str:
    """The id of a made-up pair: how it was made, and twelve digits of the SHA-256 of its texts."""
    digest = hashlib.sha256(f"{draft}\x00{final}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{_MARK}{method}-{digest}"


def is_made(pair: Pair) -> bool:
    """Whether the pair was made up."""
    return pair.id.startswith(_MARK)
