"""One answer on its way to one client: whole or streamed, cancelled when the client leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from tensaku.engines.protocol import Stream
from tensaku.errors import EngineError, TensakuError
from tensaku.serve.flow import flow
from tensaku.serve.models import fingerprint
from tensaku.serve.wire import Ask, chunk, completion, error_body, usage_chunk

__all__ = ["Answering"]

CLIENT_LEFT = 499
"""Nobody reads this status; it is for logs."""


class Answering:
    """The engine's stream in the wire's words.

    Args:
        stream: what the engine writes.
        ask: what the client asked for.
        made_by: provenance, for the headers (`x-tensaku-*`) and the body's field `tensaku`.
    """

    def __init__(self, stream: Stream, ask: Ask, made_by: dict[str, str]) -> None:
        self._stream, self._ask = stream, ask
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": ask.model,
            "system_fingerprint": fingerprint(made_by),
            "tensaku": made_by,
        }
        self._headers = {f"x-tensaku-{key}": quote(value) for key, value in made_by.items()}
        if ask.without_effect:
            self._headers["x-tensaku-without-effect"] = ",".join(ask.without_effect)

    def cancel(self) -> None:
        """End the answer now; its client is told that the server closes."""
        self._stream.cancel()

    async def whole(self, request: Request) -> Response:
        """The answer in one piece.

        Raises:
            EngineError: the engine failed.
        """
        reading = asyncio.create_task(self._read())
        leaving = asyncio.create_task(_left(request))
        try:
            await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                return Response(status_code=CLIENT_LEFT)
            body = completion(self._head, reading.result(), self._finish(), self._stream.usage)
            return JSONResponse(body, headers=self._headers)
        finally:
            for task in (reading, leaving):
                task.cancel()
            await asyncio.gather(reading, leaving, return_exceptions=True)

    def streamed(self) -> Response:
        """The answer piece by piece, as server-sent events."""
        headers = {**self._headers, "cache-control": "no-cache", "x-accel-buffering": "no"}
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=headers)

    async def _read(self) -> str:
        async with contextlib.aclosing(flow(self._stream, self._stream.cancel)) as pieces:
            return "".join([piece.text async for piece in pieces])

    async def _events(self) -> AsyncIterator[str]:
        head = self._head
        yield _event(chunk(head, {"role": "assistant", "content": ""}))
        try:
            async with contextlib.aclosing(flow(self._stream, self._stream.cancel)) as pieces:
                async for piece in pieces:
                    if piece.text:
                        yield _event(chunk(head, {"content": piece.text}))
            yield _event(chunk(head, {}, self._finish()))
        except TensakuError as error:  # the status is sent already: the event says it
            yield _event(error_body(str(error), status=500, code="engine_error"))
            return
        options = self._ask.stream_options
        if options is not None and options.include_usage:
            yield _event(usage_chunk(head, self._stream.usage))
        yield "data: [DONE]\n\n"

    def _finish(self) -> str:
        if self._stream.finish == "cancelled":
            raise EngineError("the answer was cut off because the server is closing", retryable=True)
        return self._stream.finish or "stop"


def _event(values: dict[str, Any]) -> str:
    return f"data: {json.dumps(values, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def _left(request: Request) -> None:
    """Returns when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
