"""What the API allows, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

from tensaku.ledger import Policy

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """Bounds of one server.

    `at_once` answers are written together and `waiting` more may stand in line, each for `wait_seconds` at most. An
    answer may take `answer_seconds`. `max_tokens` bounds an answer whose asker names no bound, `max_body` a request in
    bytes. `keys` says whether a caller needs an API key. `record` is what the ledger keeps of prompts and answers.
    """

    at_once: int = 8
    waiting: int = 64
    wait_seconds: float = 60.0
    answer_seconds: float = 600.0
    max_tokens: int = 1024
    max_body: int = 4 * 2**20
    keys: bool = False
    record: Policy = "hash"
