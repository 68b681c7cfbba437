"""The answers of one request on their way to one client: whole or streamed, cancelled when the client leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi.responses import JSONResponse, Response

from tensaku.engines.protocol import Piece, Stream, TokenScore
from tensaku.engines.protocol import Request as Asked
from tensaku.errors import EngineError
from tensaku.records import Message, ToolCall, Usage
from tensaku.serve.asks import Writes
from tensaku.serve.errors import ClientLeft, WireError
from tensaku.serve.flow import flow
from tensaku.serve.guard import Receive, Scope, Send
from tensaku.serve.models import fingerprint
from tensaku.serve.service import Ticket
from tensaku.serve.shapes import Shape, usage_of

__all__ = ["Answering", "headers_of", "unless_left"]

T = TypeVar("T")

CUT_OFF = "the answer was cut off because the server is closing"


def headers_of(made_by: dict[str, str], without_effect: Sequence[str] = ()) -> dict[str, str]:
    """Who answered, as headers."""
    headers = {f"x-tensaku-{key}": quote(value) for key, value in made_by.items()}
    return headers | ({"x-tensaku-without-effect": ",".join(without_effect)} if without_effect else {})


async def unless_left(receive: Receive, work: Awaitable[T]) -> T:
    """What `work` gives; it is cancelled when the client closes the connection.

    Raises:
        ClientLeft: it did.
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientLeft
        return doing.result()
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Writing:
    """One answer: begun anew, once, if the engine fails before anything of it was handed on."""

    def __init__(self, ticket: Ticket, submit: Callable[[], Stream], asked: Asked) -> None:
        self._ticket, self._submit, self._asked = ticket, submit, asked
        self._stream: Stream | None = None
        self._begun: Stream | None = None
        self._first: float | None = None
        self.text = ""
        self.calls: list[ToolCall] = []
        self.scores: list[TokenScore] | None = None if asked.logprobs is None else []
        self.usage = Usage(0, 0)
        self.recorded = False
        self._failed = False

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The pieces in order.

        Raises:
            EngineError: the engine failed, or the server closes.
        """
        for last in (False, True):
            try:
                async for piece in self._once():
                    yield piece
                return
            except EngineError as error:
                again = not last and error.retryable and not (self.text or self.calls) and not self._ticket.cancelled
                self._ticket.failed(error, again)
                if not again:
                    self._failed = True
                    raise

    async def prepare(self) -> None:
        """Begin before the first piece is asked for, so that a refusal comes before anything is sent."""
        self._begun = await self.begin()

    async def begin(self) -> Stream:
        """Hand it to the engine.

        Raises:
            WireError: 400, the request does not fit the model.
        """
        self._stream = await asyncio.to_thread(self._submit)
        self._ticket.run(self._stream)
        return self._stream

    async def _once(self) -> AsyncGenerator[Piece, None]:
        stream, self._begun = self._begun or await self.begin(), None
        async with contextlib.aclosing(flow(stream, stream.cancel)) as pieces:
            async for piece in pieces:
                if self._first is None and (piece.text or piece.calls):
                    self._first = self._ticket.seconds
                self.text += piece.text
                self._add_calls(piece)
                if self.scores is not None:
                    self.scores += piece.scores
                yield piece
        self.usage = stream.usage or self.usage

    def _add_calls(self, piece: Piece) -> None:
        for call in piece.calls:
            if call.number == len(self.calls):
                self.calls.append(ToolCall(call.id, call.name, call.arguments))
            else:
                begun = self.calls[call.number]
                self.calls[call.number] = begun._replace(arguments=begun.arguments + call.arguments)

    @property
    def told(self) -> str:
        """How it ended, in the wire's word."""
        return "tool_calls" if self.calls and self.finish == "stop" else self.finish

    @property
    def finish(self) -> str:
        """How it ended."""
        if self._failed:
            return "failed"
        return (self._stream.finish if self._stream is not None else None) or "cancelled"

    @property
    def begun(self) -> bool:
        """Whether the engine has anything of it."""
        return self._stream is not None

    async def record(self) -> None:
        """Write it down, once."""
        if not self.recorded:
            self.recorded = True
            asked, ticket = self._asked, self._ticket
            turns = [_turn(message) for message in asked.messages]
            prompt = asked.text if asked.text is not None else json.dumps(turns, ensure_ascii=False)
            usage = (self._stream.usage if self._stream is not None else None) or self.usage
            answer = self.text + "".join(json.dumps(call._asdict(), ensure_ascii=False) for call in self.calls)
            await ticket.record(prompt, answer, self.finish, usage, self._first, ticket.made_by)


class Answering:
    """The answers to one request in the wire's words. They hold `ticket` until they have ended.

    Args:
        ticket: the slots.
        ask: what the client asked for.
        asked: the same for the engine, one for each answer.
        submit: starts one.
        shape: how the door words answers.
    """

    def __init__(
        self, ticket: Ticket, ask: Writes, asked: Sequence[Asked], submit: Callable[[Asked], Stream], shape: Shape
    ) -> None:
        self._ticket, self._ask, self._shape = ticket, ask, shape
        self._writings = [_Writing(ticket, lambda one=one: submit(one), one) for one in asked]  # type: ignore[misc]
        self._head: dict[str, Any] = {
            "id": f"{shape.start}{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": ask.model,
            "system_fingerprint": fingerprint(ticket.made_by),
            "tensaku": ticket.made_by,
        }
        self._headers = headers_of(ticket.made_by, ask.without_effect)

    async def whole(self) -> Response:
        """The answers in one piece.

        Raises:
            EngineError: the engine failed.
            WireError: 504, it took too long; 503, it could not be recorded.
        """
        async with contextlib.aclosing(self._merged()) as pieces:
            async for _ in pieces:
                pass
        shape = self._shape
        choices = [shape.choice(i, w.text, w.told, w.scores, w.calls) for i, w in enumerate(self._writings)]
        body = {**self._head, "object": self._shape.name, "choices": choices, "usage": usage_of(self._usage())}
        return JSONResponse(body, headers=self._headers)

    async def streamed(self) -> Response:
        """The answers piece by piece, as server-sent events.

        Raises:
            WireError: 400, the request does not fit the model; told by the status and not within the stream.
        """
        for writing in self._writings:
            await writing.prepare()
        return _Events(self._events(), self._headers, self.close)

    async def close(self) -> None:
        """Give the slots back; what was cut off is written down as far as it came."""
        whole = all(writing.recorded for writing in self._writings)
        self._ticket.end(whole=whole)
        for writing in self._writings:
            if writing.begun and not writing.recorded:
                with contextlib.suppress(WireError):  # nobody is there to be told; it is in the log
                    await writing.record()

    async def _merged(self) -> AsyncGenerator[tuple[int, Piece | None], None]:
        """The pieces of all answers as they come, each with its answer's number; None where one has ended."""
        items: asyncio.Queue[tuple[int, Piece | BaseException | None]] = asyncio.Queue()

        async def read(number: int, writing: _Writing) -> None:
            try:
                async with contextlib.aclosing(writing.pieces()) as pieces:
                    async for piece in pieces:
                        items.put_nowait((number, piece))
            except Exception as error:  # raised again on the reader's side
                items.put_nowait((number, error))
            else:
                items.put_nowait((number, None))

        tasks = [asyncio.create_task(read(i, writing)) for i, writing in enumerate(self._writings)]
        try:
            left = len(tasks)
            while left:
                number, item = await self._next(items)
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    left -= 1
                    await self._ended(self._writings[number])
                yield number, item
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _given(self) -> AsyncGenerator[tuple[int, Piece | None], None]:
        """The pieces as they come; of a release whose answers are counted, once all of them are in the ledger.

        Or a client would have read what the count then refuses, or what a killed server never counted.
        """
        async with contextlib.aclosing(self._merged()) as pieces:
            if self._ticket.counted:
                for one in [piece async for piece in pieces]:
                    yield one
            else:
                async for one in pieces:
                    yield one

    async def _next(self, items: asyncio.Queue[tuple[int, Any]]) -> tuple[int, Any]:
        try:
            async with asyncio.timeout(max(0.0, self._ticket.deadline - time.monotonic())):
                return await items.get()
        except TimeoutError:
            raise WireError(504, "the answer took longer than this server allows", code="timeout") from None

    async def _ended(self, writing: _Writing) -> None:
        if writing.finish == "cancelled":
            raise EngineError(CUT_OFF, retryable=True)
        await writing.record()

    async def _events(self) -> AsyncGenerator[str, None]:
        shape, options = self._shape, self._ask.stream_options
        head = {**self._head, "object": shape.chunk}
        counts = {"usage": None} if options is not None and options.include_usage else {}
        for number in range(len(self._writings)):
            if (first := shape.first(number)) is not None:
                yield _event({**head, "choices": [first], **counts})
        try:
            async with contextlib.aclosing(self._given()) as pieces:
                async for number, piece in pieces:
                    if piece is None:
                        choice = shape.last(number, self._writings[number].told)
                    elif piece.text or piece.scores or piece.calls:
                        asked = self._writings[number].scores is not None
                        choice = shape.piece(number, piece.text, piece.scores if asked else None, piece.calls)
                    else:
                        continue
                    yield _event({**head, "choices": [choice], **counts})
        except WireError as error:  # the status is sent already: the event says it
            yield _event(error.body)
            return
        except EngineError as error:
            yield _event(WireError(500, str(error), code="engine_error").body)
            return
        if counts:
            yield _event({**head, "choices": [], "usage": usage_of(self._usage())})
        yield "data: [DONE]\n\n"

    def _usage(self) -> Usage:
        """The counts of all answers together; their prompt is one."""
        found = [writing.usage for writing in self._writings]
        cached = min(usage.cached for usage in found)
        return replace(sum(found, Usage(0, 0)), prompt=found[0].prompt, cached=cached)


def _turn(message: Message) -> dict[str, Any]:
    """A message as it is written down."""
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        turn["calls"] = [call._asdict() for call in message.calls]
    return turn | ({"call_id": message.call_id} if message.call_id else {})


class _Events(Response):
    """Server-sent events that end, and call `close`, as soon as the client leaves."""

    def __init__(
        self, events: AsyncGenerator[str, None], headers: dict[str, str], close: Callable[[], Awaitable[None]]
    ) -> None:
        more = {**headers, "cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(headers=more, media_type="text/event-stream")
        del self.headers["content-length"]
        self._events, self._close = events, close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with contextlib.suppress(ClientLeft):
                await unless_left(receive, self._send(send))
        finally:
            await self._close()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with contextlib.aclosing(self._events) as events:
            async for event in events:
                await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _event(values: dict[str, Any]) -> str:
    return f"data: {json.dumps(values, ensure_ascii=False, separators=(',', ':'))}\n\n"
