"""From token ids to text while they arrive: whole characters only, and nothing of a stop string or beyond it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["Detokenizer", "Scan", "StopScanner"]

_BROKEN = "\N{REPLACEMENT CHARACTER}"


class Detokenizer:
    """Text of ids that arrive one by one.

    A character may be spread over several tokens: its text is held back until the last of them is there. Each piece is
    decoded together with the piece before it, because a decoder may treat the first token of a text in its own way.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._before: list[int] = []
        self._before_text = ""
        self._pending: list[int] = []

    def feed(self, token: int) -> str:
        """The text that `token` completes; empty while a character is unfinished."""
        self._pending.append(token)
        text = self._pending_text()
        if text.endswith(_BROKEN):
            return ""
        if text:  # a token without text of its own stays pending: it may belong to what follows
            self._before, self._pending = self._pending, []
            self._before_text = self._decode(self._before)
        return text

    def flush(self) -> str:
        """What was held back, with a replacement character for what never became a character."""
        text = self._pending_text() if self._pending else ""
        self._before, self._before_text, self._pending = [], "", []
        return text

    def _pending_text(self) -> str:
        together = self._decode([*self._before, *self._pending])
        if together.startswith(self._before_text):
            return together[len(self._before_text) :]
        # unfinished bytes beside finished ones can make a decoder give up on both; look at the new ones alone
        return self._decode(self._pending)


class Scan(NamedTuple):
    """Text that may be shown, and whether a stop string was met behind it."""

    text: str
    stopped: bool


class StopScanner:
    """Lets text through up to the first of `stops`; holds back what may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""

    def feed(self, text: str) -> Scan:
        """What of `text`, and of what was held before it, can no longer belong to a stop string."""
        if not self._stops:
            return Scan(text, False)
        text = self._held + text
        cuts = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if cuts:
            self._held = ""
            return Scan(text[: min(cuts)], True)
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return Scan(text[: len(text) - keep], False)

    def flush(self) -> str:
        """What was held back: no more text comes, so it was no stop string."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop` without being all of it."""
    for n in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:n]):
            return n
    return 0
