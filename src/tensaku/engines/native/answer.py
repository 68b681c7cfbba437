"""One answer on its way: the loop writes it, its reader iterates over it."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tensaku.engines.calls import CallPiece, CallReader
from tensaku.engines.detokenize import Detokenizer, StopScanner
from tensaku.engines.native.choose import Chooser
from tensaku.engines.native.drafter import Drafter
from tensaku.engines.protocol import Piece, Request, TokenScore
from tensaku.errors import EngineError
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import Finish, Usage

if TYPE_CHECKING:
    from tensaku.engines.native.adapter import Adapter

__all__ = ["Answer"]


class Answer:
    """The `Stream` of one request.

    The loop's side (`take`, `push`, `end`, `fail`) is called by one thread; the reader's side (iterating, `cancel`) by
    any other one. `tokens` are the prompt's and, as they come, the answer's.
    """

    def __init__(
        self,
        request: Request,
        prompt: list[int],
        adapter: Adapter | None,
        tokenizer: Tokenizer,
        room: int,
        *,
        drafter: Drafter | None = None,
        chooser: Chooser | None = None,
        reader: CallReader | None = None,
    ) -> None:
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self.adapter = adapter
        self.tokens = list(prompt)
        self.prompt_length = len(prompt)
        self.limit = min(request.max_tokens, room)
        """Most tokens of the answer: what was asked for, or what the context leaves."""
        self.cancelled = False
        self.drafter = drafter
        self.chooser = chooser
        """Chooses words where the most probable one is not wanted."""
        self.accepted = self.rejected = 0
        self.cached: int | None = None
        """Tokens of the prompt that were known when it was admitted first."""
        self._eos = tokenizer.eos
        self._detokenizer = Detokenizer(tokenizer.decode)
        self._scanner = StopScanner(request.stop)
        self._reader = reader
        self._text: list[str] = []
        self._count = 0
        self._scores: list[TokenScore] = []
        self._pieces: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._error: EngineError | None = None
        self._read = False

    @property
    def owner(self) -> str:
        """Whose keys and values may be used for it: the adapter's content hash, empty for the base."""
        return self.adapter.hash if self.adapter else ""

    @property
    def written(self) -> int:
        """Tokens of the answer so far."""
        return len(self.tokens) - self.prompt_length

    # the reader's side

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        piece = None if self._read else self._pieces.get()
        if piece is not None:
            return piece
        self._read = True
        if self._error is not None:
            raise self._error
        raise StopIteration

    def cancel(self) -> None:
        """End this answer at the next step; nothing happens if it has ended."""
        self.cancelled = True

    # the loop's side

    def take(self, token: int, score: TokenScore | None = None) -> bool:
        """Add the next token; True if the answer ends with it."""
        if token in self._eos:
            self.end("stop")
            return True
        self.tokens.append(token)
        self._count += 1
        if score is not None:
            self._scores.append(score)
        scan = self._scanner.feed(self._detokenizer.feed(token))
        self._text.append(scan.text)
        if scan.stopped:
            self._close("stop")
        elif self.written >= self.limit:
            self.end("length")
        return self.finish is not None

    def push(self) -> None:
        """Hand the reader what was added since the last time, if there is text in it."""
        text, calls = self._parted()
        if text or calls:
            self._put(text, calls)

    def end(self, finish: Finish) -> None:
        """End with what was held back (unless nobody wants it any more)."""
        if finish != "cancelled":
            scan = self._scanner.feed(self._detokenizer.flush())
            self._text.append(scan.text)
            if scan.stopped:
                finish = "stop"
            else:
                self._text.append(self._scanner.flush())
        self._close(finish)

    def fail(self, why: str, *, retryable: bool) -> None:
        """End with an error that comes out of the reader's iterator."""
        self._error = EngineError(why, retryable=retryable)
        self._pieces.put(None)

    def _close(self, finish: Finish) -> None:
        text, calls = self._parted(ends=finish != "cancelled")
        self.usage = Usage(self.prompt_length, self.written, self.accepted, self.rejected, self.cached or 0)
        self.finish = finish
        if text or calls or self._count:
            self._put(text, calls)
        self._pieces.put(None)

    def _parted(self, *, ends: bool = False) -> tuple[str, tuple[CallPiece, ...]]:
        """What was added since the last time, as text and as pieces of calls."""
        text = "".join(self._text)
        if self._reader is None:
            return text, ()
        self._text = []
        said, calls = self._reader.feed(text)
        return said + (self._reader.flush() if ends else ""), tuple(calls)

    def _put(self, text: str, calls: tuple[CallPiece, ...]) -> None:
        self._pieces.put(Piece(text, self._count, tuple(self._scores), calls))
        self._text, self._count, self._scores = [], 0, []
