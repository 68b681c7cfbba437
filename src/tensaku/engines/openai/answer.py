"""One answer of another server: a task of the engine's event loop writes it, its reader iterates over it."""

from __future__ import annotations

import asyncio
import queue
import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from tensaku.engines.calls import CallPiece
from tensaku.engines.openai.breaker import Breaker
from tensaku.engines.protocol import Piece, TokenScore
from tensaku.errors import EngineError
from tensaku.records import Finish, Usage

__all__ = ["RemoteAnswer", "failure", "patiently"]

_LONGEST_PAUSE = 30.0


def failure(error: Exception) -> EngineError:
    """What went wrong in plain words; `retryable` where the same request may work later."""
    import openai

    if isinstance(error, EngineError):
        return error
    if isinstance(error, openai.APITimeoutError):
        return EngineError("the server did not answer in time", retryable=True)
    if isinstance(error, openai.APIStatusError):
        retryable = error.status_code in (408, 409, 425, 429) or error.status_code >= 500
        return EngineError(f"the server refused ({error.status_code}): {_message(error)}", retryable=retryable)
    if isinstance(error, openai.APIConnectionError):
        cause = error.__cause__ or error
        return EngineError(f"the server cannot be reached ({type(cause).__name__}: {cause})", retryable=True)
    if isinstance(error, openai.APIError):
        return EngineError(f"the server failed within its answer: {error.message}", retryable=True)
    return EngineError(f"the server's answer cannot be read ({type(error).__name__}: {error})")


def _message(error: Any) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error", body)
    found = inner.get("message") if isinstance(inner, dict) else None
    return str(found or error.message)[:500]


def _pause(error: Exception, attempt: int) -> float:
    """Seconds before the next attempt: as the server says, else twice as long each time, spread out."""
    asked = getattr(getattr(error, "response", None), "headers", {}).get("retry-after", "")
    try:
        wanted = float(asked)
    except ValueError:
        wanted = 0.5 * 2**attempt * (0.5 + random.random())  # noqa: S311  spreads clients, hides nothing
    return min(max(wanted, 0.0), _LONGEST_PAUSE)


async def patiently(attempt: Callable[[], AsyncIterator[Any]], breaker: Breaker, retries: int) -> AsyncIterator[Any]:
    """What `attempt` yields, begun again up to `retries` times if it fails before it has yielded anything.

    Raises:
        EngineError: it failed for good, or the breaker is open.
    """
    for number in range(retries + 1):
        breaker.check()
        yielded = False
        try:
            async for item in attempt():
                yielded = True
                yield item
        except (asyncio.CancelledError, GeneratorExit):
            breaker.left()
            raise
        except Exception as error:
            found = failure(error)
            (breaker.broke if found.retryable else breaker.worked)()
            if yielded or not found.retryable or number == retries:
                raise found from error
            await asyncio.sleep(_pause(error, number))
        else:
            breaker.worked()
            return


class RemoteAnswer:
    """A `Stream` of pieces that come over the wire.

    A piece is what the server sent at once; its tokens are counted by its log probabilities, else as one. `usage` is
    what the server says at the end.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self._loop = loop
        self._queue: queue.SimpleQueue[Piece | EngineError | None] = queue.SimpleQueue()
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        item = self._queue.get()
        if isinstance(item, Piece):
            return item
        self._queue.put(item)  # who asks again is told again
        if item is None:
            raise StopIteration
        raise item

    def cancel(self) -> None:
        """Close the connection, which ends the answer on the server too."""
        self._cancelled = True
        if self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)

    def write(self, chunks: AsyncIterator[Any], slots: asyncio.Semaphore) -> None:
        """Begin; called in the event loop."""
        self._task = self._loop.create_task(self._write(chunks, slots))
        if self._cancelled:
            self._task.cancel()

    @property
    def writing(self) -> bool:
        """Whether it is on its way."""
        return self._task is None or not self._task.done()

    async def wait(self) -> None:
        """Until it has ended."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write(self, chunks: AsyncIterator[Any], slots: asyncio.Semaphore) -> None:
        try:
            async with slots:
                async for chunk in chunks:
                    self._take(chunk)
            if self.finish is None or self.usage is None:
                raise EngineError("the server ended its answer without saying how", retryable=True)
        except asyncio.CancelledError:
            self.finish, self.usage = "cancelled", self.usage or Usage(0, 0)
        except EngineError as error:
            self._queue.put(error)
        except Exception as error:  # whatever it is, no reader may be left waiting
            self._queue.put(failure(error))
        finally:
            self._queue.put(None)

    def _take(self, chunk: Any) -> None:
        if chunk.usage is not None:
            details = chunk.usage.completion_tokens_details
            right, wrong = (
                getattr(details, f"{name}_prediction_tokens", None) or 0 for name in ("accepted", "rejected")
            )
            known = getattr(chunk.usage.prompt_tokens_details, "cached_tokens", None) or 0
            self.usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, right, wrong, known)
        for choice in chunk.choices:
            text = (choice.delta.content if hasattr(choice, "delta") else choice.text) or ""
            scores = _scores(choice.logprobs)
            calls = _calls(getattr(getattr(choice, "delta", None), "tool_calls", None))
            if text or scores or calls:
                self._queue.put(Piece(text, len(scores) or 1, scores, calls))
            if choice.finish_reason is not None:
                self.finish = "length" if choice.finish_reason == "length" else "stop"


def _calls(found: Any) -> tuple[CallPiece, ...]:
    pieces = []
    for one in found or ():
        function = one.function
        name, arguments = (getattr(function, field, None) or "" for field in ("name", "arguments"))
        pieces.append(CallPiece(one.index, one.id or "", name, arguments))
    return tuple(pieces)


def _scores(found: Any) -> tuple[TokenScore, ...]:
    if found is None:
        return ()
    if getattr(found, "content", None):  # of a chat
        return tuple(
            TokenScore(one.token, one.logprob, tuple((top.token, top.logprob) for top in one.top_logprobs))
            for one in found.content
        )
    if getattr(found, "tokens", None):  # of a plain completion
        tops = found.top_logprobs or [None] * len(found.tokens)
        return tuple(
            TokenScore(text, value or 0.0, tuple((top or {}).items()))
            for text, value, top in zip(found.tokens, found.token_logprobs, tops, strict=True)
        )
    return ()
