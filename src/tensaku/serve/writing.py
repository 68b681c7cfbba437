"""The doors that a model answers at: chat, completions, embeddings, revise."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from tensaku.engines.protocol import Engine, Stream
from tensaku.engines.protocol import Request as Asked
from tensaku.engines.requests import TooLong, Unable, check_request
from tensaku.errors import UsageError
from tensaku.records import Message, Usage
from tensaku.revise import quoting
from tensaku.serve import shapes
from tensaku.serve.answer import Answering, headers_of, unless_left
from tensaku.serve.asks import Ask, ChatAsk, CompletionAsk, EmbeddingAsk, ReviseAsk, parse
from tensaku.serve.callers import Caller
from tensaku.serve.errors import WireError
from tensaku.serve.models import Served
from tensaku.serve.rag import DocumentEngine
from tensaku.serve.revising import check_revise, job_of, revise, tokens_of
from tensaku.serve.service import Service
from tensaku.serve.shapes import Shape

__all__ = ["Doors"]

A = TypeVar("A", bound=Ask)


class Doors:
    """One handler a door. Each knows the caller first, reads the request, gets its turn, and answers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def chat(self, request: Request) -> Response:
        """`/v1/chat/completions`."""
        return await self._write(request, ChatAsk, shapes.chat, "chat")

    async def completions(self, request: Request) -> Response:
        """`/v1/completions`."""
        return await self._write(request, CompletionAsk, shapes.completion, "completions")

    async def embeddings(self, request: Request) -> Response:
        """`/v1/embeddings`."""
        caller, ask = await self._asked(request, EmbeddingAsk)
        model, engine = self._service.look_up(caller, ask.model)
        embed = getattr(engine, "embed", None)
        if "embeddings" not in abilities(engine) or embed is None:
            message = f"the engine {engine.name!r} does not offer embeddings"
            raise WireError(400, message, code="unsupported_parameter", param="model")
        tokens = sum(len(text) for text in ask.texts)
        ticket = await unless_left(request.receive, self._service.admit("embeddings", caller, ask.model, tokens=tokens))
        try:
            work = asyncio.to_thread(embed, ask.texts, model.adapter)
            try:
                vectors, read = await unless_left(request.receive, work)
            except UsageError as error:
                raise WireError(400, str(error), code="context_length_exceeded", param="input") from None
            await ticket.record("\n".join(ask.texts), "", "stop", Usage(read, 0), None, ticket.made_by)
        finally:
            ticket.end(whole=False)
        packed = ask.encoding_format == "base64"
        body = shapes.embeddings(ask.model, vectors, read, ticket.made_by, packed)
        return JSONResponse(body, headers=headers_of(ticket.made_by, ask.without_effect))

    async def revise(self, request: Request) -> Response:
        """`/v1/revise`."""
        caller, ask = await self._asked(request, ReviseAsk)
        draft = check_revise(ask)
        model, _ = self._service.look_up(caller, ask.model)
        tokens = tokens_of(job_of(model), draft)
        ticket = await unless_left(request.receive, self._service.admit("revise", caller, ask.model, tokens=tokens))
        whole = False
        try:
            response = await unless_left(request.receive, revise(ticket, ask, draft))
            whole = True
        finally:
            ticket.end(whole=whole)
        return response

    async def _write(
        self, request: Request, kind: type[ChatAsk] | type[CompletionAsk], shape: Shape, door: str
    ) -> Response:
        caller, ask = await self._asked(request, kind)
        service, weight = self._service, ask.answers
        if weight > service.turns.slots:
            message = f"'n' is {weight}, and this server writes {service.turns.slots} answers at once"
            raise WireError(400, message, code="invalid_value", param="n")
        model, engine = service.look_up(caller, ask.model)
        wanted = ask.request(model.adapter, service.rules.max_tokens)
        check_able(wanted, engine)
        tokens = await self._tokens(caller, wanted, engine, weight)
        admitting = service.admit(door, caller, ask.model, tokens=tokens, weight=weight)
        ticket = await unless_left(request.receive, admitting)
        asked = [ask.request(ticket.model.adapter, service.rules.max_tokens, number) for number in range(weight)]
        answering = Answering(ticket, ask, asked, partial(_submit, _known(ticket.engine, caller), ticket.model), shape)
        kept = False
        try:
            if ask.stream:
                response, kept = await answering.streamed(), True
                return response
            return await unless_left(request.receive, answering.whole())
        finally:
            if not kept:  # a stream gives its slots back itself when it has ended
                await answering.close()

    async def _tokens(self, caller: Caller, wanted: Asked, engine: Engine, weight: int) -> int:
        """Most tokens that a request can come to; counted only for a key that is bounded by them."""
        if caller.key is None or caller.key.limits.tokens_per_minute is None:
            return 0
        prompt = await asyncio.to_thread(_measure, engine, wanted)
        return prompt + weight * min(wanted.max_tokens, max(0, engine.context - prompt))

    async def _asked(self, request: Request, kind: type[A]) -> tuple[Caller, A]:
        caller = await self._service.doorman.caller(request.headers)
        return caller, parse(kind, await _body(request, self._service.rules.max_body))


def abilities(engine: Engine) -> frozenset[str]:
    """What an engine offers beyond greedy answers to conversations."""
    return frozenset(getattr(engine, "can", ()))


def check_able(request: Asked, engine: Engine) -> None:
    """Refuse what the engine cannot do, before the request waits for its turn.

    Raises:
        WireError: 400, naming the field.
    """
    try:
        check_request(request, abilities(engine))
    except Unable as error:
        message = f"the engine {engine.name!r} does not offer {error.field!r} ({error.why})"
        raise WireError(400, message, code="unsupported_parameter", param=error.field) from None
    except UsageError as error:
        raise WireError(400, str(error), code="invalid_value", param="messages") from None


def _known(engine: Engine, caller: Caller) -> Engine:
    """The engine, told who asks if it answers by that; a caller without a key is nobody."""
    if isinstance(engine, DocumentEngine):
        return engine.asked_by(caller.seen_as)
    return engine


def _submit(engine: Engine, model: Served, request: Asked) -> Stream:
    try:
        if model.examples is not None and request.text is None:
            request = quoting(engine, request, model.examples)
        return engine.submit(request)
    except TooLong as error:
        raise WireError(400, str(error), code="context_length_exceeded", param="messages") from None
    except UsageError as error:
        raise WireError(400, str(error), code="invalid_value", param="messages") from None


def _measure(engine: Engine, request: Asked) -> int:
    messages = request.messages if request.text is None else (Message("user", request.text),)
    try:
        return engine.measure(messages)
    except UsageError as error:
        raise WireError(400, str(error), code="invalid_value", param="messages") from None


async def _body(request: Request, limit: int) -> bytes:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise WireError(415, f"the body must be application/json, not {kind[:100] or 'nothing'}", code="not_json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise WireError(413, f"the request is larger than {limit} bytes; shorten the text", code="too_large")
    return bytes(body)
